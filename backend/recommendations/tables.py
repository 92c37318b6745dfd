"""What was recommended and why, what was checked before, what was decided, and what came of it."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from backend.clinical.control import ControlClass
from backend.core.database import Instant, one_of
from backend.recommendations.rules import CheckCode


class RecommendationState(StrEnum):
    """`modified`: signed, but not as recommended. `expired`: the picture changed, or a plan was signed without it."""

    OPEN = "open"
    APPROVED = "approved"
    MODIFIED = "modified"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Verdict(StrEnum):
    KEEP = "keep"
    CHANGE = "change"
    GO_BACK = "go_back"


class ClinicalCheck(SQLModel, table=True):
    """One answer of a clinician; the newest of each code counts, for as long as rules.py lets it stand.

    For the checklist `holds` means "in order", for a circumstance or risk factor "present".
    """

    __tablename__ = "clinical_check"
    __table_args__ = (
        CheckConstraint(one_of("code", CheckCode), name="code"),
        CheckConstraint("length(note) BETWEEN 1 AND 500", name="note"),
        Index("ix_clinical_check_patient_id_code_checked_at", "patient_id", "code", "checked_at"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id")
    code: str
    holds: bool
    note: str | None = None
    checked_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    checked_by: UUID = Field(foreign_key="clinician.id")


class Recommendation(SQLModel, table=True):
    """`picture`, `options` and `advice` are what the clinician was shown, kept as they were.

    At most one a patient is open. `quiet_until`: until then only a new reason makes another.
    """

    __tablename__ = "recommendation"
    __table_args__ = (
        CheckConstraint(one_of("state", RecommendationState), name="state"),
        CheckConstraint("(state = 'open') = (closed_at IS NULL)", name="closed_at"),
        CheckConstraint(
            "(state IN ('approved', 'modified', 'rejected')) = (decided_by IS NOT NULL AND reason IS NOT NULL)",
            name="decision",
        ),
        CheckConstraint("(state IN ('approved', 'modified')) = (signed_version IS NOT NULL)", name="signed_version"),
        ForeignKeyConstraint(["patient_id", "signed_version"], ["action_plan.patient_id", "action_plan.version"]),
        Index("ix_recommendation_patient_id_made_at", "patient_id", "made_at"),
        Index("uq_recommendation_open", "patient_id", unique=True, postgresql_where="state = 'open'"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id")
    made_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    as_of: date
    state: str = RecommendationState.OPEN.value
    # Version of the plan in force that the options start from; 0 before the first.
    plan_version: int
    reasons: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    picture: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    options: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    advice: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    edition: str
    closed_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    expired_because: str | None = None
    decided_by: UUID | None = Field(default=None, foreign_key="clinician.id")
    reason: str | None = None
    chosen_code: str | None = None
    signed_version: int | None = None
    quiet_until: date | None = None


class OutcomeReview(SQLModel, table=True):
    """Before and after a signed change, and what it had promised. `after` is filled in on the review date."""

    __tablename__ = "outcome_review"
    __table_args__ = (
        CheckConstraint(one_of("verdict", Verdict), name="verdict"),
        CheckConstraint("(ready_at IS NULL) = (after IS NULL)", name="ready_at"),
        CheckConstraint("(verdict IS NULL) = (reviewed_at IS NULL)", name="reviewed_at"),
        CheckConstraint("(verdict IS NULL) = (reviewed_by IS NULL)", name="reviewed_by"),
        ForeignKeyConstraint(["patient_id", "plan_version"], ["action_plan.patient_id", "action_plan.version"]),
    )

    patient_id: UUID = Field(foreign_key="patient.id", primary_key=True)
    plan_version: int = Field(primary_key=True)
    recommendation_id: UUID | None = Field(default=None, foreign_key="recommendation.id")
    # The direction of the change against the version before: up, down, keep, switch.
    direction: str
    # The regimen before a step down, to go back to.
    way_back: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    due_on: date
    before: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    promised: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    after: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    ready_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    verdict: str | None = None
    note: str | None = None
    reviewed_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    reviewed_by: UUID | None = Field(default=None, foreign_key="clinician.id")


class ControlChange(SQLModel, table=True):
    """The control class from `noted_at` on, until the next row. `as_of` is the patient's local day."""

    __tablename__ = "control_change"
    __table_args__ = (CheckConstraint(one_of("control_class", ControlClass), name="control_class"),)

    patient_id: UUID = Field(foreign_key="patient.id", primary_key=True)
    noted_at: datetime = Field(sa_column=Column(Instant, primary_key=True))
    as_of: date
    control_class: str
