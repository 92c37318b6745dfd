from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.clinical.control import ControlClass
from backend.clinical.guideline import edition
from backend.clinical.ladder import Step, Track, describe, rungs
from backend.clinical.medicines import Prescription, Regimen, Use, daily_ics
from backend.clinical.red_flags import ANSWERABLE
from backend.clinical.regimen_checks import Problem, check_regimen, is_legal
from backend.clinical.treatment_steps import (
    Against,
    ChecklistItem,
    Direction,
    PatientState,
    RelapseSign,
    Silence,
    legal_adjustments,
    step_down_eligibility,
)
from tests.clinical.test_medicines import regimens

MART_LOW = Regimen((Prescription("budesonide_formoterol_200_6_dpi", Use.MAINTENANCE_AND_RELIEVER, 1, 2),))
CONTROL = list(ControlClass)

states = st.builds(
    PatientState,
    age_years=st.floats(4, 90),
    control=st.sampled_from(CONTROL),
    well_controlled_days=st.one_of(st.none(), st.integers(0, 400)),
    severe_attacks_last_year=st.one_of(st.none(), st.integers(0, 4)),
    days_since_reduction=st.one_of(st.none(), st.integers(0, 400)),
    infection_now=st.booleans(),
    pregnant=st.booleans(),
    red_flags=st.frozensets(st.sampled_from(ANSWERABLE), max_size=1),
)


def legal_rungs(age: float) -> st.SearchStrategy[Regimen]:
    return st.sampled_from([rung.regimen for rung in rungs(int(age))])


@settings(max_examples=150)
@given(states, st.data())
def test_every_offered_treatment_is_legal_and_holds_steroid_and_a_reliever(
    state: PatientState, data: st.DataObject
) -> None:
    of_the_ladder = legal_rungs(state.age_years) if state.age_years >= 6 else regimens
    regimen = data.draw(st.one_of(regimens, of_the_ladder))
    for adjustment in legal_adjustments(regimen, state).adjustments:
        if adjustment.direction is Direction.REFER:
            continue
        assert adjustment.regimen is not None
        assert is_legal(adjustment.regimen, state.age_years)
        assert adjustment.regimen.contains_ics
        assert adjustment.regimen.relievers
        assert adjustment.sources


@settings(max_examples=150)
@given(states, st.data())
def test_stepping_down_takes_a_quarter_to_a_half_or_the_laba_and_always_knows_the_way_back(
    state: PatientState, data: st.DataObject
) -> None:
    age = max(state.age_years, 6)
    regimen = data.draw(legal_rungs(age))
    state = PatientState(**{**state.__dict__, "age_years": age})
    options = legal_adjustments(regimen, state)
    downs = [each for each in options.adjustments if each.direction is Direction.DOWN]
    if downs:
        assert state.control is ControlClass.WELL_CONTROLLED
        assert state.severe_attacks_last_year == 0
        assert options.step_down.eligible
    for down in downs:
        assert down.regimen is not None
        assert down.way_back == regimen
        assert down.watch == tuple(RelapseSign)
        assert down.review_within_days == (28, 42)
        before, after = daily_ics(regimen, age).metered, daily_ics(down.regimen, age).metered
        if down.ics_change_percent not in {None, 0}:
            assert 0.5 <= after / before <= 0.75


@settings(max_examples=100)
@given(states, st.data())
def test_stepping_up_is_offered_only_for_cause_and_never_below_the_present_step(
    state: PatientState, data: st.DataObject
) -> None:
    age = max(state.age_years, 6)
    regimen = data.draw(legal_rungs(age))
    options = legal_adjustments(regimen, PatientState(**{**state.__dict__, "age_years": age}))
    ups = [each for each in options.adjustments if each.direction in {Direction.UP, Direction.SWITCH}]
    if ups:
        poor = state.control in {ControlClass.PARTLY_CONTROLLED, ControlClass.UNCONTROLLED}
        assert poor or state.severe_attacks_last_year
        assert options.step is not None
        assert all(up.step is not None and up.step.number >= options.step.number for up in ups)


@given(states)
def test_an_emergency_comes_before_any_adjustment(state: PatientState) -> None:
    options = legal_adjustments(MART_LOW, state)
    if state.red_flags:
        assert options.silence is Silence.EMERGENCY_FIRST
        assert options.adjustments == ()


@given(states, st.integers(1, 200))
def test_more_quiet_days_never_remove_the_chance_to_step_down(state: PatientState, more: int) -> None:
    longer = PatientState(**{**state.__dict__, "well_controlled_days": (state.well_controlled_days or 0) + more})
    assert step_down_eligibility(longer).eligible >= step_down_eligibility(state).eligible


@given(states, st.integers(0, 4), st.integers(0, 4))
def test_more_attacks_never_make_stepping_down_easier(state: PatientState, first: int, second: int) -> None:
    few, many = sorted((first, second))
    fewer = PatientState(**{**state.__dict__, "severe_attacks_last_year": few})
    more = PatientState(**{**state.__dict__, "severe_attacks_last_year": many})
    assert step_down_eligibility(more).eligible <= step_down_eligibility(fewer).eligible


