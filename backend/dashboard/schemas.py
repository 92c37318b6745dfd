"""What a clinician is shown. The pages render these same objects that `/v1/clinician/` answers as JSON."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from backend.alerts.rules import Cause, Level
from backend.alerts.tables import AlertState
from backend.dashboard.alert_care_schemas import AlertCareOut
from backend.dashboard.examples import example
from backend.patients.hand_over import MOST_DAYS
from backend.patients.tables import Language
from backend.risk.tables import ForecastStatus, RiskLevel


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SignInIn(Strict):
    email: Annotated[str, StringConstraints(min_length=3, max_length=200)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=200)]

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"email": "doctor@clinic.example", "password": "a long enough password"}]},
    )


class SignedInOut(BaseModel):
    """Send `csrf_token` as the header X-CSRF-Token with each request that is not a GET."""

    name: str
    email: str
    language: Language
    csrf_token: str

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Dr Kim",
                    "email": "doctor@clinic.example",
                    "language": "ko",
                    "csrf_token": "Xo0lUoWQm3GJ2bXJmM9uYw4Zt7zq1c5d",
                }
            ]
        }
    )


class ReasonOut(BaseModel):
    """`text` is in the caller's language; `value` is null where the reason is no number."""

    code: str
    text: str
    value: float | None
    unit: str | None


class ForecastOut(BaseModel):
    """The chance of a severe attack within `horizon_days` after `as_of`; null unless `status` is ready."""

    status: ForecastStatus
    as_of: date
    made_at: datetime
    diary_days: int
    horizon_days: int
    probability: float | None
    level: RiskLevel | None
    reasons: list[ReasonOut]
    model_id: str | None
    model_version: str | None


_HAND_OVER: dict[str, JsonValue] = {
    "id": "3e4c6a52-58a4-4c7e-9d0b-0f6de1a4f2a1",
    "from_name": "Dr Kim",
    "to_name": "Dr Park",
    "note": "On leave; 이서준 may need a call on Monday.",
    "began_at": "2026-11-20T12:00:00Z",
    "ends_at": "2026-11-27T12:00:00Z",
    "ended_at": None,
}


class HandOverOut(BaseModel):
    """A colleague covers patients from `began_at` to `ends_at`."""

    id: UUID
    from_name: str
    to_name: str
    note: str
    began_at: datetime
    ends_at: datetime
    ended_at: datetime | None

    model_config = ConfigDict(json_schema_extra={"examples": [_HAND_OVER]})


class RunningHandOverOut(HandOverOut):
    """`patients`: how many the colleague sees by it. `mine`: the caller gave it, and did not receive it."""

    patients: int
    mine: bool

    model_config = ConfigDict(json_schema_extra={"examples": [_HAND_OVER | {"patients": 12, "mine": True}]})


class ColleagueOut(BaseModel):
    id: UUID
    name: str

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": "8f2f3b4e-1d7f-4f39-8a50-2a9b7a7a8c02", "name": "Dr. Seo-yeon Han"}]}
    )


class HandOverIn(Strict):
    """To whom, for how many days from now, and what the colleague must know."""

    to: UUID
    days: Annotated[int, Field(ge=1, le=MOST_DAYS)]
    note: Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "to": "8b0f0b7e-3d54-4f0e-8d6e-5b8b0f2f9a77",
                    "days": 7,
                    "note": "On leave; 이서준 may need a call on Monday.",
                }
            ]
        },
    )


class AlertOut(BaseModel):
    id: UUID
    patient_id: UUID
    patient_name: str
    time_zone: str
    state: AlertState
    level: Level
    cause: Cause
    reasons: list[ReasonOut]
    evidence_at: datetime | None
    triggered_at: datetime
    escalated_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledgement_note: str | None
    hand_over: HandOverOut | None
    resolved_at: datetime | None
    resolved_because: str | None
    care: AlertCareOut | None = Field(default=None, description="Left out in the roster.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "8f3c8f3a-6d5e-4a57-8a7c-0a6f5f0a9b11",
                    "patient_id": "b1d7c1ce-0d0a-4a8e-9b0e-9f6a6f1f7c22",
                    "patient_name": "Minji Lee",
                    "time_zone": "Asia/Seoul",
                    "state": "sent",
                    "level": "red",
                    "cause": "red_zone",
                    "reasons": [
                        {
                            "code": "red_zone",
                            "text": "Peak flow in the red zone: 190 L/min",
                            "value": 190,
                            "unit": "litres_per_min",
                        }
                    ],
                    "evidence_at": "2026-11-19T22:40:00Z",
                    "triggered_at": "2026-11-19T22:40:03Z",
                    "escalated_at": None,
                    "acknowledged_at": None,
                    "acknowledged_by": None,
                    "acknowledgement_note": None,
                    "hand_over": None,
                    "resolved_at": None,
                    "resolved_because": None,
                }
            ]
        }
    )


class AlertsOut(BaseModel):
    """Open alerts, the unacknowledged red ones first, and those that ended within the last 30 days."""

    model_config = ConfigDict(json_schema_extra=example("AlertsOut"))

    open: list[AlertOut]
    ended: list[AlertOut]


class AcknowledgeIn(Strict):
    """The note is for colleagues; the patient does not see it."""

    note: Annotated[str, StringConstraints(max_length=2000, strip_whitespace=True)] | None = None

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"note": "Called; prednisolone started, review tomorrow."}]}
    )


# What comes in hundreds to an answer is made of plain dataclasses: the database has checked it already.
