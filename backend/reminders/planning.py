"""Writes the occurrences of the next day and a half into the ledger, many patients at once, and again daily.

What was due stays as it was: a changed plan, setting or zone changes only what is still to come.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import Session

from backend.core import due
from backend.core.database import NewSession
from backend.reminders.ledger import FIRST_JUDGED_AFTER
from backend.reminders.rules import (
    DailyDose,
    Opened,
    OwnTime,
    Quiet,
    Settings,
    Sources,
    daily_dose,
    diary_day,
    minute_of,
    occurrences,
)
from backend.reminders.tables import PLAN_REMINDERS
from backend.reminders.timing import HISTORY_DAYS, habit_of

LEASE_SECONDS = 120
AGAIN_AFTER = timedelta(hours=24)
# Half a day more than the wait: a round that comes late finds the ledger ahead of it.
HORIZON = timedelta(hours=36)
# After a longer standstill the days in between are beyond telling.
LONGEST_STANDSTILL = timedelta(days=14)

LOAD = (Path(__file__).parent / "planning.sql").read_text(encoding="utf-8")
LOCK_PATIENTS = "SELECT id FROM patient WHERE id = ANY(%(patient_ids)s) ORDER BY id FOR NO KEY UPDATE"
# A phone's own word of when its alarm is due stands; the server's own reading moves with plan, settings and zone.
WRITE = f"""
    INSERT INTO reminder_occurrence AS known
        (patient_id, key, local_date, due_at, time_zone, expected, state, decided_by, at, snoozed_times, judge_at)
    SELECT sent.patient_id, sent.key, sent.local_date, sent.due_at, sent.time_zone, TRUE, 'due', 'server', %(now)s, 0,
        sent.due_at + {FIRST_JUDGED_AFTER}
    FROM json_populate_recordset(NULL::reminder_occurrence, %(rows)s::json) AS sent
    LEFT JOIN reminder_planning AS planning USING (patient_id)
    WHERE sent.due_at > LEAST(coalesce(planning.planned_until, %(now)s), %(now)s)
        OR EXISTS (
            SELECT 1 FROM reminder_occurrence AS there
            WHERE there.patient_id = sent.patient_id AND there.key = sent.key AND there.local_date = sent.local_date
        )
    ORDER BY sent.patient_id, sent.key, sent.local_date
    ON CONFLICT (patient_id, key, local_date) DO UPDATE SET
        expected = TRUE,
        due_at = CASE WHEN known.decided_by = 'server' THEN excluded.due_at ELSE known.due_at END,
        time_zone = CASE WHEN known.decided_by = 'server' THEN excluded.time_zone ELSE known.time_zone END,
        judge_at = CASE WHEN known.decided_by = 'server' THEN excluded.judge_at ELSE known.judge_at END
    WHERE known.due_at > %(now)s AND known.state IN ('due', 'armed')
"""  # noqa: S608 (a number of our own)
FORGET = """
    WITH planned AS (
        SELECT patient_id, key, local_date FROM json_populate_recordset(NULL::reminder_occurrence, %(rows)s::json)
    ), unplanned AS (
        SELECT known.patient_id, known.key, known.local_date, known.state
        FROM reminder_occurrence AS known
        WHERE known.patient_id = ANY(%(patient_ids)s) AND known.due_at > %(now)s AND known.expected
            AND known.state IN ('due', 'armed')
            AND NOT EXISTS (
                SELECT 1 FROM planned
                WHERE (planned.patient_id, planned.key, planned.local_date)
                    = (known.patient_id, known.key, known.local_date)
            )
    ), gone AS (
        DELETE FROM reminder_occurrence AS known USING unplanned
        WHERE unplanned.state = 'due' AND (known.patient_id, known.key, known.local_date)
            = (unplanned.patient_id, unplanned.key, unplanned.local_date)
    )
    UPDATE reminder_occurrence AS known SET expected = FALSE FROM unplanned
    WHERE unplanned.state = 'armed' AND (known.patient_id, known.key, known.local_date)
        = (unplanned.patient_id, unplanned.key, unplanned.local_date)
"""
NOTE_PLANNED = """
    INSERT INTO reminder_planning (patient_id, planned_until)
    SELECT patient_id, CASE WHEN patient_id = ANY(%(planned)s) THEN %(until)s ELSE %(now)s END
    FROM unnest(%(patient_ids)s) AS patient_id ORDER BY patient_id
    ON CONFLICT (patient_id) DO UPDATE SET planned_until = excluded.planned_until
"""


@dataclass(frozen=True)
class _Loaded:
    """What one patient's reminders derive from."""

    patient_id: UUID
    zone: ZoneInfo
    signed_at: datetime
    planned_until: datetime | None
    sources: Sources
    taken: Mapping[str, Sequence[datetime]]


def plan_due(new_session: NewSession, now: datetime, limit: int = 500) -> int:
    """Plan the patients whose turn it is; how many there were."""
    with new_session() as session:
        claims = due.claim_due(session, PLAN_REMINDERS, now=now, limit=limit, lease_seconds=LEASE_SECONDS)
        session.commit()
    if not claims:
        return 0
    with new_session() as session:
        plan(session, [claim.key for claim in claims], now)
        due.finish(session, claims)
        due.mark_due(session, PLAN_REMINDERS, [claim.key for claim in claims], due_at=now + AGAIN_AFTER)
        session.commit()
    return len(claims)


