"""Is the patient in a worsening? A recursive filter that weighs all signs of a day together, constant work a day.

Peak flow, symptoms and puffs each hold noise, but a worsening moves all of them at once and lasts for days. The filter
keeps the chances that one is under way and that one is fading: what was left of yesterday's, or a new one, times how
much likelier today's entries are then than on a calm day. A new one is likelier in who has had many and in who is
infected, and an infection is felt without being a worsening. The baseline learns from calm days only, so that frequent
worsenings do not look usual; how often they come and how long they last is what tells patients apart. Patients are the
last axis.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

MORNING, EVENING, SYMPTOMS, RELIEVER = range(4)
# What a worsening does to ln(peak flow) before noon and after, symptoms (0-3) and ln(1 + puffs): mild ones, of which
# about twenty come for each severe attack (FACET), cost about a tenth of peak flow. Their sizes may be off by a third
# either way without loss: the trees read the evidence, not the verdict.
TYPICAL_CHANGE = np.array([-0.10, -0.10, 0.75, 0.45])[:, None]
PRIOR_SPREAD = np.array([0.045, 0.045, 0.5, 0.35])[:, None]
PRIOR_READINGS = 10.0
# Both blows of a day meet the same airway, and symptoms, puffs and nights the same feeling: they are not independent.
BOTH_BLOWS = 0.7
SYMPTOMS_SHARE, RELIEVER_SHARE = 0.7, 0.5
# ln likelihood ratios of a yes and of a no.
WAKING_YES, WAKING_NO = 0.8, -0.15
LIMITED_YES, LIMITED_NO = 0.8, -0.25
# One odd reading must not decide alone: deviations count in typical changes, within bounds, and no sign is trusted
# beyond a precision.
BOUNDS_OF_DEVIATION = (-0.5, 1.5)
MOST_PRECISION = 6.0
# A worsening is as likely as not over on the third day, and then fades within a day or two at about half its size.
STAYS, FADES_ON, FADING_SIZE = 0.70, 0.35, 0.5
# One starts on one calm day in forty, before anything is known; an infection makes that four times as likely.
STARTS, RAREST_START, MOST_FREQUENT_START = 0.025, 0.002, 0.3
INFECTION_RAISES_STARTS = 3.0
INFECTED_SHARE_OF_DAYS = 0.055
# What an infection alone does to the readings.
INFECTION_CHANGE = np.array([0.0, 0.0, 0.35, 0.22])[:, None]
BASELINE_DECAY = 0.5 ** (1.0 / 45.0)
LEAST_WEIGHT = 1.5
# Even a sure worsening teaches the baseline a little, or a lasting change would never become the usual.
LEAST_LEARNED = 0.05
EVIDENCE_DECAY = 0.7
# The share and number of worsenings of a patient with few days lean on those of the typical one.
PRIOR_DAYS = 20.0
PRIOR_WORSE_DAYS = 0.8
PRIOR_STARTS = 0.4
# A start counts once the filter thinks a worsening likelier than one in three.
COUNTED_FROM = 0.3
# Days ahead over which worsenings are expected.
AHEAD_DAYS = 7.0


@dataclass(slots=True, eq=False)
class WorseningState:
    """What is remembered of each patient after a day.

    `weight`, `total`, `square` (4, patients) are the calm baseline's decayed sums; `chance` that a worsening is under
    way, `fading` that one is coming to its end; `days_worse` expected so far in it, `days_since` the last one;
    `worse_days`, `starts` and `days` count over the diary, `starts` by what each day's entries added to the chance.
    """

    weight: Float64
    total: Float64
    square: Float64
    chance: Float64
    fading: Float64
    evidence_mean: Float64
    days_worse: Float64
    days_since: Float64
    worse_days: Float64
    starts: Float64
    days: Float64

    @classmethod
    def empty(cls, patients: int) -> Self:
        """The state before the first diary day."""
        start = {field.name: np.zeros(patients) for field in fields(cls)}
        start |= {name: np.zeros((4, patients)) for name in ("weight", "total", "square")}
        start |= {"chance": np.full(patients, STARTS), "days_since": np.full(patients, np.inf)}
        return cls(**start)

    def copy(self) -> Self:
        return type(self)(**{field.name: getattr(self, field.name).copy() for field in fields(self)})


@dataclass(frozen=True, slots=True, eq=False)
class WorseningView:
    """One day: ln likelihood ratio of its entries, and their change (4, patients) from the calm baseline."""

    evidence: Float64
    change: Float64


def _evidence(deviation: Float64, precision: Float64, both: Bool, yes_no: Float64, size: float) -> Float64:
    """ln likelihood ratio (patients) of a day's entries in a worsening of `size` times the typical one."""
    signs = precision * size * (deviation - 0.5 * size)
    blows = (signs[MORNING] + signs[EVENING]) * np.where(both, BOTH_BLOWS, 1.0)
    return np.asarray(blows + SYMPTOMS_SHARE * signs[SYMPTOMS] + RELIEVER_SHARE * signs[RELIEVER] + size * yes_no)


