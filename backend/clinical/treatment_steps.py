"""The legal adjustments of one patient's treatment. A model may order them; it can't add to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from backend.clinical.biologics import Biomarker, Biomarkers, fitting
from backend.clinical.control import ControlClass
from backend.clinical.guideline import Guideline, edition
from backend.clinical.ladder import DEFAULT_SABA, Rung, Step, Track, describe, rungs
from backend.clinical.medicines import Prescription, Regimen, Use, catalogue
from backend.clinical.red_flags import RedFlag, Urgency, advise
from backend.clinical.regimen_checks import Finding, Problem, Weight, check_regimen, is_legal

LAMA = "tiotropium_2_5_smi"


class Direction(StrEnum):
    KEEP = "keep"
    UP = "up"
    DOWN = "down"
    SWITCH = "switch"
    CORRECT = "correct"
    REFER = "refer"


class ChecklistItem(StrEnum):
    """What must be looked at before any step up (all guidelines)."""

    ADHERENCE = "adherence"
    TECHNIQUE = "technique"
    EXPOSURES = "exposures"
    COMORBIDITY = "comorbidity"
    DIAGNOSIS = "diagnosis"


class Against(StrEnum):
    """Why stepping down is not offered now."""

    CONTROL_NOT_KNOWN = "control_not_known"
    NOT_WELL_CONTROLLED = "not_well_controlled"
    NOT_WELL_CONTROLLED_FOR_LONG_ENOUGH = "not_well_controlled_for_long_enough"
    ATTACK_HISTORY_NOT_KNOWN = "attack_history_not_known"
    SEVERE_ATTACK_LAST_YEAR = "severe_attack_last_year"
    REDUCED_RECENTLY = "reduced_recently"
    INFECTION_NOW = "infection_now"
    TRAVELLING_SOON = "travelling_soon"
    PREGNANT = "pregnant"
    RISK_SEASON = "risk_season"
    SPECIALIST_DECIDES = "specialist_decides"
    LOWEST_SAFE_TREATMENT = "lowest_safe_treatment"
    NO_GRADUAL_STEP = "no_gradual_step"


class RelapseSign(StrEnum):
    """What to watch for after a step down; one of them means: back to the dose before (see relapse.py)."""

    MORE_SYMPTOMS = "more_symptoms"
    MORE_RELIEVER = "more_reliever"
    NIGHT_WAKING = "night_waking"
    LOWER_PEAK_FLOW = "lower_peak_flow"


class Silence(StrEnum):
    """Why there is no recommendation at all, or none to change."""

    EMERGENCY_FIRST = "emergency_first"
    NOT_ENOUGH_DATA = "not_enough_data"


@dataclass(frozen=True)
class PatientState:
    """What the rules need to know; None = not known, never "no". Checklist items: True = checked and in order."""

    age_years: float
    control: ControlClass
    well_controlled_days: int | None = None
    severe_attacks_last_year: int | None = None
    days_since_reduction: int | None = None
    infection_now: bool = False
    travelling_soon: bool = False
    pregnant: bool = False
    risk_season: bool = False
    red_flags: frozenset[RedFlag] = frozenset()
    checklist: dict[ChecklistItem, bool | None] = field(default_factory=dict)
    biomarkers: Biomarkers = field(default_factory=Biomarkers)


@dataclass(frozen=True)
class StepDownEligibility:
    eligible: bool
    against: tuple[Against, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Adjustment:
    """One legal change. `code` reads like up:T1.3 (direction, track, step) or up:T1.5:anti_il5; `regimen` is None for
    a referral, whose `measure_first` are the biomarkers that the choice of a biologic waits for.

    `checklist_open` lists what must be in order before a step up is signed. After a step down `watch` and `way_back`
    say what to look for and what to return to. `ics_change_percent` is None where doses can't be compared.
    """

    direction: Direction
    code: str
    regimen: Regimen | None
    step: Step | None
    ics_change_percent: float | None = None
    checklist_open: tuple[ChecklistItem, ...] = ()
    cautions: tuple[Finding, ...] = ()
    review_within_days: tuple[int, int] | None = None
    watch: tuple[RelapseSign, ...] = ()
    way_back: Regimen | None = None
    measure_first: tuple[Biomarker, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    adjustments: tuple[Adjustment, ...]
    silence: Silence | None
    step: Step | None
    findings: tuple[Finding, ...]
    step_down: StepDownEligibility
    edition: str

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(adjustment.code for adjustment in self.adjustments)


def needs_more(state: PatientState) -> bool:
    """Symptoms not well controlled, or a severe attack within the year even with few symptoms."""
    return state.control in {ControlClass.PARTLY_CONTROLLED, ControlClass.UNCONTROLLED} or bool(
        state.severe_attacks_last_year
    )


def step_down_eligibility(state: PatientState, guideline: Guideline | None = None) -> StepDownEligibility:
    """All reasons against stepping down now, not only the first (Reddel 2022, Australian Asthma Handbook)."""
    guideline = guideline or edition()
    adult = state.age_years >= guideline.number("steps.adult_from")
    long_enough = f"step_down.well_controlled_days_{'adult' if adult else 'child'}"
    against: list[Against] = []
    if state.control is ControlClass.NOT_ENOUGH_DATA:
        against.append(Against.CONTROL_NOT_KNOWN)
    elif state.control is not ControlClass.WELL_CONTROLLED:
        against.append(Against.NOT_WELL_CONTROLLED)
    elif state.well_controlled_days is None or state.well_controlled_days < guideline.number(long_enough):
        against.append(Against.NOT_WELL_CONTROLLED_FOR_LONG_ENOUGH)
    if state.severe_attacks_last_year is None:
        against.append(Against.ATTACK_HISTORY_NOT_KNOWN)
    elif state.severe_attacks_last_year > 0:
        against.append(Against.SEVERE_ATTACK_LAST_YEAR)
    if state.days_since_reduction is not None and state.days_since_reduction < guideline.number("step_down.interval"):
        against.append(Against.REDUCED_RECENTLY)
    circumstances = {
        Against.INFECTION_NOW: state.infection_now,
        Against.TRAVELLING_SOON: state.travelling_soon,
        Against.PREGNANT: state.pregnant,
        Against.RISK_SEASON: state.risk_season,
    }
    against.extend(reason for reason, holds in circumstances.items() if holds)
    sources = (guideline.citation(long_enough), guideline.citation("step_down.reduction_percent"))
    return StepDownEligibility(not against, tuple(against), sources)


def legal_adjustments(regimen: Regimen, state: PatientState, guideline: Guideline | None = None) -> Options:
    """Every legal adjustment of a regimen for this state, plus why stepping down is or is not possible.

    In an emergency there is none. A regimen that a check refuses can only be corrected. Nothing here is ever without
    inhaled steroid, nor a reliever or long-acting bronchodilator alone: each result passes `check_regimen`.
    """
    guideline = guideline or edition()
    findings = tuple(check_regimen(regimen, state.age_years, guideline))
    down = step_down_eligibility(state, guideline)
    current = describe(regimen, state.age_years, guideline) if _describable(findings) else None
    if advise(state.red_flags, guideline).urgency is Urgency.EMERGENCY:
        step = current.step if current else None
        return Options((), Silence.EMERGENCY_FIRST, step, findings, down, guideline.id)
    if current is None or not is_legal(regimen, state.age_years, guideline):
        corrections = tuple(_corrections(regimen, current, state, guideline))
        step = current.step if current else None
        return Options(corrections, None, step, findings, _not_now(down, Against.SPECIALIST_DECIDES), guideline.id)
    found = [Adjustment(Direction.KEEP, "keep", regimen, current.step, 0.0, sources=(guideline.title,))]
    if needs_more(state):
        found += _steps_up(current, state, guideline)
    if down.eligible:
        steps_down = _steps_down(current, state, guideline)
        if not steps_down:
            down = _not_now(down, _why_none(current))
        found += steps_down
    unknown = state.control is ControlClass.NOT_ENOUGH_DATA and not needs_more(state)
    silence = Silence.NOT_ENOUGH_DATA if unknown else None
    return Options(tuple(found), silence, current.step, findings, down, guideline.id)


def _why_none(current: Rung) -> Against:
    if current.regimen.has_lama or current.regimen.add_ons:
        return Against.SPECIALIST_DECIDES
    return Against.LOWEST_SAFE_TREATMENT if current.step.number <= 2 else Against.NO_GRADUAL_STEP


def _describable(findings: Iterable[Finding]) -> bool:
    return all(finding.problem not in {"dose_band_unknown", "age_not_covered"} for finding in findings)


def _not_now(down: StepDownEligibility, reason: Against) -> StepDownEligibility:
    return StepDownEligibility(False, (*down.against, reason), down.sources)


def _saba_of(regimen: Regimen) -> str:
    for prescription in regimen.relievers:
        if prescription.product.saba and not prescription.product.ics:
            return prescription.product_id
    return DEFAULT_SABA


def _is_adult(state: PatientState, guideline: Guideline) -> bool:
    return state.age_years >= guideline.number("steps.adult_from")


def _ladder(regimen: Regimen, state: PatientState, guideline: Guideline) -> tuple[Rung, ...]:
    return rungs(int(state.age_years), _saba_of(regimen), guideline.id)


def _closest(candidates: Iterable[Rung], current: Rung | None, guideline: Guideline) -> Rung | None:
    """The candidate that changes least: same steroid, same device, least change of dose, then the site's formulary."""
    preferred = guideline.codes("steps.preferred_products")

    def distance(rung: Rung) -> tuple[bool, bool, float, int, int]:
        main = rung.regimen.prescriptions[0]
        place = preferred.index(main.product_id) if main.product_id in preferred else len(preferred)
        if current is None:
            return False, False, 0.0, place, main.maintenance_inhalations_a_day
        change = abs(rung.micrograms_metered_a_day - current.micrograms_metered_a_day)
        other_steroid, other_device = rung.steroid != current.steroid, rung.device != current.device
        # Micrograms of different steroids can't be compared; there the formulary decides.
        return other_steroid, other_device, 0.0 if other_steroid else change, place, main.inhalations

    return min(candidates, key=distance, default=None)


