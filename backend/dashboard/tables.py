"""When a clinician last looked at a patient, and what was known then."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column
from sqlmodel import Field, SQLModel

from backend.clinical.peak_flow import Zone
from backend.core.database import Instant, one_of


class PatientVisit(SQLModel, table=True):
    """One row for each clinician and patient. `seen_…` is the newest opening of the patient's page.

    `before_…` is the last opening of the sitting before the present one, NULL in the first: what the page compares
    with, so that opening it again a minute later still shows what is new. `…_change` is the patient's change number.
    """

    __tablename__ = "patient_visit"
    __table_args__ = (
        CheckConstraint(one_of("seen_zone", Zone), name="seen_zone"),
        CheckConstraint(one_of("before_zone", Zone), name="before_zone"),
        CheckConstraint("(before_at IS NULL) = (before_change IS NULL)", name="before"),
    )

    clinician_id: UUID = Field(foreign_key="clinician.id", primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id", primary_key=True)
    seen_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    seen_change: int = Field(sa_column=Column(BigInteger, nullable=False))
    seen_zone: str | None = None
    before_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    before_change: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    before_zone: str | None = None
