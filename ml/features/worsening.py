"""Is the patient in a worsening, and how deep? A recursive filter over the signs of each day, constant work a day.

A worsening moves all signs at once and lasts for days. The filter keeps the chances that one is under way at each of
five depths, and that one is fading: what was left of yesterday's, or a new one, times how much likelier today's signs
are then than on a calm day. A new one is likelier in who has had many and in who is infected, and an infection is felt
without being a worsening.

How often they come and how long they last tells patients apart, and a day is often understood only from the days after
it: a blow that was low once was noise. So each count is kept for every phase that the patient may be in, as what it
would be if that were so, and moves along with the chances (online expectation maximisation, Mongillo and Denève 2008).
Patients are the last axis.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from ml.features.signs import Bool, Float64, Signs, SignsState, learn, weigh

# Depths in mild worsenings (`signs.TYPICAL_CHANGE`), where a new one begins, and the chance a day to move to the next
# depth; an attack comes in two or three rapid days (FACET), so a few go to the deepest at once.
DEPTHS = np.array([0.8, 1.0, 1.25, 1.6, 2.2])[:, None]
BEGINS_AT = np.array([0.2, 0.6, 0.17, 0.02, 0.01])[:, None]
DEEPENS = LIGHTENS = 0.10
TURNS_RAPID = 0.02
# Chance a day of an attack at each depth while it lasts: one in twenty worsenings on the whole (FACET), and twice as
# likely a third deeper.
ATTACK_A_DAY = np.array([0.02, 0.03, 0.07, 0.16, 0.4])[:, None]
# A worsening is as likely as not over on the second or third day, and then fades within a day or two.
STAYS, FADES_ON, FADING_DEPTH = 0.65, 0.35, 0.6
# One starts on one calm day in fifty, before anything is known; an infection makes that four times as likely.
STARTS, RAREST_START, MOST_FREQUENT_START = 0.02, 0.002, 0.3
INFECTION_RAISES_STARTS = 3.0
INFECTED_SHARE_OF_DAYS = 0.055
MOST_EVIDENCE = 40.0
EVIDENCE_DECAY = 0.7
# The share and number of worsenings of a patient with few days lean on those of the typical one.
PRIOR_DAYS = 20.0
PRIOR_WORSE_DAYS = 0.8
PRIOR_STARTS = 0.4
# After more days without an entry nobody knows what the patient went through.
LONGEST_GAP_COUNTED = 2.0
# What the profile says of the number of worsenings is worth so many days of diary.
PROFILE_DAYS = 120.0
# Days ahead over which attacks are expected.
AHEAD_DAYS = 7.0

# Chance that a worsening at each depth becomes an attack before it turns, and that of a new one.
_ATTACK = ATTACK_A_DAY / (ATTACK_A_DAY + 1.0 - STAYS)
_ATTACK_OF_NEW = float((_ATTACK * BEGINS_AT).sum())


def _moved(at_depth: Float64) -> Float64:
    """Chances (depths, patients) after a day's change of depth."""
    # Row by row: a matrix product may round one patient alone differently from the same patient among many.
    moved = (1.0 - DEEPENS - LIGHTENS - TURNS_RAPID) * at_depth
    moved[1:] += DEEPENS * at_depth[:-1]
    moved[:-1] += LIGHTENS * at_depth[1:]
    moved[0] += LIGHTENS * at_depth[0]
    moved[-1] += DEEPENS * at_depth[-1] + TURNS_RAPID * at_depth.sum(axis=0)
    return moved


@dataclass(slots=True, eq=False)
class WorseningState:
    """What is remembered of each patient after a day.

    `at_depth` (depths, patients): chance of a worsening at each depth; `fading` that one is coming to its end;
    `days_worse` expected so far in it, `days_since` the last one. `worse_days` and `starts` (3, patients) count over
    the diary's `days`, if the patient is now calm, in a worsening, or in one that fades; `*_before` (patients) are what
    they were on the last calm day.
    """

    signs: SignsState
    at_depth: Float64
    fading: Float64
    evidence_mean: Float64
    days_worse: Float64
    days_since: Float64
    worse_days: Float64
    starts: Float64
    days: Float64
    worse_days_before: Float64
    starts_before: Float64

    @classmethod
    def empty(cls, patients: int) -> Self:
        """The state before the first diary day."""
        start = {field.name: np.zeros(patients) for field in fields(cls)}
        start |= {name: np.zeros((3, patients)) for name in ("worse_days", "starts")}
        start |= {"at_depth": STARTS * BEGINS_AT * np.ones(patients), "days_since": np.full(patients, np.inf)}
        return cls(**start | {"signs": SignsState.empty(patients)})  # type: ignore[arg-type]

    def copy(self) -> Self:
        return type(self)(**{field.name: getattr(self, field.name).copy() for field in fields(self)})

    @property
    def chance(self) -> Float64:
        """The chance that a worsening is under way today."""
        chance: Float64 = self.at_depth.sum(axis=0)
        return chance

    def expected(self, counts: Float64) -> Float64:
        """A count kept by phase (3, patients), whatever the phase."""
        chance = self.chance
        total: Float64 = (1.0 - chance - self.fading) * counts[0] + chance * counts[1] + self.fading * counts[2]
        return total

    @property
    def depth(self) -> Float64:
        """Expected depth today in mild worsenings; 0 when calm."""
        return np.asarray((self.at_depth * DEPTHS).sum(axis=0) + FADING_DEPTH * self.fading)


