"""Is the model still right here? Calibration by hospital and month, alarm burden, missing entries, shifted features."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.alarms import AMBER_BUDGET, RED_BUDGET, alarm_days, alarms_per_patient_month
from ml.evaluation.study_data import StudyData
from ml.features.catalogue import FEATURE_NAMES
from ml.model import MAIN_HORIZON_DAYS, Model
from ml.personal import hospital_shift, logistic
from ml.scoring import head_logit, personalised
from ml.training.fit import bin_shares

MONTH_DAYS = 30
# Customary reading of the population stability index: below 0.1 stable, above 0.25 shifted.
SHIFTED_ABOVE = 0.25
# Two-sided 99 % for the running observed-minus-expected of a hospital.
DRIFTED_Z = 2.6
_LEAST_SHARE = 1e-4


def stability_index(reference: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    """Population stability index of two sets of bin shares."""
    a, b = np.maximum(reference, _LEAST_SHARE), np.maximum(found, _LEAST_SHARE)
    return float(((b - a) * np.log(b / a)).sum())


def feature_shift(model: Model, features: NDArray[np.float32]) -> dict[str, float]:
    """Stability index of each feature, missing as a bin of its own, against the model's training rows."""
    shift: dict[str, float] = {}
    for name, values in zip(FEATURE_NAMES, features.T, strict=True):
        spread = model.reference.get(name)
        if spread is not None and len(values):
            found = bin_shares(values, np.array(spread.edges))
            shift[name] = stability_index(np.array(spread.shares), found)
    return shift


def drift_report(model: Model, data: StudyData) -> dict[str, Any]:
    """Figures by hospital and by month, and what asks for attention, in words under `attention`."""
    wanted = data.days.diary_days >= 1
    site_shift = hospital_shift(model.hospital_factor, data.profiles.hospital)
    daily = personalised(data.days, head_logit(model.heads[MAIN_HORIZON_DAYS], data.days, wanted) + site_shift)
    expected = np.where(data.judged, logistic(np.nan_to_num(daily.logit)), 0.0) / MAIN_HORIZON_DAYS
    observed = np.where(data.judged, data.label, False) / MAIN_HORIZON_DAYS
    month = (data.days.day - data.days.day[wanted].min(initial=10**7)) // MONTH_DAYS
    attention: list[str] = []
    hospitals: dict[str, Any] = {}
    for code in np.unique(data.profiles.hospital):
        here = data.profiles.hospital == code
        months = []
        running_observed = running_expected = 0.0
        for number in np.unique(month[:, here][data.judged[:, here]]):
            chosen = data.judged & here & (month == number)
            running_observed += float(observed[chosen].sum())
            running_expected += float(expected[chosen].sum())
            months.append(
                {
                    "month": int(number),
                    "observed": float(observed[chosen].sum()),
                    "expected": float(expected[chosen].sum()),
                    "running_z": (running_observed - running_expected) / max(running_expected, 1e-9) ** 0.5,
                }
            )
        hospitals[str(code)] = {
            "observed_over_expected": running_observed / running_expected if running_expected else float("nan"),
            "silent_day_share": float(data.missing_share[here].mean()),
            "months": months,
        }
        if months and abs(months[-1]["running_z"]) > DRIFTED_Z:
            ratio = hospitals[str(code)]["observed_over_expected"]
            attention.append(f"hospital {code}: {ratio:.2f} times the attacks expected, more than chance explains")
    alarms: dict[str, Any] = {}
    for name, threshold, budget in (
        ("amber", model.amber_threshold, AMBER_BUDGET),
        ("red", model.red_threshold, RED_BUDGET),
    ):
        rate = alarms_per_patient_month(alarm_days(daily.alarm_score, data.alarm_days, threshold), data.alarm_days)
        alarms[name] = {"alarms_per_patient_month": rate, "budget": budget}
        if rate > 1.5 * budget:
            attention.append(f"{name} alarms: {rate:.2f} a patient-month against a budget of {budget:.2f}")
    shift = feature_shift(model, data.days.features[data.judged])
    attention += [
        f"{name} is spread otherwise than in training (stability index {value:.2f})"
        for name, value in shift.items()
        if value > SHIFTED_ABOVE
    ]
    return {"hospitals": hospitals, "alarms": alarms, "feature_shift": shift, "attention": attention}
