"""Daily patient-relative features: the filters of one day turned into the columns of `catalogue.FEATURES`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.contract import Diaries, Profiles
from ml.features.catalogue import COLUMN, FEATURES
from ml.features.filters import (
    DIARY_COLUMNS,
    FAST,
    MID,
    SIGNAL,
    DayView,
    FilterState,
    Float64,
    advance,
)
from ml.features.signs import EVENING, MORNING, RELIEVER, SWING_CHANGE, SYMPTOMS, TYPICAL_CHANGE
from ml.features.worsening import attacks_ahead, attacks_of_present, days_each, share_of_days, starts_a_day

DAYS_PER_YEAR = 365.2425
# 1 January 2001 as a proleptic ordinal: the season needs no calendar, only the fraction of the tropical year.
YEAR_ORIGIN = 730_486
# Longer waits than a year say nothing more.
LONGEST_WAIT_DAYS = 365.0
LONGEST_WORSENING_WAIT_DAYS = 90.0
# Worsenings a day that begin at step 3 without an attack in the last year, and ln of how many more at each higher step,
# which doctors choose by them (both from simulated diaries). Attacks are 1.48 times as many with tenfold eosinophils,
# 1.44 times with tenfold exhaled nitric oxide, 1.94 times after an attack in the year before (ORACLE2, 22 trials).
STARTS_AT_USUAL, USUAL_STEP, LOG_RATIO_A_STEP = 0.012, 3.0, 0.7
USUAL_EOSINOPHILS, LOG_RATIO_OF_EOSINOPHILS = 225.0, np.log(1.48) / np.log(10.0)
USUAL_FENO, LOG_RATIO_OF_FENO = 26.0, np.log(1.44) / np.log(10.0)
LOG_RATIO_OF_ATTACK = np.log(1.94)
# Fewer attacks expected of a worsening than this are none.
LEAST_ATTACKS = 1e-4
CHILD_BELOW_YEARS = 18.0
Z_LIMIT = 6.0
# An attack comes in two or three rapid days (FACET): what goes beyond twice a mild worsening is another matter, and a
# regression cannot bend.
TWICE_MILD = 2.0 * np.abs(TYPICAL_CHANGE[:, 0])


def _mean_of_known(a: Float64, b: Float64) -> Float64:
    """Mean of the two where both are known, else the one that is."""
    return np.where(np.isnan(a), b, np.where(np.isnan(b), a, 0.5 * (a + b)))


def usual_starts_a_day(profiles: Profiles) -> Float64:
    """Worsenings a day that begin in patients of this profile; what is not known is taken as usual."""

    def log_over(values: NDArray[np.floating], usual: float) -> Float64:
        return np.where(np.isnan(values), 0.0, np.log(values / usual))

    step = np.nan_to_num(profiles.treatment_step.astype(np.float64), nan=USUAL_STEP)
    log_ratio = LOG_RATIO_A_STEP * (step - USUAL_STEP)
    log_ratio += LOG_RATIO_OF_EOSINOPHILS * log_over(profiles.eosinophils_per_microlitre, USUAL_EOSINOPHILS)
    log_ratio += LOG_RATIO_OF_FENO * log_over(profiles.feno_ppb, USUAL_FENO)
    log_ratio += np.where(profiles.severe_attacks_last_year > 0, LOG_RATIO_OF_ATTACK, 0.0)
    return np.asarray(STARTS_AT_USUAL * np.exp(log_ratio))


def features_of(state: FilterState, view: DayView, profiles: Profiles, day: NDArray[np.int64]) -> Float64:
    """Features (features, patients) after `day` (one ordinal a patient). A day never sits in its own baseline."""
    out = np.empty((len(FEATURES), len(day)))

    def put(name: str, values: NDArray[np.floating]) -> None:
        out[COLUMN[name]] = values

    with np.errstate(invalid="ignore", divide="ignore"):
        change = view.means - view.baseline
        fast, mid, slope = change[FAST], change[MID], view.means[FAST] - view.means[MID]
        fast_z = np.clip(fast / view.spread, -Z_LIMIT, Z_LIMIT)
        today = view.today - view.baseline
        today_z = np.clip(today / view.spread, -Z_LIMIT, Z_LIMIT)
        morning, evening = SIGNAL["morning"], SIGNAL["evening"]
        best = np.log(profiles.personal_best_litres_per_min.astype(np.float64))
        remembered = np.where(np.isfinite(state.best_log_peak_flow), state.best_log_peak_flow, np.nan)
        best = np.where(np.isnan(best), remembered, best)

        put("peak_flow_fast_change", _mean_of_known(fast[morning], fast[evening]))
        put("peak_flow_mid_change", _mean_of_known(mid[morning], mid[evening]))
        put("peak_flow_fast_z", _mean_of_known(fast_z[morning], fast_z[evening]))
        put("peak_flow_today_z", _mean_of_known(today_z[morning], today_z[evening]))
        # Both readings of a day are the same airway: the mean of their deviations halves the blow-to-blow noise.
        put("peak_flow_today_change", _mean_of_known(today[morning], today[evening]))
        put("peak_flow_slope", _mean_of_known(slope[morning], slope[evening]))
        fast_level = _mean_of_known(view.means[FAST, morning], view.means[FAST, evening])
        put("peak_flow_fast_of_best", np.exp(fast_level - best))
        put("peak_flow_swing_mid_change", mid[SIGNAL["swing"]])
        for name in ("symptoms", "reliever"):
            row = SIGNAL[name]
            put(f"{name}_fast_change", fast[row])
            put(f"{name}_mid_change", mid[row])
            put(f"{name}_fast_z", fast_z[row])
            put(f"{name}_slope", slope[row])
            put(f"{name}_today_change", today[row])
            put(f"{name}_fast", view.means[FAST, row])
        for name in ("night_waking", "activity_limited"):
            put(f"{name}_fast_change", fast[SIGNAL[name]])
            put(f"{name}_mid_change", mid[SIGNAL[name]])
        calm = view.signs.change - SWING_CHANGE * state.worsening.signs.swing
        put("worsening_chance", state.worsening.chance)
        put("worsening_fading", state.worsening.fading)
        put("worsening_evidence", view.signs.evidence(1.0))
        put("worsening_evidence_mean", state.worsening.evidence_mean)
        put("worsening_days", np.minimum(state.worsening.days_worse, LONGEST_WAIT_DAYS))
        put("days_since_worsening", np.minimum(state.worsening.days_since, LONGEST_WORSENING_WAIT_DAYS))
        put("peak_flow_from_calm", _mean_of_known(calm[MORNING], calm[EVENING]))
        put("morning_peak_flow_from_calm", calm[MORNING])
        put("symptoms_from_calm", calm[SYMPTOMS])
        put("reliever_from_calm", calm[RELIEVER])
        peak_flow_lost = -_mean_of_known(calm[MORNING], calm[EVENING])
        put("peak_flow_beyond_mild", np.maximum(peak_flow_lost - TWICE_MILD[MORNING], 0.0))
        put("symptoms_beyond_mild", np.maximum(calm[SYMPTOMS] - TWICE_MILD[SYMPTOMS], 0.0))
        put("reliever_beyond_mild", np.maximum(calm[RELIEVER] - TWICE_MILD[RELIEVER], 0.0))
        put("worsening_depth", state.worsening.depth)
        put("airways_swing", state.worsening.signs.swing)
        put("log_attacks_of_worsening", np.log(attacks_of_present(state.worsening) + LEAST_ATTACKS))
        ahead = attacks_ahead(state.worsening, state.infection.days_left, usual_starts_a_day(profiles))
        put("log_attacks_ahead", np.log(ahead))
        put("infection_chance", state.infection.chance)
        put("infection_days_left", state.infection.days_left)
        put("controller_fast", view.means[FAST, SIGNAL["controller"]])
        put("controller_mid", view.means[MID, SIGNAL["controller"]])
        put("controller_mid_change", mid[SIGNAL["controller"]])
        put("triggers_fast_change", fast[SIGNAL["triggers"]])
        put("entry_fast_change", fast[SIGNAL["entry"]])
        put("days_since_entry", np.minimum(state.days_since_entry, LONGEST_WAIT_DAYS))

        angle = 2.0 * np.pi * ((day - YEAR_ORIGIN) / DAYS_PER_YEAR)
        put("season_sine", np.sin(angle))
        put("season_cosine", np.cos(angle))
        put("half_season_sine", np.sin(2.0 * angle))
        put("half_season_cosine", np.cos(2.0 * angle))

        usual = _mean_of_known(view.baseline[morning], view.baseline[evening])
        put("peak_flow_usual_of_best", np.exp(usual - best))
        seen = ~np.isnan(usual)
        put("peak_flow_variability", np.where(seen, _mean_of_known(view.spread[morning], view.spread[evening]), np.nan))
        put("peak_flow_swing_usual", view.baseline[SIGNAL["swing"]])
        for name in ("symptoms", "reliever"):
            row = SIGNAL[name]
            put(f"{name}_usual", view.baseline[row])
            put(f"{name}_variability", np.where(np.isnan(view.baseline[row]), np.nan, view.spread[row]))
        for name in ("night_waking", "activity_limited", "controller", "entry"):
            put(f"{name}_usual", view.baseline[SIGNAL[name]])
    put("worsening_share", share_of_days(state.worsening))
    put("log_worsening_starts", np.log(starts_a_day(state.worsening)))
    put("log_worsening_days_each", np.log(days_each(state.worsening)))
    put("log_eosinophils", np.log(profiles.eosinophils_per_microlitre))
    put("log_feno", np.log(profiles.feno_ppb))
    put("severe_attacks_last_year", profiles.severe_attacks_last_year)
    put("treatment_step", profiles.treatment_step)
    put("age_years", profiles.age_years)
    put("child", np.where(np.isnan(profiles.age_years), np.nan, profiles.age_years < CHILD_BELOW_YEARS))
    put("female", profiles.female)
    put("diary_days", np.minimum(state.diary_days, LONGEST_WAIT_DAYS))
    return out


@dataclass(frozen=True, slots=True, eq=False)
class PatientDays:
    """Features of every patient-day from the first diary day on.

    Arrays are (days, patients), `features` (days, patients, features). `day` holds ordinals. `recovering` marks an
    attack and the 14 days after it, `onset` its first day, `days_since_attack` counts from there (10**6: never).
    """

    features: NDArray[np.float32]
    day: NDArray[np.int32]
    diary_days: NDArray[np.int32]
    days_since_entry: NDArray[np.int32]
    days_since_attack: NDArray[np.int32]
    recovering: NDArray[np.bool_]
    onset: NDArray[np.bool_]
    filters: FilterState


def first_days(diaries: Diaries, patients: int) -> NDArray[np.int64]:
    """Ordinal of each patient's first row; -1 where there is none."""
    first = np.full(patients, -1, dtype=np.int64)
    if len(diaries):
        starts = np.flatnonzero(np.diff(diaries.patient_index, prepend=-1))
        first[diaries.patient_index[starts]] = diaries.day[starts]
    return first