def _adjust(
    direction: Direction, rung: Rung, current: Rung | None, state: PatientState, guideline: Guideline, source: str
) -> Adjustment:
    change = None
    comparable = current is not None and current.steroid == rung.steroid and rung.micrograms_metered_a_day
    if comparable and current is not None and current.micrograms_metered_a_day:
        change = 100 * (rung.micrograms_metered_a_day / current.micrograms_metered_a_day - 1)
    review_key = "step_down.review_after" if direction is Direction.DOWN else "steps.review_after_change"
    first, last = guideline.numbers(review_key)
    return Adjustment(
        direction=direction,
        code=f"{direction}:{rung.step}",
        regimen=rung.regimen,
        step=rung.step,
        ics_change_percent=change,
        checklist_open=_open_checklist(state) if direction in {Direction.UP, Direction.SWITCH} else (),
        cautions=tuple(check_regimen(rung.regimen, state.age_years, guideline)),
        review_within_days=(int(first), int(last)),
        watch=tuple(RelapseSign) if direction is Direction.DOWN else (),
        way_back=current.regimen if direction is Direction.DOWN and current else None,
        sources=(source, guideline.citation(review_key)),
    )


def _open_checklist(state: PatientState) -> tuple[ChecklistItem, ...]:
    return tuple(item for item in ChecklistItem if state.checklist.get(item) is not True)


