"""An alert is a state of a patient, not an event: it is raised once, changes, and ends. And how a hospital wants it."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, Column, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from backend.alerts.rules import Cause, Level
from backend.core.database import Instant, one_of


class AlertState(StrEnum):
    TRIGGERED = "triggered"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class SnoozedBy(StrEnum):
    PATIENT = "patient"
    CLINICIAN = "clinician"


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
        CheckConstraint("snoozed_until IS NULL OR level = 'amber'", name="red_is_not_snoozed"),
        CheckConstraint("(snoozed_until IS NULL) = (snoozed_by IS NULL)", name="snoozed_by"),
        CheckConstraint(one_of("snoozed_by", SnoozedBy), name="snoozed_by_whom"),
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
    # Amber only: nobody is reminded of it before.
    snoozed_until: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    snoozed_by: str | None = None
    # When nobody had acknowledged it, a second clinician was asked, and then e-mails were sent.
    second_asked_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    second_clinician_id: UUID | None = Field(default=None, foreign_key="clinician.id")
    emailed_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))


class AlertSettings(SQLModel, table=True):
    """What a hospital chose; without a row the defaults of rules.AlertPolicy hold. Times count from the alert."""

    __tablename__ = "alert_settings"
    __table_args__ = (
        CheckConstraint("amber_per_patient_month BETWEEN 0 AND 4", name="amber_per_patient_month"),
        CheckConstraint("red_per_patient_month BETWEEN 0 AND amber_per_patient_month", name="red_per_patient_month"),
        CheckConstraint("second_after_minutes BETWEEN 5 AND 1440", name="second_after_minutes"),
        CheckConstraint("email_after_minutes BETWEEN second_after_minutes AND 2880", name="email_after_minutes"),
    )

    hospital_id: UUID = Field(foreign_key="hospital.id", primary_key=True)
    amber_per_patient_month: float
    red_per_patient_month: float
    second_after_minutes: int
    email_after_minutes: int
    on_call_id: UUID | None = Field(default=None, foreign_key="clinician.id")
    changed_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class AlertThreshold(SQLModel, table=True):
    """The alarm scores from which a model's forecast is raised or high at one hospital, set anew each week."""

    __tablename__ = "alert_threshold"
    __table_args__ = (
        CheckConstraint("amber <= red", name="order"),
        Index("ix_alert_threshold_hospital_id_set_at", "hospital_id", "set_at"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    hospital_id: UUID = Field(foreign_key="hospital.id")
    model_id: str
    model_version: str
    amber: float
    red: float
    patient_days: int
    set_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class AlertTrackRecord(SQLModel, table=True):
    """How often a sort of alert came true at one hospital: a severe attack followed within the alert's days."""

    __tablename__ = "alert_track_record"
    __table_args__ = (
        CheckConstraint(one_of("level", Level), name="level"),
        CheckConstraint(one_of("cause", Cause), name="cause"),
        CheckConstraint("came_true BETWEEN 0 AND alerts", name="came_true"),
    )

    hospital_id: UUID = Field(foreign_key="hospital.id", primary_key=True)
    level: str = Field(primary_key=True)
    cause: str = Field(primary_key=True)
    alerts: int
    came_true: int
    counted_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class ShadowAlert(SQLModel, table=True):
    """What a model in the shadow would have raised. Nobody is told of it."""

    __tablename__ = "shadow_alert"
    __table_args__ = (
        CheckConstraint(one_of("level", Level), name="level"),
        Index("ix_shadow_alert_patient_id_at", "patient_id", "at"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id")
    level: str
    alarm_score: float
    model_id: str
    model_version: str
    at: datetime = Field(sa_column=Column(Instant, nullable=False))
