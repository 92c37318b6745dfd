import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ml.advisor
import ml.treatment
from ml.advisor import published_advisor
from ml.contract import TreatmentAdvice, TreatmentRegimen, UtilityWeights
from tests.factories.treatment_patients import (
    AIR,
    AS_OF,
    LADDER,
    LOW,
    LOW_LABA,
    LOW_MART,
    MEDIUM_LABA,
    MEDIUM_MART,
    NOT_KNOWN,
    RELIEVER_ONLY,
    TRIPLE,
    TRIPLE_ANTI_IL4R,
    Person,
    Stretch,
    patients,
    regimen,
)

ADVISOR = published_advisor()


def advise(person: Person, *legal: TreatmentRegimen, weights: UtilityWeights | None = None) -> TreatmentAdvice:
    return ADVISOR.advise(patients([person]), [legal], AS_OF, weights)[0]


def option(advice: TreatmentAdvice, code: str):  # type: ignore[no-untyped-def]
    return next(found for found in advice.options if found.code == code)


stretches = st.builds(
    Stretch,
    regimen=st.sampled_from(LADDER),
    attacks=st.integers(0, 12).map(float),
    days=st.integers(1, 900),
    diary_days=st.integers(100, 300).map(float),
    controlled_days=st.integers(0, 100).map(float),
    puffs=st.one_of(st.just(NOT_KNOWN), st.floats(0, 40, width=32)),
    adherence=st.one_of(st.just(NOT_KNOWN), st.floats(0, 1, width=32)),
)
people = st.builds(
    Person,
    stretches=st.lists(stretches, min_size=1, max_size=4).map(tuple),
    age=st.one_of(st.just(NOT_KNOWN), st.floats(4, 95, width=32)),
    eosinophils=st.one_of(st.just(NOT_KNOWN), st.floats(1, 5000, width=32)),
    feno=st.one_of(st.just(NOT_KNOWN), st.floats(1, 300, width=32)),
    last_year=st.integers(0, 20).map(float),
    technique=st.sampled_from([0.0, 1.0, NOT_KNOWN]),
)
legal_sets = st.lists(st.sampled_from(LADDER), unique_by=lambda found: found.code, max_size=7)


@settings(max_examples=60, deadline=None)
@given(person=people, legal=legal_sets)
def test_advice_never_leaves_the_legal_set_and_never_takes_the_steroid_away(
    person: Person, legal: list[TreatmentRegimen]
) -> None:
    advice = advise(person, *legal)
    offered = {found.code for found in advice.options}
    with_steroid = {r.code for r in legal if r.ics_micrograms_per_day > 0 or r.reliever_ics_micrograms_per_puff > 0}
    assert offered == (with_steroid if advice.status != "not_enough_data" else set())
    assert set(advice.refused) == {r.code for r in legal} - with_steroid
    assert advice.preferred is None or advice.preferred == advice.options[0].code


@settings(max_examples=60, deadline=None)
@given(person=people, legal=legal_sets)
def test_what_is_advised_is_ordered_and_its_numbers_hold_together(
    person: Person, legal: list[TreatmentRegimen]
) -> None:
    advice = advise(person, *legal)
    lows = [found.gain.low for found in advice.options]
    assert lows == sorted(lows, reverse=True)
    for found in advice.options:
        for estimate in (found.gain, found.attacks_averted_per_year, found.controlled_days_gained_per_year):
            assert np.isfinite([estimate.expected, estimate.low, estimate.high]).all()
            assert estimate.low <= estimate.high
        assert abs(found.controlled_days_gained_per_year.expected) <= 366
        assert advice.attacks_per_year is not None
        assert found.attacks_averted_per_year.expected <= advice.attacks_per_year.expected + 1e-9
        assert found.steroid_courses_averted_per_year == found.attacks_averted_per_year
    if advice.options:
        assert sum(found.probability_best for found in advice.options) == pytest.approx(1)
    if advice.status == "ready":
        assert advice.options[0].probability_best >= 0.7


@settings(max_examples=40, deadline=None)
@given(person=people)
def test_the_present_treatment_under_another_name_changes_exactly_nothing(person: Person) -> None:
    present = person.stretches[-1].regimen
    same = TreatmentRegimen(
        "same",
        present.step,
        present.ics_micrograms_per_day,
        present.laba,
        present.lama,
        present.reliever,
        present.reliever_ics_micrograms_per_puff,
        present.biologic,
    )
    advice = advise(person, same, MEDIUM_MART)
    if present is not RELIEVER_ONLY:
        found = option(advice, "same")
        for estimate in (found.gain, found.attacks_averted_per_year, found.controlled_days_gained_per_year):
            assert (estimate.expected, estimate.low, estimate.high) == (0.0, 0.0, 0.0)
        assert found.ics_micrograms_per_day_change == 0.0
        assert not found.steps_up


