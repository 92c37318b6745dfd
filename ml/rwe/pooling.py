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
FINE = np.linspace(GRID[0], GRID[-1], 20_001)


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
    fine = CubicSpline(GRID, profile)(FINE)
    best = int(np.argmax(fine))
    inside = np.flatnonzero(fine >= fine[best] - DROP95)
    first, last = int(inside[0]), int(inside[-1])
    if first == 0 or last == len(FINE) - 1:
        return None
    low, high = float(FINE[first]), float(FINE[last])
    return Estimate(float(FINE[best]), (high - low) / (2 * Z95), low, high)


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
