"""What a clinician is shown of hand-overs."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician
from backend.alerts.tables import Alert
from backend.dashboard.alert_care import care_of
from backend.dashboard.schemas import AlertOut, HandOverOut, RunningHandOverOut
from backend.dashboard.views import alert_out
from backend.patients import hand_over
from backend.patients.tables import CareRelation, HandOver, Patient

NAMES_INSTEAD = {"from_clinician_id", "to_clinician_id"}


def hand_overs_by_id(session: Session, ids: Sequence[UUID]) -> dict[UUID, HandOverOut]:
    if not ids:
        return {}
    giver, taker = aliased(Clinician), aliased(Clinician)
    found = session.exec(
        select(HandOver, giver.name, taker.name)
        .join(giver, col(giver.id) == col(HandOver.from_clinician_id))
        .join(taker, col(taker.id) == col(HandOver.to_clinician_id))
        .where(col(HandOver.id).in_(ids))
    )
    return {
        row.id: HandOverOut(
            from_name=by, to_name=to, **row.model_dump(exclude={"from_clinician_id", "to_clinician_id"})
        )
        for row, by, to in found
    }


def hand_overs_of(session: Session, alerts: Sequence[Alert]) -> dict[UUID, HandOverOut]:
    """The newest hand-over of each alert that has one, by the alert's id."""
    ids = {alert.id: alert.hand_over_id for alert in alerts if alert.hand_over_id}
    shown = hand_overs_by_id(session, list(ids.values()))
    return {alert_id: shown[hand_over_id] for alert_id, hand_over_id in ids.items()}


def one_alert_out(session: Session, alert: Alert, language: str) -> AlertOut:
    """One alert by itself. Callers have checked access."""
    patient = session.get_one(Patient, alert.patient_id)
    seen_by = session.get(Clinician, alert.acknowledged_by) if alert.acknowledged_by else None
    handed = hand_overs_of(session, [alert]).get(alert.id)
    care = care_of(session, [alert], patient.hospital_id, language).get(alert.id)
    return alert_out(alert, patient, seen_by.name if seen_by else None, handed, language, care)


def running_hand_overs(session: Session, clinician: Clinician, *, now: datetime) -> list[RunningHandOverOut]:
    """Those that the clinician gave or received and that neither ended nor were overtaken, the newest first."""
    rows = hand_over.running(session, clinician, now=now)
    ids = [row.id for row in rows]
    shown = hand_overs_by_id(session, ids)
    counts = dict(
        session.exec(
            select(CareRelation.hand_over_id, func.count())
            .where(col(CareRelation.hand_over_id).in_(ids), col(CareRelation.ended_at).is_(None))
            .group_by(col(CareRelation.hand_over_id))
        ).all()
    )
    return [
        RunningHandOverOut(
            **shown[row.id].model_dump(),
            patients=counts[row.id],
            mine=row.from_clinician_id == clinician.id,
        )
        for row in rows
        if row.id in counts
    ]
