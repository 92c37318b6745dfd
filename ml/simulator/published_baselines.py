"""Published forecasts, rebuilt on simulated diaries: they must land where they landed on real patients.

Only what those studies had is used: peak flow and symptoms. Days on which nothing was written are not scored.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from ml.simulator.cohort import SimulatedCohort, simulate
from ml.simulator.parameters import Parameters, frozen

Float32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
WARM_UP_DAYS = 30
DAYS_AFTER_ATTACK = 21
HALF_LIVES_DAYS = (1.5, 5.0, 45.0)


@dataclass(frozen=True, slots=True)
class Band:
    """A published figure and the range in which the simulated one must fall."""

    name: str
    low: float
    high: float
    simulated: float

    @property
    def met(self) -> bool:
        return self.low <= self.simulated <= self.high


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Diary columns as (patients, days); attacks; days that count (not within 21 days after an onset)."""

    morning_of_best: Float32
    symptoms: Float32
    night_waking: Float32
    onset: Mask
    usable: Mask


def _grid(cohort: SimulatedCohort) -> Grid:
    diaries, onset = cohort.diaries, cohort.truth.severe_onset
    number = diaries.day - cohort.truth.first_day

    def dense(column: Float32) -> Float32:
        values = np.full(onset.shape, np.nan, np.float32)
        values[diaries.patient_index, number] = column
        return values

    best = cohort.profiles.personal_best_litres_per_min[:, None]
    usable = np.ones(onset.shape, bool)
    usable[:, :WARM_UP_DAYS] = False
    for patient, day in zip(*np.nonzero(onset), strict=True):
        usable[patient, day : day + DAYS_AFTER_ATTACK] = False
    morning = dense(diaries.morning_litres_per_min) / best
    return Grid(morning, dense(diaries.day_symptoms), dense(diaries.night_waking), onset, usable)


def _within(onset: Mask, days: int) -> Mask:
    """Whether an attack begins on one of the next `days` days (today not counted)."""
    soon = np.zeros_like(onset)
    for ahead in range(1, days + 1):
        soon[:, :-ahead] |= onset[:, ahead:]
    return soon


def _smoothed(values: Float32, half_life_days: float) -> Float32:
    """Recursive mean of what was observed so far, today included."""
    weight = np.float32(1 - 0.5 ** (1 / half_life_days))
    mean = np.full(len(values), np.nan, np.float32)
    result = np.empty_like(values)
    for day in range(values.shape[1]):
        seen = ~np.isnan(values[:, day])
        start = seen & np.isnan(mean)
        mean = np.where(start, values[:, day], np.where(seen, mean + weight * (values[:, day] - mean), mean))
        result[:, day] = mean
    return result


def _features(grid: Grid) -> Float32:
    """(patients, days, features): today's value, smoothed levels and the change against the slow level."""
    columns = []
    for values in (grid.morning_of_best, grid.symptoms, grid.night_waking):
        fast, middle, slow = (_smoothed(values, half_life) for half_life in HALF_LIVES_DAYS)
        swing = np.sqrt(_smoothed((values - slow) ** 2, HALF_LIVES_DAYS[1]))
        columns += [np.where(np.isnan(values), fast, values), fast - slow, middle - slow, slow, swing]
    return np.stack(columns, axis=-1)


def peak_flow_rule(grid: Grid, below: float = 0.60, horizon_days: int = 2) -> dict[str, float]:
    """De Hond 2022, table 3: morning peak flow under 60 % of the personal best, attack within 2 days; day level."""
    counted = grid.usable & ~np.isnan(grid.morning_of_best)
    positive, alarm = _within(grid.onset, horizon_days)[counted], (grid.morning_of_best < below)[counted]
    return {
        "sensitivity": float(alarm[positive].mean()),
        "specificity": float(1 - alarm[~positive].mean()),
        "ppv": float(positive[alarm].mean()),
    }


def bioair_rule(grid: Grid) -> dict[str, float]:
    """Kupczyk 2013: peak flow 20 % below, or day symptoms 20 % of their scale above, the patient's own baseline on two
    consecutive days. An attack is detected if the rule fires in the 7 days before its onset or on that
    day; specificity over all days further than 14 days before and 21 after."""
    slow_peak_flow = _smoothed(grid.morning_of_best, 30.0)
    slow_symptoms = _smoothed(grid.symptoms, 30.0)
    before = (slice(None), slice(0, -1))
    low = np.zeros_like(grid.onset)
    high = np.zeros_like(grid.onset)
    low[:, 1:] = grid.morning_of_best[:, 1:] <= 0.8 * slow_peak_flow[before]
    high[:, 1:] = grid.symptoms[:, 1:] >= slow_symptoms[before] + 0.2 * 3
    fires = np.zeros_like(grid.onset)
    fires[:, 1:] = (low[:, 1:] & low[:, :-1]) | (high[:, 1:] & high[:, :-1])
    written = ~np.isnan(grid.morning_of_best) & ~np.isnan(grid.symptoms)
    found = []
    for patient, day in zip(*np.nonzero(grid.onset), strict=True):
        window = slice(day - 7, day + 1)
        if day >= WARM_UP_DAYS and written[patient, window].sum() >= 4:
            found.append(bool(fires[patient, window].any()))
    quiet = grid.usable & ~_within(grid.onset, 14) & written
    return {"sensitivity": float(np.mean(found)), "specificity": float(1 - fires[quiet].mean())}


