"""Queries on assessments. Callers check access; for a clinician that is `patients.store.visible_patient()`."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import Session, col, select

from backend.risk.tables import Assessment


def newest_assessment(session: Session, patient_id: UUID) -> Assessment | None:
    return session.exec(
        select(Assessment).where(Assessment.patient_id == patient_id).order_by(col(Assessment.as_of).desc()).limit(1)
    ).first()


def newest_assessments(session: Session, patient_ids: Sequence[UUID]) -> dict[UUID, Assessment]:
    """The newest of each patient that has one."""
    newest = session.exec(
        select(Assessment)
        .where(col(Assessment.patient_id).in_(patient_ids))
        .ext(distinct_on(col(Assessment.patient_id)))
        .order_by(col(Assessment.patient_id), col(Assessment.as_of).desc())
    )
    return {assessment.patient_id: assessment for assessment in newest}


def assessments_since(session: Session, patient_id: UUID, first_day: date) -> Sequence[Assessment]:
    """Oldest first."""
    return session.exec(
        select(Assessment)
        .where(Assessment.patient_id == patient_id, Assessment.as_of >= first_day)
        .order_by(col(Assessment.as_of))
    ).all()


def forecast_changed_after(session: Session, patient_id: UUID, change: int) -> Assessment | None:
    """The newest assessment, if the phone that has seen `change` has not seen it."""
    newest = newest_assessment(session, patient_id)
    return newest if newest is not None and newest.change > change else None