def _corrections(regimen: Regimen, current: Rung | None, state: PatientState, guideline: Guideline) -> list[Adjustment]:
    if state.age_years < guideline.number("steps.youngest"):
        return []
    number = min(max(current.step.number if current else 2, 2), 4)
    wanted = [Step(Track.TWO, number)]
    if _is_adult(state, guideline):
        wanted.append(Step(Track.ONE, number))
        if current is None and needs_more(state):
            # NICE NG245: highly symptomatic, or after a severe attack, starts with low-dose MART.
            wanted.append(Step(Track.ONE, 3))
    found = []
    for step in wanted:
        steps = [rung for rung in _ladder(regimen, state, guideline) if rung.step == step]
        if rung := _closest(steps, current, guideline):
            source = guideline.citation("steps.adult_from")
            corrected = _adjust(Direction.CORRECT, rung, current, state, guideline, source)
            found.append(_with_add_ons(corrected, rung, regimen, state, guideline))
    return found


def _with_add_ons(
    corrected: Adjustment, rung: Rung, regimen: Regimen, state: PatientState, guideline: Guideline
) -> Adjustment:
    """Correcting the inhalers stops no add-on, unless that is what the rules refuse."""
    kept = Regimen(rung.regimen.prescriptions, regimen.add_ons)
    described = describe(kept, state.age_years, guideline)
    if described is None or not is_legal(kept, state.age_years, guideline):
        return corrected
    cautions = tuple(check_regimen(kept, state.age_years, guideline))
    return replace(corrected, regimen=kept, step=described.step, cautions=cautions)


