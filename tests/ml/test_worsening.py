import numpy as np

from ml.features.signs import RELIEVER, SYMPTOMS, Signs
from ml.features.worsening import (
    WorseningState,
    advance_worsening,
    attacks_ahead,
    attacks_of_present,
    days_each,
    share_of_days,
    starts_a_day,
)

CALM = (np.log(400.0), np.log(410.0), 0.0, 0.0)
WORSE = (np.log(340.0), np.log(350.0), 2.0, np.log1p(4.0))


def lived(
    days: list[tuple[float, ...]],
    waking: float = 0.0,
    recovering: bool = False,
    state: WorseningState | None = None,
    infected: float = 0.0,
    onset: bool = False,
) -> tuple[WorseningState, Signs]:
    """A patient's state after days of (ln morning, ln evening, symptoms, ln(1 + puffs))."""
    state = state or WorseningState.empty(1)
    for day in days:
        readings = np.array(day, dtype=float)[:, None]
        view = advance_worsening(
            state,
            readings,
            np.array([[waking], [np.nan]]),
            np.array([infected]),
            np.where(np.isnan(readings).all(axis=0), 1.0, 0.0),
            np.array([recovering], dtype=np.bool_),
            np.array([onset], dtype=np.bool_),
        )
    return state, view


def calm_weeks(days: int, seed: int = 1) -> list[tuple[float, ...]]:
    rng = np.random.default_rng(seed)
    return [(CALM[0] + rng.normal(0, 0.03), CALM[1] + rng.normal(0, 0.03), 0.0, 0.0) for _ in range(days)]


def test_signs_that_turn_worse_together_are_a_worsening_on_the_first_day() -> None:
    before, _ = lived(calm_weeks(40))
    assert before.chance[0] < 0.02
    after, view = lived([WORSE], waking=1.0, state=before)
    assert after.chance[0] > 0.95
    assert view.change[SYMPTOMS, 0] == 2.0
    assert view.change[RELIEVER, 0] > 1.0


def test_one_low_blow_among_calm_signs_is_not_a_worsening() -> None:
    state, _ = lived([*calm_weeks(40), (np.log(370.0), CALM[1], 0.0, 0.0)])
    assert state.chance[0] < 0.3


def test_a_day_without_an_entry_says_nothing_and_an_old_worsening_fades() -> None:
    state, _ = lived([*calm_weeks(40), WORSE, WORSE])
    chances = [float(state.chance[0])]
    for _ in range(10):
        state, view = lived([(np.nan,) * 4], waking=np.nan, state=state)
        assert view.evidence(1.0)[0] == 0.0
        chances.append(float(state.chance[0]))
    assert chances == sorted(chances, reverse=True)
    assert 0.02 < chances[-1] < 0.2


def test_a_week_of_worsening_does_not_become_the_usual_but_months_do() -> None:
    week, view = lived([*calm_weeks(60), *[WORSE] * 7])
    assert view.change[SYMPTOMS, 0] > 1.8
    _, view = lived([WORSE] * 240, state=week)
    assert view.change[SYMPTOMS, 0] < 0.5


def test_an_attack_and_its_recovery_teach_the_baseline_nothing() -> None:
    before, _ = lived(calm_weeks(60))
    weight, total = before.signs.weight.copy(), before.signs.total.copy()
    after, _ = lived([WORSE] * 14, recovering=True, state=before)
    np.testing.assert_array_equal(after.signs.weight, weight)
    np.testing.assert_array_equal(after.signs.total, total)
    assert share_of_days(after)[0] == share_of_days(before)[0]


def test_who_has_worsenings_more_often_has_the_larger_share_and_a_short_diary_claims_little() -> None:
    rare, _ = lived(calm_weeks(120))
    often, _ = lived([day for part in range(12) for day in [*calm_weeks(7, seed=part), *[WORSE] * 3]])
    short, _ = lived([*calm_weeks(6), WORSE])
    assert share_of_days(rare)[0] < 0.03
    assert 0.15 < share_of_days(often)[0] < 0.4
    assert share_of_days(short)[0] < 0.1


def test_a_worsening_that_lets_go_is_fading_before_it_is_over() -> None:
    growing, _ = lived([*calm_weeks(60), *[WORSE] * 3])
    assert growing.fading[0] < 0.1
    fading, _ = lived([(np.log(385.0), np.log(395.0), 0.0, 0.0)], state=growing)
    assert fading.chance[0] < 0.6
    over, _ = lived([CALM] * 2, state=fading)
    assert over.chance[0] + over.fading[0] < 0.1


