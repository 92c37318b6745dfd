"""The published trials as a prior: it must give the trials back, and say what it does not know."""

from pathlib import Path

import numpy as np
import pytest

from ml.treatment.assumptions import shipped
from ml.treatment.evidence import Trial, log_evidence, pooled, read_trials
from ml.treatment.ingredients import COEFFICIENTS

A = shipped()
TRIALS = read_trials(A)
EFFECTS = pooled(TRIALS, A)
# Two subgroups of one small trial contradict each other (odds ratios 0.11 and 5.72); nothing smooth explains both.
CONTRADICTORY = "Novel START, budesonide 400"


@pytest.mark.parametrize("trial", [t for t in TRIALS if CONTRADICTORY not in t.name], ids=lambda t: t.name)
def test_every_trial_is_explained_within_its_own_uncertainty(trial: Trial) -> None:
    fitted = -trial.contrast @ EFFECTS.mean
    spread = np.hypot(trial.standard_error, A["effects"]["between_trials_sd"])
    assert abs(fitted - trial.log_ratio) < 1.96 * spread


def test_every_trial_names_its_source_and_whether_it_was_read() -> None:
    for trial in TRIALS:
        assert "[V" in trial.source or "[M" in trial.source, trial.name


def test_the_shipped_half_effect_dose_is_the_one_the_trials_support_best() -> None:
    def evidence(half_effect: float) -> float:
        changed = {**A, "dose": {**A["dose"], "half_effect_micrograms": half_effect}}
        return log_evidence(read_trials(changed), changed)

    shipped_dose = A["dose"]["half_effect_micrograms"]
    assert evidence(shipped_dose) > max(evidence(shipped_dose / 2), evidence(shipped_dose * 2))


def test_a_new_trial_moves_its_own_effect_and_narrows_it() -> None:
    lama = COEFFICIENTS.index("lama")
    contrast = np.zeros(len(COEFFICIENTS))
    contrast[lama] = 0.8
    more = pooled([*TRIALS, Trial("a large trial", "", float(np.log(0.6)), 0.05, contrast)], A)
    assert more.mean[lama] > EFFECTS.mean[lama]
    assert more.covariance[lama, lama] < EFFECTS.covariance[lama, lama]


def test_without_trials_an_effect_is_nearly_unknown() -> None:
    nothing = pooled([t for t in TRIALS if "zumab" not in t.name], A)
    ige = COEFFICIENTS.index("anti_ige")
    assert nothing.mean[ige] == pytest.approx(0, abs=1e-9)
    assert nothing.covariance[ige, ige] > 2


def test_a_ratio_out_of_order_is_refused_by_the_name_of_its_trial(tmp_path: Path) -> None:
    file = tmp_path / "trials.toml"
    file.write_text(
        '[[trial]]\nname = "mistyped"\nratio = [0.5, 0.6, 0.9]\nwith = { ics = 200 }\nwithout = {}\nsource = "[M]"\n'
    )
    with pytest.raises(ValueError, match="mistyped: ratio must be"):
        read_trials(A, file)