def _steps_up(current: Rung, state: PatientState, guideline: Guideline) -> list[Adjustment]:
    adult = _is_adult(state, guideline)
    ladder = _ladder(current.regimen, state, guideline)
    number = current.step.number
    found: list[Adjustment] = []

    def offer(direction: Direction, track: Track, step: int, *, laba: bool | None = None, source: str) -> None:
        candidates = [
            rung
            for rung in ladder
            if rung.step == Step(track, step) and (laba is None or rung.has_laba is laba) and rung != current
        ]
        if track is current.step.track:
            # A step up on the same track never lowers the dose of the same steroid.
            candidates = [
                rung
                for rung in candidates
                if rung.steroid != current.steroid or rung.micrograms_metered_a_day >= current.micrograms_metered_a_day
            ]
        if rung := _closest(candidates, current, guideline):
            found.append(_adjust(direction, rung, current, state, guideline, source))

    ladder_source = guideline.citation("steps.adult_from")
    switch_source = guideline.citation("step_down.review_after")
    if number < 4:
        if current.step.track is Track.ONE:
            if number == 3 and adult and _once_a_day(current.regimen):
                same = [
                    rung
                    for rung in ladder
                    if rung.step == current.step
                    and rung.steroid == current.steroid
                    and rung.regimen.prescriptions[0].product_id == current.regimen.prescriptions[0].product_id
                    and rung.micrograms_metered_a_day > current.micrograms_metered_a_day
                ]
                if rung := _closest(same, current, guideline):
                    found.append(_adjust(Direction.UP, rung, current, state, guideline, ladder_source))
            offer(Direction.UP, Track.ONE, number + 1, source=ladder_source)
        else:
            offer(Direction.UP, Track.TWO, number + 1, laba=number >= 2 or None, source=ladder_source)
            if not adult and number == 2:
                offer(Direction.UP, Track.TWO, 3, laba=False, source=ladder_source)
    if current.step.track is Track.TWO:
        if number == 2 or (not adult and number == 3):
            offer(Direction.UP, Track.ONE, number + 1, source=ladder_source)
        elif adult and number in {1, 3, 4}:
            offer(Direction.SWITCH, Track.ONE, max(number, 2), source=switch_source)
    if adult and number == 4 and current.has_laba:
        found += _with_lama(current, state, guideline)
    if adult and number == 5:
        found += _with_biologic(current, state, guideline)
    if number >= (4 if adult else 3):
        measure = state.biomarkers.unmeasured if adult and not current.regimen.biologics else ()
        found.append(Adjustment(Direction.REFER, "refer", None, None, measure_first=measure, sources=(ladder_source,)))
    return found


def _once_a_day(regimen: Regimen) -> bool:
    return any(p.use is Use.MAINTENANCE_AND_RELIEVER and p.times_a_day == 1 for p in regimen.prescriptions)


def _with_lama(current: Rung, state: PatientState, guideline: Guideline) -> list[Adjustment]:
    inhalations, times = catalogue()[LAMA].maintenance[0]
    regimen = Regimen(
        (*current.regimen.prescriptions, Prescription(LAMA, Use.MAINTENANCE, inhalations, times)),
        current.regimen.add_ons,
    )
    rung = describe(regimen, state.age_years, guideline)
    if rung is None or not is_legal(regimen, state.age_years, guideline):
        return []
    source = guideline.citation("steps.high_dose_months")
    return [_adjust(Direction.UP, rung, current, state, guideline, source)]


