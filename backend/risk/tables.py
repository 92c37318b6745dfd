"""What was known of a patient on a day: zone, danger signs, and the forecast with its reasons."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from backend.clinical.peak_flow import Zone
from backend.core.database import Instant, one_of


class ForecastStatus(StrEnum):
    """Why there is a probability, or why there is none."""

    READY = "ready"
    NOT_ENOUGH_DATA = "not_enough_data"
    NO_CONSENT = "no_consent"
    NO_MODEL = "no_model"
    # The hospital runs this model in the shadow, or not at all.
    SWITCHED_OFF = "switched_off"


class ModelMode(StrEnum):
    """ON speaks; SHADOW is assessed and logged and tells nobody; OFF is not asked. The rules go on in every case."""

    ON = "on"
    SHADOW = "shadow"
    OFF = "off"


class RiskLevel(StrEnum):
    USUAL = "usual"
    RAISED = "raised"
    HIGH = "high"


class Assessment(SQLModel, table=True):
    """One row a patient and local day; assessing a day again replaces its row, so the rows are the history.

    `reasons`: `{"code", "value", "unit"}`, the strongest first.
    """

    __tablename__ = "assessment"
    __table_args__ = (
        UniqueConstraint("patient_id", "as_of"),
        CheckConstraint(one_of("status", ForecastStatus), name="status"),
        CheckConstraint(one_of("zone", Zone), name="zone"),
        CheckConstraint(one_of("level", RiskLevel), name="level"),
        CheckConstraint("probability_7_days BETWEEN 0 AND 1", name="probability_7_days"),
        CheckConstraint("(status = 'ready') = (probability_7_days IS NOT NULL)", name="ready_has_probability"),
        CheckConstraint("(status = 'ready') = (level IS NOT NULL)", name="ready_has_level"),
        CheckConstraint("diary_days >= 0", name="diary_days"),
        CheckConstraint("best_litres_per_min BETWEEN 30 AND 900", name="best_litres_per_min"),
        CheckConstraint("newest_litres_per_min BETWEEN 30 AND 900", name="newest_litres_per_min"),
        CheckConstraint("(newest_litres_per_min IS NULL) = (newest_reading_at IS NULL)", name="newest_reading"),
        Index("ix_assessment_patient_id_change", "patient_id", "change"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id")
    as_of: date
    assessed_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    # Zone of the newest reading of the 48 hours before; NULL where there is none, or nothing to compare it with.
    zone: str | None = None
    newest_litres_per_min: int | None = None
    newest_reading_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    # The best reading of the local day `as_of`.
    best_litres_per_min: int | None = None
    red_flags: list[str] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    status: str
    diary_days: int = 0
    probability_7_days: float | None = None
    level: str | None = None
    reasons: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    # What the alarm thresholds are set on; also of a model in the shadow.
    alarm_score: float | None = None
    model_id: str | None = None
    model_version: str | None = None
    last_entry_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    change: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))


class ModelSwitch(SQLModel, table=True):
    """A ledger: the newest row of a hospital and model holds. Without one the model is on."""

    __tablename__ = "model_switch"
    __table_args__ = (
        CheckConstraint(one_of("mode", ModelMode), name="mode"),
        CheckConstraint("length(reason) BETWEEN 1 AND 500", name="reason"),
        Index("ix_model_switch_hospital_id_model_id", "hospital_id", "model_id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    hospital_id: UUID = Field(foreign_key="hospital.id")
    model_id: str
    mode: str
    reason: str
    # A clinician of the hospital; NULL for the command line.
    set_by: UUID | None = Field(default=None, foreign_key="clinician.id")
    set_at: datetime = Field(sa_column=Column(Instant, nullable=False))
