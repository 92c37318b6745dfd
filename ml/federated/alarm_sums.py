"""Alarms at every threshold at once, as sums over a hospital's patients."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.alarms import AMBER_BUDGET, DAYS_PER_MONTH, RED_BUDGET, REFRACTORY_DAYS
from ml.evaluation.metrics import HELPFUL_DAYS
from ml.training.outcome import onset_within

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

# Alarm scores are log-odds; alarms are counted at each of these thresholds.
THRESHOLDS: Float64 = np.arange(-7.0, 1.0, 0.025)
BUDGETS = {"amber": AMBER_BUDGET, "red": RED_BUDGET}


def alarm_sums(score: Float64, judged: Bool, onset: Bool) -> dict[str, Float64]:
    """What `ml.evaluation.metrics.alarm_counts` finds at each threshold, one pass over the days (days, patients)."""
    days, patients = judged.shape
    attack_ahead = onset_within(onset, HELPFUL_DAYS)
    judged_before = np.zeros((days + 1, patients), dtype=np.int64)
    np.cumsum(judged, axis=0, out=judged_before[1:])
    week_ago = np.maximum(np.arange(days) - HELPFUL_DAYS, 0)
    counted = onset & (judged_before[:-1] > judged_before[week_ago])

    alarms, helpful, caught = (np.zeros(len(THRESHOLDS)) for _ in range(3))
    last_alarm = np.full((len(THRESHOLDS), patients), -days - REFRACTORY_DAYS)
    for day in range(days):
        attacked = counted[day]
        caught += (day - last_alarm[:, attacked] <= HELPFUL_DAYS).sum(axis=1)
        here = judged[day]
        alarm = (score[day, here] >= THRESHOLDS[:, None]) & (day - last_alarm[:, here] >= REFRACTORY_DAYS)
        alarms += alarm.sum(axis=1)
        helpful += alarm[:, attack_ahead[day, here]].sum(axis=1)
        last_alarm[:, here] = np.where(alarm, day, last_alarm[:, here])
    return {
        "alarms": alarms,
        "caught": caught,
        "helpful_alarms": helpful,
        "attacks": np.array([float(counted.sum())]),
        "judged_days": np.array([float(judged.sum())]),
    }


def figures_within_budgets(sums: Mapping[str, Float64]) -> dict[str, dict[str, Any]]:
    """Of each budget the lowest threshold from which on the alarms stay within it, and what it catches."""
    months = sums["judged_days"][0] / DAYS_PER_MONTH
    found = {}
    for name, budget in BUDGETS.items():
        over = np.flatnonzero(sums["alarms"] > budget * months)
        at = min(int(over[-1]) + 1 if len(over) else 0, len(THRESHOLDS) - 1)
        found[name] = {
            "threshold": float(THRESHOLDS[at]),
            "alarms_per_patient_month": float(sums["alarms"][at] / months),
            "attacks": int(sums["attacks"][0]),
            "sensitivity": float(sums["caught"][at] / max(sums["attacks"][0], 1.0)),
            "ppv": float(sums["helpful_alarms"][at] / max(sums["alarms"][at], 1.0)),
        }
    return found
