import os
from pathlib import Path

import numpy as np
import pytest

from ml.evaluation.aamos import one_step_errors, read_cohort, read_sessions
from ml.features.daily import patient_days
from ml.peak_flow import PeakFlowForecast

PROJECT = Path(__file__).parents[2]
FOLDER = (PROJECT / os.environ.get("SOOM_SHARED_DATA", "../shared/data")).resolve() / "aamos00"
needs_files = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the AAMOS-00 files are not in {FOLDER}")


@needs_files
def test_every_patient_diary_day_and_attack_of_the_files_is_read() -> None:
    cohort = read_cohort(FOLDER)
    assert len(cohort.profiles) == 14
    assert int((~np.isnan(cohort.diaries.day_symptoms)).sum()) == 922
    days = patient_days(cohort.diaries, cohort.profiles)
    # The data's own description: 10 severe episodes in 5 patients.
    assert int(days.onset.any(axis=0).sum()) == 5
    assert int(days.onset.sum()) == 10


@needs_files
def test_the_next_morning_peak_flow_is_closer_than_the_moving_average() -> None:
    errors = one_step_errors(read_sessions(FOLDER), seed=1)
    assert errors.readings > 400
    assert errors.forecast.value < 6.3
    assert errors.forecast.value < errors.moving_average.value < errors.last.value
    assert errors.forecast.low < errors.forecast.value < errors.forecast.high
    assert errors.gain.value == pytest.approx(errors.moving_average.value - errors.forecast.value)


def test_one_wild_blow_does_not_move_what_is_expected_by_much() -> None:
    state = PeakFlowForecast()
    for day in range(30):
        state.observe(day, True, 400.0)
    before = state.expected(30, True)
    state.observe(30, True, 120.0)
    after = state.expected(31, True)
    assert before is not None
    assert after is not None
    assert 0.9 * before < after < before


def test_morning_and_evening_are_expected_apart_and_errors_are_refused() -> None:
    state = PeakFlowForecast()
    assert state.expected(0, True) is None
    for day in range(60):
        state.observe(day, True, 380.0)
        state.observe(day + 0.5, False, 420.0)
    morning, evening = state.expected(60, True), state.expected(60.5, False)
    assert morning is not None
    assert evening is not None
    assert evening - morning > 20
    with pytest.raises(ValueError, match="order of time"):
        state.observe(1, True, 400)
    with pytest.raises(ValueError, match="impossible"):
        state.observe(61, True, 0)
