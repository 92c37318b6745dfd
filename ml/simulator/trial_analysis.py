"""Rates, ratios with Monte-Carlo errors, regressions and diary levels of a simulated trial, beside their targets."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.simulator.trial_fields import TrialSpecError
from ml.simulator.trial_follow import Followed
from ml.simulator.trial_spec import Comparison, LevelTarget, Limits, Regression, Target, TrialSpec

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]
LOG_RATIO_TOLERANCE = 0.15
LEVEL_TOLERANCE = 0.25


@dataclass(frozen=True, slots=True)
class Estimate:
    """One simulated figure. `standard_error` is of the logarithm for ratios; `passed` is None without a target."""

    label: str
    value: float
    standard_error: float
    is_ratio: bool
    target: Target | None

    @property
    def passed(self) -> bool | None:
        if self.target is None:
            return None
        low, high = self.target.interval or (-np.inf, np.inf)
        if self.is_ratio:
            near = abs(np.log(self.value) - np.log(self.target.value)) <= LOG_RATIO_TOLERANCE
            return bool(low <= self.value <= high and near)
        return bool(abs(self.value - self.target.value) <= LEVEL_TOLERANCE * abs(self.target.value))


@dataclass(frozen=True, slots=True)
class Result:
    """A trial's figures: rates per patient-year and levels by arm, then every figure that was asked for."""

    name: str
    title: str
    row: int | None
    patients: int
    rates: Mapping[str, Mapping[str, float]]
    levels: Mapping[str, Mapping[str, float]]
    estimates: tuple[Estimate, ...]

    @property
    def passed(self) -> bool | None:
        judged = [estimate.passed for estimate in self.estimates if estimate.passed is not None]
        return all(judged) if judged else None

    @property
    def largest_standard_error(self) -> float:
        return max((e.standard_error for e in self.estimates if e.is_ratio), default=0.0)


def _chosen(columns: Mapping[str, Float32], limits: Limits) -> Mask:
    inside = np.ones(len(columns["age_years"]), bool)
    for name, (low, high) in limits.items():
        inside &= (columns[name] >= low) & (columns[name] <= high)
    return inside


def _mean(arms: Mapping[str, Followed], names: tuple[str, ...], outcome: str) -> Float64:
    """Per patient, the outcome averaged over several arms."""
    if outcome == "uncontrolled":
        columns = [arms[name].levels["uncontrolled_share"] for name in names]
    else:
        columns = [arms[name].count[outcome] for name in names]
    return np.asarray(np.mean(columns, axis=0), dtype=np.float64)


def matched_rate_ratio(treated: Float64, control: Float64) -> tuple[float, float]:
    """Ratio of means over the same patients, and the standard error of its logarithm (delta method)."""
    if treated.sum() == 0 or control.sum() == 0:
        return float("nan"), float("inf")
    ratio = treated.mean() / control.mean()
    error = (treated / treated.mean() - control / control.mean()).std() / np.sqrt(len(treated))
    return float(ratio), float(error)


def rate_ratio(treated: Float64, control: Float64) -> tuple[float, float]:
    """Ratio of means of two groups of different patients, and the standard error of its logarithm."""
    if treated.sum() == 0 or control.sum() == 0:
        return float("nan"), float("inf")
    error = np.sqrt(
        (treated.std() / treated.mean()) ** 2 / len(treated) + (control.std() / control.mean()) ** 2 / len(control)
    )
    return float(treated.mean() / control.mean()), float(error)


def odds_ratio(treated: Float64, control: Float64) -> tuple[float, float]:
    """Odds ratio of two shares, and the standard error of its logarithm."""
    a, b = treated.mean(), control.mean()
    error = np.sqrt(1 / (len(treated) * a * (1 - a)) + 1 / (len(control) * b * (1 - b)))
    return float(a / (1 - a) / (b / (1 - b))), float(error)


def hazard_ratio(
    treated: NDArray[np.int32], control: NDArray[np.int32], days: int, *, matched: bool = False
) -> tuple[float, float]:
    """Cox's hazard ratio of time to the first event (-1: none), two groups, by Newton's method on daily risk sets.

    With `matched`, entry i is the same patient in both groups and the standard error is the robust one over pairs.
    """

    def daily(first: NDArray[np.int32]) -> tuple[Float64, Float64]:
        events = np.bincount(first[first >= 0], minlength=days)[:days].astype(float)
        return events, len(first) - np.concatenate([[0.0], np.cumsum(events)[:-1]])

    events_t, risk_t = daily(treated)
    events_c, risk_c = daily(control)
    if events_t.sum() == 0 or events_c.sum() == 0:
        return float("nan"), float("inf")
    beta = 0.0
    for _ in range(25):
        share = risk_t * np.exp(beta) / (risk_t * np.exp(beta) + risk_c)
        score = (events_t - (events_t + events_c) * share).sum()
        information = ((events_t + events_c) * share * (1 - share)).sum()
        beta += score / information
    if not matched:
        return float(np.exp(beta)), float(1 / np.sqrt(information))
    # Score residuals: what happened minus what the model expected up to the event or the end.
    rise = (events_t + events_c) / (risk_t * np.exp(beta) + risk_c)
    expected_t = np.cumsum(np.exp(beta) * (1 - share) * rise)
    expected_c = np.cumsum(share * rise)
    residual_t = np.where(treated >= 0, 1 - share[treated], 0) - expected_t[treated]
    residual_c = expected_c[control] - np.where(control >= 0, share[control], 0)
    error = np.sqrt(((residual_t + residual_c) ** 2).sum()) / information
    return float(np.exp(beta)), float(error)


