"""Empirical calibration: what the negative controls, whose truth is no effect, say of the bias that is left.

Schuemie et al. 2014 and 2018: the bias of an estimate is drawn from a normal distribution, fitted by maximum likelihood
to the estimates of the negative controls and their standard errors. The interval assumes that the bias does not depend
on the size of the effect.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from ml.rwe.pooling import Estimate
from ml.rwe.survival import Z95

Float64 = NDArray[np.float64]
CONTROLS_NEEDED = 10
LARGEST_SD = 3.0


@dataclass(frozen=True, slots=True)
class SystematicError:
    """Bias of a log hazard ratio: normal with `mean` and `sd`. `mean_error` is how uncertain the mean is."""

    mean: float
    sd: float
    mean_error: float
    controls: int

    def calibrated(self, found: Estimate) -> Estimate:
        """The estimate less its expected bias, its interval wide enough for what is not known of the bias."""
        error = self._error(found)
        centre = found.log_hazard_ratio - self.mean
        return Estimate(centre, error, centre - Z95 * error, centre + Z95 * error)

    def p_value(self, found: Estimate) -> float:
        """Two-sided chance of an estimate as far from the expected bias if there were no effect."""
        return float(2 * norm.sf(abs(found.log_hazard_ratio - self.mean) / self._error(found)))

    def _error(self, found: Estimate) -> float:
        return float(np.sqrt(found.standard_error**2 + self.sd**2 + self.mean_error**2))


def fit_systematic_error(log_hazard_ratios: ArrayLike, standard_errors: ArrayLike) -> SystematicError | None:
    """The distribution of the bias; None with fewer than CONTROLS_NEEDED negative controls."""
    value, error = np.asarray(log_hazard_ratios, dtype=np.float64), np.asarray(standard_errors, dtype=np.float64)
    usable = np.isfinite(value) & np.isfinite(error) & (error > 0)
    value, error = value[usable], error[usable]
    if len(value) < CONTROLS_NEEDED:
        return None

    def mean_at(sd: float) -> tuple[float, Float64]:
        variance = error**2 + sd**2
        return float((value / variance).sum() / (1 / variance).sum()), variance

    def loss(sd: float) -> float:
        mean, variance = mean_at(sd)
        return float(0.5 * np.sum(np.log(variance) + (value - mean) ** 2 / variance))

    found = minimize_scalar(loss, bounds=(0.0, LARGEST_SD), method="bounded", options={"xatol": 1e-5})
    sd = float(found.x) if found.fun < loss(0.0) else 0.0
    mean, variance = mean_at(sd)
    return SystematicError(mean, sd, float((1 / variance).sum() ** -0.5), len(value))
