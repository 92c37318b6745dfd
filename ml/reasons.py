"""Why a forecast is as high as it is: exact contributions grouped by what a person can name, in natural units."""

from collections.abc import Callable
from datetime import date

import numpy as np
from numpy.typing import NDArray

from ml.contract import REASON_UNITS, Reason
from ml.features.catalogue import COLUMN, FEATURES

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

REASONS_SHOWN = 3
# In log-odds: a share below a tenth moves a 2 % risk by 0.2 points and explains nothing.
LEAST_CONTRIBUTION = 0.1

_GROUPS = tuple(REASON_UNITS)
_MEMBERSHIP = np.array([[feature.reason == group for group in _GROUPS] for feature in FEATURES], dtype=np.float64)

_Row = Callable[[str], float]
# The value shown, and the least value at which the sentence "this raises the risk" is true in words.
_VALUES: dict[str, tuple[Callable[[_Row], float], float]] = {
    "several_signs_worse": (lambda row: 100.0 * row("worsening_chance"), 50.0),
    "peak_flow_below_usual": (lambda row: 100.0 * (1.0 - np.exp(row("peak_flow_fast_change"))), 1.0),
    "peak_flow_swing": (lambda row: 100.0 * (row("peak_flow_swing_usual") + row("peak_flow_swing_mid_change")), 5.0),
    "symptoms_above_usual": (lambda row: row("symptoms_fast_change"), 0.1),
    "night_waking_above_usual": (lambda row: 7.0 * row("night_waking_fast_change"), 0.5),
    "activity_limited_above_usual": (lambda row: 7.0 * row("activity_limited_fast_change"), 0.5),
    "reliever_above_usual": (lambda row: row("reliever_fast_change"), 0.2),
    "controller_taken": (lambda row: 100.0 * row("controller_mid"), 0.0),
    "triggers_above_usual": (lambda row: row("triggers_fast_change"), 0.2),
    "diary_gap": (lambda row: row("days_since_entry"), 1.0),
    "frequent_worsenings": (lambda row: 100.0 * row("worsening_share"), 5.0),
    "usual_peak_flow": (lambda row: 100.0 * row("peak_flow_usual_of_best"), 1.0),
    "usual_symptoms": (lambda row: row("symptoms_usual"), 0.2),
    "usual_reliever": (lambda row: row("reliever_usual"), 0.2),
    "severe_attacks": (lambda row: row("severe_attacks_last_year"), 0.5),
    "treatment_step": (lambda row: row("treatment_step"), 1.0),
    # Above these values type-2 inflammation raises the risk of attacks (GINA 2025, box on risk factors; ATS 2011).
    "eosinophils": (lambda row: np.exp(row("log_eosinophils")), 300.0),
    "feno": (lambda row: np.exp(row("log_feno")), 25.0),
    "age": (lambda row: row("age_years"), 0.0),
}
# A doctor would not call these a cause to act on if they stand at their best.
_MOST = {"controller_taken": 95.0, "recent_attack": 365.0, "usual_peak_flow": 97.0}


def grouped(contributions: Float64) -> Float64:
    """Contributions (rows, features) summed by reason, in the order of `REASON_UNITS`."""
    result: Float64 = contributions @ _MEMBERSHIP
    return result


def reasons_of(
    features: Float32, contributions: Float64, personal_shift: float, days_since_attack: int, as_of: int
) -> tuple[Reason, ...]:
    """Up to three reasons that raise one patient's risk, the strongest first.

    `features` is one row, `contributions` its shares in log-odds, `personal_shift` what the patient's own attacks add
    to them. A group whose natural value says the opposite or is unknown is left out: a reason must be true as a
    sentence.
    """
    shares = grouped(contributions[None, :])[0]
    shares[_GROUPS.index("recent_attack")] = personal_shift

    def row(name: str) -> float:
        return float(features[COLUMN[name]])

    found: list[Reason] = []
    for group in np.argsort(-shares):
        if shares[group] < LEAST_CONTRIBUTION or len(found) == REASONS_SHOWN:
            break
        code = _GROUPS[group]
        if code == "season":
            value = float(date.fromordinal(as_of).month)
        else:
            measure, least = _VALUES.get(code, (lambda _: float(days_since_attack), 1.0))
            value = float(measure(row))
            if not least <= value <= _MOST.get(code, np.inf):
                continue
        found.append(Reason(code, round(value, 2), REASON_UNITS[code], float(shares[group])))
    return tuple(found)
