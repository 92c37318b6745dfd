"""Patient-level differential privacy of the logistic regressions: clipped gradients, Gaussian noise, Rényi accounting.

A patient's contribution to a step is the mean gradient over all their days, cut to length `clip`, so adding or removing
a patient moves the sum by at most that. The hospitals each add an equal share of the noise; a hospital that does not
answer takes its share along, so the share is set for the fewest hospitals that a run allows.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ml.federated.plan import DifferentialPrivacy

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

ORDERS = (*(1.0 + step / 10 for step in range(1, 100)), *range(11, 64), 80, 100, 128, 256, 512, 1024)


def epsilon_of(noise_multiplier: float, releases: int, delta: float) -> float:
    """Epsilon of `releases` Gaussian mechanisms of sensitivity 1.

    Rényi divergence of order a of one is a / (2 s^2) (Mironov 2017, corollary 3); conversion to (epsilon, delta) after
    Balle et al. 2020, theorem 21.
    """
    found = math.inf
    for order in ORDERS:
        divergence = releases * order / (2.0 * noise_multiplier**2)
        conversion = math.log((order - 1) / order) - (math.log(delta) + math.log(order)) / (order - 1)
        found = min(found, divergence + conversion)
    return max(found, 0.0)


def noise_for(budget: DifferentialPrivacy, releases: int) -> float:
    """Smallest noise multiplier, to 0.1 %, that keeps `releases` within the budget."""
    low, high = 1e-2, 1e6
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        if epsilon_of(middle, releases, budget.delta) > budget.epsilon:
            low = middle
        else:
            high = middle
    return high


def clipped_gradient(
    inputs: Float64, label: Bool, patient: NDArray[np.int32], coefficient: Float64, clip: float
) -> tuple[Float64, float]:
    """Sum over patients of their mean gradient, each cut to length `clip`; and the number of patients."""
    error = np.exp(-np.logaddexp(0.0, -(inputs @ coefficient))) - label
    _, number, days = np.unique(patient, return_inverse=True, return_counts=True)
    order = np.argsort(number, kind="stable")
    starts = np.cumsum(days) - days
    means = np.add.reduceat((inputs * error[:, None])[order], starts, axis=0) / days[:, None]
    length = np.linalg.norm(means, axis=1)
    cut = np.minimum(1.0, clip / np.maximum(length, 1e-12))
    total: Float64 = (means * cut[:, None]).sum(axis=0)
    return total, float(len(days))


def noise_share(size: int, clip: float, noise_multiplier: float, hospitals: int, rng: np.random.Generator) -> Float64:
    """One hospital's share of the noise on a sum over `hospitals`."""
    return rng.normal(0.0, clip * noise_multiplier / math.sqrt(hospitals), size)
