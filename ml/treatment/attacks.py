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
MARKERS = ("log10_eosinophils", "log10_feno", "uncontrolled_share", "log_puffs", "adherence")
STEPS = 5
# Each step has a level of its own, so that differences between the patients of two steps never pass for an effect.
LEVEL_COEFFICIENTS = ("intercept", *MARKERS, *(f"step_{number}" for number in range(1, STEPS + 1)))
_MAIN = [COEFFICIENTS.index(name) for name in CLASSES]


@dataclass(frozen=True, slots=True)
class Population:
    """What patients share: treatment effects, level coefficients, the frailty's shape.

    `usual_effects` (classes,) turns the rates under usual treatment into untreated ones; it never changes with data.
    `confounding` (classes,) is how much better or worse than the effects those fare whom doctors chose for a class: it
    belongs to a patient's level and is never promised as the effect of a change.
    """

    effects: Effects
    level_mean: Float64
    level_covariance: Float64
    frailty_shape: float
    usual_effects: Float64
    confounding: Float64


@dataclass(frozen=True, slots=True)
class AttackPosterior:
    """Per patient: untreated `level` a year before frailty; own log level beside it and own effects, together as mean
    (n, 1 + classes) and covariance.

    `expected_untreated` (rows,) are the attacks that each row of the history would have had untreated at that level.
    """

    level: Float64
    expected_untreated: Float64
    mean: Float64
    covariance: Float64
    shape: float
    confounding: Float64


def published(a: Assumptions) -> Population:
    """The population as the trials and assumptions have it, before any data of our own."""
    level = a["level"]
    means, sds = zip(*(level[name] for name in MARKERS), strict=True)
    effects = pooled(read_trials(a), a)
    return Population(
        effects=effects,
        level_mean=np.array([0.0, *means, *[0.0] * STEPS]),
        level_covariance=np.diag([level["intercept_sd"], *sds, *[level["step_sd"]] * STEPS]) ** 2,
        frailty_shape=level["frailty_shape"],
        usual_effects=effects.mean[_MAIN],
        confounding=np.zeros(len(CLASSES)),
    )


def level_design(h: Histories, a: Assumptions) -> Float64:
    """(patients, level coefficients); a missing biomarker counts as the reference."""
    relative = np.nan_to_num(h.relative_biomarkers)
    uncontrolled = h.uncontrolled_share - a["level"]["usual_uncontrolled_share"]
    puffs = np.log1p(h.first_puffs) - np.log1p(a["dose"]["usual_puffs_per_day"])
    adherence = h.first_adherence - a["dose"]["usual_adherence"]
    step = h.first.step[:, None] == np.arange(1, STEPS + 1)
    return np.column_stack([np.ones(len(h)), relative, uncontrolled, puffs, adherence, step])


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
    design = level_design(h, a)
    level = np.exp(level_offset(h, population.usual_effects, a) + design @ population.level_mean)
    level_variance = np.einsum("ni,ij,nj->n", design, population.level_covariance, design)
    at_risk = h.weight * h.years * level[h.row_patient] * np.exp(-h.row_exposure @ population.confounding)
    attacks = h.weight * h.attacks
    # The log level enters like a class that everybody has, with the sign turned round.
    g = np.concatenate([np.full((len(at_risk), 1), -1.0), h.row_exposure], axis=1)
    n, size = len(h), 1 + len(CLASSES)
    prior = np.zeros((n, size))
    prior[:, 1:] = prior_mean
    precision = np.zeros((n, size, size))
    precision[:, 0, 0] = 1 / level_variance
    precision[:, 1:, 1:] = np.linalg.inv(prior_covariance)
    shape = population.frailty_shape
    pull = -h.summed(attacks[:, None] * g)
    total = shape + h.summed(attacks)
    effect = prior.copy()
    curvature = precision
    for _ in range(NEWTON_STEPS):
        expected = at_risk * np.exp(-np.einsum("rc,rc->r", g, effect[h.row_patient]))
        share = expected / (shape + h.summed(expected))[h.row_patient]
        weighted = share[:, None] * g
        mean_g = h.summed(weighted)
        second = h.summed(weighted[:, :, None] * g[:, None, :]) - mean_g[:, :, None] * mean_g[:, None, :]
        gradient = pull + total[:, None] * mean_g - np.einsum("ncd,nd->nc", precision, effect - prior)
        curvature = precision + total[:, None, None] * second
        effect = effect + np.linalg.solve(curvature, gradient[..., None])[..., 0]
    covariance = np.linalg.inv(curvature).astype(np.float64)
    return AttackPosterior(level, at_risk, effect, covariance, shape, population.confounding)
