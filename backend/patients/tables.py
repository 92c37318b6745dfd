"""The patient, the people who care for them, and what they consented to."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Column, Index
from sqlmodel import Field, SQLModel

from backend.core.database import Instant, one_of


class Sex(StrEnum):
    FEMALE = "female"
    MALE = "male"
    UNKNOWN = "unknown"


class Language(StrEnum):
    ENGLISH = "en"
    KOREAN = "ko"
    ESTONIAN = "et"


class CareRole(StrEnum):
    RESPONSIBLE = "responsible"
    COVERING = "covering"


class Purpose(StrEnum):
    CARE = "care"
    FORECASTING = "forecasting"
    RESEARCH = "research"
    FEDERATED_LEARNING = "federated_learning"


class Patient(SQLModel, table=True):
    __tablename__ = "patient"
    __table_args__ = (
        CheckConstraint(one_of("sex", Sex), name="sex"),
        CheckConstraint(one_of("language", Language), name="language"),
        CheckConstraint("height_cm BETWEEN 50 AND 250", name="height_cm"),
        CheckConstraint("weight_kg BETWEEN 5 AND 400", name="weight_kg"),
        CheckConstraint("treatment_step BETWEEN 1 AND 5", name="treatment_step"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    hospital_id: UUID = Field(foreign_key="hospital.id", index=True)
    display_name: str
    born_on: date | None = None
    sex: str = Sex.UNKNOWN.value
    height_cm: int | None = None
    weight_kg: int | None = None
    language: str = Language.ENGLISH.value
    time_zone: str = "Asia/Seoul"
    treatment_step: int | None = None
    severe_attacks_last_year: int | None = None
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    profile_change: int = 0
    # Counts everything that this patient's phones must learn of; see store.next_changes().
    last_change: int = 0


class HandOver(SQLModel, table=True):
    """A colleague of the same hospital covers patients from `began_at` to `ends_at`, or to `ended_at` if set."""

    __tablename__ = "hand_over"
    __table_args__ = (
        CheckConstraint("from_clinician_id <> to_clinician_id", name="two_people"),
        CheckConstraint("ends_at > began_at", name="ends_at"),
        CheckConstraint("length(note) BETWEEN 1 AND 2000", name="note"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    from_clinician_id: UUID = Field(foreign_key="clinician.id", index=True)
    to_clinician_id: UUID = Field(foreign_key="clinician.id", index=True)
    note: str
    began_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    ends_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    ended_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))


class CareRelation(SQLModel, table=True):
    """Of a cover, `ends_at` is when it will end; `ended_at` is set once it has, and only that closes the door."""

    __tablename__ = "care_relation"
    __table_args__ = (
        CheckConstraint(one_of("role", CareRole), name="role"),
        CheckConstraint("(hand_over_id IS NULL) = (ends_at IS NULL)", name="ends_at"),
        Index("ix_care_relation_ends_at", "ends_at", postgresql_where="ended_at IS NULL AND ends_at IS NOT NULL"),
        Index("ix_care_relation_hand_over_id", "hand_over_id"),
        Index("ix_care_relation_clinician_id", "clinician_id", "patient_id"),
        Index("uq_care_relation_open", "patient_id", "clinician_id", unique=True, postgresql_where="ended_at IS NULL"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id")
    clinician_id: UUID = Field(foreign_key="clinician.id")
    role: str = CareRole.RESPONSIBLE.value
    began_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    ended_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    hand_over_id: UUID | None = Field(default=None, foreign_key="hand_over.id")
    ends_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))


class Consent(SQLModel, table=True):
    """A ledger: a withdrawal closes a row and a new consent opens another, so the history stays.

    `granted_by` and `withdrawn_by` are the clinicians who wrote it down, NULL where nobody of the clinic did.
    """

    __tablename__ = "consent"
    __table_args__ = (
        CheckConstraint(one_of("purpose", Purpose), name="purpose"),
        Index("uq_consent_open", "patient_id", "purpose", unique=True, postgresql_where="withdrawn_at IS NULL"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id")
    purpose: str
    text_version: str
    granted_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    granted_by: UUID | None = Field(default=None, foreign_key="clinician.id")
    withdrawn_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    withdrawn_by: UUID | None = Field(default=None, foreign_key="clinician.id")
