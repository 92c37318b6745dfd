"""What every entry of a diary carries: who, which version, when by the patient's own clock.

An entry is made on a phone and keeps the id it got there. Versions of one entry are ordered by (revision, device_id);
only the newest is kept. A deleted entry stays as a tombstone with an empty body, so that an older version sent late
cannot bring it back.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field, SQLModel

from backend.core.database import Instant

# SQLModel types `sa_type` as a class, yet takes an instance as SQLAlchemy does.
_instant: Any = Instant
_big: Any = BigInteger


class Entry(SQLModel):
    """The columns in front of each kind's own. All but these are NULL in a tombstone."""

    patient_id: UUID = Field(foreign_key="patient.id", primary_key=True)
    id: UUID = Field(primary_key=True)
    revision: int
    device_id: UUID
    deleted: bool = False
    taken_at: datetime = Field(sa_type=_instant)
    time_zone: str
    utc_offset_minutes: int
    local_date: date
    received_at: datetime = Field(sa_type=_instant)
    change: int = Field(sa_type=_big)


def entry_constraints(table: str, body_is_complete: str) -> tuple[CheckConstraint | Index, ...]:
    """Constraints and indexes of a table of entries.

    `body_is_complete`: SQL that is true, not merely not false, for the body of each entry that is not deleted.
    """
    return (
        CheckConstraint("revision >= 1", name="revision"),
        CheckConstraint("utc_offset_minutes BETWEEN -840 AND 840", name="utc_offset_minutes"),
        CheckConstraint(f"deleted OR ({body_is_complete}) IS TRUE", name="body"),
        Index(f"ix_{table}_patient_id_local_date", "patient_id", "local_date"),
        Index(f"ix_{table}_patient_id_change", "patient_id", "change"),
    )
