"""Diaries cut at every change of treatment: the periods that advice is drawn from."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.contract import EVENT_COLUMNS, Diaries, TreatmentPeriods
from ml.features.filters import RECOVERY_DAYS


def cut_into_periods(
    diaries: Diaries, patient_index: ArrayLike, first_day: ArrayLike, regimen: ArrayLike, as_of: int
) -> TreatmentPeriods:
    """One period per row of (patient_index, first_day, regimen), which must be in the order of patient and day.

    A period ends with its last diary row, for after it an attack could have gone unseen, and in any case before the
    patient's next period and at `as_of`. One that would begin after `as_of` is left out, and so are diary days outside
    all periods. An attack belongs to the period of its first day.
    """
    index, first = np.asarray(patient_index, np.int32), np.asarray(first_day, np.int32)
    begun = first <= as_of
    index, first, which = index[begun], first[begun], np.asarray(regimen, np.int32)[begun]
    rows = diaries.rows(np.asarray(diaries.day <= as_of))
    # One number orders (patient, day): ordinals have seven digits.
    place = np.searchsorted(_ordered(index, first), _ordered(rows.patient_index, rows.day), side="right") - 1
    inside = (place >= 0) & (index[np.maximum(place, 0)] == rows.patient_index)
    onsets = _onsets(rows)[inside]
    rows, place = rows.rows(np.asarray(inside)), place[inside]

    signals = np.stack([rows.day_symptoms, rows.night_waking, rows.activity_limited])
    answered = ~np.isnan(rows.day_symptoms) | ~np.isnan(rows.night_waking)
    controlled = answered & ~(signals > 0).any(axis=0)
    n = len(index)
    last = first.copy()
    np.maximum.at(last, place, rows.day)

    def total(values: NDArray[np.bool_] | NDArray[np.float32]) -> NDArray[np.float32]:
        return np.bincount(place, values, n).astype(np.float32)

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        known = ~np.isnan(values)
        with np.errstate(invalid="ignore"):
            return np.asarray(total(np.nan_to_num(values)) / total(known), np.float32)

    return TreatmentPeriods(
        patient_index=index,
        regimen=which,
        first_day=first,
        last_day=last,
        severe_attacks=total(onsets),
        diary_days=total(answered),
        controlled_days=total(controlled),
        reliever_puffs_per_day=mean(rows.reliever_puffs),
        controller_fraction=mean(rows.controller_fraction),
    )


def _ordered(patient_index: NDArray[np.int32], day: NDArray[np.int32]) -> NDArray[np.int64]:
    return patient_index.astype(np.int64) * 10_000_000 + day


def _onsets(rows: Diaries) -> NDArray[np.bool_]:
    """Rows on which a severe attack begins: a severe day more than `RECOVERY_DAYS` after the patient's last one."""
    severe = np.flatnonzero((np.stack([getattr(rows, name) for name in EVENT_COLUMNS]) > 0).any(axis=0))
    patient, day = rows.patient_index[severe], rows.day[severe]
    first = np.ones(len(severe), bool)
    first[1:] = (patient[1:] != patient[:-1]) | (day[1:] - day[:-1] > RECOVERY_DAYS)
    found = np.zeros(len(rows), bool)
    found[severe[first]] = True
    return found
