"""What a phone says of pushes, what it may show on a locked screen, and the watch that carers hand to each other."""

import random
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, col, select

from backend.accounts.tables import Device
from backend.alerts.service import mark_sent
from backend.notifications.push import FirebasePush
from backend.notifications.receipts import PushReceipt, note_receipts
from backend.notifications.service import deliver_due, tell
from backend.notifications.tables import Delivery, InboxMessage, MessageKind, MessageLevel
from backend.notifications.watches import PhoneUnknown, WatchTooLong, hand_watch, running_watches, take_watch_back
from backend.patients.tables import Patient
from tests.conftest import NOON, SettableClock
from tests.factories import clinic, diary
from tests.fakes.fcm import FcmServer

MINUTE = timedelta(minutes=1)


@pytest.fixture
def patient(session: Session) -> Patient:
    return clinic.patient(session, clinic.hospital(session), now=NOON)


@pytest.fixture
def new_session(session: Session) -> Callable[[], Session]:
    return lambda: Session(session.connection(), join_transaction_mode="create_savepoint", expire_on_commit=False)


def phone(session: Session, of: Patient, token: str) -> Device:
    row = Device(
        id=uuid.uuid4(), patient_id=of.id, name="phone", platform="android", push_token=token, enrolled_at=NOON
    )
    session.add(row)
    session.flush()
    return row


def told(session: Session, of: Patient, level: MessageLevel = MessageLevel.INFO) -> InboxMessage:
    return tell(
        session,
        patient_id=of.id,
        kind=MessageKind.FORECAST,
        level=level,
        title="Your asthma may get worse",
        text="Measure your peak flow again.",
        tag=f"message-{level}",
        now=NOON,
    )


def rung(session: Session) -> set[uuid.UUID]:
    return set(session.exec(select(Delivery.device_id)).all())


def test_a_receipt_is_kept_once_on_the_newest_push_to_that_phone_and_never_lies_in_the_future(
    session: Session, patient: Patient
) -> None:
    first, second = phone(session, patient, "a"), phone(session, patient, "b")
    message = told(session, patient)
    said = [
        PushReceipt(message.id, "received", NOON + MINUTE),
        PushReceipt(message.id, "opened", NOON + 99 * MINUTE),
        PushReceipt(uuid.uuid4(), "opened", NOON),
    ]
    note_receipts(session, patient.id, first.id, said, now=NOON + 5 * MINUTE)
    note_receipts(session, patient.id, first.id, [PushReceipt(message.id, "opened", NOON)], now=NOON + 6 * MINUTE)
    session.expire_all()
    kept = {row.device_id: (row.received_at, row.opened_at) for row in session.exec(select(Delivery))}
    assert kept == {first.id: (NOON + MINUTE, NOON + 5 * MINUTE), second.id: (None, None)}


def test_nobody_can_put_a_receipt_on_another_patients_push(session: Session, patient: Patient) -> None:
    phone(session, patient, "a")
    other = clinic.patient(session, clinic.hospital(session), now=NOON)
    foreign = phone(session, other, "b")
    message = told(session, patient)
    note_receipts(session, other.id, foreign.id, [PushReceipt(message.id, "opened", NOON)], now=NOON)
    session.expire_all()
    assert session.exec(select(Delivery.opened_at)).all() == [None]


def test_receipts_come_with_the_sync_and_one_that_makes_no_sense_costs_nothing(
    client: TestClient, session: Session, patient: Patient, clock: SettableClock
) -> None:
    of_patient = clinic.enrolled_phone(client, session, patient, now=NOON)
    message = told(session, patient)
    session.commit()
    clock.now = NOON + 3 * MINUTE
    good = {"message_id": str(message.id), "event": "opened", "at": (NOON + MINUTE).isoformat()}
    diary.send(of_patient, sent_at=clock.now, push_receipts=[{"event": "eaten"}, good, "nonsense"])
    session.expire_all()
    row = session.exec(select(Delivery)).one()
    assert (row.received_at, row.opened_at) == (NOON + MINUTE, NOON + MINUTE)


