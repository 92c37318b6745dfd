from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.clinical.adherence import (
    AdherenceClass,
    DoseDay,
    adherence,
    as_needed_ics,
)
from backend.clinical.attacks import Attack, is_severe, review_window, severe_episodes
from backend.clinical.control import (
    Answers,
    ControlCheck,
    ControlClass,
    Criterion,
    DiaryDay,
    FourWeeks,
    assess_control,
    four_weeks,
)
from backend.clinical.medicines import Prescription, Use
from backend.clinical.reliever import (
    CeilingStatus,
    RelieverBurst,
    RelieverOveruse,
    ceiling_status,
    reliever_burst,
    reliever_overuse,
    saba_canisters,
    saba_year,
)
from backend.clinical.risk_factors import RiskPicture, find_risk_factors

TODAY = date(2026, 3, 20)
WORSE = [ControlClass.WELL_CONTROLLED, ControlClass.PARTLY_CONTROLLED, ControlClass.UNCONTROLLED]
MART = Prescription("budesonide_formoterol_200_6_dpi", Use.MAINTENANCE_AND_RELIEVER, 1, 2)


def days_ago(number: int) -> date:
    return TODAY - timedelta(days=number)


@st.composite
def windows(draw: st.DrawFn) -> FourWeeks:
    def answers() -> Answers:
        answered = draw(st.integers(0, 28))
        return Answers(answered, draw(st.integers(0, answered)))

    return FourWeeks(answers(), answers(), answers(), answers(), draw(st.booleans()))


@given(windows(), st.sampled_from(["daytime", "night", "reliever", "activity"]))
def test_one_more_bad_day_never_improves_the_control_class(window: FourWeeks, question: str) -> None:
    before = getattr(window, question)
    if before.days_yes == before.days_answered:
        return
    worse = FourWeeks(**{**window.__dict__, question: Answers(before.days_answered, before.days_yes + 1)})
    first, second = assess_control(window).control_class, assess_control(worse).control_class
    if first in WORSE and second in WORSE:
        assert WORSE.index(second) >= WORSE.index(first)
    assert not (first is ControlClass.UNCONTROLLED and second is ControlClass.NOT_ENOUGH_DATA)
    assert set(assess_control(window).met) <= set(assess_control(worse).met)


@given(windows())
def test_too_few_answers_are_never_called_well_controlled(window: FourWeeks) -> None:
    asked = [window.daytime, window.night, window.activity]
    if not window.reliever_is_ics_formoterol:
        asked.append(window.reliever)
    if min(answers.days_answered for answers in asked) < 14:
        assert assess_control(window).control_class is not ControlClass.WELL_CONTROLLED


def test_days_without_an_answer_and_days_outside_the_window_are_not_counted() -> None:
    days = [DiaryDay(days_ago(n), daytime_symptoms=n % 2 == 0) for n in range(40)] + [DiaryDay(days_ago(3))]
    window = four_weeks(days, TODAY, reliever_is_ics_formoterol=False)
    assert window.daytime == Answers(28, 14)
    assert window.night == Answers(0, 0)


def test_a_yes_wins_when_a_day_was_answered_twice() -> None:
    days = [DiaryDay(TODAY, night_waking=True), DiaryDay(TODAY, night_waking=False)]
    assert four_weeks(days, TODAY, False).night == Answers(1, 1)


def test_a_mart_user_is_judged_on_three_criteria() -> None:
    window = FourWeeks(Answers(28, 20), Answers(28, 3), Answers(28, 28), Answers(28, 0), True)
    control = assess_control(window)
    assert control.not_used == (Criterion.RELIEVER_USE,)
    assert control.control_class is ControlClass.PARTLY_CONTROLLED


def test_more_yes_than_answers_is_refused() -> None:
    with pytest.raises(ValueError, match="days answered"):
        Answers(3, 4)


def test_three_puffs_a_day_for_two_days_above_the_usual_is_a_burst() -> None:
    usual = {days_ago(n): 1 for n in range(2, 16)}
    assert reliever_burst({**usual, days_ago(0): 4, days_ago(1): 2}, TODAY) is RelieverBurst.BURST
    assert reliever_burst({**usual, days_ago(0): 4, days_ago(1): 1}, TODAY) is RelieverBurst.NO_BURST
    heavy = {days_ago(n): 5 for n in range(2, 16)}
    assert reliever_burst({**heavy, days_ago(0): 4, days_ago(1): 4}, TODAY) is RelieverBurst.NO_BURST


