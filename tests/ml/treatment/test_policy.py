"""Following the advice in a trial whose truth is known and is not the adviser's own model."""

import numpy as np
import pytest

from ml.advisor import Advisor, published_advisor
from ml.contract import UtilityWeights
from ml.treatment.assumptions import shipped
from ml.treatment.ingredients import Float64
from ml.treatment.population import refit
from tests.factories import treatment_trial as trial

PUBLISHED = published_advisor()
ATTACKS_ONLY = UtilityWeights(1, 0, 0, 0)


def averted_by_treating(first: Float64, truth: Float64, share: float) -> float:
    """Attacks averted a patient-year if the `share` of patients who come `first` is treated."""
    treated = np.argsort(-first, kind="stable")[: round(share * len(truth))]
    return float(truth[treated].sum() / len(truth))


@pytest.mark.parametrize(("randomised", "of_oracle"), [(True, 0.90), (False, 0.80)])
def test_the_advice_averts_nearly_what_an_oracle_would_and_more_than_the_biomarker_rule(
    randomised: bool, of_oracle: float
) -> None:
    seen = trial.run(np.random.default_rng(1), 1500, randomised=randomised)
    population = refit(PUBLISHED.population, seen.patients, trial.AS_OF, np.full(1500, randomised), shipped())
    asked = trial.run(np.random.default_rng(2), 1500, all_low=True)
    advice = Advisor(population, shipped(), "refitted").advise(
        asked.patients, [[trial.LOW, trial.HIGH]] * 1500, trial.AS_OF, ATTACKS_ONLY
    )
    gain = np.array([o.gain.expected for found in advice for o in found.options if o.code == "high"])
    share = float((asked.averted > 0.1).mean())
    oracle = averted_by_treating(asked.averted, asked.averted, share)
    biomarkers = np.maximum(
        np.log10(asked.patients.eosinophils_per_microlitre / 300), np.log10(asked.patients.feno_ppb / 25)
    )
    assert averted_by_treating(gain, asked.averted, share) >= of_oracle * oracle
    assert averted_by_treating(gain, asked.averted, share) > averted_by_treating(biomarkers, asked.averted, share)