def test_only_who_allowed_it_reads_of_health_on_a_locked_screen(
    client: TestClient,
    session: Session,
    new_session: Callable[[], Session],
    patient: Patient,
    clock: SettableClock,
    fcm: FcmServer,
    firebase: FirebasePush,
) -> None:
    of_patient = clinic.enrolled_phone(client, session, patient, now=NOON)
    settings = {
        "day_starts_at": "04:00",
        "quiet_from": "22:00",
        "quiet_until": "07:00",
        "times": {},
        "follow_habit": True,
        "check_in_at": "20:00",
        "paused_until": None,
        "health_words_on_lock_screen": True,
    }
    settings_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{patient.id}:reminder_settings"))
    diary.BODIES.setdefault("reminder_settings", {})
    for revision, allowed in ((1, False), (2, True)):
        entry = diary.entry(
            "reminder_settings",
            taken_at=NOON,
            entry_id=settings_id,
            revision=revision,
            body=settings | {"health_words_on_lock_screen": allowed},
        )
        answer = diary.send(of_patient, entry, sent_at=NOON, push_token="token")
        assert diary.outcomes(answer) == ["accepted"], answer
        told(session, patient)
        session.commit()
        deliver_due(new_session, firebase, clock, random.Random(1), mark_sent)
    closed, openly = (sent["data"]["title"] for sent in fcm.received)
    assert (closed, openly) == ("Soom", "Your asthma may get worse")


def test_the_watch_is_handed_over_red_rings_on_both_and_it_comes_back_by_itself(
    session: Session, patient: Patient
) -> None:
    mother, father = phone(session, patient, "mother"), phone(session, patient, "father")
    hand_watch(session, patient.id, mother.id, father.id, until=NOON + 60 * MINUTE, now=NOON - MINUTE)
    told(session, patient)
    assert rung(session) == {father.id}
    told(session, patient, MessageLevel.RED)
    assert rung(session) == {father.id, mother.id}
    for row in session.exec(select(Delivery)):
        session.delete(row)
    tell(
        session,
        patient_id=patient.id,
        kind=MessageKind.FORECAST,
        level=MessageLevel.AMBER,
        title="later",
        text="later",
        tag="later",
        now=NOON + 60 * MINUTE,
    )
    assert rung(session) == {father.id, mother.id}


def test_the_watch_taken_back_rings_here_again(session: Session, patient: Patient) -> None:
    mother, father = phone(session, patient, "mother"), phone(session, patient, "father")
    hand_watch(session, patient.id, mother.id, father.id, until=NOON + 60 * MINUTE, now=NOON - MINUTE)
    take_watch_back(session, patient.id, mother.id, now=NOON)
    told(session, patient)
    assert rung(session) == {mother.id, father.id}


def test_somebody_always_hears_the_watch_goes_to_a_phone_that_keeps_it(session: Session, patient: Patient) -> None:
    mother, father = phone(session, patient, "mother"), phone(session, patient, "father")
    stranger = phone(session, clinic.patient(session, clinic.hospital(session), now=NOON), "stranger")
    until = NOON + 60 * MINUTE
    hand_watch(session, patient.id, mother.id, father.id, until=until, now=NOON)
    for device_id, to in ((father.id, mother.id), (father.id, father.id), (father.id, stranger.id)):
        with pytest.raises(PhoneUnknown):
            hand_watch(session, patient.id, device_id, to, until=until, now=NOON)
    for wrong in (NOON, NOON + timedelta(days=15)):
        with pytest.raises(WatchTooLong):
            hand_watch(session, patient.id, mother.id, father.id, until=wrong, now=NOON)


def test_the_watch_comes_back_at_once_from_a_phone_that_is_shut_out(session: Session, patient: Patient) -> None:
    mother, father = phone(session, patient, "mother"), phone(session, patient, "father")
    hand_watch(session, patient.id, mother.id, father.id, until=NOON + 60 * MINUTE, now=NOON - MINUTE)
    father.removed_at = NOON
    session.flush()
    told(session, patient)
    assert rung(session) == {mother.id}
    assert running_watches(session, patient.id, now=NOON) == []


def test_a_phone_that_was_removed_gets_no_push(session: Session, patient: Patient) -> None:
    kept, removed = phone(session, patient, "kept"), phone(session, patient, "removed")
    removed.removed_at = NOON
    session.flush()
    told(session, patient)
    assert session.exec(select(Delivery.device_id).order_by(col(Delivery.device_id))).all() == [kept.id]
