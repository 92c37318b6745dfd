"""Writes messages into inboxes and hands their pushes over, at least once each, outside any transaction."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import text as sql
from sqlmodel import Session, col, select, update

from backend.accounts.tables import Device, Hospital
from backend.clinical.red_flags import emergency_number
from backend.core import due
from backend.core.clock import Clock
from backend.core.database import NewSession
from backend.notifications.push import TIME_TO_LIVE, Push, PushMessage, PushOutcome, PushResult
from backend.notifications.tables import Delivery, DeliveryOutcome, InboxMessage, MessageKind, MessageLevel, Watch
from backend.notifications.wording import TrackRecord, inbox_words, push_words, track_record_words
from backend.patients.store import next_changes
from backend.patients.tables import Patient

DELIVER = "deliver"
# Longer than a batch can take: one round of requests that all time out, and their token request before them.
LEASE_SECONDS = 90
FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 900.0
# After this the message is old news; it stays in the inbox.
GIVE_UP_AFTER = timedelta(hours=6)
# A dose three quarters of an hour late is still worth a push, one two hours late is not.
REMINDER_TIME_TO_LIVE = timedelta(minutes=75)

# What patients chose on their phones. The table belongs to reminders, which stands above.
_READ_OPENLY = """
    SELECT patient_id FROM reminder_settings
    WHERE patient_id = ANY(:ids) AND NOT deleted AND health_words_on_lock_screen
