"""The two halves of the exchange: take what the phone has, give what it has not."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import Session

from backend.accounts.errors import AccessTokenInvalid
from backend.accounts.tables import Clinician, Hospital
from backend.accounts.tokens import DeviceCaller
from backend.clinical.red_flags import emergency_number
from backend.core import audit, due
from backend.medication.store import inhalers
from backend.medication.tables import Inhaler
from backend.notifications.schemas import InboxItemOut
from backend.notifications.store import inbox_changed_after
from backend.patients.schemas import ConsentOut
from backend.patients.service import consents
from backend.patients.tables import Patient
from backend.plans.schemas import PlanOut
from backend.plans.store import plan_in_force
from backend.reminders.tables import PLAN_REMINDERS
from backend.risk.schemas import ForecastOut
from backend.risk.store import forecast_changed_after
from backend.sync import store
from backend.sync.errors import BatchTooLarge, ConsentWithdrawn, CursorInvalid
from backend.sync.judging import Circumstances, Refused, echo, judge
from backend.sync.occurrences import keep_occurrences, keep_phone
from backend.sync.push_receipts import keep_push_receipts
from backend.sync.schemas import (
    MOST_ENTRIES,
    ChangesOut,
    EntryOut,
    InhalerOut,
    ProfileOut,
    Receipt,
    SyncIn,
    SyncOut,
)
from backend.sync.store import Row


def accept(
    session: Session, connection: store.Pipeline, caller: DeviceCaller, sent: SyncIn, *, now: datetime
) -> SyncOut:
    """Store what is newer and answer one receipt an entry, in their order. `connection` is the session's own.

    Raises BatchTooLarge, AccessTokenInvalid when the phone is no longer one of the patient's, or ConsentWithdrawn.
    """
    if max(len(sent.entries), len(sent.occurrences), len(sent.push_receipts)) > MOST_ENTRIES:
        raise BatchTooLarge
    clock_ahead = sent.sent_at - now
    exchange = store.begin_exchange(
        connection,
        caller,
        count=len(sent.entries),
        now=now,
        clock_ahead_seconds=_storable_seconds(clock_ahead),
        push_token=sent.push_token,
    )
    if exchange is None:
        raise AccessTokenInvalid
    if (sent.entries or sent.occurrences) and not exchange.care_consent:
        raise ConsentWithdrawn
    circumstances = Circumstances(
        now=now,
        patient_id=caller.patient_id,
        clock_ahead=clock_ahead,
        born_on=exchange.born_on,
        inhaler_ids=exchange.inhaler_ids,
        plan_versions=exchange.plan_versions,
        by_carer=exchange.by_carer,
    )
    batch = _Batch(exchange.first_change)
    for raw in sent.entries:
        batch.judge(raw, circumstances)
    receipts, accepted = batch.store(connection, caller, now=now)
    if accepted:
        due.mark_due(session, "assess", [caller.patient_id], due_at=now)
    moved = sent.phone is not None and keep_phone(connection, caller, sent.phone, now=now)
    if moved or batch.has("reminder_settings"):
        due.mark_due(session, PLAN_REMINDERS, [caller.patient_id], due_at=now)
    occurrence_receipts = keep_occurrences(
        connection,
        caller,
        sent.occurrences,
        now=now,
        clock_ahead=clock_ahead,
    )
    keep_push_receipts(session, caller, sent.push_receipts, now=now)
    audit.record(
        session,
        now=now,
        actor_kind=audit.ActorKind.PATIENT,
        actor_id=caller.patient_id,
        action="diary.received",
        patient_ids=[caller.patient_id],
        detail={"device_id": str(caller.device_id), "entries": len(receipts), "accepted": accepted},
    )
    return SyncOut(server_time=now, receipts=receipts, occurrence_receipts=occurrence_receipts)


def _storable_seconds(clock_ahead: timedelta) -> int:
    bound = 2**31 - 1
    return max(-bound, min(bound, round(clock_ahead.total_seconds())))


class _Batch:
    """Entries of one request: judged in their order, then stored together."""

    def __init__(self, first_change: int) -> None:
        self._next_change = first_change
        self._receipts: list[Receipt] = []
        # The newest version of each entry in this batch, and the place of its receipt.
        self._rows: dict[str, dict[UUID, Row]] = {}
        self._places: dict[tuple[str, UUID], int] = {}

    def has(self, kind: str) -> bool:
        return kind in self._rows

    def judge(self, raw: Any, circumstances: Circumstances) -> None:
        sent = raw if isinstance(raw, dict) else {}
        receipt = Receipt(
            id=echo(sent.get("id")),
            kind=echo(sent.get("kind")),
            revision=echo(sent.get("revision")),
            outcome="accepted",
        )
        self._receipts.append(receipt)
        try:
            kind, entry_id, row = judge(raw, circumstances)
        except Refused as refused:
            receipt.outcome, receipt.reason = "refused", refused.reason
            return
        row["change"] = self._next_change
        self._next_change += 1
        rows = self._rows.setdefault(kind, {})
        known = rows.get(entry_id)
        if known is not None:
            if known["revision"] >= row["revision"]:
                receipt.outcome = "unchanged" if known["revision"] == row["revision"] else "superseded"
                return
            self._receipts[self._places[kind, entry_id]].outcome = "superseded"
        rows[entry_id] = row
        self._places[kind, entry_id] = len(self._receipts) - 1

    def store(self, connection: store.Pipeline, caller: DeviceCaller, *, now: datetime) -> tuple[list[Receipt], int]:
        """The receipts, and how many entries were stored."""
        stored = store.store_newer(connection, caller, self._rows, now=now)
        for kind, rows in self._rows.items():
            older = [entry_id for entry_id in rows if entry_id not in stored[kind]]
            if older:
                known = store.versions(connection, kind, caller.patient_id, older)
                for entry_id in older:
                    same = known[entry_id] == (rows[entry_id]["revision"], caller.device_id)
                    self._receipts[self._places[kind, entry_id]].outcome = "unchanged" if same else "superseded"
        return self._receipts, sum(len(ids) for ids in stored.values())


def changes_since(session: Session, caller: DeviceCaller, cursor: str, *, limit: int, now: datetime) -> ChangesOut:
    """Everything the patient may see that changed after the cursor, entries at most `limit`.

    Raises CursorInvalid, or AccessTokenInvalid when the phone is no longer one of the patient's.
    """
    if not store.note_seen(session, caller.patient_id, caller.device_id, now=now):
        raise AccessTokenInvalid
    patient = session.get_one(Patient, caller.patient_id)
    after = _change_of(cursor, patient.last_change)
    # Numbers are given out under a lock that lasts until the commit, so all up to last_change are visible by now; and
    # a phone that has seen them all, as most do that ask, costs no query more.
    is_news = after < patient.last_change
    rows = (
        store.entries_changed(session, patient.id, after=after, up_to=patient.last_change, limit=limit + 1)
        if is_news
        else []
    )
    more = len(rows) > limit
    rows = rows[:limit]
    up_to = rows[-1]["change"] if more else patient.last_change
    audit.record(
        session,
        now=now,
        actor_kind=audit.ActorKind.PATIENT,
        actor_id=patient.id,
        action="diary.sent_to_phone",
        patient_ids=[patient.id],
        detail={"device_id": str(caller.device_id), "entries": len(rows)},
    )
    return ChangesOut(
        server_time=now,
        cursor=str(up_to),
        more=more,
        entries=[EntryOut.model_validate(row) for row in rows],
        profile=_profile(session, patient) if after < patient.profile_change <= up_to else None,
        consents=_consents(session, patient) if after < patient.profile_change <= up_to else None,
        inhalers=_inhalers(inhalers(session, patient.id), after, up_to) if is_news else None,
        plan=_plan(session, patient, after, up_to) if is_news else None,
        forecast=_forecast(session, patient, after, up_to) if is_news else None,
        inbox=[InboxItemOut.of(message) for message in inbox_changed_after(session, patient.id, after, up_to)]
        if is_news
        else [],
    )


def _change_of(cursor: str, last_change: int) -> int:
    """A cursor is the last change number seen; one beyond the newest comes from another patient or a lost database."""
    if cursor == "":
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19) or int(cursor) > last_change:
        raise CursorInvalid
    return int(cursor)


def _profile(session: Session, patient: Patient) -> ProfileOut:
    hospital = session.get_one(Hospital, patient.hospital_id)
    return ProfileOut(
        patient_id=patient.id,
        display_name=patient.display_name,
        born_on=patient.born_on,
        sex=patient.sex,
        height_cm=patient.height_cm,
        language=patient.language,
        time_zone=patient.time_zone,
        emergency_number=emergency_number(hospital.country),
        hospital=hospital.name,
    )


def _consents(session: Session, patient: Patient) -> list[ConsentOut]:
    return [ConsentOut.model_validate(one, from_attributes=True) for one in consents(session, patient.id)]


def _inhalers(all_of_them: Sequence[Inhaler], after: int, up_to: int) -> list[InhalerOut] | None:
    if not any(after < inhaler.change <= up_to for inhaler in all_of_them):
        return None
    return [InhalerOut.model_validate(inhaler, from_attributes=True) for inhaler in all_of_them]


def _plan(session: Session, patient: Patient, after: int, up_to: int) -> PlanOut | None:
    plan = plan_in_force(session, patient.id)
    if plan is None or not after < plan.change <= up_to:
        return None
    signer = session.get_one(Clinician, plan.signed_by)
    return PlanOut.of(plan, signed_by=signer.name, language=patient.language)


def _forecast(session: Session, patient: Patient, after: int, up_to: int) -> ForecastOut | None:
    assessment = forecast_changed_after(session, patient.id, after)
    if assessment is None or assessment.change > up_to:
        return None
    return ForecastOut.of(assessment, patient.language)
