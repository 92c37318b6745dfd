"""Action-plan rules as daily scores: what every model has to beat. Arrays are (days, patients).

A rule cannot speak on a day without a reading; such a day scores -inf, so it never alarms.
"""

import numpy as np
from numpy.typing import NDArray

from ml.contract import Diaries, Profiles
from ml.features.daily import day_grid, first_days
from ml.features.filters import DIARY_COLUMNS
from ml.personal import Float64

# Zones of the written action plan, as fractions of the personal best: yellow below 80 %, red below 50 %.
YELLOW_BELOW = 0.80
RED_BELOW = 0.50


def peak_flow_of_best(diaries: Diaries, profiles: Profiles, days: int) -> Float64:
    """The day's worst peak flow over the personal best, NaN without a reading.

    Where no personal best is known, the best reading up to that day stands in.
    """
    grid = day_grid(diaries, len(profiles), first_days(diaries, len(profiles)), days)
    readings = grid[:, [DIARY_COLUMNS.index("morning_litres_per_min"), DIARY_COLUMNS.index("evening_litres_per_min")]]
    worst = np.fmin(readings[:, 0], readings[:, 1]).astype(np.float64)
    so_far = np.fmax.accumulate(np.fmax(readings[:, 0], readings[:, 1]), axis=0)
    best = np.where(np.isnan(profiles.personal_best_litres_per_min), so_far, profiles.personal_best_litres_per_min)
    result: Float64 = worst / best
    return result


def action_plan_score(of_best: Float64) -> Float64:
    """2 in the red zone, 1 in the yellow, 0 in the green, -inf without a reading."""
    zone = (of_best < YELLOW_BELOW).astype(np.float64) + (of_best < RED_BELOW)
    return np.where(np.isnan(of_best), -np.inf, zone)


def bioair_alarm(diaries: Diaries, profiles: Profiles, days: int) -> NDArray[np.bool_]:
    """BIOAIR (Kupczyk 2013): on two days running, peak flow 20 % below or day symptoms 20 % above the usual.

    The usual is the mean of the two weeks before; symptoms are on their 0-3 scale, so 20 % of it is 0.6.
    """
    grid = day_grid(diaries, len(profiles), first_days(diaries, len(profiles)), days)
    morning = grid[:, DIARY_COLUMNS.index("morning_litres_per_min")].astype(np.float64)
    symptoms = grid[:, DIARY_COLUMNS.index("day_symptoms")].astype(np.float64)
    worse = (morning < 0.8 * _mean_before(morning)) | (symptoms > _mean_before(symptoms) + 0.6)
    alarm = worse.copy()
    alarm[1:] &= worse[:-1]
    alarm[0] = False
    return alarm


def _mean_before(values: Float64, window: int = 14) -> Float64:
    """Mean of the known values of the `window` days before each day."""
    known = ~np.isnan(values)
    total = np.vstack([np.zeros((1, values.shape[1])), np.cumsum(np.where(known, values, 0.0), axis=0)])
    count = np.vstack([np.zeros((1, values.shape[1])), np.cumsum(known, axis=0)])
    day = np.arange(len(values))
    start = np.maximum(day - window, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Float64 = (total[day] - total[start]) / (count[day] - count[start])
    return mean
