"""A plan on its way to a signature: what a clinician writes, and everything the rules have to say about it.

The editor's live checks and the signature use the same `check()`, so nothing can be signed that the editor refused.
"""

from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from backend.clinical import action_plan
from backend.clinical.action_plan import LANGUAGES, Instruction, InstructionCode
from backend.clinical.guideline import edition
from backend.clinical.medicines import Regimen, Use
from backend.clinical.peak_flow import Zone, ZoneThresholds
from backend.clinical.personal_best import BestBasis
from backend.clinical.regimen_checks import Weight, check_regimen
from backend.core.errors import FieldError, InvalidFields
from backend.medication.schemas import RegimenIn
from backend.plans.difference import PlanContent, differences
from backend.plans.wording import Instructions

LONGEST_WITHOUT_REVIEW = timedelta(days=366)

OwnSentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OralSteroidIn(Strict):
    """A course of prednisolone that the patient may start; absent unless the clinician allows it."""

    milligrams_a_day: Annotated[float, Field(gt=0, le=60)]
    days: Annotated[int, Field(ge=1, le=14)]


class OwnSentences(Strict):
    """What the clinician adds to the standard instructions of a zone, in the patient's language."""

    green: Annotated[list[OwnSentence], Field(max_length=5)] = []
    yellow: Annotated[list[OwnSentence], Field(max_length=5)] = []
    red: Annotated[list[OwnSentence], Field(max_length=5)] = []


class ReminderKind(StrEnum):
    TAKE_INHALER = "take_inhaler"
    MEASURE_PEAK_FLOW = "measure_peak_flow"
    WRITE_DIARY = "write_diary"


class Reminder(Strict):
    """`at` is the patient's own clock. `product_id` names the inhaler to take, and is null for the other kinds."""

    kind: ReminderKind
    at: time
    product_id: str | None = None


class PlanDraft(Strict):
    """`based_on_version` is the version in force that the draft was written against, 0 before the first."""

    based_on_version: Annotated[int, Field(ge=0)]
    personal_best_litres_per_min: Annotated[int, Field(ge=30, le=900)]
    personal_best_basis: BestBasis
    meter: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
    yellow_below_litres_per_min: Annotated[int, Field(ge=1, le=900)]
    red_below_litres_per_min: Annotated[int, Field(ge=1, le=900)]
    regimen: RegimenIn
    oral_steroid: OralSteroidIn | None = None
    extra_instructions: OwnSentences = OwnSentences()
    reminders: Annotated[list[Reminder], Field(max_length=12)] = []
    review_on: date

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "based_on_version": 1,
                    "personal_best_litres_per_min": 480,
                    "personal_best_basis": "measured",
                    "meter": "Mini-Wright",
                    "yellow_below_litres_per_min": 384,
                    "red_below_litres_per_min": 240,
                    "regimen": {
                        "prescriptions": [
                            {
                                "product_id": "budesonide_formoterol_200_6_dpi",
                                "use": "maintenance_and_reliever",
                                "inhalations": 1,
                                "times_a_day": 2,
                            }
                        ],
                        "add_ons": [],
                    },
                    "oral_steroid": None,
                    "extra_instructions": {"green": [], "yellow": ["Bring your meter along."], "red": []},
                    "reminders": [
                        {
                            "kind": "take_inhaler",
                            "at": "08:00",
                            "product_id": "budesonide_formoterol_200_6_dpi",
                        }
                    ],
                    "review_on": "2027-02-19",
                }
            ]
        },
    )


class Remark(BaseModel):
    """Something the rules say at one field. What is `refused` can't be signed; a `caution` may be."""

    weight: Weight
    path: str
    code: str
    message: str
    source: str


@dataclass(frozen=True)
class About:
    """Whom the plan is for, and the version before it."""

    age_years: float | None
    weight_kg: float | None
    country: str
    before: PlanContent | None


