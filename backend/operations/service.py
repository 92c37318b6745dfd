"""What an administrator decides for the own hospital: alert budgets, who is asked next, and which model speaks."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician, Role
from backend.alerts.rules import AlertPolicy
from backend.alerts.tables import AlertSettings
from backend.core import audit
from backend.core.errors import FieldError, InvalidFields
from backend.risk.sites import switch_model
from backend.risk.tables import ModelMode, ModelSwitch

_USUAL = AlertPolicy()


class AlertSettingsIO(BaseModel):
    """Forecast alerts a patient-month that the hospital allows, and minutes until an unanswered red alert goes on.

    Red zones and danger signs always pass and count against no budget.
    """

    model_config = ConfigDict(extra="forbid")

    amber_per_patient_month: float = Field(default=_USUAL.amber_per_patient_month, ge=0, le=4)
    red_per_patient_month: float = Field(default=_USUAL.red_per_patient_month, ge=0, le=4)
    second_after_minutes: int = Field(default=30, ge=5, le=1440)
    email_after_minutes: int = Field(default=60, ge=5, le=2880)
    on_call_id: UUID | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "AlertSettingsIO":
        if self.red_per_patient_month > self.amber_per_patient_month:
            raise ValueError("red_per_patient_month must not be above amber_per_patient_month")
        if self.email_after_minutes < self.second_after_minutes:
            raise ValueError("email_after_minutes must not be below second_after_minutes")
        return self


class SwitchIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    mode: ModelMode
    reason: str = Field(min_length=1, max_length=500)


def read_settings(session: Session, hospital_id: UUID) -> AlertSettingsIO:
    row = session.get(AlertSettings, hospital_id)
    return (
        AlertSettingsIO() if row is None else AlertSettingsIO(**row.model_dump(exclude={"hospital_id", "changed_at"}))
    )


def change_settings(session: Session, who: Clinician, chosen: AlertSettingsIO, now: datetime) -> None:
    """Raises InvalidFields when the clinician on call is none of the hospital's."""
    if chosen.on_call_id is not None and chosen.on_call_id not in {one.id for one in clinicians_of(session, who)}:
        raise InvalidFields(fields=[FieldError("on_call_id", "Choose an active clinician of your hospital.")])
    row = session.get(AlertSettings, who.hospital_id) or AlertSettings(
        hospital_id=who.hospital_id, changed_at=now, **chosen.model_dump()
    )
    for name, value in chosen.model_dump().items():
        setattr(row, name, value)
    row.changed_at = now
    session.add(row)
    session.flush()
    audit.record(
        session,
        now=now,
        actor_kind=audit.ActorKind.CLINICIAN,
        actor_id=who.id,
        action="change_alert_settings",
        detail=chosen.model_dump(mode="json"),
    )


def switch(session: Session, who: Clinician, model_id: str, asked: SwitchIn, now: datetime) -> ModelSwitch:
    return switch_model(
        session, who.hospital_id, model_id, asked.mode, reason=asked.reason.strip(), set_by=who.id, now=now
    )


def clinicians_of(session: Session, who: Clinician) -> list[Clinician]:
    """The active clinicians of the caller's hospital, by name."""
    return list(
        session.exec(
            select(Clinician)
            .where(Clinician.hospital_id == who.hospital_id, Clinician.role == Role.CLINICIAN.value, Clinician.active)
            .order_by(col(Clinician.name), col(Clinician.email))
        ).all()
    )
