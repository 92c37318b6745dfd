"""Queries on inhalers."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import Session, col, select

from backend.medication.tables import Inhaler


def inhalers(session: Session, patient_id: UUID) -> Sequence[Inhaler]:
    """All the patient has or had, those in use first."""
    return session.exec(
        select(Inhaler)
        .where(Inhaler.patient_id == patient_id)
        .order_by(col(Inhaler.active).desc(), col(Inhaler.prescribed_at), col(Inhaler.name))
    ).all()
