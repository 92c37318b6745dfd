import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from sqlmodel import Session

from backend.measurements.rules import LIMITS, MeasurementKind
from backend.measurements.tables import Measurement
from backend.medication.tables import InhalerRole
from backend.patients import service as patients
from backend.patients.tables import Patient, Sex
from backend.risk.forecaster import (
    DiaryColumns,
    ModelUnusable,
    PatientDay,
    RiskForecaster,
    load_forecaster,
    profiles_of,
    read_diaries,
)
from tests.factories import clinic, entries

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)  # noon in Seoul
TODAY = date(2026, 11, 20)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def patient(session: Session) -> Patient:
    return clinic.patient(session, clinic.hospital(session), now=NOW)


def column(columns: DiaryColumns, name: str) -> list[float | None]:
    """The column's values in the order of the rows, None for what is not recorded."""
    return [None if np.isnan(value) else round(float(value), 3) for value in getattr(columns.diaries, name)]


def test_morning_and_evening_are_told_by_the_clock_of_the_entry(session: Session, patient: Patient) -> None:
    entries.peak_flow(session, patient, 400, taken_at=NOW - 5 * HOUR)  # 07:00
    entries.peak_flow(session, patient, 410, taken_at=NOW - HOUR / 60)  # 11:59
    entries.peak_flow(session, patient, 380, taken_at=NOW)  # 12:00
    late = entries.peak_flow(session, patient, 390, taken_at=NOW + 13 * HOUR)  # 01:00 of the next day
    late.local_date = TODAY
    abroad = entries.peak_flow(session, patient, 370, taken_at=NOW - 3 * DAY)
    abroad.utc_offset_minutes = -300  # 22:00 of the day before, in New York
    abroad.local_date = TODAY - 4 * DAY
    session.flush()
    columns = read_diaries(session, [patient.id])
    assert column(columns, "morning_litres_per_min") == [None, 410]
    assert column(columns, "evening_litres_per_min") == [370, 390]
    assert list(columns.diaries.day) == [(TODAY - 4 * DAY).toordinal(), TODAY.toordinal()]


def test_a_bare_yes_is_mild_and_what_was_not_asked_stays_unknown(session: Session, patient: Patient) -> None:
    entries.symptoms(session, patient, taken_at=NOW - 3 * DAY, daytime=True)
    entries.symptoms(session, patient, taken_at=NOW - 2 * DAY, daytime=True, severity=3, night_waking=True)
    entries.symptoms(session, patient, taken_at=NOW - DAY, daytime=None, activity_limited=False)
    entries.symptoms(session, patient, taken_at=NOW, daytime=False)
    entries.symptoms(session, patient, taken_at=NOW, daytime=None, severity=2)
    columns = read_diaries(session, [patient.id])
    assert column(columns, "day_symptoms") == [1, 3, None, 2]
    assert column(columns, "night_waking") == [None, 1, None, None]
    assert column(columns, "activity_limited") == [None, None, 0, None]


def test_a_recall_of_the_day_is_never_added_to_counted_puffs(session: Session, patient: Patient) -> None:
    reliever = entries.inhaler(session, patient, InhalerRole.RELIEVER, now=NOW)
    for day, logged, recalled in ((2, [2, 2], 6), (1, [2, 2, 2], 4), (0, [], 0)):
        at = NOW - day * DAY
        for puffs in logged:
            entries.inhaler_use(session, patient, reliever, taken_at=at, puffs=puffs)
        entries.inhaler_use(session, patient, reliever, taken_at=at, puffs=recalled, source="day_recall")
    assert column(read_diaries(session, [patient.id]), "reliever_puffs") == [6, 6, 0]


