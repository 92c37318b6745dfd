"""What wants to run at a hospital, which model wants to be used there, and what the hospital decided."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from backend.core.database import Instant, one_of
from backend.patients.tables import Purpose


class ProposalKind(StrEnum):
    """A study that Soom runs, tables that leave for another's analysis, or a round of learning together."""

    STUDY = "study"
    EXPORT = "export"
    TRAINING_ROUND = "training_round"


class Decision(StrEnum):
    ACCEPTED = "accepted"
    DECLINED = "declined"


class ModelDecision(StrEnum):
    ADOPTED = "adopted"
    DECLINED = "declined"


DECIDED_WHOLE = "num_nonnulls(decision, reason, decided_by, decided_at) IN (0, 4)"
REASON = "length(reason) BETWEEN 1 AND 500"
TAKEN_BACK_WHOLE = (
    "num_nonnulls(taken_back_reason, taken_back_by, taken_back_at) IN (0, 3)"
    " AND (taken_back_at IS NULL OR decision = 'accepted')"
)


class ResearchProposal(SQLModel, table=True):
    """A protocol or plan as one hospital got it. A trigger in the database lets a decision be added, once, and an
    acceptance be taken back, once, and nothing else be changed or removed.
    """

    __tablename__ = "research_proposal"
    __table_args__ = (
        CheckConstraint(one_of("kind", ProposalKind), name="kind"),
        CheckConstraint(one_of("purpose", Purpose), name="purpose"),
        CheckConstraint(one_of("decision", Decision), name="decision"),
        CheckConstraint(DECIDED_WHOLE, name="decided_whole"),
        CheckConstraint(REASON, name="reason"),
        CheckConstraint(TAKEN_BACK_WHOLE, name="taken_back_whole"),
        CheckConstraint("length(taken_back_reason) BETWEEN 1 AND 500", name="taken_back_reason"),
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name"),
        CheckConstraint("length(title) BETWEEN 1 AND 200", name="title"),
        CheckConstraint("sha256 = encode(sha256(convert_to(text, 'UTF8')), 'hex')", name="sha256"),
        # Proposed again only after it was declined or taken back.
        Index(
            "uq_research_proposal_live",
            "hospital_id",
            "sha256",
            unique=True,
            postgresql_where="decision IS DISTINCT FROM 'declined' AND taken_back_at IS NULL",
        ),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    hospital_id: UUID = Field(foreign_key="hospital.id", index=True)
    kind: str
    name: str
    title: str
    purpose: str
    text: str
    sha256: str
    proposed_by: UUID = Field(foreign_key="clinician.id")
    proposed_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    decision: str | None = None
    reason: str | None = None
    decided_by: UUID | None = Field(default=None, foreign_key="clinician.id")
    decided_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    taken_back_reason: str | None = None
    taken_back_by: UUID | None = Field(default=None, foreign_key="clinician.id")
    taken_back_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))


class ModelCheck(SQLModel, table=True):
    """A model from elsewhere, judged on a hospital's own consenting patients beside the model in use there."""

    __tablename__ = "model_check"
    __table_args__ = (
        CheckConstraint(one_of("decision", ModelDecision), name="decision"),
        CheckConstraint(DECIDED_WHOLE, name="decided_whole"),
        CheckConstraint(REASON, name="reason"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    hospital_id: UUID = Field(foreign_key="hospital.id", index=True)
    # As the registry names it, with the hash of its files.
    model: str
    model_hash: str
    figures: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    checked_by: UUID = Field(foreign_key="clinician.id")
    checked_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    decision: str | None = None
    reason: str | None = None
    decided_by: UUID | None = Field(default=None, foreign_key="clinician.id")
    decided_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
