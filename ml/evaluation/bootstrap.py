"""Intervals by drawing whole patients again: days of one patient are not independent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.personal import Float64

Bool = NDArray[np.bool_]
REPLICATES = 200


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


def interval(value: float, replicates: Float64) -> Interval:
    """Percentile interval; NaN replicates (a draw without attacks) are left out."""
    known = replicates[~np.isnan(replicates)]
    if not len(known):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def patient_weights(patients: int, seed: int, replicates: int = REPLICATES) -> Float64:
    """How often each patient is drawn in each replicate: (replicates, patients)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(patients, np.full(patients, 1 / patients), size=replicates).astype(np.float64)


def weighted_aurocs(score: Float64, label: Bool, patient: NDArray[np.intp], weights: Float64) -> Float64:
    """AUROC of each replicate from one sort of the rows."""
    order = np.argsort(score, kind="stable")
    score, label, patient = score[order], label[order], patient[order]
    starts = np.flatnonzero(np.diff(score, prepend=-np.inf) != 0)
    result = np.empty(len(weights))
    for number, weight in enumerate(weights):
        row = weight[patient]
        positive = np.add.reduceat(np.where(label, row, 0.0), starts)
        negative = np.add.reduceat(np.where(label, 0.0, row), starts)
        below = np.cumsum(negative) - negative
        total = positive.sum() * negative.sum()
        result[number] = (positive * (below + 0.5 * negative)).sum() / total if total else np.nan
    return result


def ratio_replicates(
    numerator: NDArray[np.int64] | Float64, denominator: NDArray[np.int64] | Float64, weights: Float64
) -> Float64:
    """Replicates of a ratio of per-patient sums."""
    below = weights @ denominator
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, (weights @ numerator) / below, np.nan)