@settings(max_examples=15, deadline=None)
@given(group=st.lists(st.tuples(people, legal_sets), min_size=2, max_size=5), as_said=st.randoms())
def test_one_patient_alone_gets_the_advice_they_get_among_others(
    group: list[tuple[Person, list[TreatmentRegimen]]], as_said: object
) -> None:
    together = ADVISOR.advise(patients([person for person, _ in group]), [legal for _, legal in group], AS_OF)
    for (person, legal), among in zip(group, together, strict=True):
        alone = advise(person, *legal)
        assert [found.code for found in alone.options] == [found.code for found in among.options]
        assert alone.status == among.status
        for mine, theirs in zip(alone.options, among.options, strict=True):
            assert mine.gain.low == pytest.approx(theirs.gain.low, rel=1e-9, abs=1e-12)


def test_the_same_question_twice_gets_the_same_answer() -> None:
    person = Person((Stretch(LOW_LABA, attacks=2),))
    assert advise(person, LOW_LABA, LOW_MART, MEDIUM_LABA) == advise(person, LOW_LABA, LOW_MART, MEDIUM_LABA)


def test_frequent_attacks_speak_for_a_step_up_and_none_at_all_for_less_steroid() -> None:
    sick = advise(Person((Stretch(LOW_LABA, attacks=4, controlled_days=40),), last_year=4), LOW, LOW_LABA, MEDIUM_MART)
    assert (sick.status, sick.preferred) == ("ready", "medium_mart")
    well = Person((Stretch(MEDIUM_LABA, attacks=0, days=1000, controlled_days=278, puffs=0.0),), last_year=0)
    cautious = UtilityWeights(ics_100_micrograms_per_day_for_a_year=0.05)
    assert advise(well, MEDIUM_LABA, MEDIUM_MART, LOW_LABA, weights=cautious).options[0].code == "low_laba"


def test_a_step_down_is_never_a_step_to_no_steroid() -> None:
    well = Person((Stretch(LOW, attacks=0, days=1500, controlled_days=280, puffs=0.0),), last_year=0)
    advice = advise(well, LOW, RELIEVER_ONLY)
    assert advice.refused == ("reliever_only",)
    assert [found.code for found in advice.options] == ["low"]


def test_a_long_acting_bronchodilator_without_scheduled_steroid_is_refused() -> None:
    alone = regimen("laba_alone", 3, 0, laba=True, reliever="ics_formoterol")
    advice = advise(Person((Stretch(LOW_LABA, attacks=2),)), LOW_MART, alone)
    assert advice.refused == ("laba_alone",)
    assert [found.code for found in advice.options] == ["low_mart"]


def test_whoever_has_nothing_scheduled_keeps_the_adherence_they_once_had() -> None:
    def taken(before: float) -> float:
        person = Person((Stretch(LOW, adherence=before), Stretch(AIR, attacks=2, adherence=NOT_KNOWN, puffs=0)))
        return advise(person, LOW).options[0].ics_micrograms_per_day_change

    assert taken(0.9) == pytest.approx(180)
    assert taken(0.2) == pytest.approx(40)
    assert taken(NOT_KNOWN) == pytest.approx(200 * 0.45)


def test_poor_adherence_comes_before_a_step_up_with_its_own_benefit() -> None:
    person = Person((Stretch(LOW_LABA, attacks=3, controlled_days=40, adherence=0.3),), last_year=3)
    advice = advise(person, LOW_LABA, MEDIUM_MART)
    assert (advice.status, advice.preferred) == ("pre_actions_first", None)
    assert [action.code for action in advice.pre_actions] == ["adherence"]
    benefit = advice.pre_actions[0].attacks_averted_per_year
    assert benefit is not None
    assert benefit.low > 0
    # The dose that lies in the cupboard is worth more than doubling what is prescribed.
    more = advise(person, MEDIUM_LABA).options[0].attacks_averted_per_year
    assert benefit.expected > more.expected


def test_a_faulty_technique_comes_before_a_step_up_and_an_unchecked_one_without_a_number() -> None:
    for technique, measured in ((0.0, True), (NOT_KNOWN, False)):
        person = Person((Stretch(LOW_LABA, attacks=3),), last_year=3, technique=technique)
        advice = advise(person, LOW_LABA, MEDIUM_MART)
        assert advice.status == "pre_actions_first"
        assert [(action.code, action.measured) for action in advice.pre_actions] == [("technique", measured)]
        assert (advice.pre_actions[0].attacks_averted_per_year is not None) == measured


def test_unknown_adherence_is_asked_for_but_not_where_nothing_is_scheduled() -> None:
    unknown = advise(Person((Stretch(LOW, attacks=2, adherence=NOT_KNOWN),)), LOW, LOW_MART)
    assert [(action.code, action.measured) for action in unknown.pre_actions] == [("adherence", False)]
    as_needed = advise(Person((Stretch(AIR, attacks=2, adherence=NOT_KNOWN),)), AIR, LOW_MART)
    assert as_needed.pre_actions == ()


