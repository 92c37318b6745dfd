"""The published AAMOS-00 files as a cohort (Tsang 2023, CC BY 4.0), and what they say about a one-step peak flow.

Too small to judge an attack forecast on; a check on real dirt. `date` counts days of each patient's own monitoring,
so the season is unknown and the ordinals made here have an arbitrary origin.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import numpy as np

from ml.contract import Diaries, Profiles
from ml.evaluation.bootstrap import Interval, interval, patient_weights, ratio_replicates
from ml.peak_flow import PeakFlowForecast
from ml.personal import Float64
from ml.training.fit import Cohort

# The ordinal of day 0, any will do.
ORIGIN = 737_791
# daily_relief_inhaler is a code for a range of puffs; the middle of the range, 13 for "more than 12".
PUFFS_OF_CODE = {"0": 0.0, "1": 1.5, "3": 3.5, "5": 6.5, "9": 10.5, "12": 13.0}
# daily_prev_inhaler: 1 no, 2 as usual, 3 less, 4 more, 5 unsure.
CONTROLLER_OF_CODE = {"1": 0.0, "2": 1.0, "3": 0.5, "4": 1.0}
NO_TRIGGER = "1"
STEROIDS_ABOVE_USUAL = "3"
AGE_OF_RANGE = {"18-29yo": 24.0, "30-39yo": 35.0, "40-49yo": 45.0, "50+yo": 60.0}
# Severity as a stand-in for the treatment step, which the files do not hold.
STEP_OF_SEVERITY = {"Mild": 2.0, "Moderate": 3.0, "Severe": 4.0}
EARLIER_READINGS = 7


@dataclass(frozen=True, slots=True)
class Session:
    """The best of a session's blows. `at_days` since the patient's day 0."""

    patient: str
    day: int
    at_days: float
    morning: bool
    litres_per_min: float


def _rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"anonym_aamos00_{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_sessions(folder: Path) -> list[Session]:
    """Peak-flow sessions with blows, in the order of patient and time; a session of NA is left out."""
    sessions = []
    for row in _rows(folder, "peakflow"):
        blows = [float(blow) for blow in row["pefs"].replace(",", "|").split("|") if blow.strip() not in ("", "NA")]
        # The best blow: the artefacts in these files are blows far too low, never too high.
        if blows and 30 <= max(blows) <= 900:
            day, hour = int(row["date"]), int(row["hour"])
            sessions.append(Session(row["user_key"], day, day + hour / 24, row["morning"] == "TRUE", max(blows)))
    return sorted(sessions, key=lambda session: (session.patient, session.at_days))


def read_cohort(folder: Path) -> Cohort:
    """All patients' diaries, attacks included. FileNotFoundError when a file is missing."""
    info = _rows(folder, "patient_info")
    number = {row["user_key"]: index for index, row in enumerate(info)}
    days: dict[tuple[int, int], dict[str, float]] = defaultdict(dict)
    for row in _rows(folder, "dailyquestionnaire"):
        entry = days[number[row["user_key"]], int(row["date"])]
        entry["day_symptoms"] = float(row["daily_day_symp"] == "TRUE")
        entry["night_waking"] = float(row["daily_night_symp"] == "TRUE")
        entry["activity_limited"] = float(row["daily_limit_activity"] == "TRUE")
        if row["daily_relief_inhaler"] in PUFFS_OF_CODE:
            entry["reliever_puffs"] = PUFFS_OF_CODE[row["daily_relief_inhaler"]]
        if row["daily_prev_inhaler"] in CONTROLLER_OF_CODE:
            entry["controller_fraction"] = CONTROLLER_OF_CODE[row["daily_prev_inhaler"]]
        triggers = {code.strip() for code in row["daily_triggers"].split(",")} - {"", "NA", NO_TRIGGER}
        entry["trigger_count"] = float(len(triggers))
    for session in read_sessions(folder):
        entry = days[number[session.patient], session.day]
        column = "morning_litres_per_min" if session.morning else "evening_litres_per_min"
        entry[column] = max(session.litres_per_min, entry.get(column, 0.0))
    for row in _rows(folder, "weeklyquestionnaire"):
        patient, date = number[row["user_key"]], int(row["date"])
        for column, name in (("hospital_admission", "weekly_hospital"), ("emergency_visit", "weekly_er")):
            for back in row[name].split(","):
                if back.strip() not in ("", "0", "NA"):
                    days[patient, date + int(back)][column] = 1.0
        if row["weekly_oral"] == STEROIDS_ABOVE_USUAL:
            # Known to the week only: all of it counts, so no forecast is credited for a day inside it.
            for ago in range(7):
                days[patient, date - ago]["systemic_steroids"] = 1.0
    keys = sorted(days)
    names = sorted({name for entry in days.values() for name in entry})
    columns = {name: np.array([days[key].get(name, np.nan) for key in keys]) for name in names}
    patient_index = np.array([patient for patient, _ in keys])
    day = np.array([day for _, day in keys]) + ORIGIN
    last_day = np.full(len(info), ORIGIN, dtype=np.int64)
    np.maximum.at(last_day, patient_index, day)
    profiles = Profiles.of(
        len(info),
        age_years=[AGE_OF_RANGE.get(row["age_range"], np.nan) for row in info],
        female=[float(row["sex"] == "female") for row in info],
        personal_best_litres_per_min=[_number(row["pef_best"]) for row in info],
        treatment_step=[STEP_OF_SEVERITY.get(row["severity"], np.nan) for row in info],
    )
    return Cohort(Diaries.of(patient_index, day, **columns), profiles, last_day)


def _number(text: str) -> float:
    return float("nan") if text in ("", "NA") else float(text)


@dataclass(frozen=True, slots=True)
class OneStepErrors:
    """Mean errors of the next morning peak flow in percent of the patient's own median, with intervals from drawing
    patients again; `gain` is how much closer the forecast is than the mean of the seven mornings before."""

    forecast: Interval
    moving_average: Interval
    last: Interval
    gain: Interval
    readings: int


def one_step_errors(sessions: list[Session], seed: int) -> OneStepErrors:
    """Each morning after a patient's first seven is forecast from what came before it."""
    by_patient: dict[str, list[Session]] = defaultdict(list)
    for session in sessions:
        by_patient[session.patient].append(session)
    # Of each patient: mornings forecast, and the sums of the errors of forecast, moving average and last morning.
    sums = np.zeros((len(by_patient), 4))
    for number, own in enumerate(by_patient.values()):
        mornings = [session.litres_per_min for session in own if session.morning]
        state, earlier = PeakFlowForecast(), list[float]()
        for session in own:
            expected = state.expected(session.at_days, session.morning)
            if session.morning:
                if len(earlier) >= EARLIER_READINGS and expected is not None:
                    unit = 100 / median(mornings)
                    guesses = (expected, fmean(earlier[-EARLIER_READINGS:]), earlier[-1])
                    sums[number] += [1, *(abs(guess - session.litres_per_min) * unit for guess in guesses)]
                earlier.append(session.litres_per_min)
            state.observe(session.at_days, session.morning, session.litres_per_min)
    readings, weights = sums[:, 0], patient_weights(len(sums), seed)

    def mean(errors: Float64) -> Interval:
        return interval(float(errors.sum() / readings.sum()), ratio_replicates(errors, readings, weights))

    forecast, moving_average, last = sums[:, 1:].T
    return OneStepErrors(
        mean(forecast), mean(moving_average), mean(last), mean(moving_average - forecast), int(readings.sum())
    )
