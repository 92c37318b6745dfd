"""A written action plan as data: thresholds in L/min and, for each zone, what to do, as codes with their numbers.

`render()` turns an instruction into a sentence of the patient's language, from `action_plan_wording.toml`.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path

from backend.clinical.biologics import biologics
from backend.clinical.guideline import Guideline, GuidelineError, edition
from backend.clinical.medicines import AddOn, Prescription, Regimen, Use, inhalation_limits
from backend.clinical.peak_flow import Zone, ZoneThresholds, thresholds_from_personal_best
from backend.clinical.red_flags import emergency_number

LANGUAGES = ("en", "ko", "et")


class InstructionCode(StrEnum):
    TAKE_MAINTENANCE = "take_maintenance"
    TAKE_RELIEVER_FOR_SYMPTOMS = "take_reliever_for_symptoms"
    RELIEVER_CEILING = "reliever_ceiling"
    KEEP_BIOLOGIC = "keep_biologic"
    KEEP_MONTELUKAST = "keep_montelukast"
    KEEP_ORAL_STEROID = "keep_oral_steroid"
    KEEP_TAKING_MAINTENANCE = "keep_taking_maintenance"
    MEASURE_TWICE_A_DAY = "measure_twice_a_day"
    START_ORAL_STEROID = "start_oral_steroid"
    START_ORAL_STEROID_BELOW = "start_oral_steroid_below"
    CALL_CLINIC_IF_NO_BETTER = "call_clinic_if_no_better"
    CALL_CLINIC_TODAY = "call_clinic_today"
    CALL_EMERGENCY = "call_emergency"
    TAKE_RESCUE_SABA = "take_rescue_saba"
    TAKE_RESCUE_ICS_FORMOTEROL = "take_rescue_ics_formoterol"
    SIT_UPRIGHT = "sit_upright"


@dataclass(frozen=True)
class Instruction:
    code: InstructionCode
    values: dict[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class OralSteroid:
    """A course that the clinician allows the patient to start; daily milligrams of prednisolone."""

    milligrams_a_day: float
    days: int

    def __post_init__(self) -> None:
        if not 0 < self.milligrams_a_day <= 60 or not 1 <= self.days <= 14:
            raise ValueError("a course of prednisolone is at most 60 mg a day and 14 days")


@dataclass(frozen=True)
class ActionPlanDraft:
    thresholds: ZoneThresholds
    instructions: dict[Zone, tuple[Instruction, ...]]
    edition: str
    sources: tuple[str, ...]


def draft_action_plan(
    personal_best_litres_per_min: float,
    regimen: Regimen,
    age_years: float,
    country: str = "KR",
    oral_steroid: OralSteroid | None = None,
    guideline: Guideline | None = None,
) -> ActionPlanDraft:
    """A plan for a clinician to change and sign; oral steroid appears only when the clinician allows it."""
    guideline = guideline or edition()
    thresholds = thresholds_from_personal_best(personal_best_litres_per_min, guideline)
    maintenance = [p for p in regimen.prescriptions if p.use is not Use.AS_NEEDED]
    reliever = tuple(_reliever(regimen, age_years, guideline))
    no_better_after = int(guideline.number("action_plan.no_better_after"))
    ask_for_help = [Instruction(InstructionCode.CALL_CLINIC_IF_NO_BETTER, {"days": no_better_after})]
    steroid: list[Instruction] = []
    if oral_steroid is not None:
        values: dict[str, str | int | float] = {
            "milligrams": oral_steroid.milligrams_a_day,
            "days": oral_steroid.days,
        }
        steroid = [Instruction(InstructionCode.START_ORAL_STEROID, values)]
        below = thresholds.oral_steroid_below_litres_per_min
        ask_for_help.insert(
            0, Instruction(InstructionCode.START_ORAL_STEROID_BELOW, {**values, "litres_per_min": below or 0})
        )
    return ActionPlanDraft(
        thresholds=thresholds,
        instructions={
            Zone.GREEN: (
                *(_daily(InstructionCode.TAKE_MAINTENANCE, p) for p in maintenance),
                *_add_ons(regimen),
                *reliever,
            ),
            Zone.YELLOW: (
                *(_daily(InstructionCode.KEEP_TAKING_MAINTENANCE, p) for p in maintenance),
                *reliever,
                Instruction(InstructionCode.MEASURE_TWICE_A_DAY),
                *ask_for_help,
            ),
            Zone.RED: (
                Instruction(InstructionCode.CALL_EMERGENCY, {"number": emergency_number(country)}),
                Instruction(InstructionCode.SIT_UPRIGHT),
                _rescue(regimen, guideline),
                *steroid,
            ),
        },
        edition=guideline.id,
        sources=(
            guideline.citation("zones.yellow_below"),
            guideline.citation("zones.red_below"),
            guideline.citation("zones.oral_steroid_below"),
        ),
    )


def suggested_oral_steroid(
    age_years: float, weight_kg: float | None, guideline: Guideline | None = None
) -> OralSteroid | None:
    """The edition's course, to prefill the form; None below 12 years (not sourced) or without a needed weight."""
    guideline = guideline or edition()
    if age_years >= 18:
        milligrams = guideline.numbers("oral_steroid.adult_mg")[0]
        return OralSteroid(milligrams, int(guideline.numbers("oral_steroid.adult_days")[0]))
    if age_years < guideline.number("steps.adult_from") or weight_kg is None:
        return None
    by_weight = weight_kg * guideline.number("oral_steroid.adolescent_mg_per_kg")
    most = guideline.number("oral_steroid.adolescent_most_mg")
    return OralSteroid(min(round(by_weight), most), int(guideline.number("oral_steroid.adolescent_days")))


