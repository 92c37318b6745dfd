import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.clinical.guideline import edition
from backend.clinical.red_flags import (
    ANSWERABLE,
    FirstAid,
    RedFlag,
    Urgency,
    advise,
    emergency_number,
    highest,
    recorded_flags,
)

flags = st.sets(st.sampled_from(list(RedFlag)))


@pytest.mark.parametrize("flag", ANSWERABLE)
def test_each_danger_sign_alone_is_an_emergency_with_first_aid(flag: RedFlag) -> None:
    advice = advise([flag])
    assert advice.urgency is Urgency.EMERGENCY
    assert advice.actions[0] is FirstAid.CALL_EMERGENCY
    assert (advice.rescue_puffs_fewest, advice.rescue_puffs_most, advice.repeat_after_minutes) == (4, 12, 20)


def test_a_green_peak_flow_cancels_no_danger_sign() -> None:
    recorded = recorded_flags(litres_per_min=480, personal_best_litres_per_min=500, red_below_litres_per_min=250)
    assert recorded == ()
    assert advise([RedFlag.BLUE_LIPS, *recorded]).urgency is Urgency.EMERGENCY


def test_peak_flow_below_half_and_below_a_third_of_best_are_danger_signs() -> None:
    assert recorded_flags(litres_per_min=250, personal_best_litres_per_min=500) == ()
    assert recorded_flags(litres_per_min=249, personal_best_litres_per_min=500) == (RedFlag.PEAK_FLOW_BELOW_HALF,)
    low = recorded_flags(litres_per_min=164, personal_best_litres_per_min=500)
    assert set(low) == {RedFlag.PEAK_FLOW_BELOW_HALF, RedFlag.PEAK_FLOW_BELOW_THIRD}
    assert advise(low).life_threatening


def test_the_red_zone_of_the_signed_plan_counts_even_without_a_personal_best() -> None:
    assert recorded_flags(litres_per_min=299, red_below_litres_per_min=300) == (RedFlag.RED_ZONE,)


def test_no_flags_mean_no_advice() -> None:
    advice = advise([])
    assert (advice.urgency, advice.actions, advice.rescue_puffs_most) == (Urgency.NONE, (), None)


def test_an_unknown_code_is_refused() -> None:
    with pytest.raises(ValueError, match="tired"):
        advise(["tired"])


@given(fewer=flags, more=flags)
def test_more_danger_signs_never_lower_the_urgency(fewer: set[RedFlag], more: set[RedFlag]) -> None:
    assert advise(fewer | more).urgency.rank >= advise(fewer).urgency.rank
    assert advise(fewer | more).life_threatening >= advise(fewer).life_threatening


@given(st.lists(st.sampled_from(list(Urgency))))
def test_joining_urgencies_keeps_the_highest(urgencies: list[Urgency]) -> None:
    assert all(highest(urgencies).rank >= urgency.rank for urgency in urgencies)


def test_emergency_numbers_follow_the_country() -> None:
    assert [emergency_number(country) for country in ("KR", "US", "EE", "de")] == ["119", "911", "112", "112"]


def test_the_sign_about_three_hours_means_the_guidelines_three_hours() -> None:
    assert edition().number("red_flags.reliever_again_within") == 3


@pytest.mark.parametrize("flag", list(RedFlag))
def test_every_danger_sign_names_the_source_it_rests_on(flag: RedFlag) -> None:
    assert advise([flag]).sources
