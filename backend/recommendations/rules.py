"""When a treatment is worth a decision, which changes may be offered, and how long a clinician's answers stand."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from backend.clinical.adherence import AdherenceClass
from backend.clinical.control import ControlClass
from backend.clinical.guideline import Guideline, GuidelineError, edition
from backend.clinical.ladder import Rung, describe
from backend.clinical.medicines import Regimen
from backend.clinical.regimen_checks import Weight, check_regimen, is_legal
from backend.clinical.reliever import RelieverBurst, RelieverOveruse
from backend.clinical.risk_factors import RiskFactor
from backend.clinical.treatment_steps import (
    Adjustment,
    ChecklistItem,
    Direction,
    Options,
    PatientState,
    RelapseSign,
    Silence,
    legal_adjustments,
)


class CheckCode(StrEnum):
    """The checklist of a step up, circumstances that forbid a step down, and risk factors only a clinician knows."""

    ADHERENCE = "adherence"
    TECHNIQUE = "technique"
    EXPOSURES = "exposures"
    COMORBIDITY = "comorbidity"
    DIAGNOSIS = "diagnosis"
    INFECTION_NOW = "infection_now"
    TRAVELLING_SOON = "travelling_soon"
    PREGNANT = "pregnant"
    RISK_SEASON = "risk_season"
    EVER_INTENSIVE_CARE = "ever_intensive_care"
    SMOKING_OR_VAPING = "smoking_or_vaping"
    OBESITY = "obesity"
    RHINOSINUSITIS = "rhinosinusitis"
    REFLUX = "reflux"
    FOOD_ALLERGY = "food_allergy"
    ALLERGEN_EXPOSURE = "allergen_exposure"
    PSYCHOSOCIAL_PROBLEMS = "psychosocial_problems"


CHECKLIST = tuple(CheckCode(item.value) for item in ChecklistItem)
CIRCUMSTANCES = (CheckCode.INFECTION_NOW, CheckCode.TRAVELLING_SOON, CheckCode.PREGNANT, CheckCode.RISK_SEASON)
RISK_FACTORS = tuple(code for code in CheckCode if code not in {*CHECKLIST, *CIRCUMSTANCES})

# For how many days an answer stands; product decisions without a source. What is not listed stands until it is changed.
STANDS_FOR_DAYS = {
    **dict.fromkeys(CHECKLIST, 90),
    CheckCode.INFECTION_NOW: 14,
    CheckCode.TRAVELLING_SOON: 28,
    CheckCode.PREGNANT: 280,
    CheckCode.RISK_SEASON: 90,
}


def still_stands(code: CheckCode, checked_on: date, today: date) -> bool:
    days = STANDS_FOR_DAYS.get(code)
    return days is None or (today - checked_on).days < days


def reported_factors(checks: Collection[CheckCode]) -> frozenset[RiskFactor]:
    """The risk factors that a clinician has ticked."""
    found = {RiskFactor(code.value) for code in checks if code in RISK_FACTORS}
    return frozenset(found | ({RiskFactor.PREGNANCY} if CheckCode.PREGNANT in checks else set()))


@dataclass(frozen=True)
class Clues:
    """What could ask for a decision. `relapse` are signs since a step down that is still watched."""

    control: ControlClass
    adherence: AdherenceClass
    burst: RelieverBurst
    overuse: RelieverOveruse
    last_severe_attack_on: date | None = None
    relapse: tuple[RelapseSign, ...] = ()
    new_biomarkers: tuple[str, ...] = ()


def reasons(clues: Clues, options: Options) -> list[str]:
    """Why the treatment should be looked at now, the weightiest first; empty when nothing asks for it.

    A reason names its occasion where it can come again: `severe_attack:2026-11-03` is another than that of next month.
    """
    found = []
    if any(finding.weight is Weight.REFUSED for finding in options.findings):
        found.append("regimen_not_legal")
    found += [f"relapse:{sign.value}" for sign in clues.relapse]
    if clues.last_severe_attack_on is not None:
        found.append(f"severe_attack:{clues.last_severe_attack_on.isoformat()}")
    if clues.control in {ControlClass.UNCONTROLLED, ControlClass.PARTLY_CONTROLLED}:
        found.append(clues.control.value)
    if clues.burst is RelieverBurst.BURST:
        found.append("reliever_burst")
    if clues.overuse is RelieverOveruse.OVERUSE:
        found.append("reliever_overuse")
    if clues.adherence is AdherenceClass.POOR:
        found.append("poor_adherence")
    if any(option.direction is Direction.DOWN for option in options.adjustments):
        found.append("step_down_possible")
    changes = any(option.direction is not Direction.KEEP for option in options.adjustments)
    if changes:
        found += [f"biomarker:{biomarker}" for biomarker in clues.new_biomarkers]
    return found


def options_for(
    regimen: Regimen,
    state: PatientState,
    relapse: Collection[RelapseSign] = (),
    way_back: Regimen | None = None,
    guideline: Guideline | None = None,
) -> Options:
    """The legal adjustments; after a step down with signs of relapse, the regimen before it as well.

    The way back needs no checklist: that dose was right for this patient. It is offered only where every rule allows
    it, and never in an emergency.
    """
    guideline = guideline or edition()
    options = legal_adjustments(regimen, state, guideline)
    if not relapse or way_back is None or options.silence is Silence.EMERGENCY_FIRST or way_back == regimen:
        return options
    rung = describe(way_back, state.age_years, guideline) if is_legal(way_back, state.age_years, guideline) else None
    if rung is None:
        return options
    first, last = guideline.numbers("steps.review_after_change")
    back = Adjustment(
        direction=Direction.UP,
        code=f"back:{rung.step}",
        regimen=way_back,
        step=rung.step,
        ics_change_percent=_ics_change(_described(regimen, state.age_years, guideline), rung),
        cautions=tuple(check_regimen(way_back, state.age_years, guideline)),
        review_within_days=(int(first), int(last)),
        sources=(guideline.citation("step_down.review_after"),),
    )
    others = tuple(
        option
        for option in options.adjustments
        if option.direction is not Direction.DOWN
        and not (option.regimen is not None and same_regimen(option.regimen, way_back))
    )
    return replace(options, adjustments=(back, *others), silence=None)


def _described(regimen: Regimen, age_years: float, guideline: Guideline) -> Rung | None:
    """None too for what was legal once and has no dose band in this edition or at this age."""
    try:
        return describe(regimen, age_years, guideline)
    except GuidelineError:
        return None


def _ics_change(before: Rung | None, after: Rung) -> float | None:
    if before is None or before.steroid != after.steroid or not before.micrograms_metered_a_day:
        return None
    return 100 * (after.micrograms_metered_a_day / before.micrograms_metered_a_day - 1)


@dataclass(frozen=True)
class Shown:
    """A recommendation as it stands: what it rests on, so that the next one can be told from it."""

    reasons: frozenset[str]
    codes: frozenset[str]
    plan_version: int
    advice_status: str
    quiet_until: date | None = None


class Step(StrEnum):
    KEEP = "keep"
    MAKE = "make"
    EXPIRE = "expire"
    REPLACE = "replace"


def next_step(now: Shown, open_one: Shown | None, decided: Shown | None, today: date) -> Step:
    """What to do with the picture of now: nothing, a first recommendation, or one in place of the open one.

    What was decided is not asked again before its review, unless a reason is new.
    """
    asked = bool(now.reasons) and bool(now.codes)
    if asked and decided is not None and decided.quiet_until is not None and today < decided.quiet_until:
        asked = not now.reasons <= decided.reasons
    if open_one is None:
        return Step.MAKE if asked else Step.KEEP
    if not asked:
        return Step.EXPIRE
    same = (open_one.reasons, open_one.codes, open_one.plan_version, open_one.advice_status) == (
        now.reasons,
        now.codes,
        now.plan_version,
        now.advice_status,
    )
    return Step.KEEP if same else Step.REPLACE


def quiet_until(today: date, review_on: date | None, guideline: Guideline | None = None) -> date:
    """The day from which the same reasons may ask again: the review date, or the edition's earliest review."""
    first, _ = (guideline or edition()).numbers("steps.review_after_change")
    return review_on or today + timedelta(days=int(first))