def test_a_burst_is_measured_against_the_two_weeks_before_it() -> None:
    recent = {days_ago(0): 3, days_ago(1): 3}
    seven = {days_ago(n): 1 for n in range(2, 9)}
    assert reliever_burst({**recent, **seven}, TODAY) is RelieverBurst.BURST
    older = {days_ago(n): 9 for n in range(16, 30)}
    assert reliever_burst({**recent, **seven, **older}, TODAY) is RelieverBurst.BURST


def test_a_missing_day_is_not_a_day_without_puffs() -> None:
    usual = {days_ago(n): 1 for n in range(2, 16)}
    assert reliever_burst({**usual, days_ago(0): 9}, TODAY) is RelieverBurst.NOT_ENOUGH_DATA
    few = {days_ago(n): 0 for n in range(2, 8)}
    assert reliever_burst({**few, days_ago(0): 9, days_ago(1): 9}, TODAY) is RelieverBurst.NOT_ENOUGH_DATA


def test_two_puffs_in_every_week_are_overuse_and_one_quiet_complete_week_is_not() -> None:
    weekly = {days_ago(7 * week): 2 for week in range(4)}
    assert reliever_overuse(weekly, TODAY) is RelieverOveruse.OVERUSE
    quiet = {**weekly, **{days_ago(n): 0 for n in range(7)}}
    assert reliever_overuse(quiet, TODAY) is RelieverOveruse.NO_OVERUSE
    unknown = {day: puffs for day, puffs in weekly.items() if day != TODAY}
    assert reliever_overuse(unknown, TODAY) is RelieverOveruse.NOT_ENOUGH_DATA


def test_eleven_puffs_a_week_are_about_three_canisters_a_year() -> None:
    year = saba_year(puffs=11.6 * 4, days=28)
    assert year.canisters_a_year == pytest.approx(3.02, abs=0.01)
    assert (year.overuse, year.life_threatening) == (True, False)
    assert saba_canisters(12).life_threatening


@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from([7.0, 14.0, 40.0]))
def test_more_inhalations_never_look_safer(first: int, second: int, age: float) -> None:
    low, high = sorted((first, second))
    assert ceiling_status(low, MART, age).rank <= ceiling_status(high, MART, age).rank


def test_an_inhaler_without_any_limit_is_always_within() -> None:
    assert ceiling_status(30, Prescription("salbutamol_100_pmdi", Use.AS_NEEDED, 2), 40) is CeilingStatus.WITHIN


def test_a_catch_up_day_hides_no_missed_day() -> None:
    days = [DoseDay(days_ago(n), 2, 4 if n % 2 else 0) for n in range(20)]
    result = adherence(days)
    assert result.fraction_taken == 0.5
    assert (result.adherence_class, result.days_not_taken) == (AdherenceClass.POOR, 10)


def test_not_logged_is_kept_apart_from_not_taken() -> None:
    days = [DoseDay(days_ago(n), 2, 2 if n < 16 else None) for n in range(32)]
    result = adherence(days)
    assert (result.adherence_class, result.fraction_taken, result.at_least) == (AdherenceClass.GOOD, 1.0, 0.5)
    assert (result.days_not_logged, result.days_not_taken) == (16, 0)
    assert adherence(days[10:]).adherence_class is AdherenceClass.NOT_ENOUGH_DATA


def test_as_needed_treatment_has_no_adherence_but_steroid_days_and_micrograms() -> None:
    assert adherence([DoseDay(TODAY, 0, 3)]).adherence_class is AdherenceClass.NOT_DEFINED
    air = Prescription("budesonide_formoterol_200_6_dpi", Use.AS_NEEDED, 1)
    use = as_needed_ics({days_ago(0): 2, days_ago(1): 0, days_ago(2): 1, days_ago(3): 1}, air)
    assert (use.days_logged, use.days_with_ics, use.micrograms_metered_a_day) == (4, 3, 200)
    with pytest.raises(ValueError, match="as-needed inhaler"):
        as_needed_ics({}, Prescription("salbutamol_100_pmdi", Use.AS_NEEDED, 2))


@given(st.lists(st.tuples(st.integers(1, 4), st.one_of(st.none(), st.integers(0, 9))), max_size=40))
def test_adherence_lies_between_none_and_full(days: list[tuple[int, int | None]]) -> None:
    result = adherence([DoseDay(days_ago(n), expected, taken) for n, (expected, taken) in enumerate(days)])
    assert result.days_logged + result.days_not_logged == len(days)
    if result.fraction_taken is not None and result.at_least is not None:
        assert 0 <= result.at_least <= result.fraction_taken <= 1


def test_three_steroid_days_or_an_emergency_make_an_attack_severe() -> None:
    assert is_severe(Attack(TODAY, systemic_steroid_days=3)) is True
    assert is_severe(Attack(TODAY, systemic_steroid_days=2, emergency_visit=False)) is False
    assert is_severe(Attack(TODAY, hospital_admission=True)) is True
    assert is_severe(Attack(TODAY)) is None


