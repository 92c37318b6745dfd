"""What a clinician is shown. The pages render these same objects that `/v1/clinician/` answers as JSON."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from backend.alerts.rules import Cause, Level
from backend.alerts.tables import AlertState
from backend.clinical.peak_flow import Zone
from backend.patients.hand_over import MOST_DAYS
from backend.patients.tables import Language, Purpose, Sex
from backend.risk.tables import ForecastStatus, RiskLevel


class Urgency(StrEnum):
    """In the order of the roster.

    now: an unacknowledged red alert, or a red zone or danger sign without one. today: any other open alert, or a high
    forecast. watch: yellow zone, a raised forecast, or a diary gone silent. waiting: no entry was ever made.
    """

    NOW = "now"
    TODAY = "today"
    WATCH = "watch"
    STEADY = "steady"
    WAITING = "waiting"


class Show(StrEnum):
    """Which patients of the roster to show."""

    ALL = "all"
    ALERTS = "alerts"
    RED = "red"
    YELLOW = "yellow"
    RAISED = "raised"
    SILENT = "silent"
    WAITING = "waiting"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _known_zone(zone: str) -> str:
    if zone not in available_timezones():
        raise ValueError("not a known time zone; use a name such as Asia/Seoul")
    return zone


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


class HandOverOut(BaseModel):
    """A colleague covers patients from `began_at` to `ends_at`."""

    id: UUID
    from_name: str
    to_name: str
    note: str
    began_at: datetime
    ends_at: datetime
    ended_at: datetime | None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "3e4c6a52-58a4-4c7e-9d0b-0f6de1a4f2a1",
                    "from_name": "Dr Kim",
                    "to_name": "Dr Park",
                    "note": "On leave; 이서준 may need a call on Monday.",
                    "began_at": "2026-11-20T12:00:00Z",
                    "ends_at": "2026-11-27T12:00:00Z",
                    "ended_at": None,
                }
            ]
        }
    )


class RunningHandOverOut(HandOverOut):
    """`patients`: how many the colleague sees by it. `mine`: the caller gave it, and did not receive it."""

    patients: int
    mine: bool


class ColleagueOut(BaseModel):
    id: UUID
    name: str


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

    open: list[AlertOut]
    ended: list[AlertOut]


class AcknowledgeIn(Strict):
    """The note is for colleagues; the patient does not see it."""

    note: Annotated[str, StringConstraints(max_length=2000, strip_whitespace=True)] | None = None

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"note": "Called; prednisolone started, review tomorrow."}]}
    )


class NewestReading(BaseModel):
    """`fresh`: of the last 48 hours, so that it says something of today."""

    litres_per_min: int
    taken_at: datetime
    percent_of_best: int | None
    fresh: bool


# What comes in hundreds to an answer is made of plain dataclasses: the database has checked it already.
@dataclass(frozen=True, slots=True)
class DayBest:
    """The best reading of one local day."""

    day: date
    litres_per_min: int


class PlanLines(BaseModel):
    """A reading at or above `yellow_below` is green, one below `red_below` is red."""

    version: int
    personal_best_litres_per_min: int
    yellow_below_litres_per_min: int
    red_below_litres_per_min: int


class RosterRow(BaseModel):
    """One patient of the roster. `zone` is that of a reading of the last 48 hours, else null."""

    id: UUID
    display_name: str
    born_on: date | None
    sex: Sex
    time_zone: str
    urgency: Urgency
    zone: Zone | None
    newest_reading: NewestReading | None
    red_flags: list[str]
    forecast: ForecastOut | None
    last_entry_at: datetime | None
    silent: bool
    alert: AlertOut | None
    peak_flow_30_days: list[DayBest]
    plan: PlanLines | None

    @property
    def urgency_rank(self) -> int:
        return list(Urgency).index(self.urgency)


class RosterOut(BaseModel):
    """`counts` are of all patients that match `search`, by filter."""

    page: int
    pages: int
    total: int
    counts: dict[Show, int]
    patients: list[RosterRow]


@dataclass(frozen=True, slots=True)
class ReadingOut:
    """One session of blows. `zone` is the one the phone showed, or, `zone_from` "plan", that of the plan in force."""

    id: UUID
    taken_at: datetime
    local_time: str
    morning: bool
    time_zone: str
    litres_per_min: int
    blows_litres_per_min: list[int]
    meter: str
    scale: str
    bronchodilator: str
    zone: Zone | None
    zone_from: Literal["phone", "plan"] | None


class AttackOut(BaseModel):
    taken_at: datetime
    systemic_steroids: bool | None
    systemic_steroid_days: int | None
    emergency_visit: bool | None
    hospital_admission: bool | None
    unscheduled_visit: bool | None
    source: str


@dataclass(slots=True)
class DiaryDay:
    """One local day of the patient. Null means not recorded, never "no".

    Puffs: those logged or sensed, or those recalled for the whole day, whichever is more. `..._at_most` is above the
    other where the patient gave a range; 99 stands for no upper end. Use before exercise is not counted.
    Amounts are what was said in words (`as_usual`, `more` …) instead of a number.
    """

    day: date
    readings: list[ReadingOut] = field(default_factory=list)
    daytime_symptoms: bool | None = None
    symptom_severity: Annotated[int, Field(ge=0, le=3)] | None = None
    night_waking: bool | None = None
    activity_limited: bool | None = None
    red_flags: list[str] = field(default_factory=list)
    reliever_puffs: int | None = None
    reliever_puffs_at_most: int | None = None
    reliever_amounts: list[str] = field(default_factory=list)
    controller_puffs: int | None = None
    controller_amounts: list[str] = field(default_factory=list)
    triggers: list[str] = field(default_factory=list)
    attacks: list[AttackOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class DiaryOut(BaseModel):
    """Days with any entry between `first_day` and `last_day`, both included, by the patient's own calendar."""

    first_day: date
    last_day: date
    time_zone: str
    plan: PlanLines | None
    days: list[DiaryDay]


