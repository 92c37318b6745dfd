"""Queries on action plans."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import Session, col, select

from backend.plans.tables import ActionPlan, PlanReceipt


def plan_in_force(session: Session, patient_id: UUID) -> ActionPlan | None:
    return session.exec(
        select(ActionPlan).where(ActionPlan.patient_id == patient_id).order_by(col(ActionPlan.version).desc()).limit(1)
    ).first()


def receipts_of(session: Session, patient_id: UUID) -> Sequence[PlanReceipt]:
    """What the patient has read, oldest first."""
    return session.exec(
        select(PlanReceipt)
        .where(PlanReceipt.patient_id == patient_id, col(PlanReceipt.deleted).is_(False))
        .order_by(col(PlanReceipt.taken_at))
    ).all()
