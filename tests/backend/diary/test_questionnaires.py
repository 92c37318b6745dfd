"""Answers are numbers whose codes and ranges the server knows."""

import pytest

from backend.diary.questionnaires import ANSWER_RANGES, problem_with
from backend.diary.tables import Instrument


@pytest.mark.parametrize("instrument", Instrument)
def test_both_ends_of_each_range_are_possible_and_what_lies_beyond_is_not(instrument: Instrument) -> None:
    for code, (lowest, highest) in ANSWER_RANGES[instrument].items():
        assert problem_with(instrument, {code: lowest}) is None
        assert problem_with(instrument, {code: highest}) is None
        for beyond in (lowest - 1, highest + 1):
            problem = problem_with(instrument, {code: beyond})
            assert problem is not None
            assert problem[0] == code


def test_a_mean_score_may_be_a_fraction_and_a_count_of_days_may_not() -> None:
    assert problem_with(Instrument.SCORE, {"acq": 1.5}) is None
    assert problem_with(Instrument.WEEKLY_REVIEW, {"symptom_days": 1.2}) is not None