@pytest.mark.parametrize("age", [6, 8, 11, 12, 14, 17, 18, 40, 80])
def test_from_every_rung_the_way_down_is_gradual_and_the_way_up_is_not_below(age: int) -> None:
    quiet = PatientState(age, ControlClass.WELL_CONTROLLED, 200, 0)
    poor = PatientState(age, ControlClass.UNCONTROLLED, 0, 1)
    offered = 0
    for rung in rungs(age):
        dose = rung.micrograms_metered_a_day
        for down in legal_adjustments(rung.regimen, quiet).adjustments[1:]:
            offered += 1
            assert down.direction is Direction.DOWN
            assert (down.way_back, down.review_within_days) == (rung.regimen, (28, 42))
            assert down.watch == tuple(RelapseSign)
            assert down.regimen is not None
            assert is_legal(down.regimen, age)
            after = describe(down.regimen, age)
            assert after is not None
            if after.steroid == rung.steroid and after.micrograms_metered_a_day:
                # The same dose without the LABA, or 25-50 % less.
                without_laba = rung.has_laba and not after.has_laba and after.micrograms_metered_a_day == dose
                assert without_laba or 0.5 <= after.micrograms_metered_a_day / dose <= 0.75
            else:
                assert rung.step.number <= 3, "only a low dose becomes as-needed, or another steroid"
        for up in legal_adjustments(rung.regimen, poor).adjustments[1:]:
            offered += 1
            if up.direction is Direction.REFER:
                continue
            assert up.regimen is not None
            assert is_legal(up.regimen, age)
            assert up.step is not None
            assert up.step.number >= rung.step.number
            assert up.review_within_days == (60, 90)
    assert offered > len(rungs(age))


def test_between_two_reductions_lie_ninety_days() -> None:
    def eligible(days: int) -> bool:
        state = PatientState(40, ControlClass.WELL_CONTROLLED, 200, 0, days_since_reduction=days)
        return step_down_eligibility(state).eligible

    assert not eligible(89)
    assert eligible(90)


def test_high_dose_steroid_is_shown_with_its_end() -> None:
    high = Regimen(
        (
            Prescription("fluticasone_salmeterol_500_50_dpi", Use.MAINTENANCE, 1, 2),
            Prescription("salbutamol_100_pmdi", Use.AS_NEEDED, 2),
        )
    )
    caution = next(f for f in check_regimen(high, 40) if f.problem is Problem.HIGH_DOSE_STEROID)
    assert "3 to 6 months" in caution.message


def test_very_low_dose_mart_for_a_child_is_one_inhalation_of_100_micrograms() -> None:
    assert edition().number("steps.child_very_low_mart") == 100


def test_the_checklist_stays_open_until_every_item_is_in_order() -> None:
    checked: dict[ChecklistItem, bool | None] = dict.fromkeys(ChecklistItem, True)
    nothing = legal_adjustments(MART_LOW, PatientState(40, ControlClass.UNCONTROLLED))
    up = next(each for each in nothing.adjustments if each.direction is Direction.UP)
    assert up.checklist_open == tuple(ChecklistItem)
    poor = PatientState(40, ControlClass.UNCONTROLLED, checklist={**checked, ChecklistItem.ADHERENCE: False})
    up = next(e for e in legal_adjustments(MART_LOW, poor).adjustments if e.direction is Direction.UP)
    assert up.checklist_open == (ChecklistItem.ADHERENCE,)
    done = legal_adjustments(MART_LOW, PatientState(40, ControlClass.UNCONTROLLED, checklist=checked))
    assert all(each.checklist_open == () for each in done.adjustments)


def test_a_patient_can_walk_down_the_ladder_and_never_loses_the_steroid() -> None:
    regimen = Regimen((Prescription("budesonide_formoterol_200_6_dpi", Use.MAINTENANCE_AND_RELIEVER, 2, 2),))
    state = PatientState(40, ControlClass.WELL_CONTROLLED, 120, 0)
    walked = []
    while True:
        options = legal_adjustments(regimen, state)
        walked.append(str(options.step))
        downs = [each for each in options.adjustments if each.direction is Direction.DOWN]
        if not downs:
            break
        assert downs[0].regimen is not None
        regimen = downs[0].regimen
    assert walked == ["T1.4", "T1.3", "T1.3", "T1.2"]
    assert options.step_down.against == (Against.LOWEST_SAFE_TREATMENT,)
    assert regimen.contains_ics


def test_one_step_up_and_the_way_back_meet_again() -> None:
    up = legal_adjustments(MART_LOW, PatientState(40, ControlClass.UNCONTROLLED)).adjustments[1]
    assert up.regimen is not None
    down = legal_adjustments(up.regimen, PatientState(40, ControlClass.WELL_CONTROLLED, 90, 0)).adjustments[1]
    assert down.regimen == MART_LOW


@pytest.mark.parametrize("age", [8, 14, 40])
def test_every_rung_says_its_own_step_and_dose_rises_with_the_step(age: int) -> None:
    for rung in rungs(age):
        assert describe(rung.regimen, age) == rung
    budesonide = [r for r in rungs(age) if r.steroid == "budesonide_dpi" and r.has_laba and r.step.track is Track.ONE]
    by_step = sorted(budesonide, key=lambda r: (r.step.number, r.micrograms_metered_a_day))
    doses = [rung.micrograms_metered_a_day for rung in by_step]
    assert all(low <= high for low, high in pairwise(doses))
    assert by_step[-1].step in {Step(Track.ONE, 4), Step(Track.ONE, 5)}
