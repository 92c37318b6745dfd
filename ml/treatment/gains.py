"""From posteriors to gains: the same 256 quasi-random draws for every patient, so that advice is reproducible."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special, stats

from ml.contract import UtilityWeights
from ml.treatment.assumptions import Assumptions
from ml.treatment.attacks import AttackPosterior
from ml.treatment.control import ControlPosterior
from ml.treatment.histories import DAYS_PER_YEAR, Histories
from ml.treatment.ingredients import CLASSES, Float64, Index

DRAWS = 256
_SIZE = 1 + len(CLASSES)
_MOST_ATTACKS = 80.0
_SHAPE_STEP = 0.25


@dataclass(frozen=True, slots=True)
class Candidates:
    """Options of many patients, one row each, grouped by patient (`owner` ascending).

    `exposure` (rows, classes) is what the option would bring, `ics_micrograms_per_day` what would be taken of steroid;
    `biologic_change` is +1 started, -1 stopped, 0 as before.
    """

    owner: Index
    exposure: Float64
    ics_micrograms_per_day: Float64
    biologic_change: Float64


@dataclass(frozen=True, slots=True)
class Present:
    """What each patient (n) has now, in the units of `Candidates`."""

    exposure: Float64
    ics_micrograms_per_day: Float64


@dataclass(frozen=True, slots=True)
class Draws:
    """Posterior draws, rows × DRAWS, and the change of steroid, (rows,). All are exactly 0 where nothing changes."""

    attacks_averted: Float64
    controlled_days_gained: Float64
    utility: Float64
    ics_micrograms_per_day_change: Float64


@cache
def _points() -> tuple[Float64, Float64, Float64]:
    """Standard normals, twice (DRAWS, 1 + classes), and uniforms (DRAWS,)."""
    uniform = stats.qmc.Sobol(2 * _SIZE + 1, scramble=True, rng=20240519).random(DRAWS)
    normal = special.ndtri(np.clip(uniform[:, 1:], 1e-6, 1 - 1e-6))
    return normal[:, :_SIZE], normal[:, _SIZE:], np.clip(uniform[:, 0], 1e-6, 1 - 1e-6)


@cache
def _gamma_table(shape: float) -> Float64:
    shapes = shape + _SHAPE_STEP * np.arange(int(_MOST_ATTACKS / _SHAPE_STEP) + 2)
    return np.asarray(special.gammaincinv(shapes[:, None], _points()[2][None, :]))


def _gamma_draws(shape: float, attacks: Float64) -> Float64:
    """(n, DRAWS) quantiles of Gamma(shape + attacks, 1), linear between tabled shapes."""
    position = np.minimum(attacks, _MOST_ATTACKS) / _SHAPE_STEP
    low = position.astype(np.intp)
    part = (position - low)[:, None]
    table = _gamma_table(shape)
    return np.asarray(table[low] * (1 - part) + table[low + 1] * part)


@dataclass(frozen=True, slots=True)
class PatientDraws:
    """For each patient: attacks a year and log odds of control now (n, DRAWS); own effects (n, classes, DRAWS)."""

    attacks_per_year: Float64
    log_odds: Float64
    effects: Float64
    responses: Float64

    @property
    def controlled_days(self) -> Float64:
        return np.asarray(DAYS_PER_YEAR * special.expit(self.log_odds))


def draw_patients(h: Histories, attacks: AttackPosterior, control: ControlPosterior, present: Present) -> PatientDraws:
    for_effects, for_control, _ = _points()
    root = np.linalg.cholesky(attacks.covariance)
    own = attacks.mean[:, :, None] + root @ for_effects.T
    level, effects = np.exp(own[:, 0]), own[:, 1:]
    cut = _times(h.row_exposure, effects, h.row_patient)
    expected = attacks.expected_untreated[:, None] * level[h.row_patient] * np.exp(-cut)
    frailty = _gamma_draws(attacks.shape, h.summed(h.weight * h.attacks)) / (attacks.shape + h.summed(expected))
    cut = np.einsum("nc,ncs->ns", present.exposure, effects + attacks.confounding[:, None])
    now = frailty * attacks.level[:, None] * level * np.exp(-cut)
    control_root = np.linalg.cholesky(control.covariance)
    levels = control.mean[:, :, None] + control_root @ for_control.T
    log_odds = levels[:, 0] + np.einsum("nc,ncs->ns", present.exposure, levels[:, 1:])
    return PatientDraws(now, log_odds, effects, levels[:, 1:])


def _times(exposures: Float64, effects: Float64, owner: Index) -> Float64:
    """(rows, DRAWS): each row's exposure times its owner's draws; `owner` ascending.

    Rows are laid out in a rectangle, patients by rank within the patient: one batched product, and no copy of the draws
    for every row.
    """
    counts = np.bincount(owner, minlength=len(effects))
    rank = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    laid_out = np.zeros((len(effects), int(counts.max(initial=0)), exposures.shape[1]))
    laid_out[owner, rank] = exposures
    return np.asarray((laid_out @ effects)[owner, rank])


def draw_gains(drawn: PatientDraws, present: Present, candidates: Candidates, weights: UtilityWeights) -> Draws:
    owner = candidates.owner
    change = candidates.exposure - present.exposure[owner]
    cut = _times(change, drawn.effects, owner)
    averted = -drawn.attacks_per_year[owner] * np.expm1(-cut)
    log_odds = drawn.log_odds[owner]
    moved = log_odds + _times(change, drawn.responses, owner)
    days = DAYS_PER_YEAR * (special.expit(moved) - special.expit(log_odds))
    ics_change = candidates.ics_micrograms_per_day - present.ics_micrograms_per_day[owner]
    burden = (
        weights.ics_100_micrograms_per_day_for_a_year * ics_change / 100
        + weights.biologic_for_a_year * candidates.biologic_change
    )
    utility = weights.severe_attack * averted + weights.uncontrolled_day * days - burden[:, None]
    return Draws(averted, days, utility, ics_change)


def probability_best(utility: Float64, owner: Index) -> Float64:
    """(rows,): share of draws in which the row is its patient's best; ties share."""
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    group = np.cumsum(np.diff(owner, prepend=-1) != 0) - 1
    best = np.maximum.reduceat(utility, starts, axis=0)[group]
    is_best = (utility >= best).astype(np.float64)
    return np.asarray((is_best / np.add.reduceat(is_best, starts, axis=0)[group]).mean(axis=1))


def summary(draws: Float64, a: Assumptions) -> Float64:
    """(rows, 3): mean, lower and upper quantile."""
    lower = a["advice"]["lower_quantile"]
    rank = int(lower * DRAWS)
    ordered = np.partition(draws, (rank, DRAWS - 1 - rank), axis=1)
    return np.stack([draws.mean(axis=1), ordered[:, rank], ordered[:, DRAWS - 1 - rank]], axis=1)
