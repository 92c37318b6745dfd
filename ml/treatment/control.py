"""Controlled days: a linear-Gaussian state space on the log odds of a controlled day, closed form for all patients.

Log odds in a period = level_i + exposure_p · response_i + period noise. Older periods say less about the present level
(drift), which enters as additional noise.
"""

from dataclasses import dataclass

import numpy as np

from ml.treatment.assumptions import Assumptions
from ml.treatment.histories import Histories
from ml.treatment.ingredients import CLASSES, Float64


@dataclass(frozen=True, slots=True)
class ControlPosterior:
    """Mean (n, 1 + classes) and covariance of the untreated level and the own response to each class, in log odds."""

    mean: Float64
    covariance: Float64


def _spread(a: Assumptions) -> tuple[Float64, Float64]:
    rows = np.array([a["control"][name] for name in ("untreated", *CLASSES)])
    return rows[:, 0], rows[:, 1]


def control_posterior(h: Histories, a: Assumptions) -> ControlPosterior:
    c = a["control"]
    mean, sd = _spread(a)
    n, size = len(h), len(mean)
    seen = np.flatnonzero(h.diary_days > 0)
    days, controlled = h.diary_days[seen], h.controlled_days[seen]
    # Half a day each way keeps the log odds finite when all or no days were controlled.
    share = (controlled + 0.5) / (days + 1)
    log_odds = np.log(share / (1 - share))
    variance = c["day_autocorrelation_inflation"] / ((days + 1) * share * (1 - share))
    variance = variance + c["between_periods_sd"] ** 2 + c["drift_sd_per_year"] ** 2 * h.years_ago[seen]
    design = np.concatenate([np.ones((len(seen), 1)), h.row_exposure[seen]], axis=1) / np.sqrt(variance)[:, None]
    owner = h.row_patient[seen]
    precision = np.broadcast_to(np.diag(sd**-2.0), (n, size, size)).copy()
    np.add.at(precision, owner, design[:, :, None] * design[:, None, :])
    pull = np.broadcast_to(mean / sd**2, (n, size)).copy()
    np.add.at(pull, owner, design * (log_odds / np.sqrt(variance))[:, None])
    covariance: Float64 = np.asarray(np.linalg.inv(precision), np.float64)
    return ControlPosterior(np.einsum("nij,nj->ni", covariance, pull), covariance)


def carried_to_attacks(
    control: ControlPosterior, effect_mean: Float64, effect_covariance: Float64, a: Assumptions
) -> tuple[Float64, Float64]:
    """Prior of the attack effects given the diary: whoever's diary answers to a class more than most, likely gains more
    from it in attacks too, by the assumed correlation of the patient's own responses."""
    c = a["control"]
    mean, sd = _spread(a)
    own = np.array([a["own_response_sd"][name] for name in CLASSES])
    shared = c["response_correlation"] * own * c["own_share"] * sd[1:]
    gain = shared / sd[1:] ** 2
    learned = sd[1:] ** 2 * np.eye(len(CLASSES)) - control.covariance[:, 1:, 1:]
    return (
        effect_mean + gain * (control.mean[:, 1:] - mean[1:]),
        effect_covariance - gain[:, None] * learned * gain[None, :],
    )
