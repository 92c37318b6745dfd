"""The estimators against lifelines, against brute force, and against truths that are known."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter, KaplanMeierFitter

from ml.rwe.adjustment import match
from ml.rwe.calibration import fit_systematic_error
from ml.rwe.disclosure import small, suppressed, thinned
from ml.rwe.pooling import Estimate, estimate_from_profile, pool_fixed, pool_random
from ml.rwe.survival import GRID, incidence, kaplan_meier, partial_likelihood, robust_standard_error


def survival_rows(seed: int, n: int = 400) -> pd.DataFrame:
    """Tied days, censoring, three strata with hazards of their own, weights."""
    rng = np.random.default_rng(seed)
    target = rng.random(n) < 0.4
    stratum = rng.integers(0, 3, n)
    event_day = np.ceil(rng.exponential(60 / np.exp(0.5 * stratum - 0.4 * target)))
    censored = np.ceil(rng.uniform(5, 120, n))
    return pd.DataFrame(
        {
            "days": np.minimum(event_day, censored),
            "event": event_day <= censored,
            "target": target,
            "stratum": stratum,
            "weight": rng.uniform(0.3, 2, n),
        }
    )


def cox_by_lifelines(rows: pd.DataFrame, **options: object) -> tuple[float, float]:
    columns = ["days", "event", "target", *[str(value) for key, value in options.items() if key.endswith("_col")]]
    strata = options.pop("strata", None)
    if strata:
        columns.append("stratum")
    fitted = CoxPHFitter().fit(
        rows[columns].assign(target=rows["target"] * 1.0), "days", "event", strata=strata, **options
    )
    return float(fitted.params_["target"]), float(fitted.standard_errors_["target"])


@pytest.mark.parametrize("seed", [1, 2])
def test_cox_agrees_with_lifelines_with_ties(seed: int) -> None:
    rows = survival_rows(seed)
    found = partial_likelihood(rows["days"].to_numpy(), rows["event"].to_numpy(), rows["target"].to_numpy()).estimate()
    assert found == pytest.approx(cox_by_lifelines(rows), rel=1e-4)


def test_stratified_cox_agrees_with_lifelines() -> None:
    rows = survival_rows(3)
    found = partial_likelihood(
        rows["days"].to_numpy(), rows["event"].to_numpy(), rows["target"].to_numpy(), rows["stratum"].to_numpy()
    ).estimate()
    assert found == pytest.approx(cox_by_lifelines(rows, strata=["stratum"]), rel=1e-4)


def test_weighted_cox_with_a_robust_error_agrees_with_lifelines_without_ties() -> None:
    rows = survival_rows(4)
    rows["days"] += np.random.default_rng(0).permutation(len(rows)) * 1e-5
    days, event, target, weight = (rows[name].to_numpy() for name in ("days", "event", "target", "weight"))
    found = partial_likelihood(days, event, target, weight=weight).estimate()
    assert found is not None
    beta, error = cox_by_lifelines(rows, weights_col="weight", robust=True)
    assert found[0] == pytest.approx(beta, abs=1e-4)
    assert robust_standard_error(days, event, target, weight, found[0]) == pytest.approx(error, rel=1e-3)


def test_the_profile_has_its_maximum_where_newton_ends_and_its_width_is_the_standard_error() -> None:
    rows = survival_rows(5)
    likelihood = partial_likelihood(rows["days"].to_numpy(), rows["event"].to_numpy(), rows["target"].to_numpy())
    direct, profile = likelihood.estimate(), estimate_from_profile(likelihood.on_grid())
    assert direct is not None
    assert profile is not None
    assert profile.log_hazard_ratio == pytest.approx(direct[0], abs=1e-3)
    assert profile.standard_error == pytest.approx(direct[1], rel=0.02)


def test_events_in_one_arm_alone_give_no_estimate_and_no_error() -> None:
    days, event = np.array([3.0, 4.0, 5.0, 6.0]), np.array([True, True, False, False])
    likelihood = partial_likelihood(days, event, np.array([True, True, False, False]))
    assert likelihood.estimate() is None
    assert estimate_from_profile(likelihood.on_grid()) is None


def test_kaplan_meier_agrees_with_lifelines() -> None:
    rows = survival_rows(6)
    at = np.array([1.0, 10.0, 40.0, 90.0])
    fitted = KaplanMeierFitter().fit(rows["days"], rows["event"])
    own = kaplan_meier(rows["days"].to_numpy(), rows["event"].to_numpy(), np.ones(len(rows)), at)
    np.testing.assert_allclose(own, fitted.predict(at).to_numpy(), rtol=1e-9)


def test_an_incidence_rate_has_the_exact_poisson_interval() -> None:
    rate = incidence(np.full(10, 365.2425), np.array([True] * 3 + [False] * 7))
    assert rate.rate == pytest.approx(300)
    assert (rate.low, rate.high) == pytest.approx((61.87, 876.7), rel=1e-3)


def test_hospitals_pooled_from_profiles_are_one_stratified_analysis() -> None:
    parts = [survival_rows(seed, n) for seed, n in ((7, 150), (8, 300), (9, 90))]
    profiles = [
        partial_likelihood(one["days"].to_numpy(), one["event"].to_numpy(), one["target"].to_numpy()).on_grid()
        for one in parts
    ]
    pooled = pool_fixed(profiles)
    together = pd.concat([one.assign(stratum=place) for place, one in enumerate(parts)], ignore_index=True)
    beta, error = cox_by_lifelines(together, strata=["stratum"])
    assert pooled is not None
    assert pooled.hazard_ratio == pytest.approx(np.exp(beta), rel=1e-3)
    assert pooled.standard_error == pytest.approx(error, rel=0.01)


def test_hospitals_that_differ_widen_the_random_effects_interval() -> None:
    def bell(centre: float, error: float) -> np.ndarray:
        return -0.5 * ((GRID - centre) / error) ** 2

    alike, apart = pool_random([bell(0.1, 0.1)] * 4), pool_random([bell(-0.5, 0.1), bell(0.7, 0.1)])
    assert alike is not None
    assert apart is not None
    assert alike.tau == 0
    assert apart.tau == pytest.approx(np.sqrt(0.72 - 0.01), rel=0.02)
    assert pool_random([bell(0, 0.1)]) is None


def test_empirical_calibration_finds_the_bias_that_was_put_in() -> None:
    rng = np.random.default_rng(1)
    error = rng.uniform(0.05, 0.3, 400)
    value = rng.normal(0.25, 0.15, 400) + rng.normal(0, error)
    found = fit_systematic_error(value, error)
    assert found is not None
    assert found.mean == pytest.approx(0.25, abs=0.03)
    assert found.sd == pytest.approx(0.15, abs=0.03)
    biased = Estimate(0.25, 0.1, 0.054, 0.446)
    assert found.calibrated(biased).log_hazard_ratio == pytest.approx(0, abs=0.03)
    assert found.p_value(biased) > 0.8


def test_few_negative_controls_calibrate_nothing() -> None:
    assert fit_systematic_error(np.zeros(9), np.full(9, 0.1)) is None


def match_by_brute_force(logit: np.ndarray, target: np.ndarray, caliper: float) -> set[frozenset[int]]:
    """The closest free pair again and again, found by looking at all of them."""
    treated, others = list(np.flatnonzero(target)), list(np.flatnonzero(~target))
    pairs = set()
    while treated and others:
        distance, one, other = min((abs(logit[a] - logit[b]), a, b) for a in treated for b in others)
        if distance > caliper:
            break
        pairs.add(frozenset((int(one), int(other))))
        treated.remove(one)
        others.remove(other)
    return pairs


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.floats(0.05, 1.0))
def test_matching_takes_the_closest_free_pair_each_time(seed: int, n: int, caliper: float) -> None:
    rng = np.random.default_rng(seed)
    logit, target = rng.normal(size=n), rng.random(n) < 0.5
    sets = match(logit, target, caliper=caliper)
    pairs = {frozenset(np.flatnonzero(sets == number).tolist()) for number in np.unique(sets[sets >= 0])}
    assert pairs == match_by_brute_force(logit, target, caliper)


def test_several_comparators_are_shared_out_one_round_after_the_other() -> None:
    logit = np.array([0.0, 0.1, 0.01, 0.02, 0.11, 0.12, 5.0])
    target = np.array([True, True, False, False, False, False, False])
    sets = match(logit, target, caliper=0.5, most_comparators=2)
    assert sets.tolist() == [0, 1, 0, 0, 1, 1, -1]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12))
def test_no_small_cell_can_be_worked_out_from_a_table_and_its_total(counts: list[int]) -> None:
    shown = suppressed(counts, 5)
    hidden = [count for count, one in zip(counts, shown, strict=True) if one is None]
    assert not any(one is not None and small(one, 5) for one in shown)
    # The total gives the sum of what is hidden away; one alone would be known.
    assert len(hidden) != 1 or sum(count > 0 for count in counts) == 1


@given(st.lists(st.integers(0, 8), min_size=1, max_size=12), st.integers(0, 40))
def test_no_small_step_can_be_worked_out_from_an_attrition_table(drops: list[int], left: int) -> None:
    counts = [left + sum(drops[place:]) for place in range(len(drops) + 1)]
    shown = [count for count in thinned(counts, 5) if count is not None]
    assert not any(small(one, 5) for one in shown)
    assert not any(small(before - after, 5) for before, after in pairwise(shown))
