"""An alert is a state of a patient, not an event: it is raised once, changes, and ends."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Column, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from backend.alerts.rules import Cause, Level
from backend.core.database import Instant, one_of


class AlertState(StrEnum):
    TRIGGERED = "triggered"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Alert(SQLModel, table=True):
    """`reasons`: `{"code", "value", "unit"}`, the strongest first. A patient has at most one unresolved alert."""

    __tablename__ = "alert"
    __table_args__ = (
        CheckConstraint(one_of("state", AlertState), name="state"),
        CheckConstraint(one_of("level", Level), name="level"),
        CheckConstraint(one_of("cause", Cause), name="cause"),
        CheckConstraint("cause = 'forecast' OR level = 'red'", name="rules_are_red"),
        CheckConstraint("(cause = 'forecast') = (evidence_at IS NULL)", name="evidence_of_a_rule"),
        CheckConstraint("(evidence_at IS NULL) = (evidence_on IS NULL)", name="evidence_on"),
        CheckConstraint("(state = 'resolved') = (resolved_at IS NOT NULL)", name="resolved_at"),
        CheckConstraint("(resolved_at IS NULL) = (resolved_because IS NULL)", name="resolved_because"),
        CheckConstraint("(acknowledged_at IS NULL) = (acknowledged_by IS NULL)", name="acknowledged_by"),
        CheckConstraint("state <> 'acknowledged' OR acknowledged_at IS NOT NULL", name="acknowledged_at"),
        CheckConstraint("state <> 'sent' OR sent_at IS NOT NULL", name="sent_at"),
        CheckConstraint("length(acknowledgement_note) <= 2000", name="acknowledgement_note"),
        Index("uq_alert_open", "patient_id", unique=True, postgresql_where="state <> 'resolved'"),
        Index("ix_alert_patient_id_triggered_at", "patient_id", "triggered_at"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id")
    assessment_id: UUID = Field(foreign_key="assessment.id")
    state: str = AlertState.TRIGGERED.value
    level: str
    cause: str
    reasons: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    # Of a rule's alert: when the newest red reading or danger sign that it speaks of was recorded.
    evidence_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    # The local day of that entry.
    evidence_on: date | None = None
    triggered_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    # When it last rose from amber to red, or from a forecast to a rule.
    escalated_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    sent_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    acknowledged_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    acknowledged_by: UUID | None = Field(default=None, foreign_key="clinician.id")
    acknowledgement_note: str | None = None
    # The newest hand-over of this alert to a colleague.
    hand_over_id: UUID | None = Field(default=None, foreign_key="hand_over.id")
    resolved_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    resolved_because: str | None = None