def day_grid(diaries: Diaries, patients: int, first_day: NDArray[np.int64], days: int) -> NDArray[np.float32]:
    """Diary values (days, `DIARY_COLUMNS`, patients) by day since `first_day`; rows outside the window are left out."""
    grid = np.full((days, len(DIARY_COLUMNS), patients), np.nan, dtype=np.float32)
    offset = diaries.day - first_day[diaries.patient_index]
    inside = (offset >= 0) & (offset < days)
    patient, offset = diaries.patient_index[inside], offset[inside]
    for row, name in enumerate(DIARY_COLUMNS):
        grid[offset, row, patient] = getattr(diaries, name)[inside]
    return grid


def patient_days(diaries: Diaries, profiles: Profiles, days: int | None = None) -> PatientDays:
    """Features of all patients for `days` days from each one's first row (default: to the longest diary's end)."""
    patients = len(profiles)
    first = first_days(diaries, patients)
    if days is None:
        days = int((diaries.day - first[diaries.patient_index]).max(initial=-1)) + 1
    grid = day_grid(diaries, patients, first, days)
    state = FilterState.empty(patients)
    features = np.empty((days, patients, len(FEATURES)), dtype=np.float32)
    counts = np.empty((3, days, patients), dtype=np.int32)
    flags = np.empty((2, days, patients), dtype=np.bool_)
    for offset in range(days):
        view = advance(state, grid[offset])
        features[offset] = features_of(state, view, profiles, first + offset).T
        counts[0, offset] = state.diary_days
        counts[1:, offset] = np.minimum((state.days_since_entry, state.days_since_onset), 10**6)
        flags[:, offset] = view.recovering, view.onset
    day = (first + np.arange(days)[:, None]).astype(np.int32)
    return PatientDays(features, day, counts[0], counts[1], counts[2], flags[0], flags[1], state)
