"""Predicted peak flow: a fallback until a personal best is known. Formulas disagree, so each result names its own."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from backend.clinical.guideline import Entry, read_entries


class Sex(StrEnum):
    FEMALE = "female"
    MALE = "male"


class Equation(StrEnum):
    KOREAN_ADULTS = "korean_adults"
    HANKINSON = "hankinson"
    NUNN_GREGG = "nunn_gregg"
    HONG_KONG_CHILDREN = "hong_kong_children"


class HankinsonGroup(StrEnum):
    CAUCASIAN = "caucasian"
    AFRICAN_AMERICAN = "african_american"
    MEXICAN_AMERICAN = "mexican_american"


class MeterScale(StrEnum):
    EU = "eu"
    WRIGHT = "wright"
    UNKNOWN = "unknown"


class CannotPredict(ValueError):
    """The equation does not cover this person, or an input it needs is missing."""


@dataclass(frozen=True)
class PredictedPeakFlow:
    """The lower limit is None where the published equation has none. Scale UNKNOWN: a laboratory spirometer."""

    litres_per_min: float
    lower_limit_litres_per_min: float | None
    equation: Equation
    scale: MeterScale
    source: str


@cache
def reference_entries() -> dict[str, Entry]:
    path = Path(__file__).parent / "reference_peak_flow.toml"
    return read_entries(tomllib.loads(path.read_text(encoding="utf-8")), path.name)


def predicted_peak_flow(
    equation: Equation,
    sex: Sex,
    age_years: float,
    height_cm: float,
    weight_kg: float | None = None,
    group: HankinsonGroup = HankinsonGroup.CAUCASIAN,
) -> PredictedPeakFlow:
    """Predicted PEF and its lower limit in L/min; raises `CannotPredict` outside the ages or without an input."""
    entries = reference_entries()
    youngest, oldest = entries[f"{equation}.ages"].value
    if not youngest <= age_years < oldest + 1:
        raise CannotPredict(f"{equation} covers ages {youngest} to {oldest}, not {age_years:g}")
    if not 80 <= height_cm <= 230:
        raise CannotPredict(f"a height of {height_cm:g} cm is outside 80 to 230 cm")
    if equation is Equation.HANKINSON:
        return _hankinson(entries, sex, age_years, height_cm, group)
    entry = entries[f"{equation}.{sex}"]
    if equation is Equation.NUNN_GREGG:
        a, b, c, d = entry.value
        value = math.exp(a * math.log(age_years) - b * age_years - c / height_cm + d)
        return PredictedPeakFlow(value, None, equation, MeterScale.WRIGHT, entry.citation)
    if equation is Equation.HONG_KONG_CHILDREN:
        a, b, c = entry.value
        value = math.exp(a * math.log(height_cm) + b * age_years + c)
        return PredictedPeakFlow(value, None, equation, MeterScale.EU, entry.citation)
    constant, per_year, per_year_squared, per_cm, per_kg, limit_per_cm, limit_per_kg = entry.value
    if per_kg and weight_kg is None:
        raise CannotPredict("the Korean equation for women needs the weight in kg")
    by_age = constant + per_year * age_years + per_year_squared * age_years**2
    weight = weight_kg or 0.0
    value = by_age + per_cm * height_cm + per_kg * weight
    limit = by_age + limit_per_cm * height_cm + limit_per_kg * weight
    return PredictedPeakFlow(value, limit, equation, MeterScale.WRIGHT, entry.citation)


def fallback_prediction(
    sex: Sex, age_years: float, height_cm: float, weight_kg: float | None = None, country: str = "KR"
) -> PredictedPeakFlow:
    """The equation that fits: Korean or Hong Kong tables in Korea, NHANES III elsewhere; raises `CannotPredict`."""
    order = [Equation.HANKINSON, Equation.NUNN_GREGG]
    if country == "KR":
        order = [Equation.KOREAN_ADULTS, Equation.HONG_KONG_CHILDREN, *order]
    refusal = CannotPredict("no equation covers this person")
    for equation in order:
        try:
            return predicted_peak_flow(equation, sex, age_years, height_cm, weight_kg)
        except CannotPredict as reason:
            refusal = reason
    raise refusal


def _hankinson(
    entries: dict[str, Entry], sex: Sex, age_years: float, height_cm: float, group: HankinsonGroup
) -> PredictedPeakFlow:
    stage = "adult" if age_years >= entries[f"hankinson.adult_from_{sex}"].value else "young"
    entry = entries[f"hankinson.{stage}_{sex}_{group}"]
    b0, b1, b2, b3, limit_b3 = entry.value
    by_age = b0 + b1 * age_years + b2 * age_years**2
    return PredictedPeakFlow(
        litres_per_min=60 * (by_age + b3 * height_cm**2),
        lower_limit_litres_per_min=60 * (by_age + limit_b3 * height_cm**2),
        equation=Equation.HANKINSON,
        scale=MeterScale.UNKNOWN,
        source=entry.citation,
    )
