import random
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician, Device, Hospital
from backend.alerts.service import mark_sent
from backend.alerts.tables import Alert
from backend.core.due import DueWork
from backend.notifications import service
from backend.notifications.push import FirebasePush, LogPush, Push, PushMessage, PushOutcome, PushResult
from backend.notifications.store import inbox_changed_after
from backend.notifications.tables import Delivery, InboxMessage, MessageKind, MessageLevel
from backend.notifications.wording import inbox_words, push_words
from backend.patients.tables import Language, Patient
from backend.risk.tables import Assessment
from tests.conftest import SettableClock
from tests.factories import clinic
from tests.fakes import fcm as answers
from tests.fakes.fcm import FcmServer

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

NewSession = Callable[[], Session]


@pytest.fixture
def new_session(session: Session) -> NewSession:
    return lambda: Session(session.connection(), join_transaction_mode="create_savepoint", expire_on_commit=False)


@pytest.fixture
def doctor(session: Session) -> Clinician:
    return clinic.clinician(session, clinic.hospital(session), now=NOW)


@pytest.fixture
def patient(session: Session, doctor: Clinician) -> Patient:
    return clinic.patient(session, session.get_one(Hospital, doctor.hospital_id), now=NOW)


@pytest.fixture
def alert(session: Session, patient: Patient) -> Alert:
    assessment = Assessment(patient_id=patient.id, as_of=NOW.date(), assessed_at=NOW, status="no_model")
    session.add(assessment)
    session.flush()
    row = Alert(
        patient_id=patient.id,
        assessment_id=assessment.id,
        level="red",
        cause="red_zone",
        evidence_at=NOW,
        evidence_on=NOW.date(),
        triggered_at=NOW,
    )
    session.add(row)
    session.flush()
    return row


def phone(session: Session, of: Patient, token: str | None) -> Device:
    row = Device(id=uuid.uuid4(), patient_id=of.id, name="phone", platform="android", push_token=token, enrolled_at=NOW)
    session.add(row)
    session.flush()
    return row


def tell(session: Session, alert: Alert, level: MessageLevel = MessageLevel.RED) -> None:
    news = service.AlertNews(alert.patient_id, alert.id, MessageKind.RED_ZONE, level)
    service.tell_of_alerts(session, [news], now=NOW)
    session.commit()


def deliver(new_session: NewSession, push: Push, clock: SettableClock) -> int:
    return service.deliver_due(new_session, push, clock, random.Random(7), mark_sent)


def deliveries(session: Session) -> Sequence[Delivery]:
    session.expire_all()
    return session.exec(select(Delivery).order_by(col(Delivery.tag))).all()


def the_delivery(session: Session) -> Delivery:
    (row,) = deliveries(session)
    return row


def due_at(session: Session) -> list[datetime]:
    return list(session.exec(select(DueWork.due_at).where(DueWork.kind == "deliver")).all())


def test_every_phone_gets_one_push_with_the_alert_as_its_tag(
    session: Session,
    new_session: NewSession,
    clock: SettableClock,
    alert: Alert,
    patient: Patient,
    fcm: FcmServer,
    firebase: FirebasePush,
) -> None:
    phone(session, patient, "phone-1")
    phone(session, patient, "phone-2")
    tell(session, alert)
    assert deliver(new_session, firebase, clock) == 2
    assert {sent["token"] for sent in fcm.received} == {"phone-1", "phone-2"}
    assert {sent["data"]["tag"] for sent in fcm.received} == {str(alert.id)}
    assert [(row.outcome, row.attempts, row.handed_over_at) for row in deliveries(session)] == [
        ("handed_over", 1, NOW)
    ] * 2
    session.refresh(alert)
    assert (alert.state, alert.sent_at) == ("sent", NOW)
    assert due_at(session) == []
    assert deliver(new_session, firebase, clock) == 0


@pytest.fixture
def five_phones_told(session: Session, alert: Alert, patient: Patient) -> None:
    for number in range(5):
        phone(session, patient, f"phone-{number}")
    tell(session, alert)


@pytest.mark.usefixtures("five_phones_told")
def test_batches_follow_one_another_until_nothing_is_due(
    session: Session, new_session: NewSession, clock: SettableClock, fcm: FcmServer, firebase: FirebasePush
) -> None:
    worked_on = service.deliver_due(new_session, firebase, clock, random.Random(7), mark_sent, limit=2)
    assert worked_on == len(fcm.received) == 5
    assert {row.outcome for row in deliveries(session)} == {"handed_over"}
    assert due_at(session) == []


