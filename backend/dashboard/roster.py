"""The roster: every patient of a clinician, the most urgent first. Few queries, whatever the number of patients."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, text
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician
from backend.alerts.tables import Alert, AlertState
from backend.clinical.peak_flow import Zone
from backend.dashboard.hand_overs import hand_overs_of
from backend.dashboard.roster_order import SILENT_AFTER, one_page, standings
from backend.dashboard.roster_schemas import DayBest, NewestReading, PlanLines, RosterOut, RosterRow, Show, Urgency
from backend.dashboard.schemas import HandOverOut
from backend.dashboard.tables import PatientVisit
from backend.dashboard.views import alert_out, forecast_out
from backend.dashboard.visits import ZONE_FRESH, Mark, Since, changes_since
from backend.patients.tables import Patient, Sex
from backend.risk.tables import Assessment

PAGE_SIZE = 25
SPARKLINE_DAYS = 30

_PLAN_LINES = """
SELECT DISTINCT ON (patient_id) patient_id, version, personal_best_litres_per_min, yellow_below_litres_per_min,
    red_below_litres_per_min
FROM action_plan WHERE patient_id = ANY(:ids) ORDER BY patient_id, version DESC
"""

# A row a patient: a month of days for each would be many rows to read one by one.
_DAY_BESTS = """
SELECT patient_id, array_agg(local_date ORDER BY local_date), array_agg(best ORDER BY local_date) FROM (
    SELECT patient_id, local_date, max(litres_per_min) AS best FROM peak_flow
    WHERE patient_id = ANY(:ids) AND NOT deleted AND local_date >= :since GROUP BY patient_id, local_date
) AS days GROUP BY patient_id
"""


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
    standing = standings(clinician, now, search)
    counts, urgencies = one_page(session, standing, show, page, page_size)
    pages = max(1, -(-counts[show] // page_size))
    if page > pages:
        page = pages
        counts, urgencies = one_page(session, standing, show, page, page_size)
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
                points.get(one, []),
                handed.get(alert.id) if (alert := patients[one][1]) else None,
                changed.get(one),
                now=now,
                language=language,
            )
            for one in ids
        ],
    )


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
    """Of the plans in force the lines alone: their instructions in every language are long."""
    found = session.connection().execute(text(_PLAN_LINES), {"ids": ids})
    return {row.pop("patient_id"): PlanLines.model_validate(row) for row in map(dict, found.mappings())}


def _day_bests(session: Session, ids: Sequence[UUID], now: datetime) -> dict[UUID, list[DayBest]]:
    # One day more than the line shows, as the patient's day may differ from the day in UTC.
    since = now.date() - timedelta(days=SPARKLINE_DAYS)
    found = session.connection().execute(text(_DAY_BESTS), {"ids": ids, "since": since})
    return {patient_id: list(map(DayBest, days, bests)) for patient_id, days, bests in found}
