import numpy as np
import pytest

from ml.simulator import people as people_of
from ml.simulator.cohort import simulate
from ml.simulator.counterfactual import outcomes_under
from ml.simulator.parameters import frozen
from ml.simulator.regimens import USUAL_CARE_BY_STEP, Regimen


def test_more_treatment_means_fewer_expected_attacks_for_every_kind_of_patient() -> None:
    people = people_of.draw(frozen(), np.random.default_rng(2), 150)
    outcomes = outcomes_under(
        people,
        {
            "none": Regimen(),
            "steroid": Regimen(ics_micrograms_per_day=400, adherence_mean=0.8),
            "mart": Regimen(
                ics_micrograms_per_day=400,
                laba=True,
                reliever="ics_formoterol",
                reliever_ics_micrograms_per_puff=200,
                adherence_mean=0.8,
            ),
        },
        seed=1,
        days=120,
        replicates=2,
    )
    attacks = {name: outcome.severe_attacks_per_year.mean() for name, outcome in outcomes.items()}
    assert attacks["none"] > attacks["steroid"] > attacks["mart"] > 0
    assert outcomes["none"].ics_micrograms_per_day.max() == 0
    controlled = {name: outcome.controlled_day_share.mean() for name, outcome in outcomes.items()}
    assert controlled["mart"] > controlled["steroid"] > controlled["none"]


def test_expected_attacks_agree_with_those_that_happen_to_the_same_people() -> None:
    cohort = simulate(6, 1500, 200)
    people = cohort.truth.people
    on_step_three = people.treatment_step == 3
    counted = cohort.truth.severe_onset[on_step_three].mean() * 365
    expected = outcomes_under(
        people.take(on_step_three), {"usual": USUAL_CARE_BY_STEP[3]}, seed=3, days=200, replicates=3
    )
    assert expected["usual"].severe_attacks_per_year.mean() == pytest.approx(counted, rel=0.25)


def test_identical_regimens_have_identical_outcomes() -> None:
    people = people_of.draw(frozen(), np.random.default_rng(2), 20)
    outcomes = outcomes_under(people, {"a": Regimen(), "b": Regimen()}, seed=1, days=30, replicates=1)
    np.testing.assert_array_equal(outcomes["a"].severe_attacks_per_year, outcomes["b"].severe_attacks_per_year)
