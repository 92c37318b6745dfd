"""Cox's partial likelihood for one treatment, as a profile on a grid; Kaplan–Meier; incidence.

With a single covariate that is 0 or 1 the partial likelihood needs of each event only who was at risk in either arm,
so that a profile over many hazard ratios is one vectorised sum. Ties are Efron's.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

# Hazard ratios from 1/30 to 30; between its points a profile is as good as a parabola.
GRID = np.linspace(-np.log(30.0), np.log(30.0), 273)
Z95 = float(norm.ppf(0.975))
DAYS_PER_YEAR = 365.2425


@dataclass(frozen=True, slots=True, eq=False)
class PartialLikelihood:
    """log L(beta) = beta·treated_events − Σ size·log(others + treated·exp(beta)), one row an event."""

    others: Float64
    treated: Float64
    size: Float64
    treated_events: float

    def on_grid(self, beta: Float64 = GRID) -> Float64:
        """Log likelihood at each log hazard ratio of `beta`."""
        # A set where only one arm is at risk says nothing and costs time.
        both = (self.others > 0) & (self.treated > 0)
        informative = self.treated_events - float(self.size[~both & (self.treated > 0)].sum())
        others, treated, size = self.others[both], self.treated[both], self.size[both]
        ratio = np.exp(beta)
        total = beta * informative
        for start in range(0, len(size), 4096):
            part = slice(start, start + 4096)
            total = total - size[part] @ np.log(others[part, None] + treated[part, None] * ratio[None, :])
        return np.asarray(total)

    def estimate(self) -> tuple[float, float] | None:
        """Log hazard ratio and its standard error from the information; None where one arm alone has events."""
        beta = 0.0
        for _ in range(60):
            share = self.treated * np.exp(beta) / (self.others + self.treated * np.exp(beta))
            score = self.treated_events - float(self.size @ share)
            information = float(self.size @ (share * (1 - share)))
            if information < 1e-9:
                return None
            step = float(np.clip(score / information, -1, 1))
            beta += step
            if abs(beta) > GRID[-1]:
                return None
            if abs(step) < 1e-9:
                return beta, information**-0.5
        return None


def partial_likelihood(
    days: Float64, event: Bool, target: Bool, stratum: Int64 | None = None, weight: Float64 | None = None
) -> PartialLikelihood:
    """From one row a patient; people are compared within `stratum` alone. Rows without a day at risk do not count."""
    n = len(days)
    weight = np.ones(n) if weight is None else weight
    stratum = np.zeros(n, dtype=np.int64) if stratum is None else stratum
    chosen = np.flatnonzero(days > 0)
    order = chosen[np.lexsort((-days[chosen], stratum[chosen]))]
    days, event, target, stratum, weight = days[order], event[order], target[order], stratum[order], weight[order]
    if not event.any():
        return PartialLikelihood(np.zeros(0), np.zeros(0), np.zeros(0), 0.0)
    new_stratum = np.diff(stratum, prepend=stratum[0] - 1) != 0
    new_time = new_stratum | (np.diff(days, prepend=-1.0) != 0)
    tie = np.cumsum(new_time) - 1
    last_of_tie = np.append(np.flatnonzero(new_time)[1:] - 1, len(days) - 1)
    first_of_stratum = np.flatnonzero(new_stratum)[np.cumsum(new_stratum) - 1]

    def at_risk(values: Float64) -> Float64:
        total = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(total[last_of_tie + 1] - total[first_of_stratum[last_of_tie]])

    ties = len(last_of_tie)
    treated_at_risk, others_at_risk = at_risk(weight * target), at_risk(weight * ~target)
    deaths = np.bincount(tie, weights=event * 1.0, minlength=ties)
    death_weight = np.bincount(tie, weights=event * weight, minlength=ties)
    treated_deaths = np.bincount(tie, weights=event * weight * target, minlength=ties)
    with_event = np.flatnonzero(deaths > 0)
    repeat = deaths[with_event].astype(np.int64)
    row = np.repeat(with_event, repeat)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(repeat) - repeat, repeat)
    done = nth / deaths[row]
    return PartialLikelihood(
        others=np.maximum(others_at_risk[row] - done * (death_weight[row] - treated_deaths[row]), 0),
        treated=np.maximum(treated_at_risk[row] - done * treated_deaths[row], 0),
        size=death_weight[row] / deaths[row],
        treated_events=float(treated_deaths.sum()),
    )


def robust_standard_error(days: Float64, event: Bool, target: Bool, weight: Float64, beta: float) -> float:
    """Lin and Wei's sandwich for a weighted comparison without strata (Breslow's ties)."""
    order = np.argsort(-days, kind="stable")
    time, happened, x, w = days[order], event[order], target[order].astype(np.float64), weight[order]
    relative = np.exp(beta * x)
    last = np.searchsorted(-time, -time, side="right") - 1
    total, treated = np.cumsum(w * relative)[last], np.cumsum(w * relative * x)[last]
    mean = treated / total
    hazard = w * happened / total
    # Up to one's own time: times fall along the order, so sums run from its end.
    first = np.searchsorted(-time, -time, side="left")
    ahead = np.cumsum((hazard)[::-1])[::-1][first]
    ahead_mean = np.cumsum((hazard * mean)[::-1])[::-1][first]
    residual = happened * (x - mean) - relative * (x * ahead - ahead_mean)
    information = float(np.sum(w * happened * mean * (1 - mean)))
    return float(np.sqrt(np.sum((w * residual) ** 2)) / information)


@dataclass(frozen=True, slots=True)
class Incidence:
    """Events and rate per 1,000 person-years with the exact 95 % interval of a Poisson count."""

    patients: int
    events: int
    person_years: float
    rate: float
    low: float
    high: float


def incidence(days: Float64, event: Bool) -> Incidence:
    years = float(days.sum()) / DAYS_PER_YEAR
    count = int(event.sum())
    per = 1000 / years if years > 0 else float("nan")
    low = float(chi2.ppf(0.025, 2 * count)) / 2 if count else 0.0
    high = float(chi2.ppf(0.975, 2 * count + 2)) / 2
    return Incidence(int((days > 0).sum()), count, years, count * per, low * per, high * per)


def kaplan_meier(days: Float64, event: Bool, weight: Float64, at: Float64) -> Float64:
    """Share without the event after each day of `at`, by the product limit, weighted."""
    if not len(days):
        return np.full(len(at), np.nan)
    order = np.argsort(days, kind="stable")
    time, happened, w = days[order], event[order], weight[order]
    unique, first = np.unique(time, return_index=True)
    at_risk = w.sum() - np.concatenate([[0.0], np.cumsum(w)])[first]
    deaths = np.add.reduceat(w * happened, first)
    survival = np.concatenate([[1.0], np.cumprod(1 - deaths / at_risk)])
    return np.asarray(survival[np.searchsorted(unique, at, side="right")])
