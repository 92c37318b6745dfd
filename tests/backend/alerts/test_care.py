"""Budgets of clinics, snoozes, alerts that nobody answers, shadow alerts, and how often alerts came true."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician, Device, Hospital
from backend.alerts import rules, service, store, watch
from backend.alerts.errors import RedCannotBeSnoozed, SnoozeTooLong
from backend.alerts.rules import AlertPolicy, ClinicBudget, ForecastLevel, Level, RedSign, Step, Unanswered
from backend.alerts.tables import Alert, AlertSettings, ShadowAlert
from backend.core.audit import AuditEntry
from backend.core.due import DueWork
from backend.notifications.tables import ClinicianMail, Delivery, InboxMessage
from backend.notifications.wording import ALERTS_NEEDED_TO_SAY
from backend.patients.store import add_to_care, has_consented, visible_patient
from backend.patients.tables import Consent, Patient, Purpose
from backend.risk.sites import Site, read_sites, switch_model
from backend.risk.tables import Assessment, ModelMode, RiskLevel
from backend.risk.thresholds import count_what_came_true
from tests.factories import clinic, entries

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture
def hospital(session: Session) -> Hospital:
    return clinic.hospital(session)


@pytest.fixture
def doctor(session: Session, hospital: Hospital) -> Clinician:
    return clinic.clinician(session, hospital, now=NOW)


@pytest.fixture
def new_session(session: Session) -> Callable[[], Session]:
    return lambda: Session(session.connection(), join_transaction_mode="create_savepoint", expire_on_commit=False)


@pytest.fixture
def patient(session: Session, hospital: Hospital, doctor: Clinician) -> Patient:
    return clinic.patient(session, hospital, now=NOW, cared_for_by=doctor)


def finding(
    session: Session, of: Patient, *signs: RedSign, forecast: ForecastLevel | None = None, shadow: bool = False
) -> service.Finding:
    assessment = Assessment(patient_id=of.id, as_of=NOW.date(), assessed_at=NOW, status="no_model")
    session.add(assessment)
    session.flush()
    quiet = service.Shadow(forecast, 1.5, "m", "1") if shadow and forecast else None
    reasons = [{"code": sign.flag, "value": None, "unit": None} for sign in signs]
    return service.Finding(
        of.id, of.hospital_id, assessment.id, signs, reasons, None if shadow else forecast, [], quiet
    )


def red_alert(session: Session, of: Patient) -> Alert:
    service.review(session, [finding(session, of, RedSign("red_zone", NOW, NOW.date(), None))], NOW)
    return session.exec(select(Alert).where(Alert.patient_id == of.id)).one()


def amber_alert(session: Session, of: Patient) -> Alert:
    service.review(session, [finding(session, of, forecast=ForecastLevel.RAISED)], NOW)
    return session.exec(select(Alert).where(Alert.patient_id == of.id)).one()


def mails(session: Session) -> set[uuid.UUID]:
    return set(session.exec(select(ClinicianMail.clinician_id).where(ClinicianMail.outcome == "waiting")).all())


@given(st.integers(0, 100_000), st.sampled_from([0.01, 0.1, 0.25, 1.0]), st.sampled_from(list(Level)))
def test_a_clinic_that_keeps_to_its_rate_is_not_held_back_and_one_at_twice_the_rate_is(
    patients: int, rate: float, level: Level
) -> None:
    policy = AlertPolicy(amber_per_patient_month=rate, red_per_patient_month=rate)
    expected = rate * patients * 30 / rules.DAYS_A_MONTH
    on_rate = ClinicBudget(patients, round(expected), round(expected), policy)
    assert on_rate.allows(level)
    twice = ClinicBudget(patients, round(2 * expected) + 6, round(2 * expected) + 6, policy)
    assert not twice.allows(level)


def test_a_clinic_that_wants_no_forecast_alerts_gets_none_and_red_readings_all_the_same(
    session: Session, patient: Patient
) -> None:
    session.add(
        AlertSettings(
            hospital_id=patient.hospital_id,
            amber_per_patient_month=0,
            red_per_patient_month=0,
            second_after_minutes=30,
            email_after_minutes=60,
            changed_at=NOW,
        )
    )
    service.review(session, [finding(session, patient, forecast=ForecastLevel.HIGH)], NOW)
    assert session.exec(select(Alert)).all() == []
    session.exec(select(Assessment)).one().as_of = NOW.date() - DAY
    assert red_alert(session, patient).level == "red"


def test_a_batch_in_which_everybodys_forecast_is_high_stops_at_the_clinics_ceiling_but_every_red_reading_passes(
    session: Session, hospital: Hospital, doctor: Clinician
) -> None:
    people = [clinic.patient(session, hospital, now=NOW, cared_for_by=doctor) for _ in range(20)]
    red_ones = people[15:]
    sign = RedSign("red_zone", NOW, NOW.date(), None)
    service.review(
        session,
        [finding(session, one, *([sign] if one in red_ones else []), forecast=ForecastLevel.HIGH) for one in people],
        NOW,
    )
    alerts = session.exec(select(Alert)).all()
    by_rule = {alert.patient_id for alert in alerts if alert.cause == "red_zone"}
    assert by_rule == {one.id for one in red_ones}
    of_forecast = [alert for alert in alerts if alert.cause == "forecast"]
    patients = len([one for one in people if has_consented(session, one.id, Purpose.FORECASTING)])
    expected = 0.25 * patients * 30 / rules.DAYS_A_MONTH
    assert 0 < len(of_forecast) <= expected + 2 * expected**0.5 + 2 < 15


def test_a_red_alert_cannot_be_snoozed_by_anybody(session: Session, doctor: Clinician, patient: Patient) -> None:
    alert = red_alert(session, patient)
    with pytest.raises(RedCannotBeSnoozed):
        service.snooze_by_clinician(session, doctor, alert.id, 12, NOW)
    with pytest.raises(RedCannotBeSnoozed):
        service.snooze_by_patient(session, patient.id, alert.id, 12, NOW)
    assert alert.snoozed_until is None


@pytest.mark.parametrize("hours", [0, 73, -5])
def test_a_snooze_has_an_end_within_three_days(session: Session, patient: Patient, hours: int) -> None:
    alert = amber_alert(session, patient)
    with pytest.raises(SnoozeTooLong):
        service.snooze_by_patient(session, patient.id, alert.id, hours, NOW)


def test_an_amber_alert_that_the_patient_snoozed_rings_again_when_the_time_is_over(
    session: Session, new_session: Callable[[], Session], patient: Patient
) -> None:
    session.add(Device(id=uuid.uuid4(), patient_id=patient.id, name="phone", platform="android", enrolled_at=NOW))
    alert = amber_alert(session, patient)
    service.snooze_by_patient(session, patient.id, alert.id, 12, NOW)
    session.commit()
    assert watch.watch_due(new_session, NOW + 11 * 60 * MINUTE) == 0
    assert watch.watch_due(new_session, NOW + 12 * 60 * MINUTE) == 1
    session.expire_all()
    assert alert.snoozed_until is None
    assert len(session.exec(select(Delivery)).all()) == 2
    assert watch.watch_due(new_session, NOW + 99 * DAY) == 0


def test_a_patient_takes_back_a_snooze_and_leaves_a_clinicians_alone(
    session: Session, new_session: Callable[[], Session], doctor: Clinician, patient: Patient
) -> None:
    alert = amber_alert(session, patient)
    service.snooze_by_patient(session, patient.id, alert.id, 12, NOW)
    service.end_snooze_by_patient(session, patient.id, alert.id, NOW + MINUTE)
    assert (alert.snoozed_until, alert.snoozed_by) == (None, None)
    watch.watch_due(new_session, NOW + 12 * 60 * MINUTE)
    assert len(session.exec(select(InboxMessage)).all()) == 1, "nothing comes back twice"
    service.snooze_by_clinician(session, doctor, alert.id, 24, NOW)
    service.end_snooze_by_patient(session, patient.id, alert.id, NOW + MINUTE)
    assert alert.snoozed_until == NOW + DAY


def test_a_snoozed_amber_alert_that_becomes_red_is_awake_at_once(
    session: Session, doctor: Clinician, patient: Patient
) -> None:
    alert = amber_alert(session, patient)
    service.snooze_by_clinician(session, doctor, alert.id, 72, NOW)
    session.exec(select(Assessment)).one().as_of = NOW.date() - DAY
    service.review(session, [finding(session, patient, forecast=ForecastLevel.HIGH)], NOW + MINUTE)
    session.refresh(alert)
    assert (alert.level, alert.snoozed_until) == ("red", None)


def test_nobody_answers_a_red_alert_a_second_clinician_is_asked_and_then_everybody_gets_an_email(
    session: Session, new_session: Callable[[], Session], hospital: Hospital, doctor: Clinician, patient: Patient
) -> None:
    colleague = clinic.clinician(session, hospital, now=NOW)
    session.add(
        AlertSettings(
            hospital_id=hospital.id,
            amber_per_patient_month=0.25,
            red_per_patient_month=0.1,
            second_after_minutes=10,
            email_after_minutes=25,
            on_call_id=colleague.id,
            changed_at=NOW,
        )
    )
    alert = red_alert(session, patient)
    session.commit()
    assert watch.watch_due(new_session, NOW + 9 * MINUTE) == 0
    assert watch.watch_due(new_session, NOW + 10 * MINUTE) == 1
    session.expire_all()
    assert (alert.second_clinician_id, alert.second_asked_at) == (colleague.id, NOW + 10 * MINUTE)
    assert visible_patient(session, colleague, patient.id).id == patient.id
    assert mails(session) == {colleague.id}
    assert watch.watch_due(new_session, NOW + 24 * MINUTE) == 0
    assert watch.watch_due(new_session, NOW + 25 * MINUTE) == 1
    session.expire_all()
    assert alert.emailed_at == NOW + 25 * MINUTE
    assert mails(session) == {doctor.id, colleague.id}
    assert session.exec(select(DueWork).where(DueWork.kind == service.WATCH)).all() == []
    actions = session.exec(select(AuditEntry.action).where(AuditEntry.actor_kind == "system")).all()
    assert {"ask_second_clinician", "mail_care_team"} <= set(actions)


def test_an_acknowledged_alert_asks_nobody_else_and_stops_the_mail(
    session: Session, new_session: Callable[[], Session], hospital: Hospital, doctor: Clinician, patient: Patient
) -> None:
    colleague = clinic.clinician(session, hospital, now=NOW + MINUTE)
    add_to_care(session, patient.id, colleague.id, now=NOW + MINUTE)
    alert = red_alert(session, patient)
    session.commit()
    watch.watch_due(new_session, NOW + 30 * MINUTE)
    assert mails(session) == {colleague.id}
    service.acknowledge(session, doctor, alert.id, None, NOW + 31 * MINUTE)
    session.commit()
    assert mails(session) == set()
    assert watch.watch_due(new_session, NOW + 60 * MINUTE) == 1
    session.expire_all()
    assert alert.emailed_at is None


def test_without_a_second_clinician_the_email_goes_to_the_one_there_is(
    session: Session, new_session: Callable[[], Session], doctor: Clinician, patient: Patient
) -> None:
    alert = red_alert(session, patient)
    session.commit()
    watch.watch_due(new_session, NOW + 60 * MINUTE)
    session.expire_all()
    assert (alert.second_clinician_id, alert.emailed_at) == (None, NOW + 60 * MINUTE)
    assert mails(session) == {doctor.id}


@given(
    st.sampled_from(list(Level)), st.booleans(), st.booleans(), st.integers(0, 300), st.integers(5, 60), st.booleans()
)
def test_a_step_is_never_late_never_twice_and_amber_asks_nobody(
    level: Level, second_asked: bool, emailed: bool, minutes: int, second_after: int, snoozed: bool
) -> None:
    policy = AlertPolicy(second_after=second_after * MINUTE, email_after=2 * second_after * MINUTE)
    until = NOW + 100 * MINUTE if snoozed and level is Level.AMBER else None
    alert = Unanswered(level, NOW, until, second_asked, emailed)
    step, again_at = rules.next_step(alert, policy, NOW + minutes * MINUTE)
    assert step is None or again_at is None
    assert step is not Step.ASK_SECOND or not second_asked
    assert step is not Step.SEND_MAIL or not emailed
    assert level is Level.RED or step in {None, Step.END_SNOOZE}
    if level is Level.RED and not (second_asked and emailed):
        assert step is not None or (again_at is not None and again_at > NOW + minutes * MINUTE)


def test_a_model_in_the_shadow_is_logged_with_its_own_rest_and_tells_nobody(session: Session, patient: Patient) -> None:
    one = finding(session, patient, forecast=ForecastLevel.HIGH, shadow=True)
    for day in (0, 1, 6, 7):
        service.review(session, [one], NOW + day * DAY)
    assert session.exec(select(Alert)).all() == []
    assert session.exec(select(InboxMessage)).all() == []
    logged = session.exec(select(ShadowAlert).order_by(col(ShadowAlert.at), col(ShadowAlert.level).desc())).all()
    assert [row.at for row in logged] == [NOW, NOW + 7 * DAY]
    assert {row.level for row in logged} == {"red"}


def test_a_switch_holds_for_one_hospital_and_one_model(session: Session, hospital: Hospital) -> None:
    other = clinic.hospital(session)
    switch_model(session, hospital.id, "m", ModelMode.OFF, reason="Too many.", set_by=None, now=NOW)
    switch_model(session, hospital.id, "m", ModelMode.SHADOW, reason="Watch it.", set_by=None, now=NOW)
    sites = read_sites(session, [hospital.id, other.id], "m", "1")
    assert (sites[hospital.id].mode, sites[other.id].mode) == (ModelMode.SHADOW, ModelMode.ON)
    assert read_sites(session, [hospital.id], "n", "1")[hospital.id].mode is ModelMode.ON


def test_a_sites_own_thresholds_take_the_place_of_the_models() -> None:
    site = Site(amber=1.0, red=2.0)
    assert [site.level(score, RiskLevel.HIGH) for score in (0.9, 1.0, 2.0)] == [
        RiskLevel.USUAL,
        RiskLevel.RAISED,
        RiskLevel.HIGH,
    ]
    assert Site().level(0.0, RiskLevel.HIGH) is RiskLevel.HIGH


def test_an_alert_came_true_when_a_severe_attack_began_within_its_seven_days(
    session: Session, hospital: Hospital, doctor: Clinician
) -> None:
    raised_at = NOW - 30 * DAY
    for number in range(ALERTS_NEEDED_TO_SAY):
        one = clinic.patient(session, hospital, now=NOW, cared_for_by=doctor)
        assessment = Assessment(patient_id=one.id, as_of=raised_at.date(), assessed_at=raised_at, status="no_model")
        session.add(assessment)
        session.flush()
        session.add(
            Alert(
                patient_id=one.id, assessment_id=assessment.id, level="amber", cause="forecast", triggered_at=raised_at
            )
        )
        # Three came true; one attack came before its alert, one after its days, one was not severe.
        began = {0: 1, 1: 3, 2: 7, 3: -1, 4: 8, 5: 2}.get(number)
        if began is not None:
            severe = number != 5
            entries.attack(
                session,
                one,
                taken_at=raised_at + began * DAY,
                systemic_steroids=severe or None,
                unscheduled_visit=True,
            )
    session.flush()
    count_what_came_true(session, NOW)
    record = store.track_records(session, hospital.id)["amber", "forecast"]
    assert (record.alerts, record.came_true, record.one_in) == (20, 3, 7)
    count_what_came_true(session, NOW)
    assert store.track_records(session, hospital.id)["amber", "forecast"] == record


def test_consents_are_what_the_budget_counts(session: Session, hospital: Hospital, patient: Patient) -> None:
    before = store.clinic_budget(session, hospital.id, NOW).patients
    for consent in session.exec(
        select(Consent).where(Consent.patient_id == patient.id, Consent.purpose == "forecasting")
    ):
        consent.withdrawn_at = NOW
    session.flush()
    assert store.clinic_budget(session, hospital.id, NOW).patients == before - 1
