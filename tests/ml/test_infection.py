import numpy as np

from ml.features.infection import LASTS_DAYS, InfectionState, advance_infection

NOT_RECORDED = float("nan")


def lived(days: list[float], state: InfectionState | None = None) -> InfectionState:
    """A patient's state after days of so many triggers each."""
    state = state or InfectionState.empty(1)
    for triggers in days:
        advance_infection(state, np.array([triggers]))
    return state


def test_one_trigger_day_is_a_suspicion_and_three_in_a_row_are_an_infection() -> None:
    state = lived([0.0] * 60)
    assert state.chance[0] < 0.01
    chances = [lived([0.0] * 60 + [1.0] * days).chance[0] for days in (1, 2, 3)]
    assert chances == sorted(chances)
    assert 0.1 < chances[0] < 0.6
    assert chances[2] > 0.95


def test_the_days_that_an_infection_has_left_run_out_and_never_exceed_its_length() -> None:
    left = [lived([0.0] * 60 + [1.0] * days).days_left[0] for days in range(3, LASTS_DAYS + 1)]
    assert left == sorted(left, reverse=True)
    assert LASTS_DAYS > left[0] > 4
    assert lived([0.0] * 60 + [1.0] * LASTS_DAYS + [0.0] * 2).days_left[0] < 0.2


def test_an_unwritten_day_only_lets_an_infection_go_on() -> None:
    ill = lived([0.0] * 60 + [1.0] * 3)
    before = ill.days_left[0]
    after = lived([NOT_RECORDED], ill)
    assert 0.8 < before - after.days_left[0] <= 1.0
    assert lived([NOT_RECORDED] * 30, after).chance[0] < 0.1


def test_who_always_enters_a_trigger_is_not_always_infected() -> None:
    assert lived([1.0] * 200).chance[0] < 0.25


def test_chances_of_patients_side_by_side_add_up_and_do_not_touch_each_other() -> None:
    state = InfectionState.empty(2)
    for first, second in zip([0.0] * 20 + [1.0] * 4, [0.0] * 24, strict=True):
        advance_infection(state, np.array([first, second]))
    np.testing.assert_allclose(state.begun.sum(axis=0), 1.0)
    alone = lived([0.0] * 20 + [1.0] * 4)
    np.testing.assert_allclose(state.begun[:, 0], alone.begun[:, 0], rtol=1e-12)