def test_a_reported_range_counts_as_its_middle_and_an_open_one_as_its_lower_end(
    session: Session, patient: Patient
) -> None:
    reliever = entries.inhaler(session, patient, InhalerRole.RELIEVER, now=NOW)
    for day, (puffs, at_most) in enumerate([(5, 8), (13, 99), (3, 3)]):
        entries.inhaler_use(
            session,
            patient,
            reliever,
            taken_at=NOW - day * DAY,
            puffs=puffs,
            puffs_at_most=at_most,
            source="day_recall",
        )
    assert column(read_diaries(session, [patient.id]), "reliever_puffs") == [3, 13, 6.5]


def test_only_relief_counts_as_reliever_use(session: Session, patient: Patient) -> None:
    reliever = entries.inhaler(session, patient, InhalerRole.RELIEVER, now=NOW)
    both = entries.inhaler(session, patient, InhalerRole.BOTH, now=NOW, puffs_per_dose=1, doses_per_day=2)
    controller = entries.inhaler(session, patient, InhalerRole.CONTROLLER, now=NOW, puffs_per_dose=2, doses_per_day=2)
    entries.inhaler_use(session, patient, reliever, taken_at=NOW, puffs=1, purpose="unknown")
    entries.inhaler_use(session, patient, reliever, taken_at=NOW, puffs=2, purpose="before_exercise")
    entries.inhaler_use(session, patient, both, taken_at=NOW, puffs=3, purpose="relief")
    entries.inhaler_use(session, patient, both, taken_at=NOW, puffs=1, purpose="maintenance")
    entries.inhaler_use(session, patient, controller, taken_at=NOW, puffs=4, purpose="maintenance")
    columns = read_diaries(session, [patient.id])
    assert column(columns, "reliever_puffs") == [4]
    # One of two doses of the one, all of the other.
    assert column(columns, "controller_fraction") == [0.75]


def test_amounts_in_words_become_shares_and_unsure_stays_unknown(session: Session, patient: Patient) -> None:
    controller = entries.inhaler(session, patient, InhalerRole.CONTROLLER, now=NOW, puffs_per_dose=2, doses_per_day=2)
    for day, amount in enumerate(["unsure", "more", "as_usual", "less", "none"]):
        entries.inhaler_use(
            session,
            patient,
            controller,
            taken_at=NOW - day * DAY,
            amount=amount,
            purpose="maintenance",
            source="day_recall",
        )
    assert column(read_diaries(session, [patient.id]), "controller_fraction") == [0, 0.5, 1, 1, None]


def test_more_than_prescribed_is_capped_and_as_needed_has_no_share(session: Session, patient: Patient) -> None:
    controller = entries.inhaler(session, patient, InhalerRole.CONTROLLER, now=NOW, puffs_per_dose=2, doses_per_day=2)
    as_needed = entries.inhaler(session, patient, InhalerRole.CONTROLLER, now=NOW)
    entries.inhaler_use(session, patient, controller, taken_at=NOW, puffs=9, purpose="maintenance")
    entries.inhaler_use(session, patient, as_needed, taken_at=NOW - DAY, puffs=1, purpose="maintenance")
    assert column(read_diaries(session, [patient.id]), "controller_fraction") == [None, 1]


def test_triggers_are_counted_once_a_day_and_none_is_zero(session: Session, patient: Patient) -> None:
    for name in ("pollen", "pollen", "smoke", "none"):
        entries.trigger(session, patient, name, taken_at=NOW - DAY)
    entries.trigger(session, patient, "none", taken_at=NOW)
    assert column(read_diaries(session, [patient.id]), "trigger_count") == [2, 0]


def test_attacks_and_diary_of_one_day_are_one_row_and_deleted_entries_are_none(
    session: Session, patient: Patient
) -> None:
    entries.attack(session, patient, taken_at=NOW, emergency_visit=True)
    entries.symptoms(session, patient, taken_at=NOW)
    gone = entries.peak_flow(session, patient, 300, taken_at=NOW - DAY)
    gone.deleted = True
    session.flush()
    columns = read_diaries(session, [patient.id])
    assert len(columns.diaries) == 1
    assert column(columns, "systemic_steroids") == [1]
    assert column(columns, "emergency_visit") == [1]
    assert column(columns, "hospital_admission") == [None]


