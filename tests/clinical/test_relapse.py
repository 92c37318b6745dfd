from hypothesis import given
from hypothesis import strategies as st

from backend.clinical.control import Answers, FourWeeks
from backend.clinical.relapse import relapse_signs
from backend.clinical.treatment_steps import RelapseSign


def weeks(answered: int, symptoms: int = 0, nights: int = 0, reliever: int = 0) -> FourWeeks:
    return FourWeeks(
        Answers(answered, symptoms), Answers(answered, nights), Answers(answered, reliever), Answers(answered, 0), False
    )


def test_a_quiet_diary_shows_no_relapse() -> None:
    assert relapse_signs(weeks(28, symptoms=4, reliever=4), weeks(14, symptoms=2, reliever=2), 2) == []


def test_one_more_day_a_week_with_symptoms_or_reliever_is_a_sign() -> None:
    assert relapse_signs(weeks(28), weeks(14, symptoms=2)) == [RelapseSign.MORE_SYMPTOMS]
    assert relapse_signs(weeks(28), weeks(14, symptoms=1)) == []
    assert relapse_signs(weeks(28, reliever=4), weeks(7, reliever=2)) == [RelapseSign.MORE_RELIEVER]


def test_waking_at_night_is_a_sign_when_it_is_new() -> None:
    assert relapse_signs(weeks(28), weeks(5, nights=1)) == [RelapseSign.NIGHT_WAKING]
    assert relapse_signs(weeks(28, nights=2), weeks(28, nights=2)) == []


def test_more_than_two_days_below_green_are_a_sign() -> None:
    assert relapse_signs(weeks(28), weeks(14), 2) == []
    assert relapse_signs(weeks(28), weeks(14), 3) == [RelapseSign.LOWER_PEAK_FLOW]


@given(st.integers(0, 14), st.integers(0, 14), st.integers(0, 14), st.integers(0, 14))
def test_a_worse_fortnight_never_shows_fewer_signs(first: int, second: int, third: int, fourth: int) -> None:
    low, high = sorted((first, second))
    few, many = sorted((third, fourth))
    milder = relapse_signs(weeks(28), weeks(14, symptoms=low, nights=few), few)
    assert set(milder) <= set(relapse_signs(weeks(28), weeks(14, symptoms=high, nights=many), many))
