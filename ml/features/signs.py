"""What do a day's entries say of a worsening? Each sign against the patient's own calm days, all of them weighed once.

Peak flow and symptoms also swing together without a worsening, for days on end (Frey, Nature 2005). A Kalman filter
follows that swing of the airways, so that a slow week looks less like the start of something, and two signs that the
swing moves alike do not count twice. Baseline, noise and answers are learned from calm days only, so that frequent
worsenings do not look usual. Numbers without a source were chosen on simulated patients that no evaluation judges.
Patients are the last axis.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

MORNING, EVENING, SYMPTOMS, RELIEVER = range(4)
# What a worsening does to ln(peak flow) before noon and after, symptoms (0-3) and ln(1 + puffs): mild ones, of which
# about twenty come for each severe attack (FACET), cost about a tenth of peak flow.
TYPICAL_CHANGE = np.array([-0.105, -0.105, 0.85, 0.5])[:, None]
# What an infection alone does to them.
INFECTION_CHANGE = np.array([0.0, 0.0, 0.35, 0.22])[:, None]
# What one standard deviation of the airways' own swing does to them; with the noise below, a stable asthma's peak flow
# varies by about 4.5 % (Thamrin 2011).
SWING_CHANGE = np.array([-0.023, -0.023, 0.22, 0.15])[:, None]
# The part of the swing that lasts (half-life eight days), and the share that is gone the next day.
SWING_KEPT, LASTING_SWING, PASSING_SWING = 0.92, 0.8, 0.3
# Noise of one entry beside the swing, worth so many entries against the patient's own; never trusted far below it.
PRIOR_NOISE = np.array([0.03, 0.03, 0.35, 0.28])[:, None] ** 2
PRIOR_ENTRIES = 15.0
LEAST_NOISE = 0.6 * PRIOR_NOISE
# One odd entry must not decide alone.
MOST_TYPICAL_CHANGES = 1.6
MOST_NOISE = 9.0
# Of two blows of a day that lie further apart than noise explains, the lower was poor effort.
APART_SPREADS = 3.5
# Symptoms and puffs tell of the same feeling: their noise is shared.
FEELING_SHARED = 1.0
# Nights and activity: the share of worse days with a yes in who never says yes when well, how often a yes is usual to
# begin with, worth so many answers, and the bounds of the usual. They tell of that feeling too, so they count less.
ANSWERED_YES = np.array([0.35, 0.5])[:, None]
USUAL_YES, PRIOR_ANSWERS = np.array([0.08, 0.12])[:, None], 8.0
RAREST_YES, MOST_OFTEN_YES = 0.02, 0.9
ANSWERS_SHARE = np.array([0.4, 0.35])[:, None]

BASELINE_DECAY = 0.5 ** (1.0 / 45.0)
LEAST_WEIGHT = 1.0
# Even a sure worsening teaches the baseline a little, or a lasting change would never become the usual.
LEAST_LEARNED = 0.03


@dataclass(slots=True, eq=False)
class SignsState:
    """What is usual for each patient on calm days.

    `weight`, `total` (4, patients) are the baseline's decayed sums, `noise_weight`, `noise_total` those of the squares
    left over, `answers`, `yes` (2, patients) those of nights and activity; `swing` and `swing_variance` the airways'.
    """

    weight: Float64
    total: Float64
    noise_weight: Float64
    noise_total: Float64
    answers: Float64
    yes: Float64
    swing: Float64
    swing_variance: Float64

    @classmethod
    def empty(cls, patients: int) -> Self:
        """The state before the first diary day."""
        four = {name: np.zeros((4, patients)) for name in ("weight", "total", "noise_weight", "noise_total")}
        two = {name: np.zeros((2, patients)) for name in ("answers", "yes")}
        return cls(**four, **two, swing=np.zeros(patients), swing_variance=np.full(patients, LASTING_SWING))

    def copy(self) -> Self:
        return type(self)(**{field.name: getattr(self, field.name).copy() for field in fields(self)})


@dataclass(frozen=True, slots=True, eq=False)
class Signs:
    """One day's entries. ln likelihood ratio of a worsening of `depth` typical ones: lean·depth − strength·depth²/2.

    `change` (4, patients) is what the entries differ from the calm baseline, `well` the entries without what an
    infection explains; the rest is what `learn` needs.
    """

    lean: Float64
    strength: Float64
    change: Float64
    well: Float64
    noise: Float64
    swing_before: Float64
    swing_seen: Float64
    swing_by_depth: Float64
    lasting_share: Float64
    swing_variance: Float64

    def evidence(self, depth: Float64 | float) -> Float64:
        """ln likelihood ratio of the entries in a worsening of `depth` against a calm day."""
        return np.asarray(depth * self.lean - 0.5 * depth * depth * self.strength)


def weigh(state: SignsState, readings: Float64, answers: Float64, infected: Float64) -> Signs:
    """One day's `readings` (4, patients) as in `TYPICAL_CHANGE` and `answers` (2, patients), NaN = not recorded.

    `infected` is the chance of an infection today.
    """
    noise = (state.noise_total + PRIOR_ENTRIES * PRIOR_NOISE) / (state.noise_weight + PRIOR_ENTRIES)
    noise = np.maximum(noise, LEAST_NOISE)
    well = readings - INFECTION_CHANGE * infected
    baseline = np.where(state.weight >= LEAST_WEIGHT, state.total / np.maximum(state.weight, LEAST_WEIGHT), np.nan)
    apart = (well[MORNING] - baseline[MORNING]) - (well[EVENING] - baseline[EVENING])
    apart /= np.sqrt(noise[MORNING] + noise[EVENING])
    well[MORNING] = np.where(apart < -APART_SPREADS, np.nan, well[MORNING])
    well[EVENING] = np.where(apart > APART_SPREADS, np.nan, well[EVENING])

    change = well - baseline
    compared = ~np.isnan(change)
    # A short diary's baseline is itself uncertain.
    precision = compared / (noise * (1.0 + 1.0 / np.maximum(state.weight, 1.0)))
    precision[SYMPTOMS:] /= 1.0 + FEELING_SHARED * (compared[SYMPTOMS] & compared[RELIEVER])
    swing_before = SWING_KEPT * state.swing
    lasts = SWING_KEPT**2 * state.swing_variance + (1.0 - SWING_KEPT**2) * LASTING_SWING
    left = np.where(compared, change, 0.0) - SWING_CHANGE * swing_before
    bound = MOST_TYPICAL_CHANGES * np.abs(TYPICAL_CHANGE)
    left = precision * np.minimum(np.maximum(left, -bound), bound)
    before = 1.0 / (lasts + PASSING_SWING)
    swing_precision = before + (SWING_CHANGE**2 * precision).sum(axis=0)
    seen = (SWING_CHANGE * left).sum(axis=0) / swing_precision
    by_depth = (SWING_CHANGE * TYPICAL_CHANGE * precision).sum(axis=0) / swing_precision
    lean = (TYPICAL_CHANGE * left).sum(axis=0) - by_depth * seen * swing_precision
    strength = (TYPICAL_CHANGE**2 * precision).sum(axis=0) - by_depth**2 * swing_precision

    usual = (state.yes + PRIOR_ANSWERS * USUAL_YES) / (state.answers + PRIOR_ANSWERS)
    usual = np.minimum(np.maximum(usual, RAREST_YES), MOST_OFTEN_YES)
    worse = usual + (1.0 - usual) * ANSWERED_YES
    ratio = np.where(answers > 0, worse / usual, (1.0 - worse) / (1.0 - usual))
    lean += np.where(np.isnan(answers), 0.0, ANSWERS_SHARE * np.log(ratio)).sum(axis=0)
    variance = lasts - lasts**2 * (before - before**2 / swing_precision)
    return Signs(lean, strength, change, well, noise, swing_before, seen, by_depth, lasts * before, variance)


def learn(state: SignsState, signs: Signs, answers: Float64, depth: Float64, calm: Float64, recovering: Bool) -> None:
    """Take the day into `state`, in place, now that a worsening's expected `depth` and the chance of none are known.

    As for the other baselines, an attack and its recovery teach nothing of the usual.
    """
    swing = signs.swing_seen - signs.swing_by_depth * depth
    state.swing = signs.swing_before + np.where(recovering, 0.0, swing * signs.lasting_share)
    state.swing_variance = signs.swing_variance
    compared = ~np.isnan(signs.change)
    decay = np.where(recovering, 1.0, BASELINE_DECAY)
    gain = np.where(recovering, 0.0, np.maximum(calm, LEAST_LEARNED))
    left = np.where(compared, signs.change, 0.0) - SWING_CHANGE * (signs.swing_before + swing)
    state.noise_weight = state.noise_weight * decay + compared * gain
    state.noise_total = state.noise_total * decay + compared * gain * np.minimum(left * left, MOST_NOISE * signs.noise)
    observed = ~np.isnan(signs.well)
    state.weight = state.weight * decay + observed * gain
    state.total = state.total * decay + np.where(observed, signs.well, 0.0) * gain
    answered = ~np.isnan(answers)
    state.answers = state.answers * decay + answered * gain
    state.yes = state.yes * decay + (answers > 0) * gain
