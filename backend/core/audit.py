"""Who touched whose data. The table is append-only: a trigger in the database refuses UPDATE, DELETE and TRUNCATE."""

import json
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, Session, SQLModel

from backend.core.database import Instant, one_of


class ActorKind(StrEnum):
    CLINICIAN = "clinician"
    PATIENT = "patient"
    SYSTEM = "system"
    # Somebody without an account, by a link that the patient made.
    GUEST = "guest"


class AuditEntry(SQLModel, table=True):
    __tablename__ = "audit_entry"
    __table_args__ = (
        CheckConstraint(one_of("actor_kind", ActorKind), name="actor_kind"),
        Index("ix_audit_entry_patient_id_id", "patient_id", "id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    happened_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    actor_kind: str
    actor_id: UUID | None = None
    # No foreign key: the trail outlives a patient's erasure.
    patient_id: UUID | None = None
    action: str
    detail: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))


def record(
    session: Session,
    *,
    now: datetime,
    actor_kind: ActorKind,
    actor_id: UUID | None,
    action: str,
    patient_ids: Sequence[UUID] = (),
    detail: dict[str, Any] | None = None,
) -> None:
    """Write one entry for each patient touched, or one without a patient. `detail`: counts and ids, no health data."""
    touched: Sequence[UUID | None] = patient_ids or [None]
    # As plain text for the driver: each sync does this, and compiling a statement costs more than running it.
    session.connection().exec_driver_sql(
        """
        INSERT INTO audit_entry (happened_at, actor_kind, actor_id, patient_id, action, detail)
        SELECT %(happened_at)s, %(actor_kind)s, %(actor_id)s, patient_id, %(action)s, %(detail)s::jsonb
        FROM unnest(%(patient_ids)s::uuid[]) AS patient_id
        """,
        {
            "happened_at": now,
            "actor_kind": actor_kind.value,
            "actor_id": actor_id,
            "patient_ids": list(touched),
            "action": action,
            "detail": json.dumps(detail or {}),
        },
    )
