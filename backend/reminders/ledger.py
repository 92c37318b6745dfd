"""What phones report, written down in the exchange's own connection and merged over all of a patient's phones."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from backend.reminders.rules import GRACE
from backend.reminders.tables import State

Pipeline = psycopg.Connection[tuple[Any, ...]]

FIRST_JUDGED_AFTER = f"interval '{GRACE.total_seconds():.0f} seconds'"
# In the order of what is known for certain; the greater stands over several phones.
RANKS = "ARRAY[" + ", ".join(f"'{state.value}'" for state in State) + "]"


def rank(state: str) -> str:
    """SQL for the place of a state among all, 1 for the least that can be said."""
    return f"array_position({RANKS}, {state}::text)"


KEEP_REPORTS = """
    INSERT INTO reminder_report AS known (patient_id, device_id, key, local_date, revision, due_at, time_zone, state,
        at, action, skip_reason, cause, snoozed_times, received_at)
    SELECT %(patient_id)s, %(device_id)s, key, local_date, revision, due_at, time_zone, state,
        at, action, skip_reason, cause, snoozed_times, %(now)s
    FROM json_populate_recordset(NULL::reminder_report, %(rows)s::json)
    ON CONFLICT (patient_id, key, local_date, device_id) DO UPDATE SET
        revision = excluded.revision, due_at = excluded.due_at, time_zone = excluded.time_zone,
        state = excluded.state, at = excluded.at, action = excluded.action, skip_reason = excluded.skip_reason,
        cause = excluded.cause, snoozed_times = excluded.snoozed_times, received_at = excluded.received_at
    WHERE known.revision < excluded.revision
    RETURNING key, local_date
"""
# An alarm is due when its phone says. What the server decided (a push, a miss, a dose found in the diary) stands until
# a phone knows better.
MERGE = f"""
    WITH best AS (
        SELECT DISTINCT ON (report.key, report.local_date) report.*
        FROM reminder_report AS report
        JOIN json_populate_recordset(NULL::reminder_report, %(rows)s::json) AS sent USING (key, local_date)
        WHERE report.patient_id = %(patient_id)s
        ORDER BY report.key, report.local_date, {rank("report.state")} DESC, report.at
    )
    INSERT INTO reminder_occurrence AS known (patient_id, key, local_date, due_at, time_zone, expected, state,
        decided_by, at, action, skip_reason, cause, snoozed_times, judge_at)
    SELECT patient_id, key, local_date, due_at, time_zone, FALSE, state, 'phone', at, action, skip_reason, cause,
        snoozed_times, CASE WHEN state = 'armed' THEN due_at + {FIRST_JUDGED_AFTER} END
    FROM best ORDER BY key, local_date
    ON CONFLICT (patient_id, key, local_date) DO UPDATE SET
        due_at = excluded.due_at, time_zone = excluded.time_zone,
        state = excluded.state, decided_by = 'phone', at = excluded.at, action = excluded.action,
        skip_reason = excluded.skip_reason, cause = excluded.cause, snoozed_times = excluded.snoozed_times,
        judge_at = CASE WHEN excluded.state <> 'armed' THEN NULL
            WHEN known.judge_at > known.due_at + {FIRST_JUDGED_AFTER} THEN known.judge_at
            ELSE excluded.due_at + {FIRST_JUDGED_AFTER} END
    WHERE known.decided_by = 'phone' OR {rank("excluded.state")} >= {rank("known.state")}
"""  # noqa: S608 (names of our own states)
CLOSE_MESSAGES = """
    WITH over AS (
        SELECT message.id
        FROM reminder_occurrence AS occurrence
        JOIN json_populate_recordset(NULL::reminder_report, %(rows)s::json) AS sent USING (key, local_date)
        JOIN inbox_message AS message ON message.id = occurrence.message_id
        WHERE occurrence.patient_id = %(patient_id)s AND message.resolved_at IS NULL
            AND occurrence.state IN ('fired', 'shown', 'acted', 'cancelled')
    ), numbered AS (
        UPDATE patient SET last_change = last_change + 1
        WHERE id = %(patient_id)s AND EXISTS (SELECT 1 FROM over) RETURNING last_change
    )
    UPDATE inbox_message SET resolved_at = %(now)s, change = numbered.last_change
    FROM over, numbered WHERE inbox_message.id = over.id
"""
KEEP_PHONE = """
    WITH before AS (
        SELECT time_zone FROM reminder_phone WHERE patient_id = %(patient_id)s AND device_id = %(device_id)s
    )
    INSERT INTO reminder_phone (patient_id, device_id, time_zone, notifications_allowed, exact_alarms_allowed,
        battery_unrestricted, armed_until, armed_count, reported_at)
    VALUES (%(patient_id)s, %(device_id)s, %(time_zone)s, %(notifications_allowed)s, %(exact_alarms_allowed)s,
        %(battery_unrestricted)s, %(armed_until)s, %(armed_count)s, %(now)s)
    ON CONFLICT (patient_id, device_id) DO UPDATE SET
        time_zone = excluded.time_zone, notifications_allowed = excluded.notifications_allowed,
        exact_alarms_allowed = excluded.exact_alarms_allowed, battery_unrestricted = excluded.battery_unrestricted,
        armed_until = excluded.armed_until, armed_count = excluded.armed_count, reported_at = excluded.reported_at
    RETURNING time_zone IS DISTINCT FROM (SELECT time_zone FROM before)
"""


def keep_reports(
    connection: Pipeline, patient_id: UUID, device_id: UUID, rows: str, *, now: datetime
) -> set[tuple[str, str]]:
    """Keep each report of one phone that is newer than the one known, bring the ledger in line, and close the inbox
    messages of reminders that a phone took care of after all.

    `rows`: reports as JSON, each (key, local_date) once. Returns (key, local date) of those that were newer. The
    caller holds the lock on the patient's row.
    """
    values = {"patient_id": patient_id, "device_id": device_id, "rows": rows, "now": now}
    newer = connection.execute(KEEP_REPORTS, values, prepare=True)
    connection.execute(MERGE, values, prepare=True)
    connection.execute(CLOSE_MESSAGES, values, prepare=True)
    return {(key, local_date.isoformat()) for key, local_date in newer.fetchall()}


def keep_phone(
    connection: Pipeline, patient_id: UUID, device_id: UUID, phone: Mapping[str, Any], *, now: datetime
) -> bool:
    """Keep what a phone said of itself; True if it is new, or in another zone than before."""
    values = {**phone, "patient_id": patient_id, "device_id": device_id, "now": now}
    [(moved,)] = connection.execute(KEEP_PHONE, values, prepare=True).fetchall()
    return bool(moved)
