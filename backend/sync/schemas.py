"""The wire between phone and server, version 1, in one file: what a phone sends and what it gets back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SkipValidation,
    StrictBool,
    StrictFloat,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from backend.clinical.peak_flow import Bronchodilator, Zone
from backend.clinical.red_flags import ANSWERABLE
from backend.diary.questionnaires import problem_with
from backend.diary.tables import (
    HIGHEST_LITRES_PER_MIN,
    LOWEST_LITRES_PER_MIN,
    AttackSource,
    Instrument,
    MeterScale,
    TriggerName,
)
from backend.medication.tables import MOST_PUFFS, UseAmount, UsePurpose, UseSource
from backend.notifications.schemas import InboxItemOut
from backend.patients.schemas import ConsentOut
from backend.plans.schemas import PlanOut
from backend.reminders.tables import HIGHEST_COUNT, LONGEST_KEY, Action, ReportedCause, ReportedState, SkipReason
from backend.risk.schemas import ForecastOut

MOST_ENTRIES = 200
HIGHEST_INTEGER = 2**31 - 1
# Far above every answer and score.
LARGEST_NUMBER = 1_000_000
INSTANT_SCHEMA = {"type": "string", "format": "date-time"}
DATE_SCHEMA = {"type": "string", "format": "date"}

# What follows is checked by pydantic's compiled core alone; Python is called only where something is wrong.
# PostgreSQL keeps every character but NUL; half of a surrogate pair is no string to pydantic's core.
Text = Annotated[str, StringConstraints(strict=True, pattern=r"^[^\x00]*$")]
PositiveInt = Annotated[StrictInt, Field(ge=1, le=HIGHEST_INTEGER)]
Number = Annotated[StrictFloat, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER, allow_inf_nan=False)]
Blow = Annotated[StrictInt, Field(ge=LOWEST_LITRES_PER_MIN, le=HIGHEST_LITRES_PER_MIN)]
WallTime = Annotated[str, StringConstraints(strict=True, pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
UuidText = Annotated[
    str, StringConstraints(strict=True, pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", to_lower=True)
]
OccurrenceKey = Annotated[Text, StringConstraints(min_length=1, max_length=LONGEST_KEY)]


def _a_date_of_the_calendar(given: str) -> str:
    date.fromisoformat(given)
    return given


Date = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^\d{4}-\d{2}-\d{2}$"),
    AfterValidator(_a_date_of_the_calendar),
    WithJsonSchema(DATE_SCHEMA),
]


class Wire(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PeakFlowBody(Wire):
    """One session; its value is the best blow."""

    blows_litres_per_min: Annotated[list[Blow], Field(min_length=1, max_length=3)]
    meter: Annotated[Text, StringConstraints(min_length=1, max_length=60)]
    scale: MeterScale
    bronchodilator: Bronchodilator
    action_zone: Zone | None = None
    plan_version: PositiveInt | None = None


class SymptomsBody(Wire):
    """At least one answer or red flag; null is "not answered"."""

    daytime: StrictBool | None = None
    night_waking: StrictBool | None = None
    activity_limited: StrictBool | None = None
    severity: Annotated[StrictInt, Field(ge=0, le=3)] | None = None
    red_flags: list[Literal[tuple(flag.value for flag in ANSWERABLE)]] = []  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        answers = (self.daytime, self.night_waking, self.activity_limited, self.severity)
        if not self.red_flags and all(answer is None for answer in answers):
            raise PydanticCustomError("nothing_recorded", "Answer at least one question, or leave the entry out.")
        self.red_flags = list(dict.fromkeys(self.red_flags))
        return self


class InhalerUseBody(Wire):
    """Exactly one of `puffs` and `amount`; 0 puffs only as a summary of a day."""

    inhaler_id: UUID
    puffs: Annotated[StrictInt, Field(ge=0, le=MOST_PUFFS)] | None = None
    puffs_at_most: Annotated[StrictInt, Field(ge=1, le=MOST_PUFFS)] | None = None
    amount: UseAmount | None = None
    purpose: UsePurpose
    source: UseSource

    @model_validator(mode="after")
    def _counts_or_says(self) -> Self:
        if (self.puffs is None) == (self.amount is None):
            raise PydanticCustomError("puffs_or_amount", "Give either puffs or amount, and not both.")
        if self.puffs == 0 and self.source is not UseSource.DAY_RECALL:
            raise PydanticCustomError("no_puffs", "No puffs is something to say of a whole day only (day_recall).")
        if self.puffs_at_most is not None and (self.puffs is None or self.puffs_at_most < self.puffs):
            raise PydanticCustomError("puffs_at_most_below_puffs", "puffs_at_most is the upper end of puffs.")
        return self


class TriggerBody(Wire):
    trigger: TriggerName
    note: Annotated[Text, StringConstraints(max_length=200)] | None = None


class AttackBody(Wire):
    """`taken_at` of the entry is the onset. At least one of the four consequences is true."""

    systemic_steroids: StrictBool | None = None
    systemic_steroid_days: Annotated[StrictInt, Field(ge=1, le=90)] | None = None
    emergency_visit: StrictBool | None = None
    hospital_admission: StrictBool | None = None
    unscheduled_visit: StrictBool | None = None
    source: AttackSource

    @model_validator(mode="after")
    def _is_an_attack(self) -> Self:
        if not (self.systemic_steroids or self.emergency_visit or self.hospital_admission or self.unscheduled_visit):
            raise PydanticCustomError("nothing_recorded", "An attack has at least one of its four consequences.")
        if self.systemic_steroid_days is not None and not self.systemic_steroids:
            raise PydanticCustomError("steroid_days_without_steroids", "Days of steroids need systemic_steroids true.")
        return self


class QuestionnaireBody(Wire):
    instrument: Instrument
    period_days: Annotated[StrictInt, Field(ge=1, le=366)]
    answers: dict[Annotated[Text, StringConstraints(max_length=40)], Number] = Field(max_length=40)
    score: Number | None = None

    @model_validator(mode="after")
    def _answers_are_possible(self) -> Self:
        problem = problem_with(self.instrument, self.answers)
        if problem:
            raise PydanticCustomError("answer_out_of_range", "{code}: {why}", {"code": problem[0], "why": problem[1]})
        if not self.answers and self.score is None:
            raise PydanticCustomError("nothing_recorded", "Give at least one answer or the score.")
        return self


class NoteBody(Wire):
    text: Annotated[Text, StringConstraints(min_length=1, max_length=2000)]


class PlanReceiptBody(Wire):
    plan_version: PositiveInt


Kind = TypeVar("Kind", bound=str)
Body = TypeVar("Body", bound=Wire)


class TimesOfTheWeek(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    weekday: WallTime
    weekend: WallTime


class OpenedInhaler(TypedDict):
    """A new inhaler of so many inhalations, as its label says: what tells when it will be empty."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    on: Date
    inhalations: Annotated[StrictInt, Field(ge=1, le=400)]