def forecast_auroc(grid: Grid, horizon_days: int, model: Callable[[], Any], folds: int = 4) -> float:
    """Pooled AUROC of a model on peak flow and symptoms, patient-wise cross-validation."""
    features = _features(grid)
    counted = grid.usable & ~np.isnan(features).any(axis=-1) & ~np.isnan(grid.morning_of_best)
    soon = _within(grid.onset, horizon_days)
    counted[:, -horizon_days:] = False
    fold = (np.arange(len(counted)) % folds)[:, None] * np.ones_like(counted, dtype=int)
    rows, label, fold_of_row = features[counted], soon[counted], fold[counted]
    score = np.zeros(len(rows))
    for held_out in range(folds):
        train, test = fold_of_row != held_out, fold_of_row == held_out
        # All attacks and every fifth other day: no information lost, a fifth of the time.
        kept = np.flatnonzero(train)
        kept = kept[label[kept] | (kept % 5 == 0)]
        scale = StandardScaler().fit(rows[kept])
        fitted = model().fit(scale.transform(rows[kept]), label[kept])
        score[test] = fitted.predict_proba(scale.transform(rows[test]))[:, 1]
    return float(roc_auc_score(label, score))


def logistic_regression() -> LogisticRegression:
    return LogisticRegression(C=0.1, max_iter=500)


def boosted_trees() -> LGBMClassifier:
    """Gradient boosting at XGBoost's usual settings, in LightGBM's implementation."""
    return LGBMClassifier(
        n_estimators=150, learning_rate=0.06, num_leaves=15, min_child_samples=40, n_jobs=1, verbose=-1, random_state=1
    )


def published_bands(seed: int = 7, parameters: Parameters | None = None, patients: int = 2500) -> list[Band]:
    """The four bands. (a)-(c) on adults on maintenance treatment with diaries as kept in trials, whose attack rate lies
    between Zhang's 0.29 and de Hond's 0.85 a year; (d) on BIOAIR's mix of severe and mild-to-moderate asthma."""
    p = (parameters or frozen()).with_values(diary_share=0.9, dropout_per_year=0.05)
    start_on = datetime.date(2024, 1, 8)
    trial = _grid(
        simulate(seed, patients, 365, start_on, parameters=p, limits={"age_years": (18, 80), "treatment_step": (3, 4)})
    )
    rule = peak_flow_rule(trial)
    bands = [
        Band("peak flow < 60 % of best, 2 days: sensitivity", 0.03, 0.10, rule["sensitivity"]),
        Band("peak flow < 60 % of best, 2 days: specificity", 0.995, 1.0, rule["specificity"]),
        Band("peak flow < 60 % of best, 2 days: positive predictive value", 0.04, 0.15, rule["ppv"]),
    ]
    for horizon in (2, 3):
        logistic = forecast_auroc(trial, horizon, logistic_regression)
        trees = forecast_auroc(trial, horizon, boosted_trees)
        bands.append(Band(f"logistic regression, {horizon} days: AUROC", 0.82, 0.90, logistic))
        bands.append(Band(f"boosted trees minus logistic regression, {horizon} days", -0.05, 0.02, trees - logistic))
    severe = _grid(simulate(seed + 1, patients // 2, 365, start_on, parameters=p, limits=BIOAIR_SEVERE))
    moderate = _grid(simulate(seed + 2, patients // 2, 365, start_on, parameters=p, limits=BIOAIR_MODERATE))
    both = Grid(
        *(
            np.concatenate([getattr(severe, name)[: round(0.55 * patients)], getattr(moderate, name)])
            for name in ("morning_of_best", "symptoms", "night_waking", "onset", "usable")
        )
    )
    detected = bioair_rule(both)
    bands.append(Band("BIOAIR rule: sensitivity", 0.55, 0.75, detected["sensitivity"]))
    bands.append(Band("BIOAIR rule: specificity", 0.92, 0.97, detected["specificity"]))
    return bands


BIOAIR_SEVERE = {"age_years": (18.0, 75.0), "treatment_step": (5.0, 5.0)}
BIOAIR_MODERATE = {"age_years": (18.0, 75.0), "treatment_step": (2.0, 3.0)}
