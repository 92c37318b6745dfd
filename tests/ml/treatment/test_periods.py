import numpy as np
import pytest

from ml.contract import Diaries, TreatmentPatients, TreatmentPeriods
from ml.treatment.periods import cut_into_periods
from tests.factories.treatment_patients import LOW, Person, Stretch, patients, regimen

NAN = np.nan


def test_a_change_of_treatment_begins_a_period_and_diary_days_fall_where_they_belong() -> None:
    diaries = Diaries.of(
        [0] * 6,
        [100, 101, 102, 103, 104, 105],
        day_symptoms=[0, 2, NAN, 0, 0, 1],
        night_waking=[0, 0, NAN, 0, 1, 0],
        reliever_puffs=[2, 4, NAN, 0, 1, NAN],
        controller_fraction=[1, 0.5, NAN, 1, 1, 1],
    )
    periods = cut_into_periods(diaries, [0, 0], [100, 103], [4, 7], as_of=105)
    assert periods.regimen.tolist() == [4, 7]
    assert (periods.first_day.tolist(), periods.last_day.tolist()) == ([100, 103], [102, 105])
    assert (periods.diary_days.tolist(), periods.controlled_days.tolist()) == ([2, 3], [1, 1])
    assert periods.reliever_puffs_per_day.tolist() == [3, 0.5]
    assert periods.controller_fraction.tolist() == [0.75, 1]


def test_severe_days_close_together_are_one_attack_and_count_where_it_began() -> None:
    diaries = Diaries.of(
        [0] * 5 + [1],
        [100, 101, 110, 125, 140, 100],
        systemic_steroids=[1, 1, 0, 0, 0, 1],
        emergency_visit=[0, 0, 1, 0, 0, 0],
        hospital_admission=[0, 0, 0, 1, 0, 0],
    )
    periods = cut_into_periods(diaries, [0, 0, 1], [90, 109, 90], [0, 1, 0], as_of=150)
    # Days 100, 101 and 110 are one attack that began before the change; day 125 is the next, of another patient none.
    assert periods.severe_attacks.tolist() == [1, 1, 1]


def test_time_after_the_last_diary_row_is_not_time_without_attacks() -> None:
    diaries = Diaries.of([0, 0], [100, 130], day_symptoms=[0, 0])
    assert cut_into_periods(diaries, [0], [100], [0], as_of=400).last_day.tolist() == [130]


def test_rows_outside_every_period_and_after_the_day_asked_about_are_left_out() -> None:
    diaries = Diaries.of([0, 0, 0, 1], [50, 100, 120, 100], day_symptoms=[0, 0, 0, 0])
    periods = cut_into_periods(diaries, [0, 0], [90, 130], [0, 1], as_of=110)
    assert (periods.regimen.tolist(), periods.diary_days.tolist()) == ([0], [1])
    assert np.isnan(periods.reliever_puffs_per_day).all()


def _periods(**changed: object) -> TreatmentPeriods:
    columns = {name: np.zeros(2, np.float32) for name in TreatmentPeriods.__slots__}
    columns |= {name: np.array([0, 0], np.int32) for name in ("patient_index", "regimen")}
    columns |= {"first_day": np.array([1, 11], np.int32), "last_day": np.array([10, 20], np.int32)}
    return TreatmentPeriods(**(columns | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"last_day": np.array([11, 20], np.int32)}, "without overlap; see row 1"),
        ({"last_day": np.array([0, 20], np.int32)}, "must end after it began"),
        ({"controlled_days": np.ones(2, np.float32)}, "controlled_days must lie within diary_days"),
        ({"severe_attacks": np.array([np.nan, 0], np.float32)}, "severe_attacks must be known"),
        ({"controller_fraction": np.array([0, 1.5], np.float32)}, "controller_fraction holds 1.5 in row 1"),
    ],
)
def test_impossible_periods_are_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _periods(**changed)


def test_a_period_of_nobody_is_refused() -> None:
    known = patients([Person((Stretch(LOW),))])
    stray = _periods(patient_index=np.array([0, 5], np.int32))
    with pytest.raises(ValueError, match="points to a patient or regimen that is not there"):
        TreatmentPatients(
            age_years=known.age_years,
            eosinophils_per_microlitre=known.eosinophils_per_microlitre,
            feno_ppb=known.feno_ppb,
            severe_attacks_last_year=known.severe_attacks_last_year,
            technique_correct=known.technique_correct,
            periods=stray,
            regimens=known.regimens,
        )


def test_a_regimen_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="belongs to ics_saba and ics_formoterol"):
        type(LOW)("x", 2, 200, laba=False, lama=False, reliever="saba", reliever_ics_micrograms_per_puff=80)
    with pytest.raises(ValueError, match="step is 6"):
        regimen("x", 6, 200)
    with pytest.raises(ValueError, match="ics_micrograms_per_day is -1"):
        regimen("x", 2, -1)