def check_oral_steroid(
    course: OralSteroid, age_years: float, weight_kg: float | None, guideline: Guideline | None = None
) -> list[str]:
    """Codes of what differs from the edition's course; for ages or weights without one, that it can't be checked."""
    guideline = guideline or edition()
    usual = suggested_oral_steroid(age_years, weight_kg, guideline)
    if usual is None:
        return ["oral_steroid_dose_cannot_be_checked"]
    milligrams, days = (usual.milligrams_a_day, usual.milligrams_a_day), (usual.days, usual.days)
    if age_years >= 18:
        milligrams = (usual.milligrams_a_day, guideline.numbers("oral_steroid.adult_mg")[1])
        days = (usual.days, int(guideline.numbers("oral_steroid.adult_days")[1]))
    questions = []
    if not milligrams[0] <= course.milligrams_a_day <= milligrams[1]:
        questions.append("oral_steroid_dose_differs_from_the_edition")
    if not days[0] <= course.days <= days[1]:
        questions.append("oral_steroid_days_differ_from_the_edition")
    return questions


def check_thresholds(
    thresholds: ZoneThresholds, personal_best_litres_per_min: float, guideline: Guideline | None = None
) -> list[str]:
    """Codes of what a clinician should look at before signing thresholds; order itself is held by `ZoneThresholds`."""
    guideline = guideline or edition()
    questions = []
    if thresholds.yellow_below_litres_per_min > personal_best_litres_per_min:
        questions.append("yellow_threshold_above_personal_best")
    red_percent = 100 * thresholds.red_below_litres_per_min / personal_best_litres_per_min
    if red_percent < guideline.number("red_flags.life_threatening_below"):
        questions.append("red_threshold_below_a_third_of_personal_best")
    usual = thresholds_from_personal_best(personal_best_litres_per_min, guideline)
    if thresholds.yellow_below_litres_per_min < usual.yellow_below_litres_per_min:
        questions.append("yellow_threshold_below_the_edition")
    if thresholds.red_below_litres_per_min < usual.red_below_litres_per_min:
        questions.append("red_threshold_below_the_edition")
    return questions


def render(instruction: Instruction, language: str) -> str:
    """The sentence of an instruction; raises `GuidelineError` for a language without wording."""
    if language not in LANGUAGES:
        raise GuidelineError(f"there is no action-plan wording in {language!r}; known: {', '.join(LANGUAGES)}")
    values = {
        key: f"{value:g}" if isinstance(value, int | float) else value for key, value in instruction.values.items()
    }
    return string.Template(_wording()[instruction.code][language]).substitute(values)


@cache
def _wording() -> dict[str, dict[str, str]]:
    path = Path(__file__).parent / "action_plan_wording.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _daily(code: InstructionCode, prescription: Prescription) -> Instruction:
    values: dict[str, str | int | float] = {
        "inhaler": prescription.product.name,
        "inhalations": prescription.inhalations,
        "times": prescription.times_a_day,
    }
    return Instruction(code, values)


def _add_ons(regimen: Regimen) -> Iterator[Instruction]:
    for kind in regimen.biologics:
        # Of one whose kind is not recorded there is nothing to say.
        if kind in biologics():
            yield Instruction(InstructionCode.KEEP_BIOLOGIC, {"name": biologics()[kind].name})
    if AddOn.MONTELUKAST in regimen.add_ons:
        yield Instruction(InstructionCode.KEEP_MONTELUKAST)
    if AddOn.ORAL_STEROID_MAINTENANCE in regimen.add_ons:
        yield Instruction(InstructionCode.KEEP_ORAL_STEROID)


def _reliever(regimen: Regimen, age_years: float, guideline: Guideline) -> Iterator[Instruction]:
    for prescription in regimen.relievers:
        inhaler = prescription.product
        mart = prescription.use is Use.MAINTENANCE_AND_RELIEVER
        puffs = inhaler.as_needed_inhalations if mart else prescription.inhalations
        yield Instruction(InstructionCode.TAKE_RELIEVER_FOR_SYMPTOMS, {"inhaler": inhaler.name, "inhalations": puffs})
        most = inhalation_limits(prescription, age_years, guideline).most_a_day
        if most is not None:
            yield Instruction(InstructionCode.RELIEVER_CEILING, {"inhaler": inhaler.name, "most": most})


def _rescue(regimen: Regimen, guideline: Guideline) -> Instruction:
    if regimen.reliever_is_ics_formoterol:
        inhaler = regimen.relievers[0].product
        most = inhaler.most_at_once or int(guideline.number("formoterol.most_at_once"))
        return Instruction(
            InstructionCode.TAKE_RESCUE_ICS_FORMOTEROL,
            {"inhaler": inhaler.name, "inhalations": inhaler.as_needed_inhalations, "most_at_once": most},
        )
    return Instruction(
        InstructionCode.TAKE_RESCUE_SABA,
        {
            "fewest": int(guideline.number("red_flags.rescue_puffs_fewest")),
            "most": int(guideline.number("red_flags.rescue_puffs_most")),
            "minutes": int(guideline.number("red_flags.rescue_repeat_after")),
        },
    )