def test_an_infection_alone_is_not_a_worsening_but_makes_one_likelier_where_nothing_is_written() -> None:
    coughing = (CALM[0], CALM[1], 1.0, 0.0)
    _, unaware = lived([*calm_weeks(60), coughing])
    _, aware = lived([coughing], infected=1.0, state=lived(calm_weeks(60))[0])
    assert aware.evidence(1.0)[0] < unaware.evidence(1.0)[0] - 0.3
    unwritten = (np.nan,) * 4
    well, _ = lived([unwritten], waking=np.nan, state=lived(calm_weeks(60))[0])
    ill, _ = lived([unwritten], waking=np.nan, infected=1.0, state=lived(calm_weeks(60))[0])
    assert ill.chance[0] > 2.5 * well.chance[0]


def test_long_worsenings_are_told_from_frequent_ones() -> None:
    long, _ = lived([day for part in range(4) for day in [*calm_weeks(24, seed=part), *[WORSE] * 6]])
    frequent, _ = lived([day for part in range(12) for day in [*calm_weeks(8, seed=part), *[WORSE] * 2]])
    assert starts_a_day(frequent)[0] > 1.3 * starts_a_day(long)[0]
    assert days_each(long)[0] > 1.2 * days_each(frequent)[0]


def test_attacks_ahead_count_the_worsening_under_way_the_infection_left_and_what_the_profile_says() -> None:
    usual = np.full(1, 0.01)
    calm, _ = lived(calm_weeks(60))
    before = attacks_ahead(calm, np.zeros(1), usual)[0]
    assert attacks_ahead(calm, np.full(1, 5.0), usual)[0] > 2.0 * before
    assert attacks_ahead(calm, np.zeros(1), 4.0 * usual)[0] > 2.0 * before
    worse, _ = lived([WORSE], state=calm)
    assert attacks_ahead(worse, np.zeros(1), usual)[0] > 5.0 * before


def test_a_deeper_worsening_threatens_more() -> None:
    mild = (np.log(355.0), np.log(365.0), 1.0, np.log1p(1.0))
    deep = (np.log(300.0), np.log(310.0), 3.0, np.log1p(8.0))
    shallow, _ = lived([*calm_weeks(60), *[mild] * 3])
    severe, _ = lived([*calm_weeks(60), *[deep] * 3])
    assert shallow.chance[0] > 0.9
    assert severe.depth[0] > 1.3 * shallow.depth[0]
    assert attacks_of_present(severe)[0] > 1.5 * attacks_of_present(shallow)[0]


def test_a_worsening_counts_once_and_a_doubtful_day_is_understood_from_the_next() -> None:
    calm, _ = lived(calm_weeks(60))
    doubtful = (np.log(365.0), np.nan, 1.0, 0.0)
    after = calm_weeks(4, seed=3)
    assert lived([doubtful], state=calm.copy())[0].chance[0] < 0.4

    def counted(*days: tuple[float, ...]) -> tuple[float, float]:
        state, _ = lived([*days, *after], state=calm.copy())
        return (
            float((state.expected(state.starts) - calm.expected(calm.starts))[0]),
            float((state.expected(state.worse_days) - calm.expected(calm.worse_days))[0]),
        )

    assert counted(doubtful)[0] < 0.05
    starts, days = counted(doubtful, WORSE, WORSE)
    assert abs(starts - 1.0) < 0.05
    assert days - counted(CALM, WORSE, WORSE)[1] > 0.7


def test_the_worsening_that_ends_in_an_attack_is_left_to_the_personal_layer() -> None:
    calm, _ = lived(calm_weeks(60))
    starts, worse_days = calm.expected(calm.starts)[0], calm.expected(calm.worse_days)[0]
    attacked, _ = lived([WORSE] * 4, state=calm)
    assert attacked.expected(attacked.worse_days)[0] > worse_days + 3.0
    attacked, _ = lived([WORSE], state=attacked, recovering=True, onset=True)
    assert abs(attacked.expected(attacked.starts)[0] - starts) < 0.05
    assert abs(attacked.expected(attacked.worse_days)[0] - worse_days) < 0.05