class Appointment(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    id: UuidText
    on: Date
    at: WallTime


class ReminderSettingsBody(Wire):
    """One entry a patient, its id uuid5(NAMESPACE_OID, "<patient id>:reminder_settings"). Times are the patient's own
    clock's. `times`: by key of a reminder. `check_in_at` null: no check-in. Before `paused_until` nothing reminds."""

    day_starts_at: WallTime = "04:00"
    quiet_from: WallTime = "22:00"
    quiet_until: WallTime = "07:00"
    times: Annotated[dict[OccurrenceKey, TimesOfTheWeek], Field(max_length=60)] = {}
    follow_habit: StrictBool = True
    check_in_at: WallTime | None = "20:00"
    paused_until: Date | None = None
    health_words_on_lock_screen: StrictBool = False
    opened: Annotated[dict[UuidText, OpenedInhaler], Field(max_length=20)] = {}
    appointments: Annotated[list[Appointment], Field(max_length=20)] = []


class EntryIn(Wire, Generic[Kind, Body]):
    """One version of one diary entry. Versions are ordered by (revision, device id); the greater wins, everywhere."""

    kind: Kind
    id: UUID
    revision: PositiveInt
    deleted: StrictBool = False
    taken_at: Annotated[str, StringConstraints(strict=True, max_length=40), WithJsonSchema(INSTANT_SCHEMA)]
    time_zone: Annotated[str, StringConstraints(strict=True, max_length=64)]
    utc_offset_minutes: Annotated[StrictInt, Field(ge=-840, le=840)]
    local_date: Annotated[
        str, StringConstraints(strict=True, pattern=r"^\d{4}-\d{2}-\d{2}$"), WithJsonSchema(DATE_SCHEMA)
    ]
    body: Body | None


PeakFlowEntry = EntryIn[Literal["peak_flow"], PeakFlowBody]
SymptomsEntry = EntryIn[Literal["symptoms"], SymptomsBody]
InhalerUseEntry = EntryIn[Literal["inhaler_use"], InhalerUseBody]
TriggerEntry = EntryIn[Literal["trigger"], TriggerBody]
AttackEntry = EntryIn[Literal["attack"], AttackBody]
QuestionnaireEntry = EntryIn[Literal["questionnaire"], QuestionnaireBody]
NoteEntry = EntryIn[Literal["note"], NoteBody]
PlanReceiptEntry = EntryIn[Literal["plan_receipt"], PlanReceiptBody]
ReminderSettingsEntry = EntryIn[Literal["reminder_settings"], ReminderSettingsBody]

AnyEntry = (
    PeakFlowEntry
    | SymptomsEntry
    | InhalerUseEntry
    | TriggerEntry
    | AttackEntry
    | QuestionnaireEntry
    | NoteEntry
    | PlanReceiptEntry
    | ReminderSettingsEntry
)


class PhoneIn(Wire):
    """What the phone says of itself: where it is, what the system allows, and its alarms. Null is "not known"."""

    time_zone: Annotated[Text, StringConstraints(min_length=1, max_length=64)]
    notifications_allowed: StrictBool | None = None
    exact_alarms_allowed: StrictBool | None = None
    battery_unrestricted: StrictBool | None = None
    armed_until: AwareDatetime | None = None
    armed_count: Annotated[StrictInt, Field(ge=0, le=HIGHEST_COUNT)] = 0


class OccurrenceIn(Wire):
    """One prompt of one reminder on one diary day, and what became of it on this phone, `at` when.

    Its identity is (key, local_date) and holds no time of day, so that moving a reminder never makes a second one of
    it. The greater revision wins.
    """

    key: OccurrenceKey
    local_date: Date
    due_at: AwareDatetime
    time_zone: Annotated[Text, StringConstraints(min_length=1, max_length=64)]
    revision: PositiveInt
    state: ReportedState
    at: AwareDatetime
    action: Action | None = None
    skip_reason: SkipReason | None = None
    cause: ReportedCause | None = None
    snoozed_times: Annotated[StrictInt, Field(ge=0, le=HIGHEST_COUNT)] = 0


class PushReceiptIn(Wire):
    """A push reached the phone, or opened the app. `message_id` is an inbox item's."""

    message_id: UUID
    event: Literal["received", "opened"]
    at: AwareDatetime


class SyncIn(Wire):
    """`sent_at` is the phone's clock at sending. Entries are judged one by one, so one bad entry costs no other; so are
    occurrences and push receipts."""

    sent_at: AwareDatetime
    push_token: Annotated[Text, StringConstraints(min_length=1, max_length=4096)] | None = None
    entries: list[SkipValidation[AnyEntry]]
    phone: PhoneIn | None = None
    occurrences: list[SkipValidation[OccurrenceIn]] = []
    push_receipts: list[SkipValidation[PushReceiptIn]] = []


class Reason(BaseModel):
    """Why an entry was refused: a stable code, a sentence, and the path of the field at fault."""

    code: str
    message: str
    field: str


@dataclass
class Receipt:
    """`id`, `kind` and `revision` are what the phone sent. `superseded`: the server holds a newer version, which the
    next pull brings."""

    id: str | int | None
    kind: str | int | None
    revision: str | int | None
    outcome: Literal["accepted", "unchanged", "superseded", "refused"]
    reason: Reason | None = None


@dataclass
class OccurrenceReceipt:
    """`key`, `local_date` and `revision` are what the phone sent. `unchanged`: this or a newer revision is known."""

    key: str | int | None
    local_date: str | int | None
    revision: str | int | None
    outcome: Literal["accepted", "unchanged", "refused"]
    reason: Reason | None = None


class SyncOut(BaseModel):
    server_time: datetime
    receipts: list[Receipt]
    occurrence_receipts: list[OccurrenceReceipt] = []


class ProfileOut(BaseModel):
    patient_id: UUID
    display_name: str
    born_on: date | None
    sex: str
    height_cm: int | None
    language: str
    time_zone: str
    emergency_number: str
    hospital: str


class InhalerOut(BaseModel):
    id: UUID
    name: str
    role: str
    drug: str
    device: str
    puffs_per_dose: int
    doses_per_day: int
    max_puffs_per_day: int | None
    warn_puffs_per_day: int | None
    active: bool


class EntryOut(BaseModel):
    kind: str
    id: UUID
    revision: int
    device_id: UUID
    deleted: bool
    taken_at: datetime
    time_zone: str
    utc_offset_minutes: int
    local_date: date
    body: dict[str, Any] | None


class ChangesOut(BaseModel):
    """Everything the patient may see that changed after the cursor; null or an empty list means unchanged."""

    server_time: datetime
    cursor: str
    more: bool
    entries: Sequence[EntryOut]
    profile: ProfileOut | None
    consents: list[ConsentOut] | None
    inhalers: list[InhalerOut] | None
    plan: PlanOut | None
    forecast: ForecastOut | None
    inbox: list[InboxItemOut]
