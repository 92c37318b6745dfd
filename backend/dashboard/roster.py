"""The roster: every patient of a clinician, the most urgent first. Five queries, whatever the number of patients."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, true
from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician
from backend.alerts.tables import Alert, AlertState
from backend.clinical.peak_flow import Zone
from backend.dashboard.schemas import DayBest, NewestReading, PlanLines, RosterOut, RosterRow, Show, Urgency
from backend.dashboard.views import alert_out, forecast_out
from backend.diary.tables import PeakFlow
from backend.patients.store import visible_to
from backend.patients.tables import Patient, Sex
from backend.plans.tables import ActionPlan
from backend.risk.tables import Assessment, RiskLevel

PAGE_SIZE = 25
SPARKLINE_DAYS = 30
# Older readings say nothing of today: the assessment looks back as far, and so does what is shown of it.
ZONE_FRESH = timedelta(hours=48)
SILENT_AFTER = timedelta(days=3)


@dataclass(frozen=True)
class _Conditions:
    """SQL truths about a patient's state, made once and used for filters, counts and the order."""

    shows: dict[Show, ColumnElement[bool]]
    urgency: ColumnElement[str]
    order: Sequence[Any]


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
    newest = (
        select(Assessment)
        .where(col(Assessment.patient_id) == col(Patient.id))
        .order_by(col(Assessment.as_of).desc())
        .limit(1)
        .lateral("newest")
    )
    conditions = _conditions(newest.c, now)
    visible = [visible_to(clinician)]
    if search:
        escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        visible.append(col(Patient.display_name).ilike(f"%{escaped}%"))

    def patients(*columns: Any) -> Select[Any]:
        open_alert = and_(col(Alert.patient_id) == col(Patient.id), col(Alert.state) != AlertState.RESOLVED.value)
        chosen: Select[Any] = select(*columns)
        return chosen.select_from(Patient).outerjoin(newest, true()).outerjoin(Alert, open_alert).where(*visible)

    counted = session.exec(  # type: ignore[call-overload]
        patients(*(func.count().filter(shown) for shown in conditions.shows.values()))
    ).one()
    counts: dict[Show, int] = dict(zip(conditions.shows, counted, strict=True))
    pages = max(1, -(-counts[show] // page_size))
    page = min(max(page, 1), pages)
    found: Sequence[Any] = session.exec(  # type: ignore[call-overload]
        patients(Patient, conditions.urgency, Alert, *newest.c)
        .where(conditions.shows[show])
        .order_by(*conditions.order)
        .limit(page_size)
        .offset((page - 1) * page_size)
    ).all()
    ids = [row[0].id for row in found]
    plans, points = _plan_lines(session, ids), _day_bests(session, ids, now)
    rows = []
    for row in found:
        patient, urgency, alert = row[0], row[1], row[2]
        assessment: dict[str, Any] = dict(zip(newest.c.keys(), row[3:], strict=True))
        plan = plans.get(patient.id)
        rows.append(
            _row(patient, Urgency(urgency), alert, assessment, plan, points[patient.id], now=now, language=language)
        )
    return RosterOut(page=page, pages=pages, total=counts[show], counts=counts, patients=rows)


def _conditions(newest: Any, now: datetime) -> _Conditions:
    fresh = newest.newest_reading_at > now - ZONE_FRESH
    red_zone, yellow_zone = and_(fresh, newest.zone == "red"), and_(fresh, newest.zone == "yellow")
    red_flags = and_(newest.assessed_at > now - ZONE_FRESH, func.jsonb_array_length(newest.red_flags) > 0)
    high, raised = newest.level == RiskLevel.HIGH.value, newest.level == RiskLevel.RAISED.value
    alert, seen = col(Alert.id).is_not(None), col(Alert.acknowledged_at).is_not(None)
    waiting = newest.last_entry_at.is_(None)
    silent = and_(~waiting, newest.last_entry_at <= now - SILENT_AFTER)
    urgency = case(
        (and_(alert, ~seen, col(Alert.level) == "red"), Urgency.NOW.value),
        (and_(~alert, or_(red_zone, red_flags)), Urgency.NOW.value),
        (or_(alert, high), Urgency.TODAY.value),
        (or_(yellow_zone, raised, silent), Urgency.WATCH.value),
        (waiting, Urgency.WAITING.value),
        else_=Urgency.STEADY.value,
    )
    rank = case({urgency.value: place for place, urgency in enumerate(Urgency)}, value=urgency)
    level_rank = case({"high": 0, "raised": 1}, value=newest.level, else_=2)
    zone_rank = case((red_zone, 0), (yellow_zone, 1), else_=2)
    return _Conditions(
        shows={
            Show.ALL: true(),
            Show.ALERTS: alert,
            Show.RED: func.coalesce(red_zone, literal(False)),
            Show.YELLOW: func.coalesce(yellow_zone, literal(False)),
            Show.RAISED: func.coalesce(or_(high, raised), literal(False)),
            Show.SILENT: func.coalesce(silent, literal(False)),
            Show.WAITING: waiting,
        },
        urgency=urgency,
        order=(
            rank,
            case((col(Alert.level) == "red", 0), (alert, 1), else_=2),
            zone_rank,
            level_rank,
            newest.probability_7_days.desc().nulls_last(),
            col(Patient.display_name),
            col(Patient.id),
        ),
    )


def _row(
    patient: Patient,
    urgency: Urgency,
    alert: Alert | None,
    assessment: dict[str, Any],
    plan: PlanLines | None,
    points: list[DayBest],
    *,
    now: datetime,
    language: str,
) -> RosterRow:
    reading_at, litres_per_min = assessment["newest_reading_at"], assessment["newest_litres_per_min"]
    last_entry_at = assessment["last_entry_at"]
    fresh = reading_at is not None and reading_at > now - ZONE_FRESH
    reading = None
    if reading_at is not None:
        percent = round(100 * litres_per_min / plan.personal_best_litres_per_min) if plan else None
        reading = NewestReading(
            litres_per_min=litres_per_min, taken_at=reading_at, percent_of_best=percent, fresh=fresh
        )
    return RosterRow(
        id=patient.id,
        display_name=patient.display_name,
        born_on=patient.born_on,
        sex=Sex(patient.sex),
        time_zone=patient.time_zone,
        urgency=urgency,
        zone=Zone(assessment["zone"]) if fresh and assessment["zone"] else None,
        newest_reading=reading,
        red_flags=assessment["red_flags"] or [],
        forecast=forecast_out(assessment, language) if assessment["id"] else None,
        last_entry_at=last_entry_at,
        silent=last_entry_at is not None and last_entry_at <= now - SILENT_AFTER,
        alert=alert_out(alert, patient, None, language) if alert else None,
        peak_flow_30_days=points,
        plan=plan,
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
        points[patient_id].append(DayBest(day=day, litres_per_min=litres_per_min))
    return points
