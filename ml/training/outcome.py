"""What the forecast is about: the onset of a severe attack in the days after today.

A severe attack is a day with systemic steroids, an emergency visit or an admission (ATS/ERS, 2009); severe days up to
14 days apart are one attack. It is never defined from peak flow, symptoms or puffs, which the model reads: an outcome
made of its own predictors inflates every figure.
"""

import numpy as np
from numpy.typing import NDArray

from ml.contract import DIARY_DAYS_NEEDED, Diaries
from ml.features.daily import PatientDays, first_days

Bool = NDArray[np.bool_]


def followed_days(diaries: Diaries, patients: int, last_day: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Days of follow-up of each patient, counted from the first row up to `last_day` (default: the last row)."""
    first = first_days(diaries, patients)
    if last_day is None:
        last_day = np.full(patients, -2, dtype=np.int64)
        np.maximum.at(last_day, diaries.patient_index, diaries.day)
    days: NDArray[np.int64] = np.maximum(last_day - first + 1, 0)
    return days


def onset_within(onset: Bool, horizon_days: int) -> Bool:
    """True on (day, patient) where an attack begins on one of the next `horizon_days` days, today not counted."""
    before = np.zeros((onset.shape[0] + 1, onset.shape[1]), dtype=np.int32)
    np.cumsum(onset, axis=0, out=before[1:])
    ahead = np.minimum(np.arange(onset.shape[0]) + 1 + horizon_days, onset.shape[0])
    result: Bool = before[ahead] > before[1:]
    return result


def judged_days(days: PatientDays, followed: NDArray[np.int64], horizon_days: int) -> Bool:
    """True on (day, patient) that count: out of any attack, enough diary, and the whole horizon was followed."""
    offset = np.arange(days.onset.shape[0])[:, None]
    complete = offset + horizon_days < followed[None, :]
    return ~days.recovering & complete & (days.diary_days >= DIARY_DAYS_NEEDED)
