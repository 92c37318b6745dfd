"""Does the patient have an infection, and how long is it likely to last? A recursive filter over the trigger entries.

Diaries name triggers by the day, and a cold names itself for about a week, so one odd entry is weighed against how
often this patient enters a trigger when well. Who is infected starts several times as many worsenings, and the days
that an infection has left say for how long. Patients are the last axis.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

# A cold bothers for 7 to 10 days; adults catch two to four a year (Heikkinen and Järvinen, Lancet 2003).
LASTS_DAYS = 8
STARTS = 0.009
# Share of infected days on which the patient, when writing at all, enters a trigger.
ENTERED = 0.93
# How often a trigger is entered when well: a tenth of days to begin with, worth ten days.
PRIOR_DAYS, PRIOR_TRIGGER_DAYS = 10.0, 1.5
LEAST_DAYS = 3.0
RAREST, MOST_OFTEN = 0.02, 0.9
USUAL_DECAY = 0.5 ** (1.0 / 45.0)
_DAYS_LEFT = np.append(0.0, np.arange(LASTS_DAYS - 1.0, -1.0, -1.0))[:, None]


@dataclass(slots=True, eq=False)
class InfectionState:
    """`begun` (1 + `LASTS_DAYS`, patients): chance of none, and of one on its first, second … day.

    `days` and `trigger_days` are the decayed counts behind the patient's usual share of days with a trigger.
    """

    begun: Float64
    days: Float64
    trigger_days: Float64

    @classmethod
    def empty(cls, patients: int) -> Self:
        """The state before the first diary day."""
        begun = np.zeros((1 + LASTS_DAYS, patients))
        begun[0] = 1.0
        return cls(begun, np.full(patients, PRIOR_DAYS), np.full(patients, PRIOR_TRIGGER_DAYS))

    def copy(self) -> Self:
        return type(self)(**{field.name: getattr(self, field.name).copy() for field in fields(self)})

    @property
    def chance(self) -> Float64:
        """The chance that an infection is under way today."""
        chance: Float64 = 1.0 - self.begun[0]
        return chance

    @property
    def days_left(self) -> Float64:
        """Expected days of infection still to come, today not counted."""
        left: Float64 = (self.begun * _DAYS_LEFT).sum(axis=0)
        return left


def advance_infection(state: InfectionState, triggers: Float64) -> None:
    """Take one day's trigger count (patients; NaN = not recorded) into `state`, in place."""
    known = ~np.isnan(triggers)
    entered = np.where(known, triggers, 0.0) > 0
    usual = np.clip(state.trigger_days / state.days, RAREST, MOST_OFTEN)
    # An infected patient may enter a trigger for the infection or for what is usual.
    infected = ENTERED + (1.0 - ENTERED) * usual
    well_or_over = state.begun[0] + state.begun[-1]
    begun = np.empty_like(state.begun)
    begun[0] = well_or_over * (1.0 - STARTS) * np.where(known, np.where(entered, usual, 1.0 - usual), 1.0)
    begun[1] = well_or_over * STARTS
    begun[2:] = state.begun[1:-1]
    begun[1:] *= np.where(known, np.where(entered, infected, 1.0 - infected), 1.0)
    begun /= begun.sum(axis=0)
    state.begun = begun
    well = begun[0] * known
    state.days = np.maximum(np.where(known, state.days * USUAL_DECAY + well, state.days), LEAST_DAYS)
    state.trigger_days = np.where(known, state.trigger_days * USUAL_DECAY + well * entered, state.trigger_days)
