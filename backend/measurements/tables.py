"""What the clinic measured: biomarkers and spirometry. A mistake is withdrawn, never overwritten."""

from datetime import date, datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Column, Index
from sqlmodel import Field, SQLModel

from backend.clinical.peak_flow import Bronchodilator
from backend.core.database import Instant, one_of
from backend.measurements.rules import LIMITS, MeasurementKind


def _in_limits() -> str:
    """SQL: the value lies within its kind's limits and carries its kind's unit."""
    return " OR ".join(
        f"(kind = '{kind.value}' AND unit = '{limit.unit}' AND value BETWEEN {limit.lowest} AND {limit.highest})"
        for kind, limit in LIMITS.items()
    )


class Measurement(SQLModel, table=True):
    """`bronchodilator` is NULL for biomarkers; for spirometry it says whether the blow came before or after one."""

    __tablename__ = "measurement"
    __table_args__ = (
        CheckConstraint(one_of("kind", MeasurementKind), name="kind"),
        CheckConstraint(_in_limits(), name="value_in_unit"),
        CheckConstraint(one_of("bronchodilator", Bronchodilator), name="bronchodilator"),
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_by IS NULL)", name="withdrawn"),
        Index("ix_measurement_patient_id_kind_measured_on", "patient_id", "kind", "measured_on"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id")
    kind: str
    value: float
    unit: str
    bronchodilator: str | None = None
    measured_on: date
    entered_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    entered_by: UUID = Field(foreign_key="clinician.id")
    withdrawn_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    withdrawn_by: UUID | None = Field(default=None, foreign_key="clinician.id")
