"""What a clinic's own patients add to the published population: penalised maximum likelihood, all in closed form steps.

The trials stay the prior of every effect. Rows that nobody randomised may mislead about effects, by at most about
`confounding_sd`: each class gets a nuisance effect of that spread in them, so that they can move an effect only as far
as they can be trusted.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml.contract import TreatmentPatients
from ml.treatment.assumptions import Assumptions
from ml.treatment.attacks import LEVEL_COEFFICIENTS, Population, level_design, level_offset
from ml.treatment.evidence import Effects
from ml.treatment.histories import Histories, prepare
from ml.treatment.ingredients import CLASSES, COEFFICIENTS, Float64

NEWTON_STEPS = 25
SMALLEST_STEP = 1e-8
# Never above the published shape: patients at low risk differ more than one shape for all can say, and advice that is
# too sure is worse than advice that is not sure enough.
FRAILTY_SHAPE_RATIOS = np.linspace(0.3, 1.0, 8)
FRAILTY_LOG_SD = 0.5


@dataclass(frozen=True, slots=True)
class _Fit:
    theta: Float64
    covariance: Float64
    log_posterior: float


def refit(
    published: Population,
    patients: TreatmentPatients,
    as_of: int,
    randomised_last_period: NDArray[np.bool_],
    a: Assumptions,
) -> Population:
    """The population after seeing `patients` (each with a period) up to `as_of`.

    `randomised_last_period` (patients,) marks whose present treatment was drawn by lot. Raises ValueError where a
    patient has no period.
    """
    if len(np.unique(patients.periods.patient_index)) != len(patients):
        raise ValueError("every patient needs a period of treatment to learn from")
    h = prepare(patients, np.arange(len(patients)), as_of, a)
    last_row = np.append(h.starts[1:], len(h.row_patient)) - 1
    by_choice = np.ones(len(h.row_patient))
    by_choice[last_row[np.asarray(randomised_last_period)]] = 0.0
    cut = np.einsum("rc,rck->rk", h.row_exposure, h.modifiers[h.row_patient])
    design = np.concatenate(
        [level_design(h, a)[h.row_patient], -cut, -h.row_exposure * by_choice[:, None]],
        axis=1,
    )
    levels, effects = len(LEVEL_COEFFICIENTS), len(COEFFICIENTS)
    size = levels + effects + len(CLASSES)
    prior_mean, prior_precision = np.zeros(size), np.zeros((size, size))
    prior_mean[:levels], prior_mean[levels : levels + effects] = published.level_mean, published.effects.mean
    prior_precision[:levels, :levels] = np.linalg.inv(published.level_covariance)
    middle = slice(levels, levels + effects)
    prior_precision[middle, middle] = np.linalg.inv(published.effects.covariance)
    end = np.arange(levels + effects, size)
    prior_precision[end, end] = a["effects"]["confounding_sd"] ** -2
    offset = np.log(h.years) + level_offset(h, published.usual_effects, a)[h.row_patient]

    best, shape = None, published.frailty_shape
    theta = prior_mean
    for candidate in (FRAILTY_SHAPE_RATIOS * published.frailty_shape).tolist():
        found = _maximised(h, design, offset, candidate, prior_mean, prior_precision, theta)
        theta = found.theta
        surprise = (np.log(candidate / published.frailty_shape) / FRAILTY_LOG_SD) ** 2 / 2
        found = replace(found, log_posterior=found.log_posterior - surprise)
        if best is None or found.log_posterior > best.log_posterior:
            best, shape = found, candidate
    assert best is not None  # noqa: S101 - the grid is never empty
    return Population(
        effects=Effects(best.theta[middle], best.covariance[middle, middle] + _beyond_this_clinic(a)),
        level_mean=best.theta[:levels],
        level_covariance=best.covariance[:levels, :levels],
        frailty_shape=shape,
        usual_effects=published.usual_effects,
        confounding=best.theta[end],
    )


def _beyond_this_clinic(a: Assumptions) -> Float64:
    """Covariance that no number of a clinic's patients removes: those to come are not those seen."""
    spread = np.zeros((len(COEFFICIENTS), len(COEFFICIENTS)))
    for name in CLASSES:
        place = COEFFICIENTS.index(name)
        spread[place, place] = a["effects"]["seen_to_coming_sd"] ** 2
    return spread


def _maximised(
    h: Histories,
    design: Float64,
    offset: Float64,
    shape: float,
    prior_mean: Float64,
    prior_precision: Float64,
    start: Float64,
) -> _Fit:
    """Newton's method on the gamma-Poisson likelihood of all rows of a patient together, plus the Gaussian prior."""
    theta = start
    total = shape + h.summed(h.attacks)
    # Constant in theta, needed to compare shapes: log Gamma(shape + attacks) - log Gamma(shape) + shape log shape.
    most = int(h.attacks.sum()) + 1
    ladder = np.concatenate([[0.0], np.cumsum(np.log(shape + np.arange(most)))])
    constant = float(ladder[np.round(h.summed(h.attacks)).astype(np.intp)].sum() + len(h) * shape * np.log(shape))
    curvature = prior_precision
    for _ in range(NEWTON_STEPS):
        expected = np.exp(offset + design @ theta)
        share = expected / (shape + h.summed(expected))[h.row_patient]
        mean_design = h.summed(share[:, None] * design)
        gradient = design.T @ h.attacks - mean_design.T @ total - prior_precision @ (theta - prior_mean)
        weight = share * total[h.row_patient]
        curvature = design.T @ (weight[:, None] * design) - mean_design.T @ (total[:, None] * mean_design)
        curvature = curvature + prior_precision
        step = np.linalg.solve(curvature, gradient)
        theta = theta + step
        if float(np.abs(step).max()) < SMALLEST_STEP:
            break
    covariance: Float64 = np.linalg.inv(curvature).astype(np.float64)
    linear = offset + design @ theta
    likelihood = h.attacks @ linear - total @ np.log(shape + h.summed(np.exp(linear)))
    away = theta - prior_mean
    return _Fit(theta, covariance, constant + float(likelihood) - 0.5 * float(away @ prior_precision @ away))
