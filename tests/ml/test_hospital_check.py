"""How a hospital judges a model from elsewhere on its own diaries."""

from dataclasses import replace

import numpy as np
import pytest

from ml.evaluation.hospital_check import hospital_check
from ml.evaluation.study_data import StudyData, study_data
from ml.forecaster import SHIPPED_MODEL
from ml.model import Model, load_model
from ml.training.fit import Cohort
from ml.training.simulated import simulated_cohort

HOSPITAL = 0


@pytest.fixture(scope="module")
def shipped() -> Model:
    return load_model(SHIPPED_MODEL)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    drawn, _ = simulated_cohort(11, 160, 240)
    codes = np.full(len(drawn.profiles), HOSPITAL, dtype=np.int32)
    return Cohort(drawn.diaries, replace(drawn.profiles, hospital=codes), drawn.last_day)


@pytest.fixture(scope="module")
def data(cohort: Cohort) -> StudyData:
    return study_data(cohort)


def test_a_model_whose_chances_are_far_off_here_is_found_out_by_its_interval(shipped: Model, data: StudyData) -> None:
    far_off = replace(shipped, hospital_factor={HOSPITAL: 8.0})
    found = hospital_check(far_off, shipped, data, seed=1)
    assert found["verdict"] == "not_calibrated"
    candidate, current = found["candidate"], found["current"]
    assert candidate["observed_over_expected"]["high"] < 0.8
    assert current["observed_over_expected"]["value"] > 2 * candidate["observed_over_expected"]["value"]
    for figures in (candidate, current):
        for name in ("auroc", "observed_over_expected", "sensitivity"):
            assert figures[name]["low"] <= figures[name]["value"] <= figures[name]["high"]
    # Ranking of days is the same: only the level is off.
    assert candidate["auroc"]["value"] == pytest.approx(current["auroc"]["value"], abs=0.02)


def test_with_too_few_attacks_no_figure_is_given(shipped: Model, cohort: Cohort) -> None:
    found = hospital_check(shipped, shipped, study_data(cohort.chosen(np.arange(12))), seed=1)
    assert found["verdict"] == "too_few_attacks"
    assert found["candidate"] is found["current"] is None