def test_another_reliever_at_the_same_step_needs_no_checklist() -> None:
    person = Person((Stretch(LOW_LABA, attacks=3, adherence=0.3),), last_year=3)
    advice = advise(person, LOW_LABA, LOW_MART)
    assert (advice.status, advice.preferred) == ("ready", "low_mart")
    assert not advice.options[0].steps_up


def test_equal_options_leave_no_clear_preference() -> None:
    twin = regimen("twin", 4, 800, laba=True)
    advice = advise(Person((Stretch(LOW_LABA, attacks=2),), last_year=2), MEDIUM_LABA, twin)
    assert (advice.status, advice.preferred) == ("no_clear_preference", None)
    assert [found.probability_best for found in advice.options] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("person", "legal", "missing"),
    [
        (Person(()), (LOW,), ("present_regimen", "diary")),
        (
            Person((Stretch(LOW, days=60, diary_days=50, controlled_days=9),), last_year=NOT_KNOWN),
            (LOW,),
            ("attack_history",),
        ),
        (Person((Stretch(LOW, diary_days=13, controlled_days=9),)), (LOW,), ("diary",)),
        (Person((Stretch(LOW),)), (), ("legal_regimens",)),
        (Person((Stretch(LOW),)), (RELIEVER_ONLY,), ("legal_regimens",)),
    ],
)
def test_too_little_is_said_to_be_too_little(
    person: Person, legal: tuple[TreatmentRegimen, ...], missing: tuple[str, ...]
) -> None:
    advice = advise(person, *legal)
    assert advice.status == "not_enough_data"
    assert advice.missing == missing
    assert advice.options == ()
    assert advice.attacks_per_year is None


def test_a_patient_without_history_does_not_disturb_the_next_one() -> None:
    person = Person((Stretch(LOW_LABA, attacks=2),))
    group = patients([Person(()), person, Person(())])
    found = ADVISOR.advise(group, [[LOW], [LOW_LABA, LOW_MART], [LOW]], AS_OF)
    assert [advice.status == "not_enough_data" for advice in found] == [True, False, True]
    assert found[1].options[0].code == advise(person, LOW_LABA, LOW_MART).options[0].code


def test_eosinophils_and_feno_decide_about_the_biologic() -> None:
    def averted(eosinophils: float, feno: float) -> float:
        person = Person((Stretch(TRIPLE, attacks=3),), last_year=3, eosinophils=eosinophils, feno=feno)
        return advise(person, TRIPLE_ANTI_IL4R).options[0].attacks_averted_per_year.expected

    assert averted(700, 60) > 2 * averted(60, 12)
    assert averted(60, 12) < averted(NOT_KNOWN, NOT_KNOWN) < averted(700, 60)


def test_what_does_not_count_for_the_clinic_does_not_order_the_options() -> None:
    person = Person((Stretch(LOW_LABA, attacks=1),), last_year=1)
    only_steroid = UtilityWeights(severe_attack=0, uncontrolled_day=0, ics_100_micrograms_per_day_for_a_year=1)
    advice = advise(person, LOW_LABA, MEDIUM_LABA, LOW, weights=only_steroid)
    assert [found.code for found in advice.options] == ["low", "low_laba", "medium_laba"]
    assert advice.weights == only_steroid
    assert option(advice, "medium_laba").ics_micrograms_per_day_change == pytest.approx(0.9 * 400)


def test_children_under_twelve_get_the_same_from_half_the_dose() -> None:
    def averted(age: float) -> float:
        return (
            advise(Person((Stretch(LOW, attacks=2),), age=age), LOW_LABA).options[0].attacks_averted_per_year.expected
        )

    assert averted(8) != averted(30)
    assert averted(12) == averted(30)


def test_bad_questions_are_refused() -> None:
    group = patients([Person((Stretch(LOW),))])
    with pytest.raises(ValueError, match="2 legal sets were given for 1 patients"):
        ADVISOR.advise(group, [[LOW], [LOW]], AS_OF)
    with pytest.raises(ValueError, match="names a code twice"):
        ADVISOR.advise(group, [[LOW, LOW]], AS_OF)
    with pytest.raises(ValueError, match="after as_of"):
        ADVISOR.advise(group, [[LOW]], AS_OF - 1)
    with pytest.raises(ValueError, match="zero or a positive number"):
        UtilityWeights(severe_attack=-1)


def test_the_adviser_cannot_see_the_virtual_cohort() -> None:
    folder = Path(ml.treatment.__file__).parent
    for source in (*folder.glob("*.py"), Path(ml.advisor.__file__)):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.startswith(("ml.simulator", "ml.training", "backend")) for name in names), source