class Checked(BaseModel):
    """`instructions` and `difference` by language; empty while something is refused that they depend on."""

    remarks: list[Remark]
    instructions: Instructions = {}
    difference: dict[str, list[str]] = {}
    edition: str

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "remarks": [
                        {
                            "weight": "caution",
                            "path": "regimen.prescriptions[0].times_a_day",
                            "code": "unusual_schedule",
                            "message": "1 inhalations 3 times a day is not a usual schedule of Budesonide 200.",
                            "source": "National Asthma Council Australia, medications chart (strengths)",
                        }
                    ],
                    "instructions": {
                        "en": {
                            "green": ["Take Budesonide 200: 1 inhalation(s), 3 time(s) a day, every day."],
                            "yellow": ["Measure your peak flow every morning and evening until you are back in green."],
                            "red": ["This is an emergency: call 119 now."],
                        }
                    },
                    "difference": {
                        "en": [
                            "Changed: Budesonide 200: 1 inhalation(s), 3 time(s) a day (before: 1 time(s) a day).",
                        ]
                    },
                    "edition": "gina_2025",
                }
            ]
        }
    )

    @property
    def refused(self) -> list[Remark]:
        return [remark for remark in self.remarks if remark.weight is Weight.REFUSED]


class PlanRefused(InvalidFields):
    code = "plan_refused"
    message = "The plan breaks a rule and can't be signed."


def check(draft: PlanDraft, about: About, today: date) -> Checked:
    """Everything the rules say about the draft, refusals first, and what the patient would read."""
    guideline = edition()
    remarks: list[Remark] = []

    def refuse(path: str, code: str, message: str) -> None:
        remarks.append(Remark(weight=Weight.REFUSED, path=path, code=code, message=message, source=guideline.title))

    regimen: Regimen | None = None
    try:
        regimen = draft.regimen.read()
    except InvalidFields as error:
        for field in error.fields:
            refuse(f"regimen.{field.path}", "prescription_unreadable", field.message)
    if about.age_years is None:
        refuse("regimen.prescriptions", "birth_date_missing", "The rules need the patient's date of birth.")
    elif regimen is not None:
        for finding in check_regimen(regimen, about.age_years, guideline):
            remarks.append(
                Remark(
                    weight=finding.weight,
                    path=f"regimen.{finding.path}",
                    code=finding.problem.value,
                    message=finding.message,
                    source=finding.source,
                )
            )
    thresholds = _check_thresholds(draft, remarks)
    steroid = _check_oral_steroid(draft, about, remarks)
    if regimen is not None:
        for place, reminder in enumerate(draft.reminders):
            daily = {p.product_id for p in regimen.prescriptions if p.use is not Use.AS_NEEDED}
            if (reminder.kind is ReminderKind.TAKE_INHALER) != (reminder.product_id in daily):
                message = "A reminder to take an inhaler names one that is taken every day; others name none."
                refuse(f"reminders[{place}]", "reminder_without_inhaler", message)
    if not today < draft.review_on <= today + LONGEST_WITHOUT_REVIEW:
        refuse("review_on", "review_date", "Choose a review date from tomorrow up to a year ahead.")
    remarks.sort(key=lambda remark: remark.weight is Weight.CAUTION)
    checked = Checked(remarks=remarks, edition=guideline.id)
    if regimen is None or thresholds is None or about.age_years is None or checked.refused:
        return checked
    checked.instructions = _instructions(draft, regimen, thresholds, steroid, about)
    checked.difference = differences(about.before, content_of(draft))
    return checked


def content_of(draft: PlanDraft) -> PlanContent:
    return PlanContent(
        personal_best_litres_per_min=draft.personal_best_litres_per_min,
        meter=draft.meter,
        yellow_below_litres_per_min=draft.yellow_below_litres_per_min,
        red_below_litres_per_min=draft.red_below_litres_per_min,
        regimen=draft.regimen.read(),
        oral_steroid=_steroid(draft),
        extra=draft.extra_instructions.model_dump(),
        review_on=draft.review_on,
    )