def advance_worsening(
    state: WorseningState,
    readings: Float64,
    answers: Float64,
    infected: Float64,
    days_since_entry: Float64,
    recovering: Bool,
    onset: Bool,
) -> Signs:
    """Take one day into `state`, in place. Readings, answers and `infected` as in `signs.weigh`.

    `onset` marks the first day of an attack: the worsening that led to it is left out of the counts, for the patient's
    attacks are the personal layer's, and counted here they would lift every later day above those before the attack.
    """
    signs = weigh(state.signs, readings, answers, infected)
    start = starts_a_day(state) * (1.0 + INFECTION_RAISES_STARTS * infected)
    start /= 1.0 + INFECTION_RAISES_STARTS * INFECTED_SHARE_OF_DAYS
    start = np.minimum(np.maximum(start, RAREST_START), MOST_FREQUENT_START)
    chance = state.chance
    calm, let_go = 1.0 - chance - state.fading, state.fading * (1.0 - FADES_ON)
    turned, lingers = chance * (1.0 - STAYS), state.fading * FADES_ON
    likelihood = np.exp(np.minimum(signs.evidence(DEPTHS), MOST_EVIDENCE))
    stayed = STAYS * _moved(state.at_depth) * likelihood
    begun = (calm + let_go) * start * BEGINS_AT * likelihood
    worse, fading = stayed + begun, (turned + lingers) * np.exp(signs.evidence(FADING_DEPTH))
    well = (calm + let_go) * (1.0 - start)
    new = begun.sum(axis=0) / worse.sum(axis=0)

    counted = ~recovering & (days_since_entry <= LONGEST_GAP_COUNTED)
    state.days += counted
    for counts, begins, goes_on in ((state.worse_days, counted, counted), (state.starts, counted, False)):
        if_calm = (calm * counts[0] + let_go * counts[2]) / (calm + let_go)
        if_worse = new * (if_calm + begins) + (1.0 - new) * (counts[1] + goes_on)
        if_fading = (turned * counts[1] + lingers * counts[2]) / (turned + lingers)
        counts[0], counts[1], counts[2] = if_calm, if_worse, if_fading

    total = worse.sum(axis=0) + fading + well
    state.at_depth, state.fading, well = worse / total, fading / total, well / total
    state.worse_days[:] = np.where(onset, state.worse_days_before, state.worse_days)
    state.starts[:] = np.where(onset, state.starts_before, state.starts)
    over = well > 0.5
    state.worse_days_before = np.where(over, state.expected(state.worse_days), state.worse_days_before)
    state.starts_before = np.where(over, state.expected(state.starts), state.starts_before)
    state.evidence_mean = EVIDENCE_DECAY * state.evidence_mean + (1.0 - EVIDENCE_DECAY) * signs.evidence(1.0)
    chance = state.chance
    state.days_worse = chance * (state.days_worse * (1.0 - new) + 1.0)
    state.days_since = np.where(chance > 0.5, 0.0, state.days_since + 1.0)
    learn(state.signs, signs, answers, state.depth, well, recovering)
    return signs


def share_of_days(state: WorseningState) -> Float64:
    """Share of the diary's days in a worsening, leaning on the typical patient's while the diary is short."""
    return np.asarray((state.expected(state.worse_days) + PRIOR_WORSE_DAYS) / (state.days + PRIOR_DAYS))


def starts_a_day(state: WorseningState) -> Float64:
    """Worsenings that began, per day, leaning on the typical patient's while the diary is short."""
    return np.asarray((state.expected(state.starts) + PRIOR_STARTS) / (state.days + PRIOR_DAYS))


def days_each(state: WorseningState) -> Float64:
    """Days that a worsening of this patient lasts, leaning on the typical patient's while there were few."""
    worse_days, starts = state.expected(state.worse_days), state.expected(state.starts)
    return np.asarray((worse_days + PRIOR_WORSE_DAYS) / (starts + PRIOR_STARTS))


def attacks_of_present(state: WorseningState) -> Float64:
    """Attacks to expect of the worsening that may be under way, by its depth."""
    return np.asarray((state.at_depth * _ATTACK).sum(axis=0))


def attacks_ahead(state: WorseningState, infected_days_left: Float64, usual_starts_a_day: Float64) -> Float64:
    """Attacks to expect in the week ahead: of the worsening under way, and of new ones at the patient's own rate.

    That rate leans on `usual_starts_a_day`, the one of patients with the same profile.
    """
    starts = state.expected(state.starts) + PROFILE_DAYS * usual_starts_a_day
    days = AHEAD_DAYS + (1.0 + INFECTION_RAISES_STARTS) * infected_days_left
    return np.asarray(attacks_of_present(state) + starts / (state.days + PROFILE_DAYS) * days * _ATTACK_OF_NEW)
