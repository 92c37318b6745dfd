"""Who comes first on the roster, and which filter shows whom: one pass over all of a clinician's patients."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, Boolean, Column, Float, Integer, Text, Uuid, func, text, true
from sqlalchemy import select as sql_select
from sqlmodel import Session, col

from backend.accounts.tables import Clinician
from backend.dashboard.roster_schemas import Show, Urgency
from backend.dashboard.visits import CHANGED_PATIENTS, ZONE_FRESH
from backend.patients.store import visible_to
from backend.patients.tables import Patient

SILENT_AFTER = timedelta(days=3)

_RANK = {urgency: rank for rank, urgency in enumerate(Urgency)}

# As text: to build and compile it from parts took longer than to run it. `zone_changed` says of all patients what
# Since.zone_changed says of one.
_STANDINGS = f"""
SELECT patient_id, display_name,
    CASE
        WHEN alert_level = 'red' AND NOT alert_seen THEN {_RANK[Urgency.NOW]}
        WHEN alert_level IS NULL AND (red_zone OR red_flags) THEN {_RANK[Urgency.NOW]}
        WHEN alert_level IS NOT NULL OR risk = 'high' THEN {_RANK[Urgency.TODAY]}
        WHEN yellow_zone OR risk = 'raised' OR silent THEN {_RANK[Urgency.WATCH]}
        WHEN waiting THEN {_RANK[Urgency.WAITING]}
        ELSE {_RANK[Urgency.STEADY]}
    END AS urgency,
    CASE WHEN alert_level = 'red' THEN 0 WHEN alert_level IS NOT NULL THEN 1 ELSE 2 END AS alert_rank,
    CASE WHEN red_zone THEN 0 WHEN yellow_zone THEN 1 ELSE 2 END AS zone_rank,
    CASE risk WHEN 'high' THEN 0 WHEN 'raised' THEN 1 ELSE 2 END AS risk_rank,
    -coalesce(chance, 0) AS minus_chance,
    true AS show_all, alert_level IS NOT NULL AS show_alerts, red_zone AS show_red, yellow_zone AS show_yellow,
    risk IN ('high', 'raised') AS show_raised, silent AS show_silent, waiting AS show_waiting,
    zone_changed OR patient_id IN ({CHANGED_PATIENTS}) AS show_changed
FROM (
    SELECT patient.id AS patient_id, patient.display_name, alert.level AS alert_level,
        alert.acknowledged_at IS NOT NULL AS alert_seen, newest.level AS risk, newest.probability_7_days AS chance,
        newest.newest_reading_at > :fresh_from AND newest.zone = 'red' AS red_zone,
        newest.newest_reading_at > :fresh_from AND newest.zone = 'yellow' AS yellow_zone,
        newest.assessed_at > :fresh_from AND jsonb_array_length(newest.red_flags) > 0 AS red_flags,
        newest.last_entry_at IS NULL AS waiting, newest.last_entry_at <= :silent_until AS silent,
        visit.patient_id IS NOT NULL AND newest.newest_reading_at > :fresh_from AND (
            newest.zone <> visit.seen_zone OR visit.seen_zone IS NULL AND newest.zone <> 'green'
        ) AS zone_changed
    FROM patient
    LEFT JOIN LATERAL (
        SELECT zone, red_flags, level, probability_7_days, newest_reading_at, assessed_at, last_entry_at
        FROM assessment WHERE patient_id = patient.id ORDER BY as_of DESC LIMIT 1
    ) AS newest ON true
    LEFT JOIN alert ON alert.patient_id = patient.id AND alert.state <> 'resolved'
    LEFT JOIN patient_visit visit ON visit.patient_id = patient.id AND visit.clinician_id = :viewer
) AS known
"""  # noqa: S608 (ranks, and SQL of our own)

_ORDER = ("urgency", "alert_rank", "zone_rank", "risk_rank", "minus_chance", "display_name", "patient_id")
_COLUMNS: tuple[Column[Any], ...] = (
    Column("patient_id", Uuid),
    Column("display_name", Text),
    *(Column(name, Integer) for name in _ORDER[:4]),
    Column("minus_chance", Float),
    *(Column(f"show_{show.value}", Boolean) for show in Show),
)


def standings(clinician: Clinician, now: datetime, search: str) -> CTE:
    """SQL of how urgent each patient is: a row a patient, a column for each filter and each part of the order."""
    each = (
        text(_STANDINGS)
        .bindparams(viewer=clinician.id, fresh_from=now - ZONE_FRESH, silent_until=now - SILENT_AFTER)
        .columns(*_COLUMNS)
        .subquery("each")
    )
    visible = [visible_to(clinician)]
    if search:
        escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        visible.append(col(Patient.display_name).ilike(f"%{escaped}%"))
    return sql_select(each).join(Patient, col(Patient.id) == each.c.patient_id).where(*visible).cte("standing")


def one_page(
    session: Session, standing: CTE, show: Show, page: int, page_size: int
) -> tuple[dict[Show, int], dict[UUID, Urgency]]:
    """How many patients each filter has, and those of the page in their order. One pass over all patients for both."""
    shown = standing.c
    order = [shown[name] for name in _ORDER]
    counts = sql_select(*(func.count().filter(shown[f"show_{one.value}"]).label(one.value) for one in Show)).subquery()
    rows = (
        sql_select(shown.patient_id, shown.urgency, func.row_number().over(order_by=order).label("place"))
        .where(shown[f"show_{show.value}"])
        .order_by(*order)
        .limit(page_size)
        .offset((page - 1) * page_size)
        .subquery()
    )
    # From the counts outward, so that they come also when the page is empty.
    found = session.connection().execute(
        sql_select(counts, rows).select_from(counts).outerjoin(rows, true()).order_by(rows.c.place)
    )
    all_counts: dict[Show, int] = {}
    urgencies: dict[UUID, Urgency] = {}
    for row in found.mappings():
        all_counts = {one: row[counts.c[one.value]] for one in Show}
        if row[rows.c.patient_id] is not None:
            urgencies[row[rows.c.patient_id]] = list(Urgency)[row[rows.c.urgency]]
    return all_counts, urgencies
