"""Entering what was measured, and taking back what was entered by mistake."""

from datetime import date, datetime
from uuid import UUID

from sqlmodel import Session

from backend.core.errors import FieldError, InvalidFields, NotFound
from backend.measurements.rules import SPIROMETRY, Value, refusals
from backend.measurements.schemas import MeasurementsIn
from backend.measurements.tables import Measurement


class MeasurementRefused(InvalidFields):
    code = "measurement_refused"
    message = "A measurement can't be right as it stands; nothing was saved."


def enter(
    session: Session, patient_id: UUID, clinician_id: UUID, given: MeasurementsIn, *, today: date, now: datetime
) -> list[Measurement]:
    """Raises MeasurementRefused, naming each field at fault. Callers check that the patient is theirs."""
    found = refusals([Value(one.kind, one.value, one.unit) for one in given.measurements])
    problems = [
        FieldError(f"measurements[{one.place}].{one.field}", one.message, one.problem.value, one.values)
        for one in found
    ]
    if given.measured_on > today:
        problems.append(FieldError("measured_on", "The day of the measurement lies in the future.", "in_the_future"))
    if problems:
        raise MeasurementRefused(fields=problems)
    rows = [
        Measurement(
            patient_id=patient_id,
            kind=one.kind.value,
            value=one.value,
            unit=one.unit,
            bronchodilator=given.bronchodilator.value if one.kind in SPIROMETRY else None,
            measured_on=given.measured_on,
            entered_at=now,
            entered_by=clinician_id,
        )
        for one in given.measurements
    ]
    session.add_all(rows)
    session.flush()
    return rows


def withdraw(
    session: Session, patient_id: UUID, measurement_id: UUID, clinician_id: UUID, *, now: datetime
) -> Measurement:
    """It no longer counts and stays on record; withdrawing it again changes nothing. Raises NotFound."""
    row = session.get(Measurement, measurement_id)
    if row is None or row.patient_id != patient_id:
        raise NotFound
    if row.withdrawn_at is None:
        row.withdrawn_at, row.withdrawn_by = now, clinician_id
        session.add(row)
        session.flush()
    return row
