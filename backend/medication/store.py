"""Queries on inhalers."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import Session, col, select

from backend.medication.tables import Inhaler


def inhaler_ids(session: Session, patient_id: UUID) -> set[UUID]:
    """Of all inhalers the patient has or had."""
    return set(session.exec(select(Inhaler.id).where(Inhaler.patient_id == patient_id)))


def inhalers(session: Session, patient_id: UUID) -> Sequence[Inhaler]:
    """All the patient has or had, those in use first."""
    return session.exec(
        select(Inhaler)
        .where(Inhaler.patient_id == patient_id)
        .order_by(col(Inhaler.active).desc(), col(Inhaler.prescribed_at), col(Inhaler.name))
    ).all()
