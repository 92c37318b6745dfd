"""Queries on assessments. Callers check access; for a clinician that is `patients.store.visible_patient()`."""

from uuid import UUID

from sqlmodel import Session, col, select

from backend.risk.tables import Assessment


def newest_assessment(session: Session, patient_id: UUID) -> Assessment | None:
    return session.exec(
        select(Assessment).where(Assessment.patient_id == patient_id).order_by(col(Assessment.as_of).desc()).limit(1)
    ).first()


def forecast_changed_after(session: Session, patient_id: UUID, change: int) -> Assessment | None:
    """The newest assessment, if the phone that has seen `change` has not seen it."""
    newest = newest_assessment(session, patient_id)
    return newest if newest is not None and newest.change > change else None
