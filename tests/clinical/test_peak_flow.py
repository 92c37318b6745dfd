from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.clinical.guideline import edition
from backend.clinical.peak_flow import (
    BlowQuestion,
    Bronchodilator,
    PeakFlowReading,
    Zone,
    ZoneThresholds,
    best_of,
    blow_questions,
    day_amplitude_percent,
    min_percent_max,
    thresholds_from_personal_best,
    variability,
    zone,
)
from backend.clinical.personal_best import BestBasis, PersonalBest, assess_personal_best

TODAY = date(2026, 3, 20)
litres = st.integers(min_value=30, max_value=900)


def reading(
    days_ago: int, litres_per_min: int, *, morning: bool = True, meter: str = "mini-Wright", after: bool = False
) -> PeakFlowReading:
    return PeakFlowReading(
        TODAY - timedelta(days=days_ago),
        litres_per_min,
        meter,
        morning,
        Bronchodilator.AFTER if after else Bronchodilator.BEFORE,
    )


def test_zones_of_a_best_of_500_change_at_400_and_250() -> None:
    thresholds = thresholds_from_personal_best(500)
    assert (thresholds.yellow_below_litres_per_min, thresholds.red_below_litres_per_min) == (400, 250)
    assert thresholds.oral_steroid_below_litres_per_min == 300
    assert [zone(value, thresholds) for value in (400, 399, 250, 249)] == [
        Zone.GREEN,
        Zone.YELLOW,
        Zone.YELLOW,
        Zone.RED,
    ]


def test_british_action_points_are_80_60_and_40_percent() -> None:
    thresholds = thresholds_from_personal_best(500, edition("gina_2025_uk_action_points"))
    assert (
        thresholds.yellow_below_litres_per_min,
        thresholds.oral_steroid_below_litres_per_min,
        thresholds.red_below_litres_per_min,
    ) == (400, 300, 200)


@given(best=litres, value=litres)
def test_the_zone_by_thresholds_is_the_zone_by_exact_percentages(best: int, value: int) -> None:
    expected = Zone.GREEN if value * 100 >= best * 80 else Zone.YELLOW if value * 100 >= best * 50 else Zone.RED
    assert zone(value, thresholds_from_personal_best(best)) is expected


@given(best=litres, low=litres, high=litres)
def test_a_higher_reading_never_has_a_worse_zone(best: int, low: int, high: int) -> None:
    low, high = sorted((low, high))
    order = [Zone.RED, Zone.YELLOW, Zone.GREEN]
    thresholds = thresholds_from_personal_best(best)
    assert order.index(zone(low, thresholds)) <= order.index(zone(high, thresholds))


@given(value=litres, low=litres, high=litres)
def test_a_higher_personal_best_never_gives_a_better_zone(value: int, low: int, high: int) -> None:
    low, high = sorted((low, high))
    order = [Zone.RED, Zone.YELLOW, Zone.GREEN]
    with_low = order.index(zone(value, thresholds_from_personal_best(low)))
    assert order.index(zone(value, thresholds_from_personal_best(high))) <= with_low


@pytest.mark.parametrize(("yellow", "red"), [(250, 400), (300, 300), (300, 0)])
def test_thresholds_out_of_order_are_refused(yellow: int, red: int) -> None:
    with pytest.raises(ValueError, match="red threshold"):
        ZoneThresholds(yellow, red)


def test_the_value_of_a_session_is_its_best_blow() -> None:
    assert best_of([380, 410, 395]) == 410
    with pytest.raises(ValueError, match="at least one blow"):
        best_of([])


def test_a_value_in_litres_per_second_is_recognised() -> None:
    assert blow_questions([7.5]) == [BlowQuestion.LOOKS_LIKE_LITRES_PER_SECOND]


def test_odd_blows_raise_the_fitting_question() -> None:
    assert blow_questions([400, 410, 405], 420) == []
    assert blow_questions([1200]) == [BlowQuestion.OUT_OF_RANGE]
    assert blow_questions([510], 420) == [BlowQuestion.FAR_ABOVE_PERSONAL_BEST]
    assert blow_questions([120], 420) == [BlowQuestion.FAR_BELOW_PERSONAL_BEST]
    assert blow_questions([400, 200], 420) == [BlowQuestion.BLOWS_DISAGREE]


def test_a_day_of_400_and_460_varies_by_13_95_percent() -> None:
    assert day_amplitude_percent(400, 460) == pytest.approx(13.95, abs=0.005)


def test_variability_needs_four_days_with_a_morning_and_an_evening() -> None:
    three = [reading(d, 400 + 60 * (not m), morning=m) for d in range(3) for m in (True, False)]
    unknown = variability(three, TODAY, 40, "mini-Wright")
    assert (unknown.mean_amplitude_percent, unknown.above_limit, unknown.valid_days) == (None, None, 3)
    four = [*three, reading(3, 400), reading(3, 460, morning=False)]
    known = variability(four, TODAY, 40, "mini-Wright")
    assert known.mean_amplitude_percent == pytest.approx(13.95, abs=0.005)
    assert known.above_limit


