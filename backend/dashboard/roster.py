"""The roster: every patient of a clinician, the most urgent first. Few queries, whatever the number of patients."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, Select, and_, case, func, or_, true
from sqlalchemy import select as sql_select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician
from backend.alerts.tables import Alert, AlertState
from backend.clinical.peak_flow import Zone
from backend.dashboard.hand_overs import hand_overs_of
from backend.dashboard.roster_schemas import DayBest, NewestReading, PlanLines, RosterOut, RosterRow, Show, Urgency
from backend.dashboard.schemas import HandOverOut
from backend.dashboard.tables import PatientVisit
from backend.dashboard.views import alert_out, forecast_out
from backend.dashboard.visits import ZONE_FRESH, Mark, Since, changes_since, has_news
from backend.diary.tables import PeakFlow
from backend.patients.store import visible_to
from backend.patients.tables import Patient, Sex
from backend.plans.tables import ActionPlan
from backend.risk.tables import Assessment, RiskLevel

PAGE_SIZE = 25
SPARKLINE_DAYS = 30
SILENT_AFTER = timedelta(days=3)


def roster(
    session: Session,
    clinician: Clinician,
    *,
    now: datetime,
    language: str,
    search: str = "",
    show: Show = Show.ALL,
    page: int = 1,
    page_size: int = PAGE_SIZE,
) -> RosterOut:
    """One page of the clinician's patients; a page past the end is the last one."""
    visible = [visible_to(clinician)]
    if search:
        escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        visible.append(col(Patient.display_name).ilike(f"%{escaped}%"))
    standings = _standings(clinician, now).where(*visible).cte("standing")
    counts, urgencies = _one_page(session, standings, show, page, page_size)
    pages = max(1, -(-counts[show] // page_size))
    if page > pages:
        page = pages
        counts, urgencies = _one_page(session, standings, show, page, page_size)
    ids = list(urgencies)
    patients, looks = _patients(session, clinician, ids)
    plans, points = _plan_lines(session, ids), _day_bests(session, ids, now)
    changed = changes_since(session, looks, now)
    handed = hand_overs_of(session, [alert for _, alert, _ in patients.values() if alert])
    return RosterOut(
        page=page,
        pages=pages,
        total=counts[show],
        counts=counts,
        patients=[
            _row(
                *patients[one],
                urgencies[one],
                plans.get(one),
                points[one],
                handed.get(alert.id) if (alert := patients[one][1]) else None,
                changed.get(one),
                now=now,
                language=language,
            )
            for one in ids
        ],
    )


def _standings(clinician: Clinician, now: datetime) -> Select[Any]:
    """SQL of how urgent each patient is: a row a patient, a column for each filter and each part of the order."""
    newest = (
        select(Assessment)
        .where(col(Assessment.patient_id) == col(Patient.id))
        .order_by(col(Assessment.as_of).desc())
        .limit(1)
        .lateral("newest")
    )
    last = newest.c
    fresh = last.newest_reading_at > now - ZONE_FRESH
    red_zone, yellow_zone = and_(fresh, last.zone == "red"), and_(fresh, last.zone == "yellow")
    red_flags = and_(last.assessed_at > now - ZONE_FRESH, func.jsonb_array_length(last.red_flags) > 0)
    high, raised = last.level == RiskLevel.HIGH.value, last.level == RiskLevel.RAISED.value
    alert, seen = col(Alert.id).is_not(None), col(Alert.acknowledged_at).is_not(None)
    seen_zone = col(PatientVisit.seen_zone)
    # Since.zone_changed says the same of one patient.
    zone_changed = and_(
        col(PatientVisit.patient_id).is_not(None),
        fresh,
        or_(last.zone != seen_zone, and_(seen_zone.is_(None), last.zone != "green")),
    )
    waiting = last.last_entry_at.is_(None)
    silent = and_(~waiting, last.last_entry_at <= now - SILENT_AFTER)
    urgency = case(
        (and_(alert, ~seen, col(Alert.level) == "red"), Urgency.NOW.value),
        (and_(~alert, or_(red_zone, red_flags)), Urgency.NOW.value),
        (or_(alert, high), Urgency.TODAY.value),
        (or_(yellow_zone, raised, silent), Urgency.WATCH.value),
        (waiting, Urgency.WAITING.value),
        else_=Urgency.STEADY.value,
    )
    shows = {
        Show.ALL: true(),
        Show.ALERTS: alert,
        Show.RED: red_zone,
        Show.YELLOW: yellow_zone,
        Show.RAISED: or_(high, raised),
        Show.SILENT: silent,
        Show.WAITING: waiting,
        Show.CHANGED: or_(zone_changed, has_news(clinician)),
    }
    order = (
        case({urgency.value: place for place, urgency in enumerate(Urgency)}, value=urgency),
        case((col(Alert.level) == "red", 0), (alert, 1), else_=2),
        case((red_zone, 0), (yellow_zone, 1), else_=2),
        case({"high": 0, "raised": 1}, value=last.level, else_=2),
        -func.coalesce(last.probability_7_days, 0),
    )
    chosen: Select[Any] = sql_select(
        col(Patient.id).label("patient_id"),
        col(Patient.display_name).label("display_name"),
        urgency.label("urgency"),
        *(condition.label(f"show_{show.value}") for show, condition in shows.items()),
        *(part.label(f"order_{place}") for place, part in enumerate(order)),
    )
    open_alert = and_(col(Alert.patient_id) == col(Patient.id), col(Alert.state) != AlertState.RESOLVED.value)
    return (
        chosen.select_from(Patient)
        .outerjoin(newest, true())
        .outerjoin(Alert, open_alert)
        .outerjoin(PatientVisit, _visit_of(clinician))
    )


def _one_page(
    session: Session, standings: CTE, show: Show, page: int, page_size: int
) -> tuple[dict[Show, int], dict[UUID, Urgency]]:
    """How many patients each filter has, and those of the page in their order. One pass over all patients for both."""
    shown = standings.c
    order = [column for column in shown if column.name.startswith("order_")]
    order += [shown.display_name, shown.patient_id]
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
            urgencies[row[rows.c.patient_id]] = Urgency(row[rows.c.urgency])
    return all_counts, urgencies


def _patients(
    session: Session, clinician: Clinician, ids: Sequence[UUID]
) -> tuple[dict[UUID, tuple[Patient, Alert | None, Assessment | None]], dict[UUID, Mark]]:
    """Each patient with the open alert and the newest assessment, where there is one; and how the clinician last saw
    those whose page was ever opened."""
    open_alert = and_(col(Alert.patient_id) == col(Patient.id), col(Alert.state) != AlertState.RESOLVED.value)
    of_patient = aliased(Assessment)
    newest = (
        select(of_patient.id)
        .where(of_patient.patient_id == Patient.id)
        .order_by(col(of_patient.as_of).desc())
        .limit(1)
        .scalar_subquery()
    )
    found = session.exec(
        select(Patient, Alert, Assessment, PatientVisit)
        .join(Alert, open_alert, isouter=True)
        .join(Assessment, col(Assessment.id) == newest, isouter=True)
        .join(PatientVisit, _visit_of(clinician), isouter=True)
        .where(col(Patient.id).in_(ids))
    ).all()
    rows: dict[UUID, tuple[Patient, Alert | None, Assessment | None]]
    rows = {patient.id: (patient, alert, assessment) for patient, alert, assessment, _ in found}
    return rows, {patient.id: Mark.of(visit) for patient, _, _, visit in found if visit is not None}


def _visit_of(clinician: Clinician) -> ColumnElement[bool]:
    return and_(col(PatientVisit.patient_id) == col(Patient.id), col(PatientVisit.clinician_id) == clinician.id)


def _row(
    patient: Patient,
    alert: Alert | None,
    assessment: Assessment | None,
    urgency: Urgency,
    plan: PlanLines | None,
    points: list[DayBest],
    handed: HandOverOut | None,
    since: Since | None,
    *,
    now: datetime,
    language: str,
) -> RosterRow:
    reading = _newest_reading(assessment, plan, now) if assessment else None
    last_entry_at = assessment.last_entry_at if assessment else None
    return RosterRow(
        id=patient.id,
        display_name=patient.display_name,
        born_on=patient.born_on,
        sex=Sex(patient.sex),
        time_zone=patient.time_zone,
        urgency=urgency,
        zone=Zone(assessment.zone) if assessment and assessment.zone and reading and reading.fresh else None,
        newest_reading=reading,
        red_flags=assessment.red_flags if assessment else [],
        forecast=forecast_out(assessment, language) if assessment else None,
        last_entry_at=last_entry_at,
        silent=last_entry_at is not None and last_entry_at <= now - SILENT_AFTER,
        alert=alert_out(alert, patient, None, handed, language) if alert else None,
        since_last_look=since,
        peak_flow_30_days=points,
        plan=plan,
    )


def _newest_reading(assessment: Assessment, plan: PlanLines | None, now: datetime) -> NewestReading | None:
    if assessment.newest_reading_at is None or assessment.newest_litres_per_min is None:
        return None
    litres_per_min = assessment.newest_litres_per_min
    return NewestReading(
        litres_per_min=litres_per_min,
        taken_at=assessment.newest_reading_at,
        percent_of_best=round(100 * litres_per_min / plan.personal_best_litres_per_min) if plan else None,
        fresh=assessment.newest_reading_at > now - ZONE_FRESH,
    )


def _plan_lines(session: Session, ids: Sequence[UUID]) -> dict[UUID, PlanLines]:
    newest = session.exec(
        select(ActionPlan)
        .where(col(ActionPlan.patient_id).in_(ids))
        .ext(distinct_on(col(ActionPlan.patient_id)))
        .order_by(col(ActionPlan.patient_id), col(ActionPlan.version).desc())
    )
    return {
        plan.patient_id: PlanLines.model_validate(plan.model_dump(include=set(PlanLines.model_fields)))
        for plan in newest
    }


def _day_bests(session: Session, ids: Sequence[UUID], now: datetime) -> dict[UUID, list[DayBest]]:
    best = func.max(col(PeakFlow.litres_per_min))
    points: dict[UUID, list[DayBest]] = defaultdict(list)
    found = session.exec(
        select(col(PeakFlow.patient_id), col(PeakFlow.local_date), best)
        .where(
            col(PeakFlow.patient_id).in_(ids),
            col(PeakFlow.deleted).is_(False),
            # One day more than the line shows, as the patient's day may differ from the day in UTC.
            col(PeakFlow.local_date) >= now.date() - timedelta(days=SPARKLINE_DAYS),
        )
        .group_by(col(PeakFlow.patient_id), col(PeakFlow.local_date))
        .order_by(col(PeakFlow.patient_id), col(PeakFlow.local_date))
    )
    for patient_id, day, litres_per_min in found:
        points[patient_id].append(DayBest(day, litres_per_min or 0))
    return points
