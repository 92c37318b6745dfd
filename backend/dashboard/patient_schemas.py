"""One patient as a clinician is shown them, and what a clinician writes of a patient."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from backend.clinical.medicines import AddOn
from backend.clinical.peak_flow import Zone
from backend.dashboard.examples import example
from backend.dashboard.roster_schemas import PlanLines
from backend.dashboard.schemas import AlertOut, ForecastOut, Strict
from backend.patients.tables import Language, Purpose, Sex


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


class PlanSince(PlanLines):
    """A signed version from the patient's local day `since` on; `difference` in the caller's language."""

    since: date
    difference: list[str]


class DiaryOut(BaseModel):
    """Days with any entry between `first_day` and `last_day`, both included, by the patient's own calendar.

    `plan` is the one in force now; `plans` are those in force within the days, the oldest first.
    """

    model_config = ConfigDict(json_schema_extra=example("DiaryOut"))

    first_day: date
    last_day: date
    time_zone: str
    plan: PlanLines | None
    plans: list[PlanSince]
    days: list[DiaryDay]


class ForecastsOut(BaseModel):
    model_config = ConfigDict(json_schema_extra=example("ForecastsOut"))

    first_day: date
    last_day: date
    forecasts: list[ForecastOut]


class PlanOut(PlanLines):
    signed_at: datetime
    signed_by: str
    personal_best_basis: str
    meter: str
    instructions: dict[str, Any]
    add_ons: list[AddOn]
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
    role: str
    enrolled_at: datetime
    last_seen_at: datetime | None


class WeekSummary(BaseModel):
    """The last seven local days, today included. Null where nothing of the kind was recorded."""

    diary_days: int
    reliever_puffs: int | None
    reliever_days: int | None
    nights_woken: int | None
    days_limited: int | None


class ConsentEntryOut(BaseModel):
    """One line of the ledger. Names are null where the patient decided on the phone, or nobody was noted."""

    purpose: Purpose
    text_version: str
    granted_at: datetime
    granted_by: str | None
    withdrawn_at: datetime | None
    withdrawn_by: str | None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "purpose": "research",
                    "text_version": "2026-11",
                    "granted_at": "2026-11-20T03:10:00Z",
                    "granted_by": "Dr Kim",
                    "withdrawn_at": None,
                    "withdrawn_by": None,
                }
            ]
        }
    )


class ConsentIn(Strict):
    """What the patient said, as written down by the caller. `text_version`: the text that the patient read."""

    purpose: Purpose
    given: bool
    text_version: Annotated[str, StringConstraints(min_length=1, max_length=40, strip_whitespace=True)] = "2026-11"

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"purpose": "research", "given": True, "text_version": "2026-11"}]},
    )


class PatientOut(BaseModel):
    model_config = ConfigDict(json_schema_extra=example("PatientOut"))

    id: UUID
    display_name: str
    born_on: date | None
    sex: Sex
    height_cm: int | None
    weight_kg: int | None
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
    consent_ledger: list[ConsentEntryOut]
    care_team: list[str]


def _known_zone(zone: str) -> str:
    if zone not in available_timezones():
        raise ValueError("not a known time zone; use a name such as Asia/Seoul")
    return zone


class PatientIn(Strict):
    """A new patient, cared for by the caller. Care and forecasting are consented to on paper or on the phone."""

    display_name: Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
    born_on: date | None = None
    sex: Sex = Sex.UNKNOWN
    height_cm: Annotated[int, Field(ge=50, le=250)] | None = None
    weight_kg: Annotated[int, Field(ge=5, le=400)] | None = None
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
                    "weight_kg": 58,
                    "language": "ko",
                    "time_zone": "Asia/Seoul",
                    "treatment_step": 3,
                    "severe_attacks_last_year": 1,
                }
            ]
        },
    )


class PersonOut(PatientIn):
    """What is known of the person. `predicted_…` follows from it, null where no equation covers the person."""

    profile_change: int
    predicted_litres_per_min: int | None = None
    predicted_by: str | None = None
    predicted_source: str | None = None

    model_config = ConfigDict(extra="forbid", json_schema_extra=example("PersonOut"))


class ProfileIn(PatientIn):
    """The whole profile as it shall be. `profile_change` is the number that came with the one you read."""

    profile_change: Annotated[int, Field(ge=0)]

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"display_name": "Minji Lee", "height_cm": 162, "profile_change": 7}]},
    )


class PatientAdded(BaseModel):
    id: UUID

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "3f0d6a52-6f0a-4b7e-9a53-5a5d1e1b8f10"}]})


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
    model_config = ConfigDict(json_schema_extra=example("AuditOut"))

    page: int
    more: bool
    entries: list[AuditEntryOut]
