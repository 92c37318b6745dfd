"""Log-odds of held-out rows as counts in narrow steps: enough to calibrate and to judge, without any row."""

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

LOW, HIGH, STEP = -14.0, 8.0, 0.02
STEPS = round((HIGH - LOW) / STEP)
MIDDLES = LOW + STEP * (np.arange(STEPS, dtype=np.float64) + 0.5)


def logit_counts(logit: Float64, label: NDArray[np.bool_]) -> Float64:
    """Rows without (0) and with (1) an attack ahead by step of log-odds: (2, STEPS)."""
    step = np.clip(((logit - LOW) / STEP).astype(np.int64), 0, STEPS - 1)
    return np.stack([np.bincount(step[label == outcome], minlength=STEPS) for outcome in (False, True)]).astype(float)


def auroc_of_counts(counts: Float64) -> float:
    """AUROC, ties within a step half; NaN without both outcomes."""
    negative, positive = counts
    if not negative.sum() or not positive.sum():
        return float("nan")
    below = np.cumsum(negative) - negative
    return float((positive * (below + 0.5 * negative)).sum() / (positive.sum() * negative.sum()))


def log_loss_of_counts(counts: Float64, slope: float = 1.0, intercept: float = 0.0) -> float:
    """Mean log-loss of calibrated log-odds."""
    logit = slope * MIDDLES + intercept
    loss = (counts.sum(axis=0) * np.logaddexp(0.0, logit) - counts[1] * logit).sum()
    return float(loss / counts.sum())


def calibration_of_counts(counts: Float64) -> tuple[float, float]:
    """Slope and intercept as `ml.training.calibration.fit_calibration` finds them from the rows, to a step's width."""
    from scipy.optimize import minimize

    total = counts.sum()

    def loss(parameters: Float64) -> tuple[float, Float64]:
        slope, intercept = parameters
        logit = slope * MIDDLES + intercept
        error = counts.sum(axis=0) / (1.0 + np.exp(-logit)) - counts[1]
        value = (counts.sum(axis=0) * np.logaddexp(0.0, logit) - counts[1] * logit).sum() / total
        return float(value), np.array([(error * MIDDLES).sum(), error.sum()]) / total

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0.2, 3.0), (-5.0, 5.0)])
    return float(found.x[0]), float(found.x[1])