"""

Reached = Callable[[Session, Sequence[UUID], datetime], None]


def tell_of_alert(
    session: Session,
    *,
    patient_id: UUID,
    alert_id: UUID,
    kind: MessageKind,
    level: MessageLevel,
    now: datetime,
    track_record: TrackRecord | None = None,
) -> InboxMessage:
    """Put the alert's message into the inbox, or rewrite it there, and ask for a push to each of the phones.

    `track_record` is told with a forecast alone: of a red reading it could only calm where nothing is calm.
    """
    patient, country = session.exec(
        select(Patient, Hospital.country)
        .join(Hospital, col(Hospital.id) == col(Patient.hospital_id))
        .where(Patient.id == patient_id)
    ).one()
    title, text = inbox_words(kind, patient.language, emergency_number(country))
    if kind is MessageKind.FORECAST:
        text = f"{text} {track_record_words(track_record, patient.language)}"
    return tell(
        session,
        patient_id=patient_id,
        alert_id=alert_id,
        kind=kind,
        level=level,
        title=title,
        text=text,
        tag=str(alert_id),
        now=now,
    )


def tell(
    session: Session,
    *,
    patient_id: UUID,
    kind: MessageKind,
    level: MessageLevel,
    title: str,
    text: str,
    tag: str,
    now: datetime,
    data: dict[str, str] | None = None,
    alert_id: UUID | None = None,
) -> InboxMessage:
    """Put a message into the inbox, or rewrite the one with this tag, and ask for a push to each of the phones.

    `data` travels with the push. The text is the patient's language; what a locked screen shows is chosen at the push.
    """
    change = next_changes(session, patient_id)
    message = session.exec(
        select(InboxMessage).where(InboxMessage.patient_id == patient_id, InboxMessage.tag == tag)
    ).first()
    if message is None:
        message = InboxMessage(
            patient_id=patient_id,
            alert_id=alert_id,
            tag=tag,
            kind=kind.value,
            level=level.value,
            title=title,
            text=text,
            data=data or {},
            created_at=now,
            change=change,
        )
        session.add(message)
    else:
        message.kind, message.level, message.title, message.text = kind.value, level.value, title, text
        message.data, message.created_at, message.resolved_at, message.change = data or {}, now, None, change
    session.flush()
    ring(session, message, now=now)
    return message


def ring(session: Session, message: InboxMessage, *, now: datetime) -> None:
    """Ask for a push of the message to each of the patient's phones.

    A phone whose carer handed the watch to another rings for red alone.
    """
    phones = select(Device.id).where(Device.patient_id == message.patient_id, col(Device.removed_at).is_(None))
    if message.level != MessageLevel.RED:
        resting = select(Watch.device_id).where(
            Watch.patient_id == message.patient_id, col(Watch.began_at) <= now, col(Watch.until) > now
        )
        phones = phones.where(col(Device.id).not_in(resting))
    devices = session.exec(phones).all()
    deliveries = [
        Delivery(
            id=uuid4(),
            message_id=message.id,
            alert_id=message.alert_id,
            patient_id=message.patient_id,
            device_id=device_id,
            tag=message.tag,
            created_at=now,
        )
        for device_id in devices
    ]
    session.add_all(deliveries)
    session.flush()
    due.mark_due(session, DELIVER, [delivery.id for delivery in deliveries], due_at=now)


def close_message(session: Session, patient_id: UUID, tag: str, *, now: datetime) -> None:
    """Mark the message as over; pushes that still wait will not be sent."""
    message = session.exec(
        select(InboxMessage).where(InboxMessage.patient_id == patient_id, InboxMessage.tag == tag)
    ).first()
    if message is not None and message.resolved_at is None:
        message.resolved_at = now
        message.change = next_changes(session, message.patient_id)
        session.flush()


@dataclass(frozen=True)
class _Waiting:
    claim: due.Claim
    delivery: Delivery
    message: InboxMessage
    push_token: str | None
    language: str
    openly: bool


def deliver_due(
    new_session: NewSession, push: Push, clock: Clock, jitter: random.Random, on_reached: Reached, limit: int = 100
) -> int:
    """Hand over what is due and return how many deliveries were worked on.

    `on_reached` is told, in the same transaction, which alerts have a message on its way or waiting in an inbox.
    """
    with new_session() as session:
        claims = due.claim_due(session, DELIVER, now=clock(), limit=limit, lease_seconds=LEASE_SECONDS)
        session.commit()
        waiting = _waiting(session, claims)
    to_push = [w for w in waiting if w.push_token is not None and w.message.resolved_at is None]
    results = dict(zip((w.claim.id for w in to_push), push.send([_push_message(w) for w in to_push]), strict=True))
    now = clock()
    with new_session() as session:
        reached: list[UUID] = []
        known = {w.claim.id for w in waiting}
        # A claim without a waiting delivery was settled by a worker whose lease ran out.
        done = [claim for claim in claims if claim.id not in known]
        for item in waiting:
            if _settle(session, item, results.get(item.claim.id), jitter, now, reached):
                done.append(item.claim)
        on_reached(session, reached, now)
        # Lost in a crash of the database, a push is sent again, and replaces the first on the phone by its tag.
        due.finish(session, done, unhurried=True)
        session.commit()
    return len(claims)


def _waiting(session: Session, claims: Sequence[due.Claim]) -> list[_Waiting]:
    rows = session.exec(
        select(Delivery, InboxMessage, Device.push_token, Patient.language)
        .join(InboxMessage, col(InboxMessage.id) == col(Delivery.message_id))
        .join(Patient, col(Patient.id) == col(Delivery.patient_id))
        .join(
            Device, (col(Device.id) == col(Delivery.device_id)) & (col(Device.patient_id) == col(Delivery.patient_id))
        )
        .where(col(Delivery.id).in_([claim.key for claim in claims]), Delivery.outcome == DeliveryOutcome.WAITING)
    ).all()
    patient_ids = list({row[0].patient_id for row in rows})
    openly = set(session.connection().execute(sql(_READ_OPENLY), {"ids": patient_ids}).scalars())
    by_key = {claim.key: claim for claim in claims}
    return [
        _Waiting(by_key[delivery.id], delivery, message, token, language, delivery.patient_id in openly)
        for delivery, message, token, language in rows
    ]


def _push_message(item: _Waiting) -> PushMessage:
    message = item.message
    level, kind = MessageLevel(message.level), MessageKind(message.kind)
    # Who allowed it reads the message itself on the locked screen; nobody else finds a word of health there.
    title, body = (message.title, message.text) if item.openly else push_words(kind, level, item.language)
    reminder = kind is MessageKind.REMINDER
    return PushMessage(
        token=item.push_token or "",
        tag=item.delivery.tag,
        title=title,
        body=body,
        urgent=level is MessageLevel.RED or reminder,
        channel="reminders" if reminder else "urgent" if level is MessageLevel.RED else "messages",
        data={"message_id": str(message.id), **message.data},
        time_to_live=REMINDER_TIME_TO_LIVE if reminder else TIME_TO_LIVE,
        drawn_by_app=reminder,
    )


def _settle(
    session: Session,
    item: _Waiting,
    result: PushResult | None,
    jitter: random.Random,
    now: datetime,
    reached: list[UUID],
) -> bool:
    """Write down what became of a delivery; False if it is to be tried again."""
    if item.message.resolved_at is not None:
        _close(session, item, DeliveryOutcome.NOT_NEEDED, None, now)
        return True
    if result is None or result.outcome in {PushOutcome.NO_PUSH_SERVICE, PushOutcome.HANDED_OVER}:
        pushed = result is not None and result.outcome is PushOutcome.HANDED_OVER
        _close(session, item, DeliveryOutcome.HANDED_OVER if pushed else DeliveryOutcome.IN_INBOX, None, now)
        if item.delivery.alert_id is not None:
            reached.append(item.delivery.alert_id)
        return True
    if result.outcome is PushOutcome.TRY_AGAIN:
        wait_seconds = max(backoff_seconds(item.delivery.attempts + 1, jitter), result.retry_after_seconds or 0.0)
        again_at = now + timedelta(seconds=wait_seconds)
        if again_at - item.delivery.created_at < GIVE_UP_AFTER:
            _note_failure(session, item, result)
            due.postpone(session, item.claim, due_at=again_at, error=result.error_kind or "unknown")
            return False
        _close(session, item, DeliveryOutcome.GIVEN_UP, result.error_kind, now)
        return True
    if result.outcome is PushOutcome.TOKEN_DEAD:
        _retire_token(session, item)
        _close(session, item, DeliveryOutcome.TOKEN_RETIRED, result.error_kind, now)
        return True
    _close(session, item, DeliveryOutcome.GIVEN_UP, result.error_kind, now)
    return True


def backoff_seconds(attempts: int, jitter: random.Random) -> float:
    """Doubles from two seconds to a quarter of an hour; half of it is random, so that many do not return at once."""
    whole = min(FIRST_WAIT_SECONDS * 2.0 ** min(attempts - 1, 20), LONGEST_WAIT_SECONDS)
    return whole * jitter.uniform(0.5, 1.0)


def _close(session: Session, item: _Waiting, outcome: DeliveryOutcome, error_kind: str | None, now: datetime) -> None:
    pushed = outcome not in {DeliveryOutcome.IN_INBOX, DeliveryOutcome.NOT_NEEDED}
    session.exec(
        update(Delivery)
        .where(col(Delivery.id) == item.delivery.id, col(Delivery.outcome) == DeliveryOutcome.WAITING.value)
        .values(
            outcome=outcome.value,
            attempts=Delivery.attempts + int(pushed),
            error_kind=error_kind,
            closed_at=now,
            handed_over_at=now if outcome is DeliveryOutcome.HANDED_OVER else None,
        )
    )


def _note_failure(session: Session, item: _Waiting, result: PushResult) -> None:
    session.exec(
        update(Delivery)
        .where(col(Delivery.id) == item.delivery.id)
        .values(attempts=Delivery.attempts + 1, error_kind=result.error_kind)
    )


def _retire_token(session: Session, item: _Waiting) -> None:
    """Only the token that failed: the phone may have sent a new one in the meantime."""
    session.exec(
        update(Device)
        .where(
            col(Device.id) == item.delivery.device_id,
            col(Device.patient_id) == item.delivery.patient_id,
            col(Device.push_token) == item.push_token,
        )
        .values(push_token=None)
    )
