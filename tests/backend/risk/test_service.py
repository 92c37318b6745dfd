import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician, Hospital
from backend.alerts.tables import Alert
from backend.core.due import DueWork
from backend.medication.tables import InhalerRole
from backend.patients import service as patients
from backend.patients.tables import Patient, Purpose
from backend.risk import service
from backend.risk.forecaster import RiskForecaster
from backend.risk.store import forecast_changed_after, newest_assessment
from backend.risk.tables import Assessment
from tests.factories import clinic, entries

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)  # noon in Seoul
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)

NewSession = Callable[[], Session]


@pytest.fixture
def new_session(session: Session) -> NewSession:
    return lambda: Session(session.connection(), join_transaction_mode="create_savepoint", expire_on_commit=False)


@pytest.fixture
def doctor(session: Session) -> Clinician:
    return clinic.clinician(session, clinic.hospital(session), now=NOW)


@pytest.fixture
def patient(session: Session, doctor: Clinician) -> Patient:
    row = patients.add_patient(session, hospital_id=doctor.hospital_id, display_name="Minji Lee", now=NOW - 90 * DAY)
    session.commit()
    return row


def assessment_of(session: Session, patient: Patient) -> Assessment:
    session.expire_all()
    found = newest_assessment(session, patient.id)
    assert found is not None
    return found


def assess(session: Session, new_session: NewSession, forecaster: RiskForecaster | None, *who: Patient) -> None:
    entries.mark_for_assessment(session, *who, now=NOW)
    assert service.assess_due(new_session, forecaster, NOW) == len(who)


def open_alert(session: Session, patient: Patient) -> Alert | None:
    session.expire_all()
    return session.exec(select(Alert).where(Alert.patient_id == patient.id, Alert.state != "resolved")).first()


def test_a_red_reading_becomes_an_assessment_and_a_red_alert(
    session: Session, new_session: NewSession, patient: Patient, doctor: Clinician
) -> None:
    entries.plan(session, patient, doctor.id, signed_at=NOW - 30 * DAY, best=500)
    entries.peak_flow(session, patient, 240, taken_at=NOW - HOUR)
    assess(session, new_session, None, patient)
    found = assessment_of(session, patient)
    assert (found.zone, found.newest_litres_per_min, found.best_litres_per_min) == ("red", 240, 240)
    assert found.as_of == NOW.date()
    assert set(found.red_flags) == {"red_zone", "peak_flow_below_half"}
    alert = open_alert(session, patient)
    assert alert is not None
    assert (alert.level, alert.cause, alert.assessment_id) == ("red", "red_zone", found.id)
    assert {"code": "red_zone", "value": 240, "unit": "litres_per_min"} in alert.reasons
    assert session.exec(select(DueWork).where(DueWork.kind == "assess", DueWork.key == patient.id)).first() is None


def test_a_danger_sign_alone_raises_an_alert_and_a_good_reading_does_not_end_it(
    session: Session, new_session: NewSession, patient: Patient, doctor: Clinician
) -> None:
    entries.plan(session, patient, doctor.id, signed_at=NOW - 30 * DAY, best=500)
    entries.symptoms(session, patient, taken_at=NOW - 2 * HOUR, red_flags=["blue_lips"])
    entries.peak_flow(session, patient, 495, taken_at=NOW - HOUR)
    assess(session, new_session, None, patient)
    alert = open_alert(session, patient)
    assert alert is not None
    assert alert.cause == "red_flag"
    assert [reason["code"] for reason in alert.reasons] == ["blue_lips"]
    assert assessment_of(session, patient).zone == "green"


def test_what_the_phone_showed_as_red_is_red_here_too(
    session: Session, new_session: NewSession, patient: Patient
) -> None:
    entries.peak_flow(session, patient, 300, taken_at=NOW - HOUR, action_zone="red")
    assess(session, new_session, None, patient)
    assert assessment_of(session, patient).zone == "red"
    assert open_alert(session, patient) is not None


