from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician, Hospital
from backend.alerts import service
from backend.alerts.errors import AlertAcknowledgedByAnother, AlertAlreadyResolved, NoteTooLong
from backend.alerts.rules import ForecastLevel, RedSign
from backend.alerts.tables import Alert
from backend.core.audit import AuditEntry
from backend.core.errors import NotFound
from backend.notifications.tables import InboxMessage
from backend.patients import store as patients
from backend.patients.tables import Patient
from backend.risk.tables import Assessment
from tests.databases import unpooled_engine
from tests.factories import clinic

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def doctor(session: Session) -> Clinician:
    return clinic.clinician(session, clinic.hospital(session), now=NOW)


@pytest.fixture
def patient(session: Session, doctor: Clinician) -> Patient:
    hospital = session.get_one(Hospital, doctor.hospital_id)
    return clinic.patient(session, hospital, now=NOW, cared_for_by=doctor)


def finding(session: Session, of: Patient, *signs: RedSign, forecast: ForecastLevel | None = None) -> service.Finding:
    assessment = session.exec(select(Assessment).where(Assessment.patient_id == of.id)).first()
    if assessment is None:
        assessment = Assessment(patient_id=of.id, as_of=NOW.date(), assessed_at=NOW, status="no_model")
        session.add(assessment)
        session.flush()
    reasons: list[dict[str, Any]] = [{"code": sign.flag, "value": None, "unit": None} for sign in signs]
    drivers = [{"code": "reliever_above_usual", "value": 3.0, "unit": "puffs_per_day"}]
    return service.Finding(of.id, of.hospital_id, assessment.id, signs, reasons, forecast, drivers)


def red(at: datetime, recovered_at: datetime | None = None, flag: str = "red_zone") -> RedSign:
    return RedSign(flag, at, at.date(), recovered_at)


def alerts(session: Session) -> list[Alert]:
    query = select(Alert).order_by(col(Alert.triggered_at), col(Alert.resolved_at))
    return list(session.exec(query.execution_options(populate_existing=True)).all())


def raised(session: Session, patient: Patient) -> Alert:
    service.review(session, [finding(session, patient, red(NOW))], NOW)
    (alert,) = alerts(session)
    return alert


def test_an_alert_lives_from_the_red_reading_to_recovery_and_the_next_one_is_new(
    session: Session, doctor: Clinician, patient: Patient
) -> None:
    alert = raised(session, patient)
    service.review(session, [finding(session, patient, red(NOW))], NOW + HOUR)
    assert len(alerts(session)) == 1
    service.acknowledge(session, doctor, alert.id, "called", NOW + HOUR)
    service.review(session, [finding(session, patient, red(NOW, NOW + 2 * HOUR))], NOW + 2 * HOUR)
    (ended,) = alerts(session)
    assert (ended.state, ended.resolved_because, ended.resolved_at) == ("resolved", "recovered", NOW + 2 * HOUR)
    assert session.exec(select(InboxMessage)).one().resolved_at == NOW + 2 * HOUR
    service.review(session, [finding(session, patient, red(NOW, NOW + 2 * HOUR))], NOW + 3 * HOUR)
    assert len(alerts(session)) == 1
    service.review(session, [finding(session, patient, red(NOW + 4 * HOUR))], NOW + 4 * HOUR)
    assert [one.state for one in alerts(session)] == ["resolved", "triggered"]


def test_the_patients_message_closes_a_day_after_recovery_and_the_alert_waits_for_a_clinician(
    session: Session, patient: Patient
) -> None:
    raised(session, patient)
    over = [finding(session, patient, red(NOW, NOW + HOUR))]
    service.review(session, over, NOW + 2 * HOUR)
    assert session.exec(select(InboxMessage)).one().resolved_at is None
    service.review(session, over, NOW + 2 * DAY)
    service.review(session, over, NOW + 3 * DAY)
    assert session.exec(select(InboxMessage)).one().resolved_at == NOW + 2 * DAY
    assert [one.state for one in alerts(session)] == ["triggered"]
    service.review(session, [finding(session, patient, red(NOW + 4 * DAY))], NOW + 4 * DAY)
    message = session.exec(select(InboxMessage)).one()
    assert (message.created_at, message.resolved_at) == (NOW + 4 * DAY, None)


def test_a_rule_leaves_the_forecast_on_record_and_speaks_for_itself(
    session: Session, doctor: Clinician, patient: Patient
) -> None:
    service.review(session, [finding(session, patient, forecast=ForecastLevel.RAISED)], NOW)
    service.review(session, [finding(session, patient, red(NOW + HOUR), forecast=ForecastLevel.RAISED)], NOW + HOUR)
    forecast, rule = alerts(session)
    assert (forecast.cause, forecast.resolved_because) == ("forecast", "escalated")
    assert (rule.level, rule.cause, rule.state) == ("red", "red_zone", "triggered")
    service.acknowledge(session, doctor, rule.id, None, NOW + 2 * HOUR)
    # What the forecast used up stays used up.
    over = [finding(session, patient, red(NOW + HOUR, NOW + 2 * HOUR), forecast=ForecastLevel.RAISED)]
    service.review(session, over, NOW + 2 * DAY)
    assert [one.state for one in alerts(session)] == ["resolved", "resolved"]
    service.review(session, over, NOW + 7 * DAY)
    assert alerts(session)[-1].cause == "forecast"