def _compare(
    comparison: Comparison, before: Mapping[str, Float32], arms: Mapping[str, Followed], days: int
) -> Estimate:
    base = _chosen(before, comparison.subgroup)
    columns_t = {**before, "adherence": arms[comparison.arms[0]].levels["adherence"]}
    columns_c = {**before, "adherence": arms[comparison.reference[0]].levels["adherence"]}
    treated = base & _chosen(columns_t, comparison.group)
    control = base & _chosen(columns_c, comparison.reference_group)
    if treated.sum() < 20 or control.sum() < 20:
        raise TrialSpecError(f"a compared group has only {int(min(treated.sum(), control.sum()))} patients")
    label = f"{comparison.outcome}: {'+'.join(comparison.arms)} / {'+'.join(comparison.reference)}"
    for limits in (comparison.subgroup, comparison.group):
        label += "".join(f", {name} {low:g}–{high:g}" for name, (low, high) in limits.items())
    if comparison.measure == "hazard_ratio":
        first_t = np.concatenate([arms[name].first_day[comparison.outcome][treated] for name in comparison.arms])
        first_c = np.concatenate(
            [arms[name].first_day[comparison.reference_outcome][control] for name in comparison.reference]
        )
        same = np.array_equal(treated, control) and len(comparison.arms) == len(comparison.reference)
        value, error = hazard_ratio(first_t, first_c, days, matched=same)
    else:
        outcome_t = _mean(arms, comparison.arms, comparison.outcome)[treated]
        outcome_c = _mean(arms, comparison.reference, comparison.reference_outcome)[control]
        if comparison.measure in ("risk_ratio", "odds_ratio"):
            outcome_t, outcome_c = np.minimum(outcome_t, 1), np.minimum(outcome_c, 1)
        matched = np.array_equal(treated, control)
        if comparison.measure == "odds_ratio":
            value, error = odds_ratio(outcome_t, outcome_c)
        elif matched:
            value, error = matched_rate_ratio(outcome_t, outcome_c)
        else:
            value, error = rate_ratio(outcome_t, outcome_c)
    return Estimate(f"{label} ({comparison.measure.replace('_', ' ')})", value, error, True, comparison.target)


def _term(name: str, before: Mapping[str, Float32]) -> Float64:
    if name.startswith("log10_"):
        return np.log10(before[name.removeprefix("log10_")]).astype(np.float64)
    if name == "any_attack_last_year":
        return (before["severe_attacks_last_year"] > 0).astype(np.float64)
    return before[name].astype(np.float64)


def poisson_regression(columns: Float64, counts: Float64) -> tuple[Float64, Float64]:
    """Coefficients (intercept first) and their robust standard errors."""
    design = np.column_stack([np.ones(len(counts)), columns])
    beta = np.zeros(design.shape[1])
    beta[0] = np.log(counts.mean())
    for _ in range(30):
        mean = np.exp(design @ beta)
        bread = np.linalg.inv((design * mean[:, None]).T @ design)
        step = bread @ (design.T @ (counts - mean))
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    residual = counts - np.exp(design @ beta)
    meat = (design * (residual**2)[:, None]).T @ design
    return beta, np.sqrt(np.diag(bread @ meat @ bread))


def _regress(regression: Regression, before: Mapping[str, Float32], arms: Mapping[str, Followed]) -> list[Estimate]:
    columns = np.column_stack([_term(name, before) for name in regression.terms])
    centred = columns - columns.mean(axis=0)
    beta, error = poisson_regression(centred, arms[regression.arm].count[regression.outcome].astype(np.float64))
    return [
        Estimate(
            f"{regression.outcome}: ratio per unit of {term}",
            float(np.exp(beta[number + 1])),
            float(error[number + 1]),
            True,
            regression.targets.get(term),
        )
        for number, term in enumerate(regression.terms)
    ]


def _level(wanted: LevelTarget, before: Mapping[str, Float32], arms: Mapping[str, Followed], years: float) -> Estimate:
    def of(name: str) -> float:
        if wanted.quantity == "rate":
            return float(arms[name].count[wanted.outcome].mean() / years)
        if wanted.quantity == "event_share":
            return float((arms[name].count[wanted.outcome] > 0).mean())
        if name == "run_in":
            column = {
                "morning_litres_per_min": "run_in_litres_per_min",
                "reliever_puffs_per_day": "run_in_reliever_puffs",
                "night_waking_share": "run_in_night_waking_share",
                "symptom_free_share": "run_in_symptom_free_share",
            }[wanted.quantity]
            return float(before[column].mean())
        return float(arms[name].levels[wanted.quantity].mean())

    value = float(np.mean([of(name) for name in wanted.arms or ("run_in",)]))
    label = f"{wanted.quantity}: {'+'.join(wanted.arms) or 'run-in'}"
    if wanted.minus:
        value -= float(np.mean([of(name) for name in wanted.minus]))
        label += f" minus {'+'.join(wanted.minus)}"
    return Estimate(label, value, 0.0, False, wanted.target)


def analyse(spec: TrialSpec, before: Mapping[str, Float32], arms: Mapping[str, Followed]) -> Result:
    """All figures of a finished trial."""
    years = spec.duration_days / 365
    estimates = [_compare(one, before, arms, spec.duration_days) for one in spec.comparisons]
    for regression in spec.regressions:
        estimates += _regress(regression, before, arms)
    estimates += [_level(one, before, arms, years) for one in spec.levels]
    return Result(
        name=spec.name,
        title=spec.title,
        row=spec.row,
        patients=len(before["age_years"]),
        rates={
            arm: {outcome: float(count.mean() / years) for outcome, count in followed.count.items()}
            for arm, followed in arms.items()
        },
        levels={
            arm: {name: float(values.mean()) for name, values in followed.levels.items()}
            for arm, followed in arms.items()
        },
        estimates=tuple(estimates),
    )
