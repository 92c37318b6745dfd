"""Links by which a patient shows the one-page report to somebody without an account."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Column
from sqlmodel import Field, SQLModel

from backend.core.database import Instant


class SharedLink(SQLModel, table=True):
    """`token_hash` is SHA-256 of the random part of the address; the address itself is shown once and kept nowhere."""

    __tablename__ = "shared_link"
    __table_args__ = (
        CheckConstraint("length(label) <= 60", name="label"),
        CheckConstraint("expires_at > created_at AND expires_at <= created_at + interval '7 days'", name="expires_at"),
        CheckConstraint("opened_count >= 0", name="opened_count"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id", index=True)
    token_hash: bytes = Field(unique=True)
    label: str
    language: str
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    expires_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    revoked_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    opened_count: int = 0
    last_opened_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
