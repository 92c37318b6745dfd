"""Writes messages into inboxes and hands their pushes over, at least once each, outside any transaction."""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import text as sql
from sqlalchemy import tuple_
from sqlmodel import Session, col, select, update

from backend.accounts.tables import Device, Hospital
from backend.clinical.red_flags import emergency_number
from backend.core import due
from backend.core.clock import Clock
from backend.core.database import NewSession
from backend.notifications.push import TIME_TO_LIVE, Push, PushMessage, PushOutcome, PushResult
from backend.notifications.tables import Delivery, DeliveryOutcome, InboxMessage, MessageKind, MessageLevel, Watch
from backend.notifications.watches import running
from backend.notifications.wording import TrackRecord, inbox_words, push_words, track_record_words
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


@dataclass(frozen=True)
class AlertNews:
    """An alert that was raised or became more urgent."""

    patient_id: UUID
    alert_id: UUID
    kind: MessageKind
    level: MessageLevel
    track_record: TrackRecord | None = None


@dataclass(frozen=True)
class News:
    """A message for one patient, in the patient's language. `data` travels with the push."""

    patient_id: UUID
    kind: MessageKind
    level: MessageLevel
    title: str
    text: str
    tag: str
    data: dict[str, str] = field(default_factory=dict)
    alert_id: UUID | None = None


