"""One patient, day by day: the same forecast as from the whole diary, at the cost of the days that changed.

Checkpoints of the recursive state stand every four weeks. A late or corrected entry goes back to the last one before it
and replays from there, through the same filters as a batch, so the order in which entries arrive leaves no trace.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.contract import DIARY_DAYS_NEEDED, DIARY_RANGES, HORIZONS_DAYS, Profiles
from ml.features.catalogue import FEATURES
from ml.features.daily import features_of
from ml.features.filters import DIARY_COLUMNS, DayView, FilterState, advance
from ml.model import MAIN_HORIZON_DAYS, Model
from ml.personal import PersonalState, advance_personal, hospital_shift, logistic

CHECKPOINT_DAYS = 28


@dataclass(frozen=True, slots=True, eq=False)
class OnlineForecast:
    """After one day: chances by horizon and alarm score, None before seven diary days; features (features,)."""

    day: int
    diary_days: int
    probability: Mapping[int, float] | None
    alarm_score: float | None
    features: NDArray[np.float32]


@dataclass(slots=True, eq=False)
class _Remembered:
    """Everything known after `day`."""

    day: int
    filters: FilterState
    personal: PersonalState

    def copy(self) -> "_Remembered":
        return _Remembered(self.day, self.filters.copy(), self.personal.copy())


class PatientOnline:
    """A patient's diary as it arrives, in any order, and the forecast after any day. One row of `profile`."""

    def __init__(self, model: Model, profile: Profiles) -> None:
        if len(profile) != 1:
            raise ValueError(f"one patient at a time, not {len(profile)}")
        self._model = model
        self._profile = profile
        self._site_shift = hospital_shift(model.hospital_factor, profile.hospital)
        self._days: list[int] = []
        self._rows: dict[int, NDArray[np.float32]] = {}
        self._checkpoints: list[_Remembered] = []

    def record(self, day: int, values: Mapping[str, float] | None) -> None:
        """Enter or correct one day (ordinal) by diary column; None takes the day out. ValueError for a bad value."""
        if values is not None:
            row = np.full(len(DIARY_COLUMNS), np.nan, dtype=np.float32)
            for name, value in values.items():
                if name not in DIARY_RANGES:
                    raise ValueError(f"unknown diary column: {name}")
                low, high = DIARY_RANGES[name]
                if value < low or value > high:
                    raise ValueError(f"{name} is {value:g}; allowed are {low:g} to {high:g}")
                row[DIARY_COLUMNS.index(name)] = value
            if day not in self._rows:
                self._days.insert(bisect_left(self._days, day), day)
            self._rows[day] = row
        elif self._rows.pop(day, None) is not None:
            self._days.remove(day)
        kept = bisect_left(self._checkpoints, day, key=lambda checkpoint: checkpoint.day)
        # A diary that now begins earlier or later counts its days anew.
        begins = self._days[0] if self._days else None
        del self._checkpoints[0 if begins is None or day <= begins else kept :]

    def forecast(self, as_of: int) -> OnlineForecast:
        """The forecast after day `as_of`. ValueError where no entry is as old as that."""
        if not self._days or as_of < self._days[0]:
            raise ValueError("no entry up to that day")
        at = bisect_right(self._checkpoints, as_of - 1, key=lambda checkpoint: checkpoint.day)
        if at:
            known = self._checkpoints[at - 1].copy()
        else:
            known = _Remembered(self._days[0] - 1, FilterState.empty(1), PersonalState.empty(1))
        population = shift = alarm_score = np.zeros(1)
        features = np.empty((0, len(FEATURES)), dtype=np.float32)
        newest = self._checkpoints[-1].day if self._checkpoints else known.day
        for day in range(known.day + 1, as_of + 1):
            view = self._advance_filters(known, day)
            features = features_of(known.filters, view, self._profile, np.array([day])).T.astype(np.float32)
            population, shift, alarm_score = self._advance_personal(known, view, features)
            # Tomorrow starts from today, and from the day before where today is corrected.
            if day > newest and (day % CHECKPOINT_DAYS == 0 or day >= as_of - 1):
                self._keep(known)
        diary_days = int(known.filters.diary_days[0])
        if diary_days < DIARY_DAYS_NEEDED:
            return OnlineForecast(as_of, diary_days, None, None, features[0])
        logits = [
            population if horizon == MAIN_HORIZON_DAYS else self._population_logit(horizon, features)
            for horizon in HORIZONS_DAYS
        ]
        chances = np.maximum.accumulate([float(logistic(logit + shift)[0]) for logit in logits])
        probability = dict(zip(HORIZONS_DAYS, chances.tolist(), strict=True))
        return OnlineForecast(as_of, diary_days, probability, float(alarm_score[0]), features[0])

    def _advance_filters(self, known: _Remembered, day: int) -> DayView:
        row = self._rows.get(day)
        columns = np.full((len(DIARY_COLUMNS), 1), np.nan, dtype=np.float32) if row is None else row[:, None]
        known.day = day
        return advance(known.filters, columns)

    def _advance_personal(
        self, known: _Remembered, view: DayView, features: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        scored = known.filters.diary_days >= DIARY_DAYS_NEEDED
        population = self._population_logit(MAIN_HORIZON_DAYS, features) if scored[0] else np.full(1, np.nan)
        result = advance_personal(
            known.personal,
            population,
            MAIN_HORIZON_DAYS,
            onset=view.onset,
            recovering=view.recovering,
            scored=scored,
            days_since_entry=np.minimum(known.filters.days_since_entry, 10**6).astype(np.int32),
        )
        return population, result.shift, result.alarm_score

    def _population_logit(self, horizon: int, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return self._model.heads[horizon].logit(features) + self._site_shift

    def _keep(self, known: _Remembered) -> None:
        """Add a checkpoint; of those before the last only the monthly ones stay."""
        monthly = [checkpoint for checkpoint in self._checkpoints[:-1] if checkpoint.day % CHECKPOINT_DAYS == 0]
        self._checkpoints = [*monthly, *self._checkpoints[-1:], known.copy()]