def test_a_forecast_in_between_does_not_make_an_old_reading_news(
    session: Session, doctor: Clinician, patient: Patient
) -> None:
    alert = raised(session, patient)
    service.acknowledge(session, doctor, alert.id, None, NOW)
    recovered = red(NOW, NOW + HOUR)
    service.review(session, [finding(session, patient, recovered, forecast=ForecastLevel.RAISED)], NOW + HOUR)
    service.review(session, [finding(session, patient, recovered, forecast=ForecastLevel.RAISED)], NOW + 2 * HOUR)
    assert [(one.cause, one.state) for one in alerts(session)] == [("red_zone", "resolved"), ("forecast", "triggered")]


def test_an_amber_forecast_that_becomes_high_is_one_alert_that_rose(session: Session, patient: Patient) -> None:
    service.review(session, [finding(session, patient, forecast=ForecastLevel.RAISED)], NOW)
    service.review(session, [finding(session, patient, forecast=ForecastLevel.HIGH)], NOW + DAY)
    (alert,) = alerts(session)
    assert (alert.level, alert.escalated_at, alert.triggered_at) == ("red", NOW + DAY, NOW)
    message = session.exec(select(InboxMessage)).one()
    assert message.level == "red"


def test_a_danger_sign_after_the_acknowledgement_is_a_new_alert(
    session: Session, doctor: Clinician, patient: Patient
) -> None:
    alert = raised(session, patient)
    service.acknowledge(session, doctor, alert.id, "called", NOW)
    both = [red(NOW), red(NOW + HOUR, flag="blue_lips")]
    service.review(session, [finding(session, patient, *both)], NOW + HOUR)
    seen, new = alerts(session)
    assert (seen.resolved_because, seen.acknowledgement_note) == ("escalated", "called")
    assert (new.cause, new.state) == ("red_flag", "triggered")
    assert {reason["code"] for reason in new.reasons} == {"red_zone", "blue_lips"}


def test_many_patients_are_reviewed_at_once(session: Session, doctor: Clinician) -> None:
    hospital = session.get_one(Hospital, doctor.hospital_id)
    group = [clinic.patient(session, hospital, now=NOW) for _ in range(6)]
    found = [finding(session, one, *([red(NOW)] if place % 2 else [])) for place, one in enumerate(group)]
    service.review(session, found, NOW)
    assert {alert.patient_id for alert in alerts(session)} == {one.id for one in group[1::2]}


def test_acknowledging_is_recorded_once_and_audited(session: Session, doctor: Clinician, patient: Patient) -> None:
    alert = raised(session, patient)
    for later in range(3):
        service.acknowledge(session, doctor, alert.id, " called ", NOW + later * HOUR)
    (found,) = alerts(session)
    assert (found.state, found.acknowledged_at, found.acknowledged_by) == ("acknowledged", NOW, doctor.id)
    assert found.acknowledgement_note == "called"
    audited = session.exec(select(AuditEntry).where(AuditEntry.action == "acknowledge_alert")).all()
    assert [(entry.actor_id, entry.patient_id) for entry in audited] == [(doctor.id, patient.id)]
    assert "called" not in str(audited[0].detail)


def test_a_colleague_learns_that_somebody_was_first(session: Session, doctor: Clinician, patient: Patient) -> None:
    alert = raised(session, patient)
    colleague = clinic.clinician(session, session.get_one(Hospital, doctor.hospital_id), now=NOW)
    patients.add_to_care(session, patient.id, colleague.id, now=NOW)
    service.acknowledge(session, doctor, alert.id, None, NOW)
    with pytest.raises(AlertAcknowledgedByAnother):
        service.acknowledge(session, colleague, alert.id, None, NOW)


def test_of_two_who_acknowledge_at_once_one_is_first(own_database: str) -> None:
    engine = unpooled_engine(own_database)
    with Session(engine, expire_on_commit=False) as session:
        hospital = clinic.hospital(session)
        one, other = (clinic.clinician(session, hospital, now=NOW) for _ in range(2))
        patient = clinic.patient(session, hospital, now=NOW, cared_for_by=one)
        patients.add_to_care(session, patient.id, other.id, now=NOW)
        alert = raised(session, patient)
        session.commit()
    with Session(engine) as first, ThreadPoolExecutor(1) as pool:
        service.acknowledge(first, one, alert.id, "mine", NOW)

        def second() -> None:
            with Session(engine) as session:
                service.acknowledge(session, other, alert.id, "no, mine", NOW)

        waiting = pool.submit(second)
        first.commit()
        with pytest.raises(AlertAcknowledgedByAnother):
            waiting.result(timeout=60)
    with Session(engine) as session:
        assert session.get_one(Alert, alert.id).acknowledgement_note == "mine"


def test_what_is_over_cannot_be_acknowledged(session: Session, doctor: Clinician, patient: Patient) -> None:
    alert = raised(session, patient)
    service.review(session, [finding(session, patient)], NOW + HOUR)
    with pytest.raises(AlertAlreadyResolved):
        service.acknowledge(session, doctor, alert.id, None, NOW + HOUR)


def test_a_note_that_is_too_long_is_refused_and_the_alert_stays(
    session: Session, doctor: Clinician, patient: Patient
) -> None:
    alert = raised(session, patient)
    with pytest.raises(NoteTooLong):
        service.acknowledge(session, doctor, alert.id, "x" * 2001, NOW)
    assert alerts(session)[0].state == "triggered"


def test_an_unrelated_clinician_acknowledges_nothing(session: Session, doctor: Clinician, patient: Patient) -> None:
    alert = raised(session, patient)
    stranger = clinic.clinician(session, session.get_one(Hospital, doctor.hospital_id), now=NOW)
    elsewhere = clinic.clinician(session, clinic.hospital(session), now=NOW)
    for other in (stranger, elsewhere):
        with pytest.raises(NotFound):
            service.acknowledge(session, other, alert.id, None, NOW)
    assert alerts(session)[0].state == "triggered"
