"""Every patient-day's risk, from features to alarm score: shared by the forecaster, training and evaluation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.contract import DIARY_DAYS_NEEDED
from ml.features.daily import PatientDays
from ml.model import MAIN_HORIZON_DAYS, Head
from ml.personal import Float64, PersonalState, advance_personal

Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class DailyScores:
    """Arrays (days, patients): whether a day is scored, the 7-day log-odds before and after the personal layer.

    `alarm_score` mixes level and deviation from the own fortnight; `state` is what the personal layer remembers at the
    end.
    """

    scored: Bool
    population_logit: Float64
    shift: Float64
    logit: Float64
    alarm_score: Float64
    state: PersonalState


def head_logit(head: Head, days: PatientDays, wanted: Bool) -> Float64:
    """Calibrated log-odds (days, patients), NaN where not `wanted`."""
    logit = np.full(wanted.shape, np.nan)
    logit[wanted] = head.logit(days.features[wanted])
    return logit


def personalised(days: PatientDays, population_logit: Float64, horizon_days: int = MAIN_HORIZON_DAYS) -> DailyScores:
    """The personal layer over all days. `population_logit` (days, patients) already holds the hospital's shift."""
    scored = days.diary_days >= DIARY_DAYS_NEEDED
    state = PersonalState.empty(population_logit.shape[1])
    shift, logit, alarm_score = (np.full(population_logit.shape, np.nan) for _ in range(3))
    for offset in range(len(population_logit)):
        day = advance_personal(
            state,
            population_logit[offset],
            horizon_days,
            onset=days.onset[offset],
            recovering=days.recovering[offset],
            scored=scored[offset],
            days_since_entry=days.days_since_entry[offset],
        )
        shift[offset], logit[offset], alarm_score[offset] = day.shift, day.logit, day.alarm_score
    return DailyScores(scored, population_logit, shift, logit, alarm_score, state)
