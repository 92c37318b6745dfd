"""Signed action plans, and the receipts that a phone sends when the patient has read one."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from backend.clinical.personal_best import BestBasis
from backend.core.database import Instant, one_of
from backend.patients.entry import Entry, entry_constraints


class ActionPlan(SQLModel, table=True):
    """One signed version; the highest is in force. A trigger in the database refuses to change one.

    `instructions`: language → zone → sentences, as the clinician signed them. `difference`: language → what is new
    against the version before. `regimen` is NULL in plans made before prescriptions were structured.
    """

    __tablename__ = "action_plan"
    __table_args__ = (
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("personal_best_litres_per_min BETWEEN 30 AND 900", name="personal_best_litres_per_min"),
        CheckConstraint(
            "0 < red_below_litres_per_min AND red_below_litres_per_min < yellow_below_litres_per_min"
            " AND yellow_below_litres_per_min <= personal_best_litres_per_min",
            name="thresholds",
        ),
        CheckConstraint(one_of("personal_best_basis", BestBasis), name="personal_best_basis"),
        Index("ix_action_plan_patient_id_change", "patient_id", "change"),
    )

    patient_id: UUID = Field(foreign_key="patient.id", primary_key=True)
    version: int = Field(primary_key=True)
    signed_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    signed_by: UUID = Field(foreign_key="clinician.id")
    personal_best_litres_per_min: int
    personal_best_basis: str
    meter: str
    yellow_below_litres_per_min: int
    red_below_litres_per_min: int
    instructions: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    regimen: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    oral_steroid: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    extra_instructions: dict[str, list[str]] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    reminders: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    difference: dict[str, list[str]] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    reason: str | None = None
    # The guideline edition that the plan was checked by.
    edition: str | None = None
    review_on: date | None = None
    change: int = Field(sa_column=Column(BigInteger, nullable=False))


class PlanReceipt(Entry, table=True):
    """`taken_at` is when the patient opened this version of the plan on the phone."""

    __tablename__ = "plan_receipt"
    __table_args__ = entry_constraints("plan_receipt", "plan_version >= 1")

    plan_version: int | None = None


class SavedDraft(SQLModel, table=True):
    """What a clinician has written in the plan editor and not yet signed; at most one of each for a patient.

    `fields` are those of the form, so that a half-written plan is kept as it stands. `editor` is the open page that
    saved last: another page may go on from what it has seen, and is told when somebody else saved in between.
    """

    __tablename__ = "saved_draft"

    clinician_id: UUID = Field(foreign_key="clinician.id", primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id", primary_key=True)
    based_on_version: int
    fields: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    editor: UUID
    saved_at: datetime = Field(sa_column=Column(Instant, nullable=False))
