"""The alerts that past days would have had, for a diary that arrives whole: an import, a change of clinic."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from backend.alerts import service as alerts
from backend.alerts import store
from backend.alerts.rules import EVIDENCE_LASTS, ForecastLevel
from backend.core import due
from backend.risk.service import ASSESS, end_of
from backend.risk.standing import read_facts
from backend.risk.tables import Assessment


def replay_alerts(session: Session, patient_ids: Sequence[UUID], now: datetime) -> int:
    """Decide day by day on the stored assessments before today; return how many patients were replayed.

    Nobody gets a message about what is over; of an alert that is open at the end, the patient is told now. Patients who
    ever had an alert are left alone: theirs were decided when it mattered.
    """
    fresh = sorted(set(patient_ids) - store.patients_with_alerts(session, patient_ids))
    rows = session.exec(
        select(Assessment).where(col(Assessment.patient_id).in_(fresh)).order_by(col(Assessment.as_of))
    ).all()
    if not rows:
        return 0
    first_day = datetime.combine(rows[0].as_of, time(), now.tzinfo)
    facts = read_facts(session, fresh, first_day - EVIDENCE_LASTS - timedelta(days=1))
    by_moment: dict[datetime, list[alerts.Finding]] = defaultdict(list)
    for row in rows:
        one = facts[row.patient_id]
        moment = end_of(row.as_of, one)
        if moment > now:
            continue
        standing = one.at(moment, row.as_of)
        by_moment[moment].append(
            alerts.Finding(
                patient_id=row.patient_id,
                assessment_id=row.id,
                signs=standing.signs,
                rule_reasons=standing.reasons,
                forecast=None if row.level is None else ForecastLevel(row.level),
                forecast_reasons=row.reasons,
            )
        )
    for moment in sorted(by_moment):
        alerts.review(session, by_moment[moment], moment, tell=False)
    for alert in store.open_alerts(session, fresh):
        alerts.tell_of(session, alert, now)
    due.mark_due(session, ASSESS, fresh, due_at=now)
    return len(fresh)
