"""Records of other systems, kept as they came, and the numbers by which those systems know a patient."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from backend.core.database import Instant


class PatientIdentifier(SQLModel, table=True):
    """`system` is the URI of whoever gave the number. Within a hospital one number means one patient."""

    __tablename__ = "patient_identifier"
    __table_args__ = (UniqueConstraint("hospital_id", "system", "value"),)

    patient_id: UUID = Field(foreign_key="patient.id", primary_key=True)
    system: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    hospital_id: UUID = Field(foreign_key="hospital.id")


class ImportedResource(SQLModel, table=True):
    """One version of one resource as another system sent it. Nothing is overwritten: other content is another row.

    `became` says what Soom made of it (for instance `measurement`), or is NULL when it is only kept.
    """

    __tablename__ = "imported_resource"
    __table_args__ = (Index("ix_imported_resource_patient_id_type", "patient_id", "resource_type", "happened_at"),)

    patient_id: UUID = Field(foreign_key="patient.id", primary_key=True)
    resource_type: str = Field(primary_key=True)
    source_id: str = Field(primary_key=True)
    content_hash: bytes = Field(primary_key=True)
    content: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    happened_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    received_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    became: str | None = None
