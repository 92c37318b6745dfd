"""Real spirometry beside the prediction, and the worked examples of the reference equations."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from backend.clinical.predicted_peak_flow import Equation, HankinsonGroup, Sex, predicted_peak_flow

SHARED_DATA = Path(os.environ.get("SOOM_SHARED_DATA", Path(__file__).parents[2] / "../shared/data"))
NHANES = SHARED_DATA / "nhanes_spirometry" / "SpirometryUS.csv"
HANKINSON_TABLE = SHARED_DATA / "reference_equations" / "hankinson1999_nonratio.csv"
GROUPS = {
    "white": HankinsonGroup.CAUCASIAN,
    "black": HankinsonGroup.AFRICAN_AMERICAN,
    "mexican": HankinsonGroup.MEXICAN_AMERICAN,
}

# sex, age, height in cm, weight in kg, equation, predicted L/min: worked out by hand from the published coefficients.
WORKED_EXAMPLES = [
    (Sex.MALE, 40, 175, None, Equation.NUNN_GREGG, 636.4),
    (Sex.MALE, 40, 175, None, Equation.HANKINSON, 595.4),
    (Sex.MALE, 40, 175, None, Equation.KOREAN_ADULTS, 619.1),
    (Sex.FEMALE, 40, 162, 58, Equation.NUNN_GREGG, 480.1),
    (Sex.FEMALE, 40, 162, 58, Equation.HANKINSON, 416.2),
    (Sex.FEMALE, 40, 162, 58, Equation.KOREAN_ADULTS, 468.6),
    (Sex.FEMALE, 70, 155, 55, Equation.NUNN_GREGG, 406.7),
    (Sex.FEMALE, 70, 155, 55, Equation.HANKINSON, 312.0),
    (Sex.FEMALE, 70, 155, 55, Equation.KOREAN_ADULTS, 417.2),
    (Sex.MALE, 12, 150, None, Equation.HANKINSON, 325.7),
    (Sex.MALE, 12, 150, None, Equation.HONG_KONG_CHILDREN, 329.0),
]


def decade_of(age: float) -> int:
    """First year of the calendar decade: 8 for 8 and 9, then 10, 20, ... and 70 for 70 to 80."""
    return max(8, min(int(age) // 10 * 10, 70))


def band_from_eight(age: float) -> int:
    """First year of the ten years counted from 8: 8, 18, ... and 68 for 68 to 80."""
    return 8 + 10 * min((int(age) - 8) // 10, 6)


def observed_over_predicted(band_of: Callable[[float], int]) -> dict[tuple[str, int], float]:
    """Mean of observed over predicted (NHANES III) by sex and age band, ages 8 to 80.

    Groups without an equation of their own are left out. Needs the shared spirometry file.
    """
    ratios: dict[tuple[str, int], list[float]] = defaultdict(list)
    with NHANES.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            age = float(row["age"])
            if not 8 <= age <= 80 or row["ethnicity"] not in GROUPS:
                continue
            sex, group = Sex(row["gender"]), GROUPS[row["ethnicity"]]
            predicted = predicted_peak_flow(Equation.HANKINSON, sex, age, float(row["height"]), group=group)
            ratios[row["gender"], band_of(age)].append(float(row["pef"]) * 60 / predicted.litres_per_min)
    return {key: sum(values) / len(values) for key, values in ratios.items()}