def direction_of(before: Regimen | None, after: Regimen, age_years: float) -> Direction:
    """Whether a signed regimen is more, less or other than the one before; a first one counts as a correction."""
    if before is None:
        return Direction.CORRECT
    if same_regimen(before, after):
        return Direction.KEEP
    old, new = _described(before, age_years, edition()), _described(after, age_years, edition())
    if old is None or new is None:
        return Direction.CORRECT
    same_steroid = old.steroid == new.steroid
    more = same_steroid and new.micrograms_metered_a_day > old.micrograms_metered_a_day
    less = same_steroid and new.micrograms_metered_a_day < old.micrograms_metered_a_day
    added = (new.has_laba and not old.has_laba) or (after.has_lama and not before.has_lama)
    if new.step.number > old.step.number or more or added or after.add_ons - before.add_ons:
        return Direction.UP
    if new.step.number < old.step.number or less:
        return Direction.DOWN
    return Direction.SWITCH


def same_regimen(one: Regimen, other: Regimen) -> bool:
    """The order in which inhalers are listed makes no treatment."""
    return set(one.prescriptions) == set(other.prescriptions) and one.add_ons == other.add_ons


def unanswered(checks: Iterable[CheckCode]) -> tuple[CheckCode, ...]:
    """Items of the checklist that nobody has answered within their time."""
    answered = set(checks)
    return tuple(item for item in CHECKLIST if item not in answered)
