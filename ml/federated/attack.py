"""Membership inference: can somebody who holds a model and a patient's diary tell whether the patient trained it?

The attack takes the mean log-loss of the patient's days under the model, and, stronger, what is left of it after a
reference model's loss on the same days, which tells a patient who is easy for any model from one the model remembers.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.metrics import auroc

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
Logit = Callable[[NDArray[np.float32]], Float64]


def patient_losses(logit: Float64, label: Bool, patient: NDArray[np.int32]) -> Float64:
    """Mean log-loss of each patient who has rows, by patient number."""
    loss = np.logaddexp(0.0, logit) - label * logit
    _, number, days = np.unique(patient, return_inverse=True, return_counts=True)
    return np.bincount(number, weights=loss) / days


def attack_auroc(member_loss: Float64, other_loss: Float64) -> float:
    """AUROC of telling members by their smaller loss; 0.5 is guessing."""
    score = -np.concatenate([member_loss, other_loss])
    return auroc(score, np.arange(len(score)) < len(member_loss))
