"""The server's shadow of the phones' alarms: what no phone spoke of is pushed once, and in the end accounted for."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import Session

from backend.core.database import NewSession
from backend.notifications.service import close_message, tell
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
        found = connection.exec_driver_sql(LOAD, {"patient_ids": patient_ids, "now": now}).mappings().all()
        rows = json.dumps([_judged(session, row, now) for row in found])
        connection.exec_driver_sql(WRITE, {"rows": rows})
        connection.exec_driver_sql(LOOK_AGAIN, {"rows": rows})
        session.commit()
    return len(found)


def _judged(session: Session, row: Mapping[Any, Any], now: datetime) -> dict[str, Any]:
    """The row as it is to be written; without a state only `judge_at` changes."""
    identity = {"patient_id": str(row["patient_id"]), "key": row["key"], "local_date": row["local_date"].isoformat()}
    found = verdict(_silence(row, now), now)
    last_at: datetime = row["due_at"] + MISSED_AFTER
    if found is Verdict.PUSH:
        message_id = _push(session, row, now)
        return identity | {
            "state": State.PUSHED.value,
            "at": now.isoformat(),
            "pushed_at": now.isoformat(),
            "message_id": str(message_id),
            "judge_at": (row["due_at"] + PUSH_UNTIL + timedelta(seconds=1)).isoformat(),
        }
    if row["pushed"]:
        # Whatever waits to be handed over would come too late to be of use.
        close_message(session, row["patient_id"], tag_of(row["key"], identity["local_date"]), now=now)
    if found is Verdict.WAIT:
        return identity | {"judge_at": last_at.isoformat()}
    state, action, cause = _ENDS[found]
    return identity | {
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


def tag_of(key: str, local_date: str) -> str:
    """The tag of an occurrence's notification, on the phone too: one replaces the other."""
    return f"{key}@{local_date}"


def _push(session: Session, row: Mapping[Any, Any], now: datetime) -> UUID:
    due_at = row["due_at"].astimezone(ZoneInfo(row["time_zone"]))
    title, text = reminder_words(row["key"], row["language"], name=row["inhaler_name"], at=f"{due_at:%H:%M}")
    local_date = row["local_date"].isoformat()
    message = tell(
        session,
        patient_id=row["patient_id"],
        kind=MessageKind.REMINDER,
        level=MessageLevel.INFO,
        title=title,
        text=text,
        tag=tag_of(row["key"], local_date),
        data={"occurrence_key": row["key"], "occurrence_date": local_date},
        now=now,
    )
    return message.id
