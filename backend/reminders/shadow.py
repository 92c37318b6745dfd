"""The server's shadow of the phones' alarms: what no phone spoke of is pushed once, and in the end accounted for."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import Session

from backend.core.database import NewSession
from backend.notifications.service import News, close_messages, tell_many
from backend.notifications.tables import MessageKind, MessageLevel
from backend.reminders.rules import MISSED_AFTER, PUSH_UNTIL, Quiet, Silence, Verdict, minute_of, verdict
from backend.reminders.tables import Action, Cause, State
from backend.reminders.wording import reminder_words

LOAD = (Path(__file__).parent / "shadow.sql").read_text(encoding="utf-8")
# Patients whose phones are in an exchange right now have news to tell: the next round hears it.
CHOOSE_PATIENTS = """
    SELECT id FROM patient
    WHERE id IN (SELECT patient_id FROM reminder_occurrence WHERE judge_at <= %(now)s ORDER BY judge_at LIMIT %(limit)s)
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""
WRITE = """
    UPDATE reminder_occurrence AS known SET
        state = judged.state, decided_by = 'server', at = judged.at, action = judged.action, cause = judged.cause,
        pushed_at = coalesce(judged.pushed_at, known.pushed_at),
        message_id = coalesce(judged.message_id, known.message_id), judge_at = judged.judge_at
    FROM json_populate_recordset(NULL::reminder_occurrence, %(rows)s::json) AS judged
    WHERE (known.patient_id, known.key, known.local_date) = (judged.patient_id, judged.key, judged.local_date)
        AND judged.state IS NOT NULL
"""
LOOK_AGAIN = """
    UPDATE reminder_occurrence AS known SET judge_at = judged.judge_at
    FROM json_populate_recordset(NULL::reminder_occurrence, %(rows)s::json) AS judged
    WHERE (known.patient_id, known.key, known.local_date) = (judged.patient_id, judged.key, judged.local_date)
        AND judged.state IS NULL
"""
_ENDS: Mapping[Verdict, tuple[State, Action | None, Cause | None]] = {
    Verdict.ALREADY_LOGGED: (State.ACTED, Action.ALREADY_LOGGED, None),
    Verdict.PUSHED: (State.PUSHED, None, None),
    Verdict.CANCELLED: (State.CANCELLED, None, None),
    Verdict.NOT_PERMITTED: (State.MISSED, None, Cause.NOT_PERMITTED),
    Verdict.PHONE_SILENT: (State.MISSED, None, Cause.PHONE_SILENT),
    Verdict.UNKNOWN: (State.MISSED, None, Cause.UNKNOWN),
}


def judge_due(new_session: NewSession, now: datetime, limit: int = 1000) -> int:
    """Judge occurrences whose time has come; how many were judged."""
    with new_session() as session:
        connection = session.connection()
        chosen = connection.exec_driver_sql(CHOOSE_PATIENTS, {"now": now, "limit": limit})
        patient_ids = list(chosen.scalars())
        if not patient_ids:
            return 0
        rows = connection.exec_driver_sql(LOAD, {"patient_ids": patient_ids, "now": now}).mappings().all()
        found = [(row, verdict(_silence(row, now), now)) for row in rows]
        messages = iter(_push(session, [row for row, what in found if what is Verdict.PUSH], now))
        # Whatever waits to be handed over would come too late to be of use.
        over = [(row["patient_id"], _tag(row)) for row, what in found if row["pushed"] and what is not Verdict.PUSH]
        close_messages(session, over, now=now)
        judged = json.dumps(
            [
                _pushed(row, next(messages), now) if what is Verdict.PUSH else _judged(row, what, now)
                for row, what in found
            ]
        )
        connection.exec_driver_sql(WRITE, {"rows": judged})
        connection.exec_driver_sql(LOOK_AGAIN, {"rows": judged})
        session.commit()
    return len(found)


def _identity(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {"patient_id": str(row["patient_id"]), "key": row["key"], "local_date": row["local_date"].isoformat()}


def _pushed(row: Mapping[Any, Any], message_id: UUID, now: datetime) -> dict[str, Any]:
    return _identity(row) | {
        "state": State.PUSHED.value,
        "at": now.isoformat(),
        "pushed_at": now.isoformat(),
        "message_id": str(message_id),
        "judge_at": (row["due_at"] + PUSH_UNTIL + timedelta(seconds=1)).isoformat(),
    }


def _judged(row: Mapping[Any, Any], found: Verdict, now: datetime) -> dict[str, Any]:
    """The row as it is to be written; without a state only `judge_at` changes."""
    if found is Verdict.WAIT:
        return _identity(row) | {"judge_at": (row["due_at"] + MISSED_AFTER).isoformat()}
    state, action, cause = _ENDS[found]
    return _identity(row) | {
        "state": state.value,
        "at": now.isoformat(),
        "action": action and action.value,
        "cause": cause and cause.value,
    }


def _silence(row: Mapping[Any, Any], now: datetime) -> Silence:
    quiet = Quiet()
    if row["quiet_from"] is not None:
        quiet = Quiet(minute_of(row["quiet_from"]), minute_of(row["quiet_until"]))
    local = now.astimezone(ZoneInfo(row["zone_now"] or row["time_zone"]))
    return Silence(
        due_at=row["due_at"],
        expected=row["expected"],
        armed=row["state"] == State.ARMED.value,
        pushed=row["pushed"],
        heard_at=row["heard_at"],
        permitted=row["permitted"],
        wanted=row["wanted"],
        logged=row["logged"],
        quiet_now=quiet.holds(local.hour * 60 + local.minute),
        handed_over=row["handed_over"],
    )


def _tag(row: Mapping[Any, Any]) -> str:
    """The tag of an occurrence's notification, on the phone too: one replaces the other."""
    return f"{row['key']}@{row['local_date']}"


def _push(session: Session, rows: Sequence[Mapping[Any, Any]], now: datetime) -> list[UUID]:
    """The messages of reminders that no phone spoke of, in their order."""
    news = []
    for row in rows:
        due_at = row["due_at"].astimezone(ZoneInfo(row["time_zone"]))
        title, text = reminder_words(row["key"], row["language"], name=row["inhaler_name"], at=f"{due_at:%H:%M}")
        data = {"occurrence_key": row["key"], "occurrence_date": row["local_date"].isoformat()}
        news.append(News(row["patient_id"], MessageKind.REMINDER, MessageLevel.INFO, title, text, _tag(row), data=data))
    return [message.id for message in tell_many(session, news, now=now)]
