"""One estimate from many hospitals: log-likelihood profiles add up; no row leaves anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.stats import chi2

from ml.rwe.survival import GRID, Z95

Float64 = NDArray[np.float64]
# Half of the 95 % point of chi-squared with one degree: how far a profile falls at the ends of the interval.
DROP95 = float(chi2.ppf(0.95, 1)) / 2
# Points between two of the grid's at which the maximum and the ends of an interval are looked for.
STEPS_BETWEEN = 256


@dataclass(frozen=True, slots=True)
class Estimate:
    """A log hazard ratio with its 95 % interval and standard error."""

    log_hazard_ratio: float
    standard_error: float
    low: float
    high: float

    @property
    def hazard_ratio(self) -> float:
        return float(np.exp(self.log_hazard_ratio))


def normal_profile(log_hazard_ratio: float, standard_error: float) -> Float64:
    """The profile of an estimate whose uncertainty is normal, as after weighting."""
    return np.asarray(-0.5 * ((GRID - log_hazard_ratio) / standard_error) ** 2)


def estimate_from_profile(profile: Float64) -> Estimate | None:
    """Maximum and likelihood-ratio interval of a profile on GRID; None where either lies outside the grid."""
    profile = np.asarray(profile, dtype=np.float64)
    if not np.isfinite(profile).all() or np.ptp(profile) < DROP95:
        return None
    top = int(np.argmax(profile))
    if top in (0, len(GRID) - 1):
        return None
    curve = CubicSpline(GRID, profile)
    near = np.linspace(GRID[top - 1], GRID[top + 1], 2 * STEPS_BETWEEN + 1)
    values = curve(near)
    best, height = float(near[np.argmax(values)]), float(values.max())
    below = profile < height - DROP95
    left, right = np.flatnonzero(below[:top]), np.flatnonzero(below[top:])
    if not len(left) or not len(right):
        return None
    low = _crossing(curve, int(left[-1]), height - DROP95)
    high = _crossing(curve, top + int(right[0]) - 1, height - DROP95)
    return Estimate(best, (high - low) / (2 * Z95), low, high)


def _crossing(curve: CubicSpline, cell: int, height: float) -> float:
    """Where the curve crosses `height` between the grid's points `cell` and `cell` + 1."""
    at = np.linspace(GRID[cell], GRID[cell + 1], STEPS_BETWEEN + 1)
    above = curve(at) - height
    place = int(np.argmax(above[:-1] * above[1:] <= 0))
    share = above[place] / (above[place] - above[place + 1])
    return float(at[place] + share * (at[place + 1] - at[place]))


def pool_fixed(profiles: Sequence[Float64]) -> Estimate | None:
    """One hazard ratio for all hospitals: the sum of their profiles, as stratified by hospital."""
    if not profiles:
        return None
    return estimate_from_profile(np.sum(profiles, axis=0))


@dataclass(frozen=True, slots=True)
class RandomEffects:
    """`tau` is the SD of the log hazard ratio between hospitals; `i_squared` the share of the spread it makes."""

    estimate: Estimate
    tau: float
    i_squared: float


def pool_random(profiles: Sequence[Float64]) -> RandomEffects | None:
    """DerSimonian and Laird over the hospitals that have an estimate of their own; needs two."""
    known = [found for found in map(estimate_from_profile, profiles) if found is not None]
    if len(known) < 2:
        return None
    value = np.array([one.log_hazard_ratio for one in known])
    weight = np.array([one.standard_error**-2 for one in known])
    mean = float(weight @ value / weight.sum())
    q = float(weight @ (value - mean) ** 2)
    spare = len(known) - 1
    tau_squared = max(0.0, (q - spare) / float(weight.sum() - (weight @ weight) / weight.sum()))
    weight = 1 / (1 / weight + tau_squared)
    mean, error = float(weight @ value / weight.sum()), float(weight.sum() ** -0.5)
    pooled = Estimate(mean, error, mean - Z95 * error, mean + Z95 * error)
    return RandomEffects(pooled, tau_squared**0.5, max(0.0, (q - spare) / q) if q > 0 else 0.0)
