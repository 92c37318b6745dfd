import numpy as np
import pytest

from ml.features.signs import SWING_CHANGE, TYPICAL_CHANGE, Signs, SignsState, learn, weigh

USUAL = np.array([np.log(400.0), np.log(410.0), 0.5, np.log1p(1.0)])[:, None]
NO_ANSWER = np.full((2, 1), np.nan)


def seen(state: SignsState, readings: np.ndarray, answers: np.ndarray = NO_ANSWER) -> Signs:
    return weigh(state, readings, answers, np.zeros(1))


def known(days: int = 60, answers: np.ndarray = NO_ANSWER, noise: float = 1.0, seed: int = 1) -> SignsState:
    """A patient after calm days with the usual noise, times `noise`."""
    rng = np.random.default_rng(seed)
    spread = noise * np.array([0.03, 0.03, 0.35, 0.28])[:, None]
    state = SignsState.empty(1)
    for _ in range(days):
        signs = seen(state, USUAL + spread * rng.standard_normal((4, 1)), answers)
        learn(state, signs, answers, np.zeros(1), np.ones(1), np.zeros(1, dtype=np.bool_))
    state.swing[:] = 0.0
    return state


def test_a_typical_worsening_speaks_for_itself_and_a_usual_day_against_one() -> None:
    assert seen(known(), USUAL + TYPICAL_CHANGE).evidence(1.0)[0] > 5.0
    assert seen(known(), USUAL).evidence(1.0)[0] < -3.0


def test_nothing_written_says_nothing() -> None:
    signs = seen(known(), np.full((4, 1), np.nan))
    assert signs.evidence(1.0)[0] == 0.0
    assert signs.evidence(2.2)[0] == 0.0


def test_a_low_blow_that_the_other_of_the_day_denies_is_poor_effort() -> None:
    poor = USUAL + np.array([-0.4, 0.0, 0.0, 0.0])[:, None]
    signs = seen(known(), poor)
    assert np.isnan(signs.change[0, 0])
    assert signs.evidence(1.0)[0] < -2.0
    both = USUAL + np.array([-0.4, -0.4, 0.0, 0.0])[:, None]
    assert seen(known(), both).evidence(1.0)[0] > signs.evidence(1.0)[0] + 3.0


def test_days_of_swing_look_less_like_a_worsening_than_a_sudden_change() -> None:
    state = known()
    swung = USUAL + 2.0 * SWING_CHANGE
    first = seen(state, swung).evidence(1.0)[0]
    for _ in range(6):
        learn(state, seen(state, swung), NO_ANSWER, np.zeros(1), np.ones(1), np.zeros(1, dtype=np.bool_))
    assert state.swing[0] > 0.8
    assert seen(state, swung).evidence(1.0)[0] < first - 1.0


def test_the_evidence_of_a_noisy_diary_is_weaker() -> None:
    day = USUAL + TYPICAL_CHANGE
    assert seen(known(noise=2.5), day).evidence(1.0)[0] < 0.6 * seen(known(), day).evidence(1.0)[0]


def test_a_yes_says_more_of_who_rarely_gives_one() -> None:
    yes, no = np.array([[1.0], [1.0]]), np.array([[0.0], [0.0]])
    nothing = np.full((4, 1), np.nan)
    rarely = seen(known(answers=no), nothing, yes).evidence(1.0)[0]
    often = seen(known(answers=yes), nothing, yes).evidence(1.0)[0]
    assert rarely > 0.8
    assert 0.0 < often < 0.3 * rarely


@pytest.mark.parametrize("depth", [0.6, 1.0, 2.2])
def test_the_evidence_is_that_of_the_gaussian_law(depth: float) -> None:
    """Beside another way to the same number: the likelihood ratio of one joint normal law of all entries."""
    state = known(days=400)
    state.swing_variance[:] = 0.5
    day = USUAL + np.array([-0.04, -0.05, 0.3, 0.1])[:, None]
    signs = seen(state, day)
    baseline = state.total / state.weight
    noise = (signs.noise * (1.0 + 1.0 / np.maximum(state.weight, 1.0)))[:, 0]
    noise[2:] *= 2.0
    lasting = 0.92**2 * 0.5 + (1.0 - 0.92**2) * 0.8
    covariance = np.diag(noise) + (lasting + 0.3) * SWING_CHANGE @ SWING_CHANGE.T
    off = (day - baseline)[:, 0]
    worse = off - depth * TYPICAL_CHANGE[:, 0]
    inverse = np.linalg.inv(covariance)
    expected = 0.5 * (off @ inverse @ off - worse @ inverse @ worse)
    assert signs.evidence(depth)[0] == pytest.approx(expected, abs=1e-9)
