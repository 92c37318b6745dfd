"""What became of one patient's reminders, summed up for the people who care for them."""

from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from backend.reminders.tables import Cause

ACCOUNT_DAYS = 28

SUM_UP = """
    SELECT count(*) FILTER (WHERE state <> 'cancelled') AS due,
        count(*) FILTER (WHERE state IN ('fired', 'shown', 'acted')) AS reached,
        count(*) FILTER (WHERE state = 'acted' AND action IN ('taken', 'done', 'already_logged')) AS done,
        count(*) FILTER (WHERE state = 'acted' AND action = 'skipped') AS skipped,
        count(*) FILTER (WHERE state = 'pushed') AS pushed,
        count(*) FILTER (WHERE state = 'missed') AS missed,
        count(*) FILTER (WHERE state IN ('due', 'armed')) AS waiting,
        (SELECT jsonb_object_agg(cause, times) FROM (
            SELECT cause, count(*) AS times FROM reminder_occurrence
            WHERE patient_id = %(patient_id)s AND due_at BETWEEN %(since)s AND %(now)s AND state = 'missed'
            GROUP BY cause
        ) AS causes) AS missed_by_cause,
        (SELECT max(last_seen_at) FROM device WHERE patient_id = %(patient_id)s) AS heard_at,
        (SELECT bool_and(notifications_allowed IS FALSE) FROM reminder_phone WHERE patient_id = %(patient_id)s)
            AS all_denied
    FROM reminder_occurrence
    WHERE patient_id = %(patient_id)s AND due_at BETWEEN %(since)s AND %(now)s
"""


class ReminderAccount(BaseModel):
    """Of the reminders due in the last `days` days. `waiting`: not told of yet, and too young to be called missed.

    `done`, `skipped` are part of `reached`; a reminder may also have been answered before it rang.
    """

    days: int
    due: int
    reached: int
    done: int
    skipped: int
    pushed: int
    missed: int
    waiting: int
    missed_by_cause: dict[Cause, int] = Field(description="Most frequent first.")
    phone_heard_at: datetime | None
    notifications_denied: bool = Field(description="Every phone of the patient says that it may not notify.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "days": 28,
                    "due": 56,
                    "reached": 52,
                    "done": 47,
                    "skipped": 1,
                    "pushed": 6,
                    "missed": 3,
                    "waiting": 1,
                    "missed_by_cause": {"phone_silent": 3},
                    "phone_heard_at": "2026-11-20T11:02:00Z",
                    "notifications_denied": False,
                }
            ]
        }
    )


def account_of(session: Session, patient_id: UUID, now: datetime) -> ReminderAccount:
    """Callers check that the patient is theirs."""
    since = now - timedelta(days=ACCOUNT_DAYS)
    values = {"patient_id": patient_id, "since": since, "now": now}
    row = session.connection().exec_driver_sql(SUM_UP, values).mappings().one()
    causes = sorted((row["missed_by_cause"] or {}).items(), key=lambda one: -one[1])
    return ReminderAccount(
        days=ACCOUNT_DAYS,
        due=row["due"],
        reached=row["reached"],
        done=row["done"],
        skipped=row["skipped"],
        pushed=row["pushed"],
        missed=row["missed"],
        waiting=row["waiting"],
        missed_by_cause={Cause(cause): count for cause, count in causes},
        phone_heard_at=row["heard_at"],
        notifications_denied=bool(row["all_denied"]),
    )
