from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.precursors import (
    LEAST_DIARY_DAYS,
    DiaryDay,
    Precursors,
    diary_days,
    fisher_one_sided,
    what_comes_before,
)
from tests.phone.conftest import CONTROLLER_ID, RELIEVER_ID, Phone

FIRST = date(2026, 1, 1)


def written(days: int, bad: set[int], signals: dict[int, str]) -> list[DiaryDay]:
    return [
        DiaryDay(FIRST + timedelta(days=n), frozenset({signals[n]} if n in signals else ()), is_bad=n in bad)
        for n in range(days)
    ]


def test_two_bad_phases_or_four_weeks_less_a_day_are_not_enough() -> None:
    two = written(90, {30, 60}, {28: "night_waking", 58: "night_waking"})
    assert what_comes_before(two) == (2, [])
    short = written(LEAST_DIARY_DAYS - 1, {4, 14, 24}, dict.fromkeys((2, 12, 22), "night_waking"))
    assert what_comes_before(short) == (3, [])


def test_what_came_before_each_phase_and_hardly_else_is_found() -> None:
    bad = {30, 50, 70, 90}
    phases, findings = what_comes_before(written(120, bad, {n - 2: "trigger.infection" for n in bad}))
    assert phases == 4
    [found] = findings
    assert (found.signal, found.before, found.phases, found.other) == ("trigger.infection", 4, 4, 0)
    assert found.others > 15
    assert found.chance < 0.01


def test_what_is_always_there_is_no_sign() -> None:
    days = written(120, {30, 50, 70, 90}, dict.fromkeys(range(120), "missed_doses"))
    assert what_comes_before(days) == (4, [])


def test_days_of_one_bad_phase_count_once() -> None:
    bad = {30, 31, 32, 36, 60, 61, 90}
    phases, _ = what_comes_before(written(120, bad, {}))
    assert phases == 3


def test_the_more_signals_are_compared_the_less_sure_is_each() -> None:
    bad = {30, 50, 70}
    alone = what_comes_before(written(120, bad, {n - 1: "night_waking" for n in bad}))[1][0]
    crowded = written(120, bad, {n - 1: "night_waking" for n in bad})
    noise = {"a", "b", "c", "d"}
    crowded = [
        DiaryDay(one.day, one.signals | noise if (one.day - FIRST).days % 3 == 0 else one.signals, one.is_bad)
        for one in crowded
    ]
    among = next(one for one in what_comes_before(crowded)[1] if one.signal == "night_waking")
    assert among.chance > alone.chance


def test_fishers_tea_is_tasted_as_he_published_it() -> None:
    # Fisher, The Design of Experiments, 1935: three of four cups, and all four.
    assert fisher_one_sided(3, 4, 1, 4) == pytest.approx(17 / 70)
    assert fisher_one_sided(4, 4, 0, 4) == pytest.approx(1 / 70)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 40), st.integers(0, 40))
def test_a_chance_is_a_probability_and_falls_with_what_is_seen(a: int, b: int, c: int, d: int) -> None:
    chance = fisher_one_sided(a, a + b, c, c + d)
    assert 0 < chance <= 1 + 1e-12
    if a == 0:
        assert chance == pytest.approx(1)


def test_signals_are_told_from_the_persons_own_usual(diary: OpenDiary) -> None:
    today = diary.today()
    for number in range(9):
        moment = diary.moment(diary.clock.now() - timedelta(days=number))
        low = number == 4
        diary.record("peak_flow", {"blows_litres_per_min": [300 if low else 420], "action_zone": "green"}, moment)
        for _ in range(3 if low else 1):
            use = {"inhaler_id": RELIEVER_ID, "puffs": 1, "purpose": "relief", "source": "logged"}
            diary.record("inhaler_use", use, moment)
        if not low:
            use = {"inhaler_id": CONTROLLER_ID, "amount": "as_usual", "purpose": "maintenance", "source": "logged"}
            diary.record("inhaler_use", use, moment)
    diary.record("trigger", {"trigger": "pets", "note": None}, diary.moment(diary.clock.now() - timedelta(days=4)))
    by_day = {day: diary.journal.between(day, day) for day in (today - timedelta(days=n) for n in range(9))}
    found = {one.day: one.signals for one in diary_days(by_day, diary.clinic.inhalers())}
    assert found[today - timedelta(days=4)] == {"lower_peak_flow", "more_reliever", "missed_doses", "trigger.pets"}
    assert found[today - timedelta(days=3)] == frozenset()


def test_a_young_diary_says_what_is_missing(diary: OpenDiary, phone: Phone) -> None:
    page = Precursors(diary)
    assert page.lines == []
    assert page.summary.startswith("Not enough data yet. It takes at least 3 bad phases and 28 diary days")
