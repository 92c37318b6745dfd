from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.contract import DIARY_RANGES, Diaries, Profiles
from ml.forecaster import Forecaster
from ml.model import Model, load_model
from ml.online import PatientOnline
from tests.ml.conftest import FIRST_DAY

PROFILE = Profiles.of(1, age_years=33, personal_best_litres_per_min=480, hospital=1)

VALUES = {
    "morning_litres_per_min": st.integers(150, 600).map(float),
    "evening_litres_per_min": st.integers(150, 600).map(float),
    "day_symptoms": st.sampled_from([0.0, 1.0, 2.0, 3.0]),
    "night_waking": st.sampled_from([0.0, 1.0]),
    "reliever_puffs": st.integers(0, 30).map(float),
    "controller_fraction": st.sampled_from([0.0, 0.5, 1.0]),
    "systemic_steroids": st.sampled_from([0.0, 0.0, 0.0, 1.0]),
}
DAY = st.integers(0, 75)
ENTRY = st.tuples(DAY, st.one_of(st.none(), st.fixed_dictionaries({}, optional=VALUES)))
LOOK = st.tuples(DAY, st.just("look"))


def batch(model: Model, rows: dict[int, dict[str, float]], as_of: int) -> tuple[dict[int, float] | None, float | None]:
    days = sorted(rows)
    columns = {name: [rows[day].get(name, np.nan) for day in days] for name in DIARY_RANGES}
    diaries = Diaries.of(np.zeros(len(days)), np.array(days), **columns)
    (found,) = Forecaster(model).forecast(diaries, PROFILE, np.array([as_of], dtype=np.int32))
    return (None if found.probability is None else dict(found.probability)), found.alarm_score


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.one_of(ENTRY, ENTRY, ENTRY, LOOK), min_size=15, max_size=60))
def test_any_order_of_late_corrected_and_removed_days_forecasts_as_the_whole_diary_does(
    model: Model, steps: list[tuple[int, object]]
) -> None:
    patient = PatientOnline(model, PROFILE)
    rows: dict[int, dict[str, float]] = {}
    for offset, what in [*steps, (80, "look")]:
        day = FIRST_DAY + offset
        if what == "look":
            if rows and min(rows) <= day:
                found = patient.forecast(day)
                probability, alarm_score = batch(model, rows, day)
                assert found.probability == pytest.approx(probability, abs=1e-9)
                assert found.alarm_score == pytest.approx(alarm_score, abs=1e-9)
        elif what is None:
            patient.record(day, None)
            rows.pop(day, None)
        else:
            assert isinstance(what, dict)
            patient.record(day, what)
            rows[day] = what


def test_a_day_at_a_time_equals_all_at_once_over_months(model_folder: Path) -> None:
    model = load_model(model_folder)
    rng = np.random.default_rng(4)
    rows: dict[int, dict[str, float]] = {}
    patient = PatientOnline(model, PROFILE)
    for day in range(FIRST_DAY, FIRST_DAY + 200):
        if rng.random() < 0.8:
            rows[day] = {
                "morning_litres_per_min": float(rng.integers(350, 480)),
                "reliever_puffs": float(rng.poisson(1)),
                "systemic_steroids": float(rng.random() < 0.01),
            }
            patient.record(day, rows[day])
        if rows and day % 30 == 0:
            probability, alarm_score = batch(model, rows, day)
            found = patient.forecast(day)
            assert found.probability == pytest.approx(probability, abs=1e-9)
            assert found.alarm_score == pytest.approx(alarm_score, abs=1e-9)


def test_an_impossible_value_is_refused_and_the_diary_stays_as_it_was(model: Model) -> None:
    patient = PatientOnline(model, PROFILE)
    with pytest.raises(ValueError, match="no entry up to that day"):
        patient.forecast(FIRST_DAY)
    patient.record(FIRST_DAY, {"reliever_puffs": 2})
    with pytest.raises(ValueError, match=r"morning_litres_per_min is 7\.5"):
        patient.record(FIRST_DAY, {"morning_litres_per_min": 7.5})
    assert patient.forecast(FIRST_DAY).diary_days == 1