def plan(session: Session, patient_ids: Sequence[UUID], now: datetime) -> None:
    """Bring the ledger in line with what is to come, for patients who have a plan, consent and a phone that reminds."""
    connection = session.connection()
    ids = list(patient_ids)
    # Before any occurrence, in the order that an exchange with a phone takes its locks.
    connection.exec_driver_sql(LOCK_PATIENTS, {"patient_ids": ids})
    habits_from = (now - timedelta(days=HISTORY_DAYS + 2)).date()
    found = connection.exec_driver_sql(LOAD, {"patient_ids": ids, "habits_from": habits_from})
    loaded = [_read(row) for row in found.mappings()]
    until = now + HORIZON
    rows = [row for one in loaded for row in _rows(one, now, until)]
    values = {"patient_ids": ids, "rows": json.dumps(rows), "now": now, "until": until}
    connection.exec_driver_sql(WRITE, values)
    connection.exec_driver_sql(FORGET, values)
    connection.exec_driver_sql(NOTE_PLANNED, values | {"planned": [one.patient_id for one in loaded]})


def _rows(one: _Loaded, now: datetime, until: datetime) -> list[dict[str, str]]:
    settings = one.sources.settings
    today = diary_day(now, one.zone, settings.day_starts_minute)
    since = max(min(one.planned_until or now, now), now - LONGEST_STANDSTILL)
    # A day to either side: a flight moves the diary day, and a late dose is due after midnight.
    first = diary_day(since, one.zone, settings.day_starts_minute) - timedelta(days=1)
    last = diary_day(until, one.zone, settings.day_starts_minute) + timedelta(days=1)
    days = [first + timedelta(days=place) for place in range((last - first).days + 1)]
    habit = habit_of(one.taken, settings.quiet, today)
    return [
        {
            "patient_id": str(one.patient_id),
            "key": found.key,
            "local_date": found.local_date.isoformat(),
            "due_at": found.due_at.isoformat(),
            "time_zone": one.zone.key,
        }
        for found in occurrences(one.sources, days, one.zone, habit)
        if one.signed_at < found.due_at <= until
    ]


def _read(row: Mapping[Any, Any]) -> _Loaded:
    zone = ZoneInfo(row["time_zone"])
    taken: dict[str, list[datetime]] = defaultdict(list)
    for written in row["doses"] or ():
        inhaler_id, at = written.split(" ")
        taken[inhaler_id].append(datetime.fromisoformat(at))
    return _Loaded(
        patient_id=row["id"],
        zone=zone,
        signed_at=row["signed_at"],
        planned_until=row["planned_until"],
        sources=sources_from(row, zone),
        taken=taken,
    )


def sources_from(row: Mapping[Any, Any], zone: ZoneInfo) -> Sources:
    """`row`: columns of planning.sql. Without settings of the patient's own the plan's times stand."""
    settings = settings_from(row["settings"])
    reminders: list[dict[str, Any]] = row["reminders"]

    def first_of(kind: str) -> int | None:
        return next((minute_of(one["at"]) for one in reminders if one["kind"] == kind), None)

    written = first_of("write_diary")
    return Sources(
        settings=settings,
        doses=_doses(row, reminders, settings.day_starts_minute),
        check_in_minute=settings.check_in_minute if row["settings"] is not None or written is None else written,
        peak_flow_minute=first_of("measure_peak_flow"),
        control_check_from=row["last_control_check"] or row["signed_at"].astimezone(zone).date(),
        review_on=row["review_on"],
    )


def _doses(row: Mapping[Any, Any], reminders: list[dict[str, Any]], day_starts_minute: int) -> list[DailyDose]:
    if row["regimen"] is not None:
        prescribed = [
            (one["inhaler_id"], one["inhalations"], one["times_a_day"], one["product_id"])
            for one in row["regimen"]["prescriptions"]
        ]
    else:
        prescribed = [(one["id"], one["inhalations"], one["times_a_day"], None) for one in row["daily_inhalers"] or ()]
    return [
        daily_dose(
            inhaler_id,
            inhalations,
            times_a_day,
            [minute_of(one["at"]) for one in reminders if product_id is not None and one["product_id"] == product_id],
            day_starts_minute,
        )
        for inhaler_id, inhalations, times_a_day, product_id in prescribed
        if times_a_day >= 1
    ]


def settings_from(body: Mapping[str, Any] | None) -> Settings:
    """Of the columns of reminder_settings, or of the entry's body; the usual ones where there is none."""
    if body is None:
        return Settings()
    return Settings(
        day_starts_minute=minute_of(body["day_starts_at"]),
        quiet=Quiet(minute_of(body["quiet_from"]), minute_of(body["quiet_until"])),
        times={
            key: OwnTime(minute_of(own["weekday"]), minute_of(own["weekend"])) for key, own in body["times"].items()
        },
        follow_habit=body["follow_habit"],
        check_in_minute=None if body["check_in_at"] is None else minute_of(body["check_in_at"]),
        paused_until=None if body["paused_until"] is None else date.fromisoformat(body["paused_until"]),
        opened={
            inhaler_id: Opened(date.fromisoformat(opened["on"]), opened["inhalations"])
            for inhaler_id, opened in body["opened"].items()
        },
        appointments=[(one["id"], date.fromisoformat(one["on"])) for one in body["appointments"]],
    )