def test_without_a_plan_the_measured_personal_best_is_the_yardstick(
    session: Session, new_session: NewSession, patient: Patient
) -> None:
    for back in range(1, 12):
        entries.peak_flow(session, patient, 500, taken_at=NOW - back * DAY)
    entries.peak_flow(session, patient, 360, taken_at=NOW - HOUR)
    assess(session, new_session, None, patient)
    assert assessment_of(session, patient).zone == "yellow"
    assert open_alert(session, patient) is None


def test_without_a_plan_and_with_too_few_days_the_zone_is_unknown(
    session: Session, new_session: NewSession, patient: Patient
) -> None:
    entries.peak_flow(session, patient, 360, taken_at=NOW - HOUR)
    assess(session, new_session, None, patient)
    found = assessment_of(session, patient)
    assert (found.zone, found.newest_litres_per_min) == (None, 360)


def test_an_old_reading_says_nothing_of_the_zone_now(
    session: Session, new_session: NewSession, patient: Patient, doctor: Clinician
) -> None:
    entries.plan(session, patient, doctor.id, signed_at=NOW - 30 * DAY)
    entries.peak_flow(session, patient, 480, taken_at=NOW - 3 * DAY)
    assess(session, new_session, None, patient)
    found = assessment_of(session, patient)
    assert (found.zone, found.last_entry_at) == (None, NOW - 3 * DAY)


def test_more_puffs_than_the_inhaler_allows_in_a_day_raise_an_alert(
    session: Session, new_session: NewSession, patient: Patient
) -> None:
    both = entries.inhaler(session, patient, InhalerRole.BOTH, now=NOW, max_puffs_per_day=12)
    for hours in range(1, 4):
        entries.inhaler_use(session, patient, both, taken_at=NOW - hours * HOUR, puffs=4)
    assess(session, new_session, None, patient)
    assert open_alert(session, patient) is None
    entries.inhaler_use(session, patient, both, taken_at=NOW - HOUR / 2, puffs=1)
    assess(session, new_session, None, patient)
    alert = open_alert(session, patient)
    assert alert is not None
    assert alert.reasons == [{"code": "reliever_ceiling_passed", "value": 13, "unit": "puffs"}]


def test_a_diary_of_a_month_has_a_forecast_and_one_of_three_days_has_not(
    session: Session, new_session: NewSession, patient: Patient, doctor: Clinician, forecaster: RiskForecaster
) -> None:
    newcomer = clinic.patient(session, session.get_one(Hospital, doctor.hospital_id), now=NOW)
    entries.weeks_of_diary(session, patient, until=NOW - HOUR, days=30)
    entries.weeks_of_diary(session, newcomer, until=NOW - HOUR, days=3)
    assess(session, new_session, forecaster, patient, newcomer)
    ready, early = assessment_of(session, patient), assessment_of(session, newcomer)
    assert ready.status == "ready"
    assert ready.probability_7_days is not None
    assert 0 < ready.probability_7_days < 1
    assert (ready.diary_days, early.diary_days) == (30, 3)
    assert (early.status, early.probability_7_days, early.level) == ("not_enough_data", None, None)


def test_a_batch_forecasts_what_each_patient_alone_would_get(
    session: Session, new_session: NewSession, doctor: Clinician, forecaster: RiskForecaster
) -> None:
    hospital = session.get_one(Hospital, doctor.hospital_id)
    group = [clinic.patient(session, hospital, now=NOW) for _ in range(4)]
    for place, one in enumerate(group):
        entries.weeks_of_diary(session, one, until=NOW - HOUR, days=10 + 7 * place, best=420 + 30 * place)
    assess(session, new_session, forecaster, *group)
    together = [assessment_of(session, one).probability_7_days for one in group]
    for one in group:
        assess(session, new_session, forecaster, one)
    assert [assessment_of(session, one).probability_7_days for one in group] == pytest.approx(together, rel=1e-9)


