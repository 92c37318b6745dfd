"""Peak flow in L/min: the value of a session, its zone, the question an odd blow raises, and variability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from backend.clinical.guideline import Guideline, edition


class Zone(StrEnum):
    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


class Bronchodilator(StrEnum):
    BEFORE = "before"
    AFTER = "after"
    UNKNOWN = "unknown"


class BlowQuestion(StrEnum):
    """Why a value should be asked about once more. A question never delays or softens a warning."""

    LOOKS_LIKE_LITRES_PER_SECOND = "looks_like_litres_per_second"
    OUT_OF_RANGE = "out_of_range"
    FAR_ABOVE_PERSONAL_BEST = "far_above_personal_best"
    FAR_BELOW_PERSONAL_BEST = "far_below_personal_best"
    BLOWS_DISAGREE = "blows_disagree"


@dataclass(frozen=True)
class ZoneThresholds:
    """Action points in L/min. A value at or above `yellow_below` is green, one below `red_below` is red."""

    yellow_below_litres_per_min: int
    red_below_litres_per_min: int
    oral_steroid_below_litres_per_min: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.red_below_litres_per_min < self.yellow_below_litres_per_min:
            raise ValueError("the red threshold must lie below the yellow one, and both above zero")
        middle = self.oral_steroid_below_litres_per_min
        if middle is not None and not self.red_below_litres_per_min <= middle <= self.yellow_below_litres_per_min:
            raise ValueError("the oral-steroid line must lie between the red and the yellow threshold")


def thresholds_from_personal_best(
    personal_best_litres_per_min: float, guideline: Guideline | None = None
) -> ZoneThresholds:
    """The edition's action points in whole L/min, rounded up so that rounding gives no reading a better zone."""
    guideline = guideline or edition()
    if personal_best_litres_per_min <= 0:
        raise ValueError("a personal best must be above 0 L/min")

    def line(key: str) -> int:
        # The tiny allowance keeps 0.8 x 415 = 332 from becoming 333 through binary rounding.
        return math.ceil(personal_best_litres_per_min * guideline.number(key) / 100 - 1e-9)

    return ZoneThresholds(
        yellow_below_litres_per_min=line("zones.yellow_below"),
        red_below_litres_per_min=line("zones.red_below"),
        oral_steroid_below_litres_per_min=line("zones.oral_steroid_below"),
    )


def zone(litres_per_min: float, thresholds: ZoneThresholds) -> Zone:
    if litres_per_min >= thresholds.yellow_below_litres_per_min:
        return Zone.GREEN
    if litres_per_min >= thresholds.red_below_litres_per_min:
        return Zone.YELLOW
    return Zone.RED


def best_of(blows_litres_per_min: Sequence[int]) -> int:
    """The value of a session is its best blow (ERS Breathe: the best of three, standing)."""
    if not blows_litres_per_min:
        raise ValueError("a peak-flow session needs at least one blow")
    return max(blows_litres_per_min)


def blow_questions(
    blows_litres_per_min: Sequence[float],
    personal_best_litres_per_min: float | None = None,
    guideline: Guideline | None = None,
) -> list[BlowQuestion]:
    """What to ask before the session is stored, in order of importance; empty if nothing looks odd."""
    guideline = guideline or edition()
    if not blows_litres_per_min:
        raise ValueError("a peak-flow session needs at least one blow")
    best = max(blows_litres_per_min)
    lowest, highest = guideline.number("blows.lowest_accepted"), guideline.number("blows.highest_accepted")
    if best < lowest:
        return [BlowQuestion.LOOKS_LIKE_LITRES_PER_SECOND]
    questions = []
    if any(not lowest <= blow <= highest for blow in blows_litres_per_min):
        questions.append(BlowQuestion.OUT_OF_RANGE)
    if personal_best_litres_per_min:
        percent = 100 * best / personal_best_litres_per_min
        if percent > guideline.number("blows.far_above_best"):
            questions.append(BlowQuestion.FAR_ABOVE_PERSONAL_BEST)
        if percent < guideline.number("blows.far_below_best"):
            questions.append(BlowQuestion.FAR_BELOW_PERSONAL_BEST)
    if min(blows_litres_per_min) < best * guideline.number("blows.artefact_below") / 100:
        questions.append(BlowQuestion.BLOWS_DISAGREE)
    return questions


@dataclass(frozen=True)
class PeakFlowReading:
    """One session: its best blow, on the patient's local diary day, with the meter that gave it."""

    taken_on: date
    litres_per_min: int
    meter: str
    morning: bool
    bronchodilator: Bronchodilator = Bronchodilator.UNKNOWN


@dataclass(frozen=True)
class Variability:
    """Mean daily amplitude, % of the day's mean; None where too few days hold a valid morning and evening reading."""

    mean_amplitude_percent: float | None
    valid_days: int
    days_needed: int
    above_limit: bool | None
    limit_percent: float


def day_amplitude_percent(first_litres_per_min: float, second_litres_per_min: float) -> float:
    """100 (max - min) / mean of the two, the daily amplitude of GINA: 400 and 460 give 13.95 %."""
    mean = (first_litres_per_min + second_litres_per_min) / 2
    return 100 * abs(first_litres_per_min - second_litres_per_min) / mean


def variability(
    readings: Sequence[PeakFlowReading],
    until: date,
    age_years: float,
    meter: str,
    guideline: Guideline | None = None,
) -> Variability:
    """Mean daily amplitude over the two weeks that end with `until`, from readings of one meter.

    A day counts if it has a morning and an evening reading, neither taken after a bronchodilator; with fewer such days
    than the edition asks for the amplitude is None.
    """
    guideline = guideline or edition()
    window = int(guideline.number("variability.window"))
    needed = int(guideline.number("variability.days_needed_per_week"))
    child = age_years < guideline.number("variability.child_until_age")
    limit = guideline.number("variability.child_above" if child else "variability.adult_above")
    usable = [
        reading
        for reading in readings
        if until - timedelta(days=window) < reading.taken_on <= until
        and reading.meter == meter
        and reading.bronchodilator is not Bronchodilator.AFTER
    ]
    amplitudes = []
    for day in sorted({reading.taken_on for reading in usable}):
        mornings = [r.litres_per_min for r in usable if r.taken_on == day and r.morning]
        evenings = [r.litres_per_min for r in usable if r.taken_on == day and not r.morning]
        if mornings and evenings:
            amplitudes.append(day_amplitude_percent(max(mornings), max(evenings)))
    if len(amplitudes) < needed:
        return Variability(None, len(amplitudes), needed, None, limit)
    mean = sum(amplitudes) / len(amplitudes)
    return Variability(mean, len(amplitudes), needed, mean > limit, limit)


def min_percent_max(
    readings: Sequence[PeakFlowReading], until: date, recent_best_litres_per_min: float, meter: str
) -> float | None:
    """Lowest morning reading before bronchodilator of the last 7 days, % of the recent best (Reddel 1999)."""
    week = [
        reading.litres_per_min
        for reading in readings
        if until - timedelta(days=7) < reading.taken_on <= until
        and reading.meter == meter
        and reading.morning
        and reading.bronchodilator is not Bronchodilator.AFTER
    ]
    return 100 * min(week) / recent_best_litres_per_min if week else None