class ForecastsOut(BaseModel):
    first_day: date
    last_day: date
    forecasts: list[ForecastOut]


class PlanOut(PlanLines):
    signed_at: datetime
    signed_by: str
    personal_best_basis: str
    meter: str
    instructions: dict[str, Any]
    review_on: date | None
    read_on_phone_at: datetime | None


class InhalerOut(BaseModel):
    id: UUID
    name: str
    role: str
    drug: str
    device: str
    puffs_per_dose: int
    doses_per_day: int
    max_puffs_per_day: int | None
    prescribed_at: datetime


class PhoneOut(BaseModel):
    name: str
    platform: str
    enrolled_at: datetime
    last_seen_at: datetime | None


class WeekSummary(BaseModel):
    """The last seven local days, today included. Null where nothing of the kind was recorded."""

    diary_days: int
    reliever_puffs: int | None
    reliever_days: int | None
    nights_woken: int | None
    days_limited: int | None


class PatientOut(BaseModel):
    id: UUID
    display_name: str
    born_on: date | None
    sex: Sex
    height_cm: int | None
    language: Language
    time_zone: str
    treatment_step: int | None
    severe_attacks_last_year: int | None
    zone: Zone | None
    newest_reading: ReadingOut | None
    newest_reading_is_fresh: bool
    newest_percent_of_best: int | None
    forecast: ForecastOut | None
    last_entry_at: datetime | None
    week: WeekSummary
    last_attack_on: date | None
    attacks_12_months: int
    open_alerts: list[AlertOut]
    ended_alerts: list[AlertOut]
    plan: PlanOut | None
    inhalers: list[InhalerOut]
    phones: list[PhoneOut]
    open_code_expires_at: datetime | None
    consents: list[Purpose]
    care_team: list[str]


class PatientIn(Strict):
    """A new patient, cared for by the caller. Care and forecasting are consented to on paper or on the phone."""

    display_name: Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
    born_on: date | None = None
    sex: Sex = Sex.UNKNOWN
    height_cm: Annotated[int, Field(ge=50, le=250)] | None = None
    language: Language = Language.ENGLISH
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "Asia/Seoul"
    treatment_step: Annotated[int, Field(ge=1, le=5)] | None = None
    severe_attacks_last_year: Annotated[int, Field(ge=0, le=50)] | None = None

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "display_name": "Minji Lee",
                    "born_on": "1992-04-11",
                    "sex": "female",
                    "height_cm": 162,
                    "language": "ko",
                    "time_zone": "Asia/Seoul",
                    "treatment_step": 3,
                    "severe_attacks_last_year": 1,
                }
            ]
        },
    )


class PatientAdded(BaseModel):
    id: UUID


class EnrolmentCodeOut(BaseModel):
    """Shown once: only a hash is kept. The QR code of the page holds `code`."""

    code: str
    expires_at: datetime

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": "K7QM-3XRD", "expires_at": "2026-11-27T12:00:00Z"}]}
    )


class AuditEntryOut(BaseModel):
    happened_at: datetime
    actor: str
    actor_kind: str
    action: str


class AuditOut(BaseModel):
    page: int
    more: bool
    entries: list[AuditEntryOut]
