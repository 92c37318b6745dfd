"""Alarms from daily scores: a refractory week, and thresholds that keep a budget of alarms per patient-month."""

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

REFRACTORY_DAYS = 7
DAYS_PER_MONTH = 365.2425 / 12
# Default budgets per patient-month: amber asks the patient to look again, red reaches a clinician.
AMBER_BUDGET = 0.25
RED_BUDGET = 0.10


def alarm_days(score: Float64, judged: Bool, threshold: float) -> Bool:
    """True on (day, patient) where an alarm goes off: score at the threshold, and none in the seven days before."""
    wanted = judged & (score >= threshold)
    alarm = np.zeros_like(wanted)
    rest = np.zeros(wanted.shape[1], dtype=np.int32)
    for day in np.flatnonzero(wanted.any(axis=1)):
        alarm[day] = wanted[day] & (rest <= day)
        rest[alarm[day]] = day + REFRACTORY_DAYS
    return alarm


def alarms_per_patient_month(alarm: Bool, judged: Bool) -> float:
    """Alarms over the months of judged days."""
    return float(alarm.sum() / max(judged.sum(), 1) * DAYS_PER_MONTH)


def threshold_for_budget(score: Float64, judged: Bool, budget: float) -> float:
    """Lowest threshold whose alarms stay within `budget` per patient-month, to 1e-4 of the score's range."""
    values = np.sort(score[judged])
    if not len(values):
        raise ValueError("no judged day to set a threshold on")
    low, high = 0, len(values) - 1
    if alarms_per_patient_month(alarm_days(score, judged, values[0]), judged) <= budget:
        return float(values[0])
    while high - low > max(1, len(values) // 10_000):
        middle = (low + high) // 2
        if alarms_per_patient_month(alarm_days(score, judged, values[middle]), judged) > budget:
            low = middle
        else:
            high = middle
    return float(values[high])