@pytest.mark.usefixtures("five_phones_told")
def test_a_worker_that_is_stopping_ends_its_batch_and_leaves_the_rest_free(
    new_session: NewSession, clock: SettableClock, fcm: FcmServer, firebase: FirebasePush
) -> None:
    stopping = service.deliver_due(
        new_session, firebase, clock, random.Random(7), mark_sent, limit=2, go_on=lambda: False
    )
    assert stopping == len(fcm.received) == 2
    # Free at once, without waiting for a lease to run out.
    assert deliver(new_session, firebase, clock) == 3
    assert len({sent["token"] for sent in fcm.received}) == 5


def test_the_lock_screen_says_nothing_of_health(
    session: Session,
    new_session: NewSession,
    clock: SettableClock,
    alert: Alert,
    patient: Patient,
    fcm: FcmServer,
    firebase: FirebasePush,
) -> None:
    phone(session, patient, "phone-1")
    tell(session, alert)
    deliver(new_session, firebase, clock)
    shown = str(fcm.received[0]).lower()
    assert not [
        word for word in ("asthma", "peak", "zone", "red ", "plan", patient.display_name.lower()) if word in shown
    ]


def test_a_dead_token_is_retired_and_a_new_one_kept(
    session: Session,
    new_session: NewSession,
    clock: SettableClock,
    alert: Alert,
    patient: Patient,
    fcm: FcmServer,
    firebase: FirebasePush,
) -> None:
    device = phone(session, patient, "phone-1")
    fcm.will_answer("phone-1", answers.UNREGISTERED)
    tell(session, alert)
    deliver(new_session, firebase, clock)
    assert (the_delivery(session).outcome, the_delivery(session).error_kind) == ("token_retired", "unregistered")
    assert session.get_one(Device, (device.id, patient.id)).push_token is None
    assert due_at(session) == []


class NewTokenWhileSending:
    """A push whose phone registers a new token while the old one is refused."""

    def __init__(self, session: Session, device: Device) -> None:
        self.session, self.device = session, device

    def send(self, messages: Sequence[PushMessage]) -> list[PushResult]:
        self.device.push_token = "phone-1-new"
        self.session.add(self.device)
        self.session.commit()
        return [PushResult(PushOutcome.TOKEN_DEAD, "unregistered") for _ in messages]


def test_a_token_that_came_in_the_meantime_stays(
    session: Session, new_session: NewSession, clock: SettableClock, alert: Alert, patient: Patient
) -> None:
    device = phone(session, patient, "phone-1")
    tell(session, alert)
    deliver(new_session, NewTokenWhileSending(session, device), clock)
    assert session.get_one(Device, (device.id, patient.id)).push_token == "phone-1-new"


def test_retry_after_is_honoured(
    session: Session,
    new_session: NewSession,
    clock: SettableClock,
    alert: Alert,
    patient: Patient,
    fcm: FcmServer,
    firebase: FirebasePush,
) -> None:
    phone(session, patient, "phone-1")
    fcm.will_answer("phone-1", answers.QUOTA_EXCEEDED)
    tell(session, alert)
    deliver(new_session, firebase, clock)
    row = the_delivery(session)
    assert (row.outcome, row.attempts, row.error_kind) == ("waiting", 1, "quota_exceeded")
    assert due_at(session) == [NOW + timedelta(seconds=120)]
    session.refresh(alert)
    assert alert.state == "triggered"
    clock.now = NOW + timedelta(seconds=119)
    assert deliver(new_session, firebase, clock) == 0
    clock.now = NOW + timedelta(seconds=120)
    assert deliver(new_session, firebase, clock) == 1
    assert (the_delivery(session).outcome, the_delivery(session).attempts) == ("handed_over", 2)


def test_a_failing_service_is_tried_ever_more_rarely_and_then_given_up(
    session: Session,
    new_session: NewSession,
    clock: SettableClock,
    alert: Alert,
    patient: Patient,
    fcm: FcmServer,
    firebase: FirebasePush,
) -> None:
    phone(session, patient, "phone-1")
    fcm.will_answer("phone-1", *[answers.INTERNAL] * 200)
    tell(session, alert)
    waits = []
    while the_delivery(session).outcome == "waiting":
        (next_at,) = due_at(session)
        waits.append((next_at - clock.now).total_seconds())
        clock.now = next_at
        assert deliver(new_session, firebase, clock) == 1
    assert the_delivery(session).outcome == "given_up"
    assert the_delivery(session).error_kind == "internal"
    assert clock.now - NOW < service.GIVE_UP_AFTER
    assert max(waits) <= service.LONGEST_WAIT_SECONDS
    assert waits[1] < waits[4] < waits[8]
    assert the_delivery(session).attempts == fcm.requests == len(waits)
    # The inbox is the truth: the message is there all the same.
    assert len(inbox_changed_after(session, patient.id, 0)) == 1