def refuse_what_the_rules_refuse(checked: Checked) -> None:
    """Raises PlanRefused, with each refusal at its field."""
    if checked.refused:
        raise PlanRefused(fields=[FieldError(remark.path, remark.message, remark.code) for remark in checked.refused])


def usual_reminders(regimen: Regimen) -> list[Reminder]:
    """Daily inhalers at even hours of a waking day, and the morning's peak flow."""
    hours = {1: (8,), 2: (8, 20), 3: (8, 14, 20), 4: (8, 12, 16, 20)}
    doses = [
        Reminder(kind=ReminderKind.TAKE_INHALER, at=time(hour), product_id=prescription.product_id)
        for prescription in regimen.prescriptions
        for hour in hours.get(prescription.times_a_day, ())
    ]
    return [*doses, Reminder(kind=ReminderKind.MEASURE_PEAK_FLOW, at=time(8))]


def _steroid(draft: PlanDraft) -> action_plan.OralSteroid | None:
    course = draft.oral_steroid
    return None if course is None else action_plan.OralSteroid(course.milligrams_a_day, course.days)


def _check_thresholds(draft: PlanDraft, remarks: list[Remark]) -> ZoneThresholds | None:
    source = edition().citation("zones.yellow_below")
    try:
        thresholds = ZoneThresholds(draft.yellow_below_litres_per_min, draft.red_below_litres_per_min)
    except ValueError as reason:
        message = f"{reason}."[0].upper() + f"{reason}."[1:]
        remarks.append(
            Remark(
                weight=Weight.REFUSED,
                path="red_below_litres_per_min",
                code="thresholds_out_of_order",
                message=message,
                source=source,
            )
        )
        return None
    for code in action_plan.check_thresholds(thresholds, draft.personal_best_litres_per_min):
        above_best = code == "yellow_threshold_above_personal_best"
        remarks.append(
            Remark(
                weight=Weight.REFUSED if above_best else Weight.CAUTION,
                path="red_below_litres_per_min" if code.startswith("red") else "yellow_below_litres_per_min",
                code=code,
                message=f"{code.replace('_', ' ').capitalize()}.",
                source=source,
            )
        )
    return thresholds


def _check_oral_steroid(draft: PlanDraft, about: About, remarks: list[Remark]) -> action_plan.OralSteroid | None:
    steroid = _steroid(draft)
    if steroid is not None and about.age_years is not None:
        for code in action_plan.check_oral_steroid(steroid, about.age_years, about.weight_kg):
            remarks.append(
                Remark(
                    weight=Weight.CAUTION,
                    path="oral_steroid.milligrams_a_day",
                    code=code,
                    message=f"{code.replace('_', ' ').capitalize()}.",
                    source=edition().citation("oral_steroid.adult_mg"),
                )
            )
    return steroid


def _instructions(
    draft: PlanDraft,
    regimen: Regimen,
    thresholds: ZoneThresholds,
    steroid: action_plan.OralSteroid | None,
    about: About,
) -> Instructions:
    standard = action_plan.draft_action_plan(
        draft.personal_best_litres_per_min, regimen, about.age_years or 0, about.country, steroid
    )

    def within_zones(instruction: Instruction) -> Instruction:
        if instruction.code is not InstructionCode.START_ORAL_STEROID_BELOW:
            return instruction
        # The clinician's own thresholds may lie apart from the edition's: the line stays inside the yellow zone.
        line = int(instruction.values["litres_per_min"])
        inside = max(thresholds.red_below_litres_per_min, min(line, thresholds.yellow_below_litres_per_min))
        return replace(instruction, values={**instruction.values, "litres_per_min": inside})

    own = draft.extra_instructions.model_dump()
    return {
        language: {
            zone.value: [action_plan.render(within_zones(one), language) for one in standard.instructions[zone]]
            + own[zone.value]
            for zone in Zone
        }
        for language in LANGUAGES
    }