def _with_biologic(current: Rung, state: PatientState, guideline: Guideline) -> list[Adjustment]:
    """Each kind that suits the biomarkers, where medium or high-dose ICS-LABA has not been enough. In pregnancy and
    with a biologic already, the specialist decides."""
    enough_attacks = guideline.number("biologic.severe_attacks_a_year_from")
    severe = (state.severe_attacks_last_year or 0) >= enough_attacks or state.control is ControlClass.UNCONTROLLED
    if not severe or state.pregnant or current.regimen.biologics:
        return []
    found = []
    for biologic, source in fitting(state.biomarkers, current.regimen, state.age_years, guideline):
        regimen = Regimen(current.regimen.prescriptions, current.regimen.add_ons | {biologic.kind})
        problems = check_regimen(regimen, state.age_years, guideline)
        rung = describe(regimen, state.age_years, guideline)
        unfit = any(f.weight is Weight.REFUSED or f.problem is Problem.BIOLOGIC_WITHOUT_ICS_LABA for f in problems)
        if rung is None or unfit:
            continue
        up = _adjust(Direction.UP, rung, current, state, guideline, source)
        found.append(replace(up, code=f"{up.code}:{biologic.kind}", sources=(*up.sources, biologic.source)))
    return found


def _steps_down(current: Rung, state: PatientState, guideline: Guideline) -> list[Adjustment]:
    """25-50 % less of the same steroid; at a low dose, without the LABA or as needed; never without ICS."""
    if current.regimen.has_lama or current.regimen.add_ons:
        return []
    ladder = _ladder(current.regimen, state, guideline)
    least, most = guideline.numbers("step_down.reduction_percent")
    dose = current.micrograms_metered_a_day

    def reduced(rung: Rung) -> bool:
        return (
            rung.step.track is current.step.track
            and rung.steroid == current.steroid
            and rung.has_laba is current.has_laba
            and dose > 0
            and least <= 100 * (1 - rung.micrograms_metered_a_day / dose) <= most
        )

    source = guideline.citation("step_down.reduction_percent")
    smaller = [rung for rung in ladder if reduced(rung)]
    options = [rung for rung in smaller if rung.device == current.device]
    if current.step.track is Track.ONE:
        # Another strength would change the reliever dose too.
        own = current.regimen.prescriptions[0].product_id
        options = [rung for rung in options if rung.regimen.prescriptions[0].product_id == own] or options
    if current.step.number == 3 and current.step.track is Track.TWO and current.has_laba:
        options += _without_laba(current, ladder, guideline)
    if current.step == Step(Track.ONE, 3) and not options and _is_adult(state, guideline):
        as_needed = [rung for rung in ladder if rung.step == Step(Track.ONE, 2)]
        options += [rung for rung in [_closest(as_needed, current, guideline)] if rung]
    if current.step == Step(Track.ONE, 3) and not _is_adult(state, guideline):
        options += _without_laba(current, ladder, guideline)
    if current.step == Step(Track.TWO, 2) and _is_adult(state, guideline):
        as_needed = [rung for rung in ladder if rung.step == Step(Track.ONE, 2)]
        options += [rung for rung in [_closest(as_needed, current, guideline)] if rung]
    return [_adjust(Direction.DOWN, rung, current, state, guideline, source) for rung in options or smaller]


def _without_laba(current: Rung, ladder: tuple[Rung, ...], guideline: Guideline) -> list[Rung]:
    """The same low dose of steroid without the LABA, or the formulary's where that steroid is not sold alone."""
    low = [rung for rung in ladder if rung.step == Step(Track.TWO, 2)]
    same = [
        rung
        for rung in low
        if rung.steroid == current.steroid and rung.micrograms_metered_a_day == current.micrograms_metered_a_day
    ]
    other = [rung for rung in low if rung.steroid != current.steroid]
    found = _closest(same or other, current, guideline)
    return [found] if found else []
