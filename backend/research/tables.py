"""Studies, and by which number and shift of dates each knows a patient."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, SmallInteger, UniqueConstraint
from sqlmodel import Field, SQLModel

from backend.core.database import Instant

# Half a year either way, in whole weeks: weekdays stay, seasons do not give a person away.
LARGEST_SHIFT_DAYS = 182


class Study(SQLModel, table=True):
    """`dates_shifted` false: for use inside the hospital, where dates may stay as they are."""

    __tablename__ = "study"
    __table_args__ = (
        CheckConstraint("id ~ '^[a-z0-9][a-z0-9_-]{0,62}$'", name="id"),
        CheckConstraint("length(title) BETWEEN 1 AND 200", name="title"),
    )

    id: str = Field(primary_key=True)
    title: str
    dates_shifted: bool = True
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class StudyPatient(SQLModel, table=True):
    """The key between a study's pseudonym and the patient; it never leaves the hospital."""

    __tablename__ = "study_patient"
    __table_args__ = (
        UniqueConstraint("study_id", "person_id"),
        CheckConstraint("person_id >= 1", name="person_id"),
        CheckConstraint(
            f"shift_days BETWEEN -{LARGEST_SHIFT_DAYS} AND {LARGEST_SHIFT_DAYS} AND shift_days % 7 = 0",
            name="shift_days",
        ),
    )

    study_id: str = Field(foreign_key="study.id", primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id", primary_key=True)
    person_id: int
    shift_days: int = Field(sa_column=Column(SmallInteger, nullable=False))
    added_at: datetime = Field(sa_column=Column(Instant, nullable=False))