def test_two_weeks_between_severe_days_make_two_episodes() -> None:
    assert len(severe_episodes([Attack(days_ago(n), emergency_visit=True) for n in (14, 0)])) == 2
    assert len(severe_episodes([Attack(days_ago(n), emergency_visit=True) for n in (13, 0)])) == 1


def test_eighty_percent_of_doses_is_good_adherence() -> None:
    days = [DoseDay(days_ago(n), 5, 4) for n in range(14)]
    assert adherence(days).adherence_class is AdherenceClass.GOOD
    assert adherence([*days, DoseDay(days_ago(20), 5, 3)]).adherence_class is AdherenceClass.POOR


def test_an_admission_counts_as_recent_for_a_month() -> None:
    assert find_risk_factors(RiskPicture(days_since_admission_or_emergency=30))
    assert not find_risk_factors(RiskPicture(days_since_admission_or_emergency=31))


def test_severe_days_less_than_two_weeks_apart_are_one_episode() -> None:
    attacks = [Attack(days_ago(n), emergency_visit=True) for n in (40, 30, 10)] + [Attack(days_ago(5))]
    episodes = severe_episodes(attacks)
    assert [(e.started_on, e.attacks) for e in episodes] == [(days_ago(40), 2), (days_ago(10), 1)]


@given(
    st.floats(0, 30),
    st.floats(0, 30),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_a_worse_history_never_has_fewer_risk_factors(
    canisters: float, more_canisters: float, attacks: int, more_attacks: int
) -> None:
    milder = RiskPicture(saba_canisters_a_year=canisters, severe_attacks_last_year=attacks)
    worse = RiskPicture(
        saba_canisters_a_year=canisters + more_canisters, severe_attacks_last_year=attacks + more_attacks
    )
    assert {r.factor for r in find_risk_factors(milder)} <= {r.factor for r in find_risk_factors(worse)}


def test_a_child_is_warned_at_six_of_eight_inhalations_and_an_adult_at_eight_of_twelve() -> None:
    child = Prescription("budesonide_formoterol_100_6_dpi", Use.MAINTENANCE_AND_RELIEVER, 1, 2)
    assert [ceiling_status(n, child, 9) for n in (5, 6, 8, 9)] == [
        CeilingStatus.WITHIN,
        CeilingStatus.NEAR,
        CeilingStatus.REACHED,
        CeilingStatus.PASSED,
    ]
    assert [ceiling_status(n, MART, 40) for n in (7, 8, 12, 13)] == [
        CeilingStatus.WITHIN,
        CeilingStatus.NEAR,
        CeilingStatus.REACHED,
        CeilingStatus.PASSED,
    ]


def test_after_an_attack_the_review_is_within_a_week_of_discharge_or_two_weeks_at_home() -> None:
    assert review_window(TODAY, True) == (TODAY + timedelta(days=2), TODAY + timedelta(days=7))
    assert review_window(TODAY, False) == (TODAY + timedelta(days=7), TODAY + timedelta(days=14))


def test_four_answers_given_at_once_decide_only_what_the_diary_is_too_thin_for() -> None:
    check = ControlCheck(TODAY, dict.fromkeys(Criterion, False) | {Criterion.NIGHT_WAKING: True})
    nothing = four_weeks([], TODAY, False)
    assert assess_control(nothing).control_class is ControlClass.NOT_ENOUGH_DATA
    by_check = assess_control(nothing, check=check)
    assert by_check.control_class is ControlClass.PARTLY_CONTROLLED
    assert set(by_check.from_check) == set(Criterion)
    # A diary that says otherwise is not taken back: symptoms on each of twenty days.
    days = [DiaryDay(TODAY - timedelta(days=back), True, False, True, True) for back in range(20)]
    told = assess_control(four_weeks(days, TODAY, False), check=check)
    assert told.control_class is ControlClass.UNCONTROLLED
    assert told.from_check == ()


@given(windows(), st.dictionaries(st.sampled_from(list(Criterion)), st.booleans()))
def test_answers_of_a_check_never_hide_what_the_diary_shows(window: FourWeeks, answers: dict[Criterion, bool]) -> None:
    alone, together = assess_control(window), assess_control(window, check=ControlCheck(TODAY, answers))
    assert set(alone.met) <= set(together.met)
    assert set(together.open) <= set(alone.open)


def test_a_check_stands_for_two_weeks() -> None:
    check = ControlCheck(TODAY - timedelta(days=14), {})
    assert check.stands(TODAY)
    assert not check.stands(TODAY + timedelta(days=1))
    assert not check.stands(TODAY - timedelta(days=15))
