"""A cohort laid out for judging: every patient-day's features and outcome, and on simulated cohorts the truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.contract import SIGNAL_COLUMNS, Profiles
from ml.evaluation.rules import action_plan_score, bioair_alarm, peak_flow_of_best
from ml.features.daily import PatientDays, day_grid, first_days, patient_days
from ml.features.filters import DIARY_COLUMNS
from ml.model import MAIN_HORIZON_DAYS
from ml.personal import Float64
from ml.training.fit import Cohort
from ml.training.outcome import followed_days, judged_days, onset_within

Bool = NDArray[np.bool_]
TODAY_PROFILE = (
    "age_years",
    "female",
    "height_cm",
    "personal_best_litres_per_min",
    "treatment_step",
    "eosinophils_per_microlitre",
    "feno_ppb",
)


@dataclass(frozen=True, slots=True, eq=False)
class StudyData:
    """Arrays (days, patients). `judged` days have a full 7-day outcome `label`; `alarm_days` may raise an alarm.

    `today` (days, patients, columns) holds the day's own entries and the profile, for peers that know no history.
    `oracle` is the simulator's own chance of an attack within 7 days, or None on real diaries; no model reads it.
    """

    days: PatientDays
    profiles: Profiles
    judged: Bool
    alarm_days: Bool
    label: Bool
    today: NDArray[np.float32]
    of_best: Float64
    action_plan: Float64
    bioair: Bool
    missing_share: Float64
    oracle: Float64 | None

    @property
    def patients(self) -> int:
        return len(self.profiles)


def study_data(cohort: Cohort, oracle: NDArray[np.float32] | None = None, oracle_first_day: int = 0) -> StudyData:
    """Lay a cohort out. `oracle` (patients, days from `oracle_first_day`) is the true chance within 7 days."""
    days = patient_days(cohort.diaries, cohort.profiles)
    length, patients = days.onset.shape
    followed = followed_days(cohort.diaries, patients, cohort.last_day)
    grid = day_grid(cohort.diaries, patients, first_days(cohort.diaries, patients), length)
    entries = grid[:, [DIARY_COLUMNS.index(name) for name in SIGNAL_COLUMNS]].transpose(0, 2, 1)
    profile = np.stack(
        [getattr(cohort.profiles, name) for name in TODAY_PROFILE],
        axis=1,
    )
    of_best = peak_flow_of_best(cohort.diaries, cohort.profiles, length)
    within = np.arange(length)[:, None] < followed
    silent = np.isnan(entries).all(axis=2) & within
    truth = None
    if oracle is not None:
        offset = np.clip(days.day - oracle_first_day, 0, oracle.shape[1] - 1)
        truth = oracle[np.arange(patients)[None, :], offset].astype(np.float64)
    return StudyData(
        days=days,
        profiles=cohort.profiles,
        judged=judged_days(days, followed, MAIN_HORIZON_DAYS),
        alarm_days=judged_days(days, followed, 0),
        label=onset_within(days.onset, MAIN_HORIZON_DAYS),
        today=np.concatenate([entries, np.broadcast_to(profile, (length, *profile.shape))], axis=2),
        of_best=of_best,
        action_plan=action_plan_score(of_best),
        bioair=bioair_alarm(cohort.diaries, cohort.profiles, length),
        missing_share=silent.sum(axis=0) / np.maximum(within.sum(axis=0), 1),
        oracle=truth,
    )
