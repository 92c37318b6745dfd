"""What may be offered, and when: never outside the legal set, never without steroid, never asked twice."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.clinical.adherence import AdherenceClass
from backend.clinical.control import ControlClass
from backend.clinical.ladder import rungs
from backend.clinical.medicines import Regimen
from backend.clinical.regimen_checks import check_regimen, is_legal
from backend.clinical.reliever import RelieverBurst, RelieverOveruse
from backend.clinical.treatment_steps import (
    Direction,
    PatientState,
    RelapseSign,
    Silence,
    legal_adjustments,
)
from backend.medication.schemas import RegimenIn
from backend.plans.draft import About, check
from backend.recommendations.rules import (
    CHECKLIST,
    CheckCode,
    Clues,
    Shown,
    Step,
    direction_of,
    next_step,
    options_for,
    reasons,
    still_stands,
    unanswered,
)
from tests.clinical.test_medicines import regimens
from tests.clinical.test_treatment_steps import states
from tests.factories.treatment import AIR, MART_LOW, MART_MEDIUM, SABA_ALONE, draft

TODAY = date(2026, 11, 20)
ladder = st.sampled_from([rung.regimen for rung in rungs(30)])
# What the editor's fields can hold; the rules themselves are held for all regimens in tests/clinical.
writable = regimens.filter(
    lambda regimen: (
        bool(regimen.prescriptions)
        and all(one.inhalations <= 8 and one.times_a_day <= 4 for one in regimen.prescriptions)
        and all((one.most_inhalations_a_day or 1) <= 24 for one in regimen.prescriptions)
    )
)
signs = st.lists(st.sampled_from(list(RelapseSign)), max_size=2, unique=True)


def never_dangerous(regimen: Regimen) -> None:
    assert regimen.contains_ics
    assert regimen.relievers
    if any(prescription.product.laba or prescription.product.saba for prescription in regimen.prescriptions):
        assert any(prescription.product.ics for prescription in regimen.prescriptions)


@settings(max_examples=150, deadline=None)
@given(st.one_of(regimens, ladder), states, signs, st.one_of(st.none(), regimens, ladder))
def test_nothing_outside_the_legal_set_is_ever_offered(
    regimen: Regimen, state: PatientState, relapse: list[RelapseSign], way_back: Regimen | None
) -> None:
    options = options_for(regimen, state, relapse, way_back)
    legal = legal_adjustments(regimen, state)
    assert {code for code in options.codes if not code.startswith("back:")} <= legal.codes
    for option in options.adjustments:
        if option.regimen is None:
            assert option.direction is Direction.REFER
            continue
        assert is_legal(option.regimen, state.age_years)
        never_dangerous(option.regimen)
    if legal.silence is Silence.EMERGENCY_FIRST:
        assert options.adjustments == ()


@settings(max_examples=150, deadline=None)
@given(st.one_of(writable, ladder), st.integers(4, 80))
def test_what_the_editor_calls_signable_is_legal_and_what_is_illegal_is_refused(regimen: Regimen, age: int) -> None:
    plan = draft(regimen, based_on=0, review_on=TODAY + timedelta(days=60), reminders=[])
    checked = check(plan, About(age, None, "KR", None), TODAY)
    assert bool(checked.refused) != is_legal(regimen, age)
    if not checked.refused:
        never_dangerous(regimen)
        assert checked.instructions["ko"]["red"]
    findings = {finding.problem for finding in check_regimen(regimen, age)}
    assert findings == {remark.code for remark in checked.remarks}


def test_saba_alone_and_laba_without_steroid_are_told_at_the_prescription() -> None:
    plan = draft(SABA_ALONE, based_on=0, review_on=TODAY + timedelta(days=60), reminders=[])
    refused = check(plan, About(40, None, "KR", None), TODAY).refused
    assert [(remark.path, remark.code) for remark in refused] == [("regimen.prescriptions", "saba_without_ics")]
    alone = RegimenIn.model_validate(
        {
            "prescriptions": [
                {"product_id": "salmeterol_50_dpi", "use": "maintenance", "inhalations": 1, "times_a_day": 2}
            ]
        }
    )
    plan = plan.model_copy(update={"regimen": alone})
    codes = {remark.code for remark in check(plan, About(40, None, "KR", None), TODAY).refused}
    assert {"laba_without_ics", "laba_in_its_own_inhaler"} <= codes


@given(st.integers(1, 899), st.integers(1, 899), st.integers(30, 900))
def test_thresholds_out_of_order_are_never_signable(yellow: int, red: int, best: int) -> None:
    plan = draft(
        MART_LOW,
        based_on=0,
        review_on=TODAY + timedelta(days=60),
        best=best,
        yellow_below_litres_per_min=yellow,
        red_below_litres_per_min=red,
    )
    refused = {remark.code for remark in check(plan, About(40, None, "KR", None), TODAY).refused}
    assert bool(refused) == (not red < yellow <= best)


def test_a_plan_without_a_date_of_birth_or_with_a_past_review_is_refused() -> None:
    plan = draft(MART_LOW, based_on=0, review_on=TODAY)
    codes = {remark.code for remark in check(plan, About(None, None, "KR", None), TODAY).refused}
    assert codes == {"birth_date_missing", "review_date"}


names = st.frozensets(st.sampled_from(["uncontrolled", "poor_adherence", "severe_attack:2026-11-03"]))
shown = st.builds(
    Shown,
    reasons=names,
    codes=st.frozensets(st.sampled_from(["keep", "up:T1.3"]), min_size=1),
    plan_version=st.integers(1, 2),
    advice_status=st.sampled_from(["ready", "no_consent"]),
    quiet_until=st.one_of(st.none(), st.just(TODAY + timedelta(days=9)), st.just(TODAY - timedelta(days=9))),
)


@given(shown, st.one_of(st.none(), shown), st.one_of(st.none(), shown))
def test_what_was_decided_is_not_asked_again_without_a_new_reason(
    now: Shown, open_one: Shown | None, decided: Shown | None
) -> None:
    step = next_step(now, open_one, decided, TODAY)
    quiet = decided is not None and decided.quiet_until is not None and decided.quiet_until > TODAY
    if quiet and decided is not None and now.reasons <= decided.reasons:
        assert step in {Step.KEEP, Step.EXPIRE}
    if not now.reasons:
        assert step is (Step.KEEP if open_one is None else Step.EXPIRE)
    if step is Step.MAKE:
        assert open_one is None
    if open_one is not None and step is Step.KEEP:
        assert (open_one.reasons, open_one.plan_version) == (now.reasons, now.plan_version)


def test_reasons_name_what_asks_for_a_decision_and_silence_is_an_answer() -> None:
    calm = Clues(ControlClass.WELL_CONTROLLED, AdherenceClass.GOOD, RelieverBurst.NO_BURST, RelieverOveruse.NO_OVERUSE)
    options = legal_adjustments(MART_LOW, _state(ControlClass.WELL_CONTROLLED))
    assert reasons(calm, options) == []
    ill = Clues(
        ControlClass.UNCONTROLLED,
        AdherenceClass.POOR,
        RelieverBurst.BURST,
        RelieverOveruse.OVERUSE,
        last_severe_attack_on=date(2026, 11, 3),
        new_biomarkers=("feno:2026-11-18",),
    )
    options = legal_adjustments(MART_LOW, _state(ControlClass.UNCONTROLLED))
    assert reasons(ill, options) == [
        "severe_attack:2026-11-03",
        "uncontrolled",
        "reliever_burst",
        "reliever_overuse",
        "poor_adherence",
        "biomarker:feno:2026-11-18",
    ]


def test_directions_are_told_by_dose_and_step() -> None:
    assert direction_of(None, AIR, 30) is Direction.CORRECT
    assert direction_of(AIR, MART_LOW, 30) is Direction.UP
    assert direction_of(MART_LOW, MART_MEDIUM, 30) is Direction.UP
    assert direction_of(MART_MEDIUM, MART_LOW, 30) is Direction.DOWN
    assert direction_of(MART_LOW, MART_LOW, 30) is Direction.KEEP


@given(ladder, ladder)
def test_up_one_way_is_never_up_the_other_way(one: Regimen, other: Regimen) -> None:
    directions = {direction_of(one, other, 30), direction_of(other, one, 30)}
    # Less of one steroid and more of another may each be a step; the same pair is never less both ways.
    assert directions != {Direction.DOWN}


def test_answers_stand_for_their_time_and_facts_for_ever() -> None:
    long_ago = TODAY - timedelta(days=2000)
    assert still_stands(CheckCode.EVER_INTENSIVE_CARE, long_ago, TODAY)
    assert still_stands(CheckCode.TECHNIQUE, TODAY - timedelta(days=89), TODAY)
    assert not still_stands(CheckCode.TECHNIQUE, TODAY - timedelta(days=90), TODAY)
    assert not still_stands(CheckCode.INFECTION_NOW, TODAY - timedelta(days=14), TODAY)
    assert unanswered([CheckCode.TECHNIQUE]) == tuple(item for item in CHECKLIST if item is not CheckCode.TECHNIQUE)


def _state(control: ControlClass) -> PatientState:
    return PatientState(age_years=34, control=control)
