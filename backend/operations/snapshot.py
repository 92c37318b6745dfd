"""How the installation does at this moment, in counts and seconds; nothing of any person."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import text
from sqlmodel import Session

from backend.alerts.rules import DAYS_A_MONTH, AlertPolicy

# Work is done within seconds; what has waited longer than this is late.
LATE_AFTER = timedelta(seconds=60)
DAY = timedelta(days=1)
BUDGET_OF = timedelta(days=30)
PHONE_SILENT_AFTER = timedelta(days=3)

_QUEUES = """
SELECT kind, count(*) AS rows, count(*) FILTER (WHERE due_at <= :now) AS due,
    count(*) FILTER (WHERE due_at <= :late) AS late, count(*) FILTER (WHERE lease_until > :now) AS held,
    COALESCE(extract(epoch FROM :now - min(due_at) FILTER (WHERE due_at <= :late)), 0) AS oldest_late_seconds
FROM due_work GROUP BY kind ORDER BY kind
"""

_DELIVERIES = """
SELECT channel, outcome, count(*) AS count FROM (
    SELECT 'push' AS channel, outcome FROM delivery WHERE created_at > :day
    UNION ALL SELECT 'mail', outcome FROM clinician_mail WHERE created_at > :day
) AS sent GROUP BY channel, outcome ORDER BY channel, outcome
"""

_FAILURES = """
SELECT channel, error_kind AS kind, count(*) AS count FROM (
    SELECT 'push' AS channel, error_kind FROM delivery WHERE created_at > :day
    UNION ALL SELECT 'mail', error_kind FROM clinician_mail WHERE created_at > :day
    UNION ALL SELECT kind, last_error FROM due_work WHERE last_error <> ''
) AS failed WHERE error_kind IS NOT NULL GROUP BY channel, error_kind ORDER BY channel, error_kind
"""

_LATENCY = """
SELECT stage, count(seconds) AS count, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50_seconds,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95_seconds
FROM (
    SELECT 'handed_over' AS stage, extract(epoch FROM handed_over_at - created_at) AS seconds
    FROM delivery WHERE created_at > :day AND handed_over_at IS NOT NULL
    UNION ALL SELECT 'received', extract(epoch FROM received_at - created_at)
    FROM delivery WHERE created_at > :day AND received_at IS NOT NULL
    UNION ALL SELECT 'opened', extract(epoch FROM opened_at - created_at)
    FROM delivery WHERE created_at > :day AND opened_at IS NOT NULL
) AS way GROUP BY stage ORDER BY stage
"""

_ALERTS = """
SELECT hospital.id AS hospital_id, hospital.name AS hospital, followed.patients,
    COALESCE(told.raised, 0) AS raised, COALESCE(told.raised_red, 0) AS raised_red,
    COALESCE(told.of_rules, 0) AS of_rules, COALESCE(told.unanswered_red, 0) AS unanswered_red,
    chosen.amber_per_patient_month, chosen.red_per_patient_month
FROM hospital
LEFT JOIN alert_settings AS chosen ON chosen.hospital_id = hospital.id
CROSS JOIN LATERAL (
    SELECT count(*) AS patients FROM patient JOIN consent ON consent.patient_id = patient.id
    WHERE patient.hospital_id = hospital.id AND purpose = 'forecasting' AND withdrawn_at IS NULL
) AS followed
LEFT JOIN (
    SELECT patient.hospital_id,
        count(*) FILTER (WHERE cause = 'forecast' AND triggered_at > :month) AS raised,
        count(*) FILTER (WHERE cause = 'forecast' AND level = 'red' AND triggered_at > :month) AS raised_red,
        count(*) FILTER (WHERE cause <> 'forecast' AND triggered_at > :month) AS of_rules,
        count(*) FILTER (WHERE level = 'red' AND state <> 'resolved' AND acknowledged_at IS NULL) AS unanswered_red
    FROM alert JOIN patient ON patient.id = alert.patient_id
    WHERE triggered_at > :month OR state <> 'resolved'
    GROUP BY patient.hospital_id
) AS told ON told.hospital_id = hospital.id
ORDER BY hospital.name
"""

_PHONES = """
SELECT count(*) AS phones, count(*) FILTER (WHERE COALESCE(last_seen_at, enrolled_at) <= :silent) AS silent,
    count(*) FILTER (WHERE push_token IS NULL) AS without_push