def test_without_consent_there_is_no_forecast_but_the_rules_go_on(
    session: Session, new_session: NewSession, patient: Patient, doctor: Clinician, forecaster: RiskForecaster
) -> None:
    entries.weeks_of_diary(session, patient, until=NOW - 2 * HOUR, days=30)
    entries.plan(session, patient, doctor.id, signed_at=NOW - 30 * DAY)
    entries.peak_flow(session, patient, 200, taken_at=NOW - HOUR)
    patients.withdraw(session, patient.id, Purpose.FORECASTING, now=NOW)
    assess(session, new_session, forecaster, patient)
    found = assessment_of(session, patient)
    assert (found.status, found.probability_7_days, found.model_id) == ("no_consent", None, None)
    assert open_alert(session, patient) is not None


def test_without_a_model_the_rules_go_on(
    session: Session, new_session: NewSession, patient: Patient, doctor: Clinician
) -> None:
    entries.weeks_of_diary(session, patient, until=NOW - HOUR, days=30)
    assess(session, new_session, None, patient)
    assert assessment_of(session, patient).status == "no_model"


def test_assessing_a_day_again_replaces_its_row_and_tells_the_phone(
    session: Session, new_session: NewSession, patient: Patient
) -> None:
    entries.peak_flow(session, patient, 400, taken_at=NOW - 2 * HOUR)
    assess(session, new_session, None, patient)
    first = assessment_of(session, patient)
    first_id, first_change = first.id, first.change
    assert forecast_changed_after(session, patient.id, first_change) is None
    entries.peak_flow(session, patient, 410, taken_at=NOW - HOUR)
    assess(session, new_session, None, patient)
    second = assessment_of(session, patient)
    assert (second.id, second.best_litres_per_min) == (first_id, 410)
    assert forecast_changed_after(session, patient.id, first_change) is not None


def test_a_patient_who_cannot_be_assessed_holds_up_nobody_else(
    session: Session, new_session: NewSession, patient: Patient, doctor: Clinician
) -> None:
    poisoned = clinic.patient(session, session.get_one(Hospital, doctor.hospital_id), now=NOW)
    poisoned.time_zone = "Atlantis/Capital"
    session.add(poisoned)
    entries.peak_flow(session, patient, 400, taken_at=NOW - HOUR)
    assess(session, new_session, None, patient, poisoned)
    assert assessment_of(session, patient).newest_litres_per_min == 400
    left = session.exec(select(DueWork).where(DueWork.kind == "assess")).one()
    assert left.key == poisoned.id
    assert left.due_at > NOW
    assert left.lease_until is None
    assert left.last_error == "ZoneInfoNotFoundError"


def test_work_on_a_patient_who_is_gone_is_done(session: Session, new_session: NewSession) -> None:
    session.connection().execute(
        text("INSERT INTO due_work (kind, key, due_at, generation, attempts) VALUES ('assess', :key, :now, 1, 0)"),
        {"key": uuid.uuid4(), "now": NOW},
    )
    session.commit()
    assert service.assess_due(new_session, None, NOW) == 1
    assert session.exec(select(DueWork)).all() == []


def test_a_later_assessment_is_not_overwritten_by_an_earlier_one(
    session: Session, new_session: NewSession, patient: Patient
) -> None:
    entries.peak_flow(session, patient, 400, taken_at=NOW - HOUR)
    assess(session, new_session, None, patient)
    entries.mark_for_assessment(session, patient, now=NOW - HOUR)
    service.assess_due(new_session, None, NOW - HOUR / 2)
    assert assessment_of(session, patient).assessed_at == NOW


def test_a_new_local_day_marks_every_patient_once_silent_ones_too(
    session: Session, new_session: NewSession, patient: Patient, doctor: Clinician
) -> None:
    tallinn = patients.add_patient(
        session, hospital_id=doctor.hospital_id, display_name="Mari", now=NOW, time_zone="Europe/Tallinn"
    )
    session.commit()
    assert service.mark_new_day(session, NOW) == 2
    assert service.mark_new_day(session, NOW) == 0
    session.commit()
    assert service.assess_due(new_session, None, NOW) == 2
    # 15:00 UTC is midnight in Seoul and 17:00 in Tallinn.
    midnight_in_seoul = NOW.replace(hour=15)
    assert service.mark_new_day(session, midnight_in_seoul - timedelta(seconds=1)) == 0
    assert service.mark_new_day(session, midnight_in_seoul) == 1
    session.commit()
    assert service.assess_due(new_session, None, midnight_in_seoul) == 1
    days = session.exec(select(col(Assessment.as_of)).where(Assessment.patient_id == patient.id)).all()
    assert sorted(days) == [NOW.date(), NOW.date() + DAY]
    assert len(session.exec(select(Assessment).where(Assessment.patient_id == tallinn.id)).all()) == 1