def test_a_phone_without_a_token_finds_the_message_in_its_inbox(
    session: Session,
    new_session: NewSession,
    clock: SettableClock,
    alert: Alert,
    patient: Patient,
    fcm: FcmServer,
    firebase: FirebasePush,
) -> None:
    phone(session, patient, None)
    tell(session, alert)
    deliver(new_session, firebase, clock)
    assert the_delivery(session).outcome == "in_inbox"
    assert fcm.requests == 0
    session.refresh(alert)
    assert alert.state == "sent"


def test_without_firebase_the_inbox_is_the_way(
    session: Session, new_session: NewSession, clock: SettableClock, alert: Alert, patient: Patient
) -> None:
    phone(session, patient, "phone-1")
    tell(session, alert)
    deliver(new_session, LogPush(), clock)
    assert the_delivery(session).outcome == "in_inbox"


def test_what_is_over_is_not_pushed_any_more(
    session: Session,
    new_session: NewSession,
    clock: SettableClock,
    alert: Alert,
    patient: Patient,
    fcm: FcmServer,
    firebase: FirebasePush,
) -> None:
    phone(session, patient, "phone-1")
    tell(session, alert)
    before = inbox_changed_after(session, patient.id, 0)[0].change
    service.close_message(session, patient.id, str(alert.id), now=NOW)
    session.commit()
    deliver(new_session, firebase, clock)
    assert the_delivery(session).outcome == "not_needed"
    assert fcm.requests == 0
    (again,) = inbox_changed_after(session, patient.id, before)
    assert again.resolved_at == NOW


def test_an_alert_that_escalates_rewrites_its_message_and_rings_again(
    session: Session,
    new_session: NewSession,
    clock: SettableClock,
    alert: Alert,
    patient: Patient,
    fcm: FcmServer,
    firebase: FirebasePush,
) -> None:
    phone(session, patient, "phone-1")
    tell(session, alert, MessageLevel.AMBER)
    deliver(new_session, firebase, clock)
    first_change = inbox_changed_after(session, patient.id, 0)[0].change
    tell(session, alert, MessageLevel.RED)
    deliver(new_session, firebase, clock)
    (message,) = inbox_changed_after(session, patient.id, first_change)
    assert message.level == "red"
    assert [sent["android"]["priority"] for sent in fcm.received] == ["normal", "high"]
    assert len({sent["data"]["tag"] for sent in fcm.received}) == 1


def test_a_push_that_is_settled_twice_keeps_its_first_outcome(
    session: Session, new_session: NewSession, clock: SettableClock, alert: Alert, patient: Patient
) -> None:
    phone(session, patient, "phone-1")
    tell(session, alert)

    class SlowPush:
        """While it sends, its lease runs out and another worker does the work."""

        def send(self, messages: Sequence[PushMessage]) -> list[PushResult]:
            clock.now += timedelta(seconds=service.LEASE_SECONDS + 1)
            if messages:
                deliver(new_session, LogPush(), clock)
            return [PushResult(PushOutcome.REFUSED, "late") for _ in messages]

    deliver(new_session, SlowPush(), clock)
    assert (the_delivery(session).outcome, the_delivery(session).error_kind) == ("in_inbox", None)


@given(st.integers(1, 10_000), st.integers())
def test_the_wait_between_tries_is_bounded_and_never_zero(attempts: int, seed: int) -> None:
    seconds = service.backoff_seconds(attempts, random.Random(seed))
    assert service.FIRST_WAIT_SECONDS / 2 <= seconds <= service.LONGEST_WAIT_SECONDS


@pytest.mark.parametrize("language", list(Language))
def test_every_message_is_written_in_every_language(language: Language) -> None:
    for kind in (MessageKind.RED_ZONE, MessageKind.RED_FLAG, MessageKind.FORECAST):
        title, text = inbox_words(kind, language.value, "119")
        assert title
        assert kind is MessageKind.FORECAST or "119" in text
        assert "{" not in text
    bodies = {push_words(MessageKind.FORECAST, level, language.value)[1] for level in MessageLevel}
    bodies.add(push_words(MessageKind.REMINDER, MessageLevel.INFO, language.value)[1])
    assert len(bodies) == 4


def test_the_emergency_number_is_that_of_the_hospitals_country(
    session: Session, alert: Alert, patient: Patient
) -> None:
    tell(session, alert)
    message = session.exec(select(InboxMessage)).one()
    assert "119" in message.text
