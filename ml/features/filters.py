"""The recursive filters behind every feature: constant work a patient-day, the same code for one patient or 100,000.

A signal's mean at a half-life is a ratio of two decaying sums, so a day without an entry only ages what is known and
never invents a value. The patient is always the last axis.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ml.contract import DIARY_RANGES, EVENT_COLUMNS, SIGNAL_COLUMNS
from ml.features.infection import InfectionState, advance_infection
from ml.features.signs import RELIEVER, Signs
from ml.features.worsening import WorseningState, advance_worsening

Float64 = NDArray[np.float64]

DIARY_COLUMNS = tuple(DIARY_RANGES)
SIGNALS = (
    "morning",
    "evening",
    "swing",
    "symptoms",
    "night_waking",
    "activity_limited",
    "reliever",
    "controller",
    "triggers",
    "entry",
)
SIGNAL = {name: row for row, name in enumerate(SIGNALS)}

# Rows: fast, mid, slow. An attack builds up over several days and then two or three (FACET, 425 attacks), and a usual
# day is judged over weeks; adherence acts over about two weeks, so its middle filter is slower.
HALF_LIVES_DAYS = np.tile(np.array([[1.5], [5.0], [45.0]]), (1, len(SIGNALS)))
HALF_LIVES_DAYS[1, SIGNAL["controller"]] = 10.0
DECAY = 0.5 ** (1.0 / HALF_LIVES_DAYS)[:, :, None]
FAST, MID, SLOW = 0, 1, 2

# Least decayed number of readings for a mean to count: after four empty days a fast mean says nothing any more.
LEAST_WEIGHT = np.array([0.5, 0.5, 2.0])[:, None, None]

# Spread assumed of a patient of whom nothing is known yet, worth five readings: ln(peak flow) from a coefficient of
# variation of 4.5-6 % in stable asthma (Thamrin 2011), the rest from the AAMOS-00 diaries' typical day-to-day spread.
PRIOR_SPREAD = np.array([0.06, 0.06, 0.05, 0.5, 0.3, 0.3, 1.0, 0.2, 0.5, 0.3])[:, None]
PRIOR_READINGS = 5.0

# Days after the last severe day that still belong to the attack: neither onset nor baseline.
RECOVERY_DAYS = 14

_WORSENING_ROWS = [SIGNAL[name] for name in ("morning", "evening", "symptoms", "reliever")]
_ANSWER_ROWS = [SIGNAL[name] for name in ("night_waking", "activity_limited")]
_ENTRY_ROWS = [DIARY_COLUMNS.index(name) for name in SIGNAL_COLUMNS]
_EVENT_ROWS = [DIARY_COLUMNS.index(name) for name in EVENT_COLUMNS]


@dataclass(slots=True, eq=False)
class FilterState:
    """What is remembered of each patient after a day; the last axis is the patient.

    `weight` and `total` (3, signals, patients) are the decayed count and sum, `square` (signals, patients) the decayed
    sum of squares of the slow filter. Day counts are float64 with inf for "never".
    """

    weight: Float64
    total: Float64
    square: Float64
    diary_days: Float64
    days_since_entry: Float64
    days_since_severe: Float64
    days_since_onset: Float64
    best_log_peak_flow: Float64
    infection: InfectionState
    worsening: WorseningState

    @classmethod
    def empty(cls, patients: int) -> Self:
        """The state before the first diary day."""
        never = np.full(patients, np.inf)
        return cls(
            weight=np.zeros((3, len(SIGNALS), patients)),
            total=np.zeros((3, len(SIGNALS), patients)),
            square=np.zeros((len(SIGNALS), patients)),
            diary_days=np.zeros(patients),
            days_since_entry=never.copy(),
            days_since_severe=never.copy(),
            days_since_onset=never.copy(),
            best_log_peak_flow=np.full(patients, -np.inf),
            infection=InfectionState.empty(patients),
            worsening=WorseningState.empty(patients),
        )

    def copy(self) -> Self:
        return type(self)(**{field.name: getattr(self, field.name).copy() for field in fields(self)})


@dataclass(frozen=True, slots=True, eq=False)
class DayView:
    """One day as the features see it: today's signals, the three means after today, and the baseline before today."""

    today: Float64
    means: Float64
    baseline: Float64
    spread: Float64
    recovering: NDArray[np.bool_]
    onset: NDArray[np.bool_]
    signs: Signs


