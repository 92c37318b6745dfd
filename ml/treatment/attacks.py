"""Severe attacks: a gamma-Poisson rate per patient, and the patient's own treatment effects by a Laplace approximation.

Rate of patient i in row p, a year: frailty_i × level_i × exp(-exposure_p · effect_i), with frailty_i ~ Gamma(shape,
shape) and effect_i normal around modifiers_i · coefficients. Given the effects the frailty is conjugate, so it is
integrated out exactly and drawn exactly.
"""

from dataclasses import dataclass

import numpy as np

from ml.treatment.assumptions import Assumptions
from ml.treatment.evidence import Effects, pooled, read_trials
from ml.treatment.histories import Histories
from ml.treatment.ingredients import CLASSES, COEFFICIENTS, Float64, exposure

NEWTON_STEPS = 8
LEVEL_COEFFICIENTS = ("intercept", "log10_eosinophils", "log10_feno", "uncontrolled_share", "log_puffs")
_MAIN = [COEFFICIENTS.index(name) for name in CLASSES]


@dataclass(frozen=True, slots=True)
class Population:
    """What patients share: treatment effects, level coefficients, the frailty's shape.

    `usual_effects` (classes,) turns the rates under usual treatment into untreated ones; it never changes with data.
    """

    effects: Effects
    level_mean: Float64
    level_covariance: Float64
    frailty_shape: float
    usual_effects: Float64


@dataclass(frozen=True, slots=True)
class AttackPosterior:
    """Per patient: untreated `level` a year before frailty, own effects (n, classes) and their covariance."""

    level: Float64
    effect_mean: Float64
    effect_covariance: Float64
    shape: float


def published(a: Assumptions) -> Population:
    """The population as the trials and assumptions have it, before any data of our own."""
    level = a["level"]
    named = [level[name] for name in LEVEL_COEFFICIENTS[1:]]
    effects = pooled(read_trials(a), a)
    return Population(
        effects=effects,
        level_mean=np.array([0.0, *(mean for mean, _ in named)]),
        level_covariance=np.diag([level["intercept_sd"], *(sd for _, sd in named)]) ** 2,
        frailty_shape=level["frailty_shape"],
        usual_effects=effects.mean[_MAIN],
    )


def level_design(h: Histories, a: Assumptions) -> Float64:
    """(patients, level coefficients); a missing biomarker counts as the reference."""
    relative = np.nan_to_num(h.relative_biomarkers)
    uncontrolled = h.uncontrolled_share - a["level"]["usual_uncontrolled_share"]
    puffs = np.log1p(h.first_puffs) - np.log1p(a["dose"]["usual_puffs_per_day"])
    return np.stack([np.ones(len(h)), relative[:, 0], relative[:, 1], uncontrolled, puffs], axis=1)


def level_offset(h: Histories, usual_effects: Float64, a: Assumptions) -> Float64:
    """(patients,): log untreated rate a year that usual treatment of the first step implies."""
    dose, n = a["dose"], len(h)
    usual = exposure(
        h.first,
        np.full(n, dose["usual_adherence"]),
        np.full(n, dose["usual_puffs_per_day"]),
        1.0,
        h.child,
        a,
    )
    rate = np.array(a["level"]["rate_by_step"])[h.first.step.astype(np.intp) - 1]
    return np.asarray(np.log(rate) + usual @ usual_effects)


def own_effects(h: Histories, population: Population, a: Assumptions) -> tuple[Float64, Float64]:
    """Mean (n, classes) and covariance (n, classes, classes) of each patient's effects, before the own history."""
    mean = h.modifiers @ population.effects.mean
    covariance = h.modifiers @ population.effects.covariance @ np.swapaxes(h.modifiers, 1, 2)
    own = np.array([a["own_response_sd"][name] for name in CLASSES]) ** 2
    diagonal = np.arange(len(CLASSES))
    covariance[:, diagonal, diagonal] += own + h.missing_spread(population.effects.mean, a)
    return mean, covariance


def attack_posterior(
    h: Histories, population: Population, prior_mean: Float64, prior_covariance: Float64, a: Assumptions
) -> AttackPosterior:
    """Newton steps on all patients at once; the negative log posterior of the effects is convex."""
    level = np.exp(level_offset(h, population.usual_effects, a) + level_design(h, a) @ population.level_mean)
    at_risk = h.weight * h.years * level[h.row_patient]
    attacks = h.weight * h.attacks
    g = h.row_exposure
    shape = population.frailty_shape
    precision = np.linalg.inv(prior_covariance)
    pull = -h.summed(attacks[:, None] * g)
    total = shape + h.summed(attacks)
    effect = prior_mean.copy()
    curvature = precision
    for _ in range(NEWTON_STEPS):
        expected = at_risk * np.exp(-np.einsum("rc,rc->r", g, effect[h.row_patient]))
        share = expected / (shape + h.summed(expected))[h.row_patient]
        weighted = share[:, None] * g
        mean_g = h.summed(weighted)
        second = h.summed(weighted[:, :, None] * g[:, None, :]) - mean_g[:, :, None] * mean_g[:, None, :]
        gradient = pull + total[:, None] * mean_g - np.einsum("ncd,nd->nc", precision, effect - prior_mean)
        curvature = precision + total[:, None, None] * second
        effect = effect + np.linalg.solve(curvature, gradient[..., None])[..., 0]
    return AttackPosterior(level, effect, np.linalg.inv(curvature), shape)