def test_variability_of_12_percent_is_high_for_an_adult_but_not_for_a_child() -> None:
    readings = [reading(d, 400 if m else 451, morning=m) for d in range(7) for m in (True, False)]
    assert variability(readings, TODAY, 12, "mini-Wright").above_limit is True
    assert variability(readings, TODAY, 11.9, "mini-Wright").above_limit is False


def test_readings_after_a_bronchodilator_or_of_another_meter_do_not_count_towards_variability() -> None:
    readings = [reading(d, 400, morning=m, after=m) for d in range(7) for m in (True, False)]
    readings += [reading(d, 400, morning=m, meter="other") for d in range(7) for m in (True, False)]
    assert variability(readings, TODAY, 40, "mini-Wright").valid_days == 0


def test_min_percent_max_takes_the_lowest_morning_before_the_bronchodilator() -> None:
    readings = [reading(1, 300), reading(2, 200, after=True), reading(3, 250, morning=False), reading(8, 100)]
    assert min_percent_max(readings, TODAY, 400, "mini-Wright") == 75
    assert min_percent_max([], TODAY, 400, "mini-Wright") is None


def test_the_personal_best_is_predicted_until_ten_days_are_recorded() -> None:
    nine = [reading(d, 400) for d in range(9)]
    early = assess_personal_best(nine, "mini-Wright", TODAY, predicted_litres_per_min=512.4)
    assert early.best is not None
    assert (early.best.litres_per_min, early.best.basis, early.provisional) == (512, BestBasis.PREDICTED, True)
    ten = assess_personal_best([*nine, reading(9, 420)], "mini-Wright", TODAY, predicted_litres_per_min=512.4)
    assert ten.best is not None
    assert (ten.best.litres_per_min, ten.best.basis, ten.provisional) == (420, BestBasis.MEASURED, False)


def test_without_height_and_days_there_is_no_personal_best_at_all() -> None:
    assert assess_personal_best([reading(0, 400)], "mini-Wright", TODAY).best is None


def test_a_jump_of_more_than_a_fifth_waits_for_a_second_day() -> None:
    current = PersonalBest(400, "mini-Wright", BestBasis.MEASURED, TODAY - timedelta(days=30))
    once = assess_personal_best([reading(1, 500)], "mini-Wright", TODAY, current)
    assert once.best == current
    assert once.held_back_litres_per_min == (500,)
    twice = assess_personal_best([reading(1, 500), reading(0, 490)], "mini-Wright", TODAY, current)
    assert twice.best is not None
    assert twice.best.litres_per_min == 500
    small = assess_personal_best([reading(1, 480)], "mini-Wright", TODAY, current)
    assert small.best is not None
    assert small.best.litres_per_min == 480


def test_a_new_meter_starts_its_own_personal_best() -> None:
    current = PersonalBest(500, "old meter", BestBasis.CLINICIAN, TODAY - timedelta(days=30))
    assessed = assess_personal_best([reading(0, 400)], "mini-Wright", TODAY, current)
    assert (assessed.best, assessed.provisional) == (None, True)


def test_a_personal_best_older_than_a_year_is_flagged() -> None:
    current = PersonalBest(500, "mini-Wright", BestBasis.CLINICIAN, TODAY - timedelta(days=366))
    assert assess_personal_best([reading(0, 450)], "mini-Wright", TODAY, current).older_than_a_year


@given(values=st.lists(litres, max_size=25), extra=litres, current=litres)
def test_a_personal_best_never_falls_by_itself(values: list[int], extra: int, current: int) -> None:
    standing = PersonalBest(current, "mini-Wright", BestBasis.MEASURED, TODAY - timedelta(days=40))
    before = assess_personal_best([reading(d, v) for d, v in enumerate(values)], "mini-Wright", TODAY, standing)
    more = [reading(d, v) for d, v in enumerate([*values, extra])]
    after = assess_personal_best(more, "mini-Wright", TODAY, standing)
    assert before.best is not None
    assert after.best is not None
    assert current <= before.best.litres_per_min <= after.best.litres_per_min


def test_the_edges_of_what_is_asked_about_a_blow() -> None:
    assert blow_questions([30], 60) == []
    assert blow_questions([29], 60) == [BlowQuestion.LOOKS_LIKE_LITRES_PER_SECOND]
    assert blow_questions([900]) == []
    assert blow_questions([901]) == [BlowQuestion.OUT_OF_RANGE]
    assert blow_questions([600], 500) == []
    assert blow_questions([601], 500) == [BlowQuestion.FAR_ABOVE_PERSONAL_BEST]
    assert blow_questions([150], 500) == []
    assert blow_questions([149], 500) == [BlowQuestion.FAR_BELOW_PERSONAL_BEST]
    assert blow_questions([400, 280]) == []
    assert blow_questions([400, 279]) == [BlowQuestion.BLOWS_DISAGREE]


def test_a_child_varies_too_much_above_13_percent_over_two_weeks() -> None:
    def steady(evening: int, first: int = 0) -> list[PeakFlowReading]:
        return [reading(d, 400 if m else evening, morning=m) for d in range(first, first + 4) for m in (True, False)]

    assert variability(steady(455), TODAY, 8, "mini-Wright").above_limit is False
    assert variability(steady(457), TODAY, 8, "mini-Wright").above_limit is True
    assert variability(steady(457, first=11), TODAY, 8, "mini-Wright").valid_days == 3