def signals_of(columns: NDArray[np.float32]) -> Float64:
    """Signals (signals, patients) of one day's diary columns (`DIARY_COLUMNS`, patients); NaN = not recorded."""
    day = columns.astype(np.float64)
    morning, evening, symptoms, night, activity, reliever, controller, triggers = day[_ENTRY_ROWS]
    log_morning, log_evening = np.log(morning), np.log(evening)
    entered = ~np.isnan(columns[_ENTRY_ROWS]).all(axis=0)
    return np.stack(
        [
            log_morning,
            log_evening,
            np.abs(log_evening - log_morning),
            symptoms,
            night,
            activity,
            # A day's puffs are heavy-tailed (7.3, SD 17.3 before an attack, Lugogo 2022): beyond 24 more says no more.
            np.minimum(reliever, 24.0),
            controller,
            triggers,
            entered.astype(np.float64),
        ]
    )


def advance(state: FilterState, columns: NDArray[np.float32]) -> DayView:
    """Take one day into `state`, in place, and return the day's view. `columns`: (`DIARY_COLUMNS`, patients)."""
    today = signals_of(columns)
    with np.errstate(invalid="ignore", divide="ignore"):
        known = state.weight[SLOW] >= LEAST_WEIGHT[SLOW]
        raw_mean = state.total[SLOW] / state.weight[SLOW]
        baseline = np.where(known, raw_mean, np.nan)
        variance = np.maximum(state.square / state.weight[SLOW] - raw_mean * raw_mean, 0.0)
        spread = np.sqrt(
            (state.weight[SLOW] * np.where(known, variance, 0.0) + PRIOR_READINGS * PRIOR_SPREAD**2)
            / (state.weight[SLOW] + PRIOR_READINGS)
        )

        severe = (columns[_EVENT_ROWS] > 0).any(axis=0)
        recovering_before = state.days_since_severe + 1.0 <= RECOVERY_DAYS
        onset = severe & ~recovering_before
        state.days_since_severe = np.where(severe, 0.0, state.days_since_severe + 1.0)
        state.days_since_onset = np.where(onset, 0.0, state.days_since_onset + 1.0)
        recovering = state.days_since_severe <= RECOVERY_DAYS

        observed = ~np.isnan(today)
        value = np.where(observed, today, 0.0)
        state.weight[:SLOW] = state.weight[:SLOW] * DECAY[:SLOW] + observed
        state.total[:SLOW] = state.total[:SLOW] * DECAY[:SLOW] + value
        # The baseline stands still while an attack and its recovery last, or the next one would look usual.
        decay, gain = np.where(recovering, 1.0, DECAY[SLOW]), ~recovering
        state.weight[SLOW] = state.weight[SLOW] * decay + observed * gain
        state.total[SLOW] = state.total[SLOW] * decay + value * gain
        state.square = state.square * decay + value * value * gain

        entered = today[SIGNAL["entry"]] > 0
        state.diary_days += entered
        state.days_since_entry = np.where(entered, 0.0, state.days_since_entry + 1.0)

        means = np.where(state.weight >= LEAST_WEIGHT, state.total / state.weight, np.nan)
        enough = state.weight[MID, : SIGNAL["swing"]] >= 4.0
        best = np.where(enough, means[MID, : SIGNAL["swing"]], -np.inf).max(axis=0)
        state.best_log_peak_flow = np.maximum(state.best_log_peak_flow, best)
    advance_infection(state.infection, today[SIGNAL["triggers"]])
    readings = today[_WORSENING_ROWS]
    readings[RELIEVER] = np.log1p(readings[RELIEVER])
    signs = advance_worsening(
        state.worsening,
        readings,
        today[_ANSWER_ROWS],
        state.infection.chance,
        state.days_since_entry,
        recovering,
        onset,
    )
    return DayView(today, means, baseline, spread, recovering, onset, signs)