def tell_of_alerts(session: Session, news: Sequence[AlertNews], *, now: datetime) -> None:
    """Put each alert's message into the inbox, or rewrite it there, and ask for a push to each of the phones.

    How often such alerts come true is told with a forecast alone: of a red reading it could only calm.
    """
    found = session.exec(
        select(Patient.id, Patient.language, Hospital.country)
        .join(Hospital, col(Hospital.id) == col(Patient.hospital_id))
        .where(col(Patient.id).in_([one.patient_id for one in news]))
    )
    known = {patient_id: (language, country) for patient_id, language, country in found}
    written = []
    for one in news:
        language, country = known[one.patient_id]
        title, text = inbox_words(one.kind, language, emergency_number(country))
        if one.kind is MessageKind.FORECAST:
            text = f"{text} {track_record_words(one.track_record, language)}"
        written.append(News(one.patient_id, one.kind, one.level, title, text, str(one.alert_id), {}, one.alert_id))
    tell_many(session, written, now=now)


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

    What a locked screen shows of it is chosen at the push.
    """
    return tell_many(session, [News(patient_id, kind, level, title, text, tag, data or {}, alert_id)], now=now)[0]


def tell_many(session: Session, news: Sequence[News], *, now: datetime) -> list[InboxMessage]:
    """`tell` for any number of messages with the statements of one, in their order; one a patient and tag."""
    if not news:
        return []
    changes = _next_changes(session, [one.patient_id for one in news])
    rows = session.exec(
        select(InboxMessage).where(
            col(InboxMessage.patient_id).in_([one.patient_id for one in news]),
            col(InboxMessage.tag).in_([one.tag for one in news]),
        )
    )
    known = {(row.patient_id, row.tag): row for row in rows}
    messages = []
    for one, change in zip(news, changes, strict=True):
        message = known.get((one.patient_id, one.tag))
        if message is None:
            message = InboxMessage(
                patient_id=one.patient_id,
                alert_id=one.alert_id,
                tag=one.tag,
                kind="",
                level="",
                title="",
                text="",
                created_at=now,
                change=change,
            )
            session.add(message)
        message.kind, message.level, message.title, message.text = one.kind.value, one.level.value, one.title, one.text
        message.data, message.created_at, message.resolved_at, message.change = one.data, now, None, change
        messages.append(message)
    session.flush()
    ring(session, messages, now=now)
    return messages


def _next_changes(session: Session, patient_ids: Sequence[UUID]) -> list[int]:
    """A change number for each, in their order. Patients are locked by their ids: no two batches wait in a circle."""
    counts = Counter(patient_ids)
    rows = session.connection().execute(
        sql("""
            WITH asked AS (SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:counts AS int[])) AS one(id, count)),
            locked AS (SELECT id FROM patient WHERE id = ANY(:ids) ORDER BY id FOR UPDATE)
            UPDATE patient SET last_change = last_change + asked.count
            FROM asked, locked WHERE patient.id = asked.id AND patient.id = locked.id
            RETURNING patient.id, last_change
        """),
        {"ids": list(counts), "counts": list(counts.values())},
    )
    last = {row[0]: row[1] for row in rows}
    changes = []
    for patient_id in patient_ids:
        counts[patient_id] -= 1
        changes.append(last[patient_id] - counts[patient_id])
    return changes


def ring(session: Session, messages: Sequence[InboxMessage], *, now: datetime) -> None:
    """Ask for a push of each message to each of its patient's phones.

    A phone whose carer handed the watch to another rings for red alone.
    """
    patient_ids = [message.patient_id for message in messages]
    phones: dict[UUID, list[UUID]] = {}
    for patient_id, device_id in session.exec(
        select(Device.patient_id, Device.id).where(
            col(Device.patient_id).in_(patient_ids), col(Device.removed_at).is_(None)
        )
    ):
        phones.setdefault(patient_id, []).append(device_id)
    resting = set(
        session.exec(
            select(Watch.patient_id, Watch.device_id).where(col(Watch.patient_id).in_(patient_ids), *running(now))
        ).all()
    )
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
        for message in messages
        for device_id in phones.get(message.patient_id, [])
        if message.level == MessageLevel.RED or (message.patient_id, device_id) not in resting
    ]
    session.add_all(deliveries)
    session.flush()
    due.mark_due(session, DELIVER, [delivery.id for delivery in deliveries], due_at=now)


def close_message(session: Session, patient_id: UUID, tag: str, *, now: datetime) -> None:
    """Mark the message as over; pushes that still wait will not be sent."""
    close_messages(session, [(patient_id, tag)], now=now)


def close_messages(session: Session, which: Sequence[tuple[UUID, str]], *, now: datetime) -> None:
    """`close_message` for any number of messages, each named by its patient and tag, with the statements of one."""
    if not which:
        return
    messages = session.exec(
        select(InboxMessage).where(
            tuple_(col(InboxMessage.patient_id), col(InboxMessage.tag)).in_(which),
            col(InboxMessage.resolved_at).is_(None),
        )
    ).all()
    if not messages:
        return
    changes = _next_changes(session, [message.patient_id for message in messages])
    for message, change in zip(messages, changes, strict=True):
        message.resolved_at, message.change = now, change
    session.flush()


@dataclass(frozen=True)
class _Waiting:
    claim: due.Claim
    delivery: Delivery
    message: InboxMessage
    push_token: str | None
    language: str
    openly: bool


@dataclass(frozen=True)
class _Batch:
    claims: list[due.Claim]
    waiting: list[_Waiting]


@dataclass(frozen=True)
class _Closing:
    delivery_id: UUID
    outcome: DeliveryOutcome
    error_kind: str | None = None


def deliver_due(
    new_session: NewSession,
    push: Push,
    clock: Clock,
    jitter: random.Random,
    on_reached: Reached,
    limit: int = 100,
    go_on: Callable[[], bool] = lambda: True,
) -> int:
    """Hand over all that is due, `limit` at once, and return how many deliveries were worked on.

    `on_reached` is told, in the transaction that settles them, which alerts have a message on its way or waiting in an
    inbox. No further batch is claimed once `go_on` says no.
    """
    worked_on = 0
    with new_session() as session:
        batch = _claim(session, clock(), limit)
        session.commit()
    while batch.claims:
        to_push = [w for w in batch.waiting if w.push_token is not None and w.message.resolved_at is None]
        results = dict(zip((w.claim.id for w in to_push), push.send([_push_message(w) for w in to_push]), strict=True))
        now = clock()
        with new_session() as session:
            _settle_batch(session, batch, results, jitter, on_reached, now)
            worked_on += len(batch.claims)
            batch = _claim(session, now, limit) if go_on() else _Batch([], [])
            session.commit()
    return worked_on


def _claim(session: Session, now: datetime, limit: int) -> _Batch:
    claims = due.claim_due(session, DELIVER, now=now, limit=limit, lease_seconds=LEASE_SECONDS)
    return _Batch(claims, _waiting(session, claims) if claims else [])


def _settle_batch(
    session: Session,
    batch: _Batch,
    results: Mapping[int, PushResult],
    jitter: random.Random,
    on_reached: Reached,
    now: datetime,
) -> None:
    closings: list[_Closing] = []
    known = {w.claim.id for w in batch.waiting}
    # A claim without a waiting delivery was settled by a worker whose lease ran out.
    done = [claim for claim in batch.claims if claim.id not in known]
    for item in batch.waiting:
        closing = _settle(session, item, results.get(item.claim.id), jitter, now)
        if closing is not None:
            closings.append(closing)
            done.append(item.claim)
    _close(session, closings, now)
    on_reached(session, _reached(batch.waiting, closings), now)
    # Lost in a crash of the database, a push is sent again, and replaces the first on the phone by its tag.
    due.finish(session, done, unhurried=True)


def _reached(waiting: Sequence[_Waiting], closings: Sequence[_Closing]) -> list[UUID]:
    """The alerts whose messages are on their way, or lie in an inbox where no push can be sent."""
    there = {DeliveryOutcome.HANDED_OVER, DeliveryOutcome.IN_INBOX}
    arrived = {closing.delivery_id for closing in closings if closing.outcome in there}
    alert_ids = (item.delivery.alert_id for item in waiting if item.delivery.id in arrived)
    return [alert_id for alert_id in alert_ids if alert_id is not None]


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
    )


def _settle(
    session: Session, item: _Waiting, result: PushResult | None, jitter: random.Random, now: datetime
) -> _Closing | None:
    """What became of a delivery; None, and the row given back, if it is to be tried again."""
    delivery_id = item.delivery.id
    if item.message.resolved_at is not None:
        return _Closing(delivery_id, DeliveryOutcome.NOT_NEEDED)
    if result is None or result.outcome is PushOutcome.NO_PUSH_SERVICE:
        return _Closing(delivery_id, DeliveryOutcome.IN_INBOX)
    if result.outcome is PushOutcome.HANDED_OVER:
        return _Closing(delivery_id, DeliveryOutcome.HANDED_OVER)
    if result.outcome is PushOutcome.TRY_AGAIN:
        wait_seconds = max(backoff_seconds(item.delivery.attempts + 1, jitter), result.retry_after_seconds or 0.0)
        again_at = now + timedelta(seconds=wait_seconds)
        if again_at - item.delivery.created_at < GIVE_UP_AFTER:
            _note_failure(session, item, result)
            due.postpone(session, item.claim, due_at=again_at, error=result.error_kind or "unknown")
            return None
    if result.outcome is PushOutcome.TOKEN_DEAD:
        _retire_token(session, item)
        return _Closing(delivery_id, DeliveryOutcome.TOKEN_RETIRED, result.error_kind)
    return _Closing(delivery_id, DeliveryOutcome.GIVEN_UP, result.error_kind)


def backoff_seconds(attempts: int, jitter: random.Random) -> float:
    """Doubles from two seconds to a quarter of an hour; half of it is random, so that many do not return at once."""
    whole = min(FIRST_WAIT_SECONDS * 2.0 ** min(attempts - 1, 20), LONGEST_WAIT_SECONDS)
    return whole * jitter.uniform(0.5, 1.0)


_CLOSE = """
    UPDATE delivery SET outcome = closing.outcome, error_kind = closing.error_kind, closed_at = %(now)s,
        attempts = attempts + (closing.outcome NOT IN ('in_inbox', 'not_needed'))::int,
        handed_over_at = CASE WHEN closing.outcome = 'handed_over' THEN %(now)s END
    FROM unnest(%(ids)s::uuid[], %(outcomes)s::text[], %(errors)s::text[]) AS closing(id, outcome, error_kind)
    WHERE delivery.id = closing.id AND delivery.outcome = 'waiting'
"""


def _close(session: Session, closings: Sequence[_Closing], now: datetime) -> None:
    """One statement for all; a delivery that another worker has settled keeps its outcome."""
    if closings:
        session.connection().exec_driver_sql(
            _CLOSE,
            {
                "now": now,
                "ids": [closing.delivery_id for closing in closings],
                "outcomes": [closing.outcome.value for closing in closings],
                "errors": [closing.error_kind for closing in closings],
            },
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
