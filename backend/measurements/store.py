"""Queries on measurements. Withdrawn ones are left out, except where the whole list is asked for."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlmodel import Session, col, select

from backend.measurements.tables import Measurement


def measurements(session: Session, patient_id: UUID) -> Sequence[Measurement]:
    """Newest first."""
    return session.exec(
        select(Measurement)
        .where(Measurement.patient_id == patient_id, col(Measurement.withdrawn_at).is_(None))
        .order_by(col(Measurement.measured_on).desc(), col(Measurement.entered_at).desc(), Measurement.kind)
    ).all()


def newest_by_patient(
    session: Session, patient_ids: Sequence[UUID], until: dict[UUID, date]
) -> dict[UUID, dict[str, Measurement]]:
    """The newest of each kind up to each patient's day: patient → kind → measurement."""
    rows = session.exec(
        select(Measurement)
        .where(col(Measurement.patient_id).in_(patient_ids), col(Measurement.withdrawn_at).is_(None))
        .order_by(Measurement.measured_on, Measurement.entered_at)  # type: ignore[arg-type]
    )
    found: dict[UUID, dict[str, Measurement]] = {patient_id: {} for patient_id in patient_ids}
    for row in rows:
        if row.measured_on <= until[row.patient_id]:
            found[row.patient_id][row.kind] = row
    return found