def advance_worsening(
    state: WorseningState,
    readings: Float64,
    night_waking: Float64,
    activity_limited: Float64,
    infected: Float64,
    recovering: Bool,
) -> WorseningView:
    """Take one day into `state`, in place. `readings` (4, patients) as in `TYPICAL_CHANGE`; NaN = not recorded.

    `infected` is the chance of an infection today.
    """
    weight = state.weight
    with np.errstate(invalid="ignore", divide="ignore"):
        baseline = np.where(weight >= LEAST_WEIGHT, state.total / weight, np.nan)
        known = np.nan_to_num(baseline)
        variance = np.where(weight >= LEAST_WEIGHT, np.maximum(state.square / weight - known * known, 0.0), 0.0)
    variance = (weight * variance + PRIOR_READINGS * PRIOR_SPREAD**2) / (weight + PRIOR_READINGS)
    well = readings - INFECTION_CHANGE * infected
    change = well - baseline
    yes_no = np.where(np.isnan(night_waking), 0.0, np.where(night_waking > 0, WAKING_YES, WAKING_NO))
    yes_no += np.where(np.isnan(activity_limited), 0.0, np.where(activity_limited > 0, LIMITED_YES, LIMITED_NO))
    compared = ~np.isnan(change)
    deviation = np.where(compared, np.clip(change / TYPICAL_CHANGE, *BOUNDS_OF_DEVIATION), 0.0)
    precision = np.where(compared, np.minimum(TYPICAL_CHANGE**2 / variance, MOST_PRECISION), 0.0)
    both = compared[MORNING] & compared[EVENING]
    evidence = _evidence(deviation, precision, both, yes_no, 1.0)
    evidence_of_fading = _evidence(deviation, precision, both, yes_no, FADING_SIZE)

    start = starts_a_day(state) * (1.0 + INFECTION_RAISES_STARTS * infected)
    start /= 1.0 + INFECTION_RAISES_STARTS * INFECTED_SHARE_OF_DAYS
    start = np.clip(start, RAREST_START, MOST_FREQUENT_START)
    calm = 1.0 - state.chance - state.fading * FADES_ON
    stayed = state.chance * STAYS
    before = stayed + calm * start
    worse = before * np.exp(evidence)
    fading = (state.chance * (1.0 - STAYS) + state.fading * FADES_ON) * np.exp(evidence_of_fading)
    calm = calm * (1.0 - start)
    total = worse + fading + calm
    state.chance, state.fading, calm = worse / total, fading / total, calm / total
    state.evidence_mean = EVIDENCE_DECAY * state.evidence_mean + (1.0 - EVIDENCE_DECAY) * evidence
    state.days_worse = state.chance * (state.days_worse * stayed / before + 1.0)
    state.days_since = np.where(state.chance > 0.5, 0.0, state.days_since + 1.0)
    counted = ~recovering
    state.worse_days += state.chance * counted
    state.starts += np.maximum(state.chance - stayed, 0.0) * ((state.chance > COUNTED_FROM) & counted)
    state.days += counted

    # As for the other baselines, an attack and its recovery teach nothing of the usual.
    observed = ~np.isnan(readings)
    gain = observed * np.where(recovering, 0.0, np.maximum(calm, LEAST_LEARNED))
    decay = np.where(recovering, 1.0, BASELINE_DECAY)
    value = np.where(observed, well, 0.0)
    state.weight = weight * decay + gain
    state.total = state.total * decay + value * gain
    state.square = state.square * decay + value * value * gain
    return WorseningView(evidence, change)


def share_of_days(state: WorseningState) -> Float64:
    """Share of the diary's days in a worsening, leaning on the typical patient's while the diary is short."""
    return np.asarray((state.worse_days + PRIOR_WORSE_DAYS) / (state.days + PRIOR_DAYS))


def starts_a_day(state: WorseningState) -> Float64:
    """Worsenings that began, per day, leaning on the typical patient's while the diary is short."""
    return np.asarray((state.starts + PRIOR_STARTS) / (state.days + PRIOR_DAYS))


def days_each(state: WorseningState) -> Float64:
    """Days that a worsening of this patient lasts, leaning on the typical patient's while there were few."""
    return np.asarray((state.worse_days + PRIOR_WORSE_DAYS) / (state.starts + PRIOR_STARTS))


def expected_ahead(state: WorseningState, infected_days_left: Float64) -> Float64:
    """Worsenings to expect in the week ahead: the one that may be under way, and new ones at the patient's own rate.

    A worsening becomes severe by chance on any of its days, so one under way counts as much as one to come.
    """
    days = AHEAD_DAYS + (1.0 + INFECTION_RAISES_STARTS) * infected_days_left
    return np.asarray(state.chance + starts_a_day(state) * days)