FROM device WHERE removed_at IS NULL
"""

_REMINDERS = """
SELECT state, count(*) AS count FROM reminder_occurrence WHERE due_at > :day AND due_at <= :now
GROUP BY state ORDER BY state
"""

_WORKERS = (
    "SELECT worker, extract(epoch FROM :now - seen_at) AS seconds_ago, model FROM worker_heartbeat ORDER BY worker"
)

_SWITCHES = """
SELECT DISTINCT ON (hospital.name, model_id) hospital.id AS hospital_id, hospital.name AS hospital, model_id, mode
FROM model_switch JOIN hospital ON hospital.id = hospital_id ORDER BY hospital.name, model_id, model_switch.id DESC
"""


class Queue(BaseModel):
    kind: str
    rows: int
    due: int
    late: int
    held: int
    oldest_late_seconds: float


class Outcomes(BaseModel):
    channel: str
    outcome: str
    count: int


class Failures(BaseModel):
    channel: str
    kind: str
    count: int


class Latency(BaseModel):
    """Seconds from the message to the stage, of the last day's pushes."""

    stage: str
    count: int
    p50_seconds: float
    p95_seconds: float


class AlertRate(BaseModel):
    """Forecast alerts of the last 30 days a patient-month, of any level and red ones, against the budgets."""

    hospital_id: UUID
    hospital: str
    patients: int
    raised: int
    raised_red: int
    of_rules: int
    unanswered_red: int
    amber_per_patient_month: float
    red_per_patient_month: float
    amber_budget: float
    red_budget: float


class Phones(BaseModel):
    phones: int
    silent: int
    without_push: int


class Reminders(BaseModel):
    state: str
    count: int


class WorkerSeen(BaseModel):
    worker: str
    seconds_ago: float
    model: str | None


class Switch(BaseModel):
    hospital_id: UUID
    hospital: str
    model_id: str
    mode: str


class Snapshot(BaseModel):
    taken_at: datetime
    queues: list[Queue]
    outcomes: list[Outcomes]
    failures: list[Failures]
    latency: list[Latency]
    alerts: list[AlertRate]
    phones: Phones
    reminders: list[Reminders]
    workers: list[WorkerSeen]
    switches: list[Switch]


def read_snapshot(session: Session, now: datetime, hospital_id: UUID | None = None) -> Snapshot:
    """Of the whole installation; alert rates and switches of one hospital alone where it is given."""
    connection = session.connection()
    bound = {
        "now": now,
        "late": now - LATE_AFTER,
        "day": now - DAY,
        "month": now - BUDGET_OF,
        "silent": now - PHONE_SILENT_AFTER,
    }

    def rows(statement: str) -> list[dict[str, Any]]:
        return [dict(row) for row in connection.execute(text(statement), bound).mappings()]

    def here(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row for row in found if hospital_id is None or row["hospital_id"] == hospital_id]

    return Snapshot(
        taken_at=now,
        queues=[Queue(**row) for row in rows(_QUEUES)],
        outcomes=[Outcomes(**row) for row in rows(_DELIVERIES)],
        failures=[Failures(**row) for row in rows(_FAILURES)],
        latency=[Latency(**row) for row in rows(_LATENCY)],
        alerts=[_rate(row) for row in here(rows(_ALERTS))],
        phones=Phones(**rows(_PHONES)[0]),
        reminders=[Reminders(**row) for row in rows(_REMINDERS)],
        workers=[WorkerSeen(**row) for row in rows(_WORKERS)],
        switches=[Switch(**row) for row in here(rows(_SWITCHES))],
    )


def _rate(row: Mapping[str, Any]) -> AlertRate:
    months = row["patients"] * (BUDGET_OF / DAY) / DAYS_A_MONTH
    usual = AlertPolicy()
    amber, red = row["amber_per_patient_month"], row["red_per_patient_month"]
    return AlertRate(
        **{**row, "amber_per_patient_month": row["raised"] / months if months else 0.0}
        | {"red_per_patient_month": row["raised_red"] / months if months else 0.0},
        amber_budget=usual.amber_per_patient_month if amber is None else amber,
        red_budget=usual.red_per_patient_month if red is None else red,
    )
