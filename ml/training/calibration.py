"""Calibration by two parameters, and hospital factors, both on predictions for patients the experts never saw."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ml.personal import HOSPITAL_PRIOR_ATTACKS, Float64, logistic, shrunk_factor

Bool = NDArray[np.bool_]


def log_loss(logit: Float64, label: Bool) -> float:
    """Mean log loss of log-odds."""
    return float(np.mean(np.logaddexp(0.0, logit) - label * logit))


def fit_calibration(logit: Float64, label: Bool, weight: Float64 | None = None) -> tuple[float, float]:
    """Slope and intercept that make `logit` calibrated for `label`; the slope is kept between 0.2 and 3.

    A row counts `weight` (default: all alike).
    """
    share = np.full(len(label), 1.0 / len(label)) if weight is None else weight / weight.sum()
    outcome = label.astype(np.float64)

    def loss(parameters: Float64) -> tuple[float, Float64]:
        slope, intercept = parameters
        scaled = slope * logit + intercept
        error = logistic(scaled) - outcome
        value = np.sum(share * (np.logaddexp(0.0, scaled) - outcome * scaled))
        error *= share
        return float(value), np.array([np.sum(error * logit), np.sum(error)])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0.2, 3.0), (-5.0, 5.0)])
    return float(found.x[0]), float(found.x[1])


def hospital_factors(
    logit: Float64, label: Bool, hospital: NDArray[np.int32], horizon_days: int, days_a_row: Float64 | int
) -> dict[int, float]:
    """Shrunk odds factor of each known hospital; overlapping horizons count each attack `horizon_days` times.

    A row stands for `days_a_row` days.
    """
    days = np.broadcast_to(np.asarray(days_a_row, dtype=np.float64), logit.shape)
    factors: dict[int, float] = {}
    for code in np.unique(hospital[hospital >= 0]):
        here = hospital == code
        observed = (label[here] * days[here]).sum() / horizon_days
        expected = (logistic(logit[here]) * days[here]).sum() / horizon_days
        factors[int(code)] = float(shrunk_factor(observed, expected, HOSPITAL_PRIOR_ATTACKS))
    return factors