def test_entries_come_before_the_daily_round(session: Session, new_session: NewSession, patient: Patient) -> None:
    service.mark_new_day(session, NOW - DAY)
    hospital = session.get_one(Hospital, patient.hospital_id)
    with_entry = clinic.patient(session, hospital, now=NOW)
    entries.mark_for_assessment(session, with_entry, now=NOW)
    assert service.assess_due(new_session, None, NOW, limit=1) == 1
    assert newest_assessment(session, with_entry.id) is not None
    assert newest_assessment(session, patient.id) is None


@pytest.mark.parametrize("days_ago", [1, 6, 8, 12, 40])
def test_the_last_entry_is_found_however_long_the_diary_has_been_silent(
    session: Session, new_session: NewSession, patient: Patient, days_ago: int
) -> None:
    last = NOW - days_ago * DAY
    entries.peak_flow(session, patient, 400, taken_at=NOW - 80 * DAY)
    entries.symptoms(session, patient, taken_at=last)
    assess(session, new_session, None, patient)
    assert assessment_of(session, patient).last_entry_at == last


def test_a_day_dated_ahead_long_ago_does_not_hide_what_was_written_since(
    session: Session, new_session: NewSession, patient: Patient
) -> None:
    ahead = entries.peak_flow(session, patient, 400, taken_at=NOW + 30 * DAY)
    ahead.received_at = NOW - 60 * DAY
    entries.symptoms(session, patient, taken_at=NOW - 20 * DAY)
    assess(session, new_session, None, patient)
    assert assessment_of(session, patient).last_entry_at == NOW - 20 * DAY


def test_a_red_reading_from_a_phone_whose_clock_is_ahead_counts_at_once(
    session: Session, new_session: NewSession, patient: Patient
) -> None:
    reading = entries.peak_flow(session, patient, 200, taken_at=NOW + 6 * HOUR, action_zone="red")
    reading.received_at = NOW
    assess(session, new_session, None, patient)
    alert = open_alert(session, patient)
    assert alert is not None
    assert alert.evidence_at == NOW
    found = assessment_of(session, patient)
    assert (found.zone, found.last_entry_at) == ("red", NOW)


def test_a_past_evening_knows_nothing_of_later_days(
    session: Session, new_session: NewSession, patient: Patient, forecaster: RiskForecaster
) -> None:
    """So that a diary that arrives whole can be lived through, evening by evening."""
    entries.weeks_of_diary(session, patient, until=NOW - HOUR, days=20)
    entries.peak_flow(session, patient, 200, taken_at=NOW - 3 * DAY, action_zone="red")
    for back in range(5, -1, -1):
        evening = NOW - back * DAY
        entries.mark_for_assessment(session, patient, now=evening)
        assert service.assess_due(new_session, forecaster, evening) == 1
    session.expire_all()
    rows = session.exec(select(Assessment).order_by(col(Assessment.as_of))).all()
    assert [row.as_of for row in rows] == [NOW.date() - back * DAY for back in range(5, -1, -1)]
    assert [row.diary_days for row in rows] == [15, 16, 17, 18, 19, 20]
    assert [row.zone for row in rows] == ["green", "green", "red", "green", "green", "green"]
    assert [row.red_flags for row in rows] == [[], [], ["peak_flow_below_half", "red_zone"], [], [], []]
    assert [row.last_entry_at for row in rows[:2]] == [NOW - 5 * DAY - HOUR, NOW - 4 * DAY - HOUR]
    (alert,) = session.exec(select(Alert)).all()
    assert (alert.triggered_at, alert.resolved_at) == (NOW - 3 * DAY, None)