def measured(
    session: Session, patient: Patient, kind: MeasurementKind, value: float, on: date, *, by: UUID
) -> Measurement:
    unit = LIMITS[kind].unit
    row = Measurement(
        patient_id=patient.id, kind=kind.value, value=value, unit=unit, measured_on=on, entered_at=NOW, entered_by=by
    )
    session.add(row)
    session.flush()
    return row


def test_the_latest_biomarkers_that_stand_are_in_the_profile(session: Session, patient: Patient) -> None:
    unmeasured = clinic.patient(session, clinic.hospital(session), now=NOW)
    doctor = clinic.clinician(session, clinic.hospital(session), now=NOW).id
    eosinophils, feno = MeasurementKind.BLOOD_EOSINOPHILS, MeasurementKind.FENO
    measured(session, patient, eosinophils, 410, date(2026, 9, 1), by=doctor)
    measured(session, patient, eosinophils, 180, date(2025, 9, 1), by=doctor)
    mistake = measured(session, patient, feno, 300, date(2026, 10, 2), by=doctor)
    mistake.withdrawn_at, mistake.withdrawn_by = NOW, doctor
    measured(session, patient, feno, 38, date(2026, 10, 1), by=doctor)
    ids = [unmeasured.id, patient.id]
    profiles = profiles_of(read_diaries(session, ids), [PatientDay(one, TODAY) for one in ids], {})
    np.testing.assert_array_equal(profiles.eosinophils_per_microlitre, [np.nan, 410])
    np.testing.assert_array_equal(profiles.feno_ppb, [np.nan, 38])


def test_every_patient_keeps_the_own_rows(session: Session, patient: Patient) -> None:
    other = clinic.patient(session, clinic.hospital(session), now=NOW)
    silent = clinic.patient(session, clinic.hospital(session), now=NOW)
    entries.peak_flow(session, patient, 400, taken_at=NOW)
    entries.peak_flow(session, other, 500, taken_at=NOW)
    entries.peak_flow(session, other, 510, taken_at=NOW - DAY)
    columns = read_diaries(session, [other.id, silent.id, patient.id])
    assert list(columns.diaries.patient_index) == [0, 0, 2]
    assert column(columns, "evening_litres_per_min") == [510, 500, 400]


def test_a_profile_out_of_range_is_brought_into_it(session: Session, forecaster: RiskForecaster) -> None:
    giant = patients.add_patient(
        session,
        hospital_id=clinic.hospital(session).id,
        display_name="A",
        now=NOW,
        sex=Sex.FEMALE,
        born_on=date(1880, 1, 1),
        severe_attacks_last_year=5000,
    )
    entries.weeks_of_diary(session, giant, until=NOW, days=10)
    columns = read_diaries(session, [giant.id])
    (forecast,) = forecaster.forecast(columns, [PatientDay(giant.id, TODAY, 5000.0)])
    assert forecast.status == "ready"


def test_days_of_other_patients_than_were_read_are_refused(
    session: Session, patient: Patient, forecaster: RiskForecaster
) -> None:
    other = clinic.patient(session, clinic.hospital(session), now=NOW)
    with pytest.raises(ValueError, match="not of the patients"):
        forecaster.forecast(read_diaries(session, [patient.id]), [PatientDay(other.id, TODAY)])


def test_no_model_and_a_broken_model_say_what_is_wrong(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ModelUnusable, match="there is no model"):
        RiskForecaster.newest_in(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "card.json").write_text("{")
    with pytest.raises(ModelUnusable):
        RiskForecaster.newest_in(tmp_path)
    assert load_forecaster(tmp_path) is None
    assert "rules alone" in caplog.text


def test_the_newest_version_is_the_greatest_number(tmp_path: Path) -> None:
    for folder, version in (("a", "10"), ("b", "9")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "card.json").write_text(json.dumps({"model_version": version}))
    with pytest.raises(ModelUnusable, match="/a"):
        RiskForecaster.newest_in(tmp_path)
