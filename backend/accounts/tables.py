"""Who may call: clinicians and their browser sessions, patients' devices and tokens. Secrets are kept as hashes."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Column, Index
from sqlmodel import Field, SQLModel

from backend.core.database import Instant, one_of


class Role(StrEnum):
    CLINICIAN = "clinician"
    RESEARCHER = "researcher"
    ADMINISTRATOR = "administrator"


class DeviceRole(StrEnum):
    """A carer's phone may write into the diary, and not correct or delete."""

    PATIENT = "patient"
    CARER = "carer"


class Platform(StrEnum):
    ANDROID = "android"
    IOS = "ios"
    DESKTOP = "desktop"


class Hospital(SQLModel, table=True):
    __tablename__ = "hospital"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    name: str = Field(unique=True)
    country: str = "KR"


class Clinician(SQLModel, table=True):
    __tablename__ = "clinician"
    __table_args__ = (CheckConstraint(one_of("role", Role), name="role"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    hospital_id: UUID = Field(foreign_key="hospital.id")
    email: str = Field(unique=True)
    name: str
    role: str = Role.CLINICIAN.value
    language: str = "en"
    password_hash: str
    active: bool = True
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class ClinicianSession(SQLModel, table=True):
    """A browser session. `token_hash` is SHA-256 of the cookie's random value."""

    __tablename__ = "clinician_session"

    token_hash: bytes = Field(primary_key=True)
    clinician_id: UUID = Field(foreign_key="clinician.id", index=True)
    csrf_token: str
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    expires_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class EnrolmentCode(SQLModel, table=True):
    """A one-time code that binds a phone to a patient; stored as its hash, usable once."""

    __tablename__ = "enrolment_code"
    __table_args__ = (CheckConstraint(one_of("role", DeviceRole), name="role"),)

    code_hash: bytes = Field(primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id", index=True)
    role: str = DeviceRole.PATIENT.value
    created_by: UUID | None = Field(default=None, foreign_key="clinician.id")
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    expires_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    used_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))


class Device(SQLModel, table=True):
    """A phone of a patient. The id is made by the phone and, with the revision, orders versions of an entry."""

    __tablename__ = "device"
    __table_args__ = (
        CheckConstraint(one_of("platform", Platform), name="platform"),
        CheckConstraint(one_of("role", DeviceRole), name="role"),
    )

    id: UUID = Field(primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id", primary_key=True)
    name: str
    platform: str
    role: str = DeviceRole.PATIENT.value
    push_token: str | None = None
    enrolled_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    last_seen_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    clock_ahead_seconds: int | None = None
    # A carer's phone that was shut out; what it wrote stays, so the row stays.
    removed_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))


class RefreshToken(SQLModel, table=True):
    """One link of a rotating chain. Using a spent link is theft or a lost answer: the whole family ends."""

    __tablename__ = "refresh_token"
    __table_args__ = (Index("ix_refresh_token_family", "family"),)

    token_hash: bytes = Field(primary_key=True)
    family: UUID
    patient_id: UUID = Field(foreign_key="patient.id")
    device_id: UUID
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    expires_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    spent_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    # The phone's own id of the exchange that spent it: a repeat after a lost answer is told from theft by it.
    spent_by_attempt: UUID | None = None
    successor_hash: bytes | None = None
    revoked_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))


class Attempt(SQLModel, table=True):
    """A failed sign-in or enrolment, kept for as long as it throttles the next."""

    __tablename__ = "attempt"
    __table_args__ = (Index("ix_attempt_subject_at", "subject", "attempted_at"),)

    id: int | None = Field(default=None, primary_key=True)
    subject: str
    attempted_at: datetime = Field(sa_column=Column(Instant, nullable=False))
