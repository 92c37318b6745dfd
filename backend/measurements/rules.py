"""Which values a measurement can have, each in one unit. A unit is never inferred: a value that looks like another
unit's is asked about and refused.

The limits are plausibility bounds of Soom (no guideline gives them), wide enough for any patient seen alive.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class MeasurementKind(StrEnum):
    BLOOD_EOSINOPHILS = "blood_eosinophils"
    FENO = "feno"
    TOTAL_IGE = "total_ige"
    FEV1 = "fev1"
    FEV1_PERCENT_PREDICTED = "fev1_percent_predicted"
    FVC = "fvc"
    SPIROMETER_PEAK_FLOW = "spirometer_peak_flow"


SPIROMETRY = frozenset(
    {
        MeasurementKind.FEV1,
        MeasurementKind.FEV1_PERCENT_PREDICTED,
        MeasurementKind.FVC,
        MeasurementKind.SPIROMETER_PEAK_FLOW,
    }
)


@dataclass(frozen=True)
class Limit:
    """`mistaken_for`: the other unit whose values lie outside, with what to do about it."""

    unit: str
    lowest: float
    highest: float
    mistaken_for: str


LIMITS = {
    MeasurementKind.BLOOD_EOSINOPHILS: Limit("cells/uL", 5, 20000, "10^9/L: 0.3 is 300 cells/uL"),
    MeasurementKind.FENO: Limit("ppb", 1, 400, "another unit: FeNO is given in ppb"),
    MeasurementKind.TOTAL_IGE: Limit("kU/L", 1, 50000, "ug/L: 2.4 ug/L is 1 kU/L"),
    MeasurementKind.FEV1: Limit("L", 0.2, 9, "mL: 2500 mL is 2.5 L"),
    MeasurementKind.FEV1_PERCENT_PREDICTED: Limit("percent", 10, 180, "a fraction: 0.85 is 85 %"),
    MeasurementKind.FVC: Limit("L", 0.3, 12, "mL: 3200 mL is 3.2 L"),
    MeasurementKind.SPIROMETER_PEAK_FLOW: Limit("L/min", 30, 900, "L/s: 7.5 L/s is 450 L/min"),
}


class MeasurementProblem(StrEnum):
    WRONG_UNIT = "wrong_unit"
    LOOKS_LIKE_ANOTHER_UNIT = "looks_like_another_unit"
    FEV1_ABOVE_FVC = "fev1_above_fvc"
    GIVEN_TWICE = "given_twice"


@dataclass(frozen=True)
class Value:
    kind: MeasurementKind
    value: float
    unit: str


@dataclass(frozen=True)
class Refusal:
    """`place` is the position of the value at fault, `field` its field."""

    place: int
    field: str
    problem: MeasurementProblem
    message: str
    values: Mapping[str, str]


def refusals(values: Sequence[Value]) -> list[Refusal]:
    """What speaks against storing these values of one visit; empty when nothing does."""
    found = []
    for place, given in enumerate(values):
        limit = LIMITS[given.kind]
        if given.unit != limit.unit:
            message = f"Give {given.kind.value} in {limit.unit}; nothing is converted."
            found.append(Refusal(place, "unit", MeasurementProblem.WRONG_UNIT, message, {"unit": limit.unit}))
        elif not limit.lowest <= given.value <= limit.highest:
            message = (
                f"{given.value:g} {limit.unit} lies outside {limit.lowest:g} to {limit.highest:g}. "
                f"It may be in {limit.mistaken_for}."
            )
            said = {"value": f"{given.value:g}", "lowest": f"{limit.lowest:g}", "highest": f"{limit.highest:g}"}
            problem = MeasurementProblem.LOOKS_LIKE_ANOTHER_UNIT
            found.append(Refusal(place, "value", problem, message, said | {"unit": limit.unit}))
    places = {given.kind: place for place, given in enumerate(values)}
    for place, given in enumerate(values):
        if places[given.kind] != place:
            found.append(Refusal(place, "kind", MeasurementProblem.GIVEN_TWICE, "Give each measurement once.", {}))
    if not found and {MeasurementKind.FEV1, MeasurementKind.FVC} <= places.keys():
        fev1, fvc = places[MeasurementKind.FEV1], places[MeasurementKind.FVC]
        if values[fev1].value > values[fvc].value:
            message = "FEV1 is part of FVC and cannot be above it."
            found.append(Refusal(fev1, "value", MeasurementProblem.FEV1_ABOVE_FVC, message, {}))
    return found
