"""The personal best of one meter: rises with evidence, never falls by itself, and says what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from backend.clinical.guideline import Guideline, edition
from backend.clinical.peak_flow import PeakFlowReading


class BestBasis(StrEnum):
    MEASURED = "measured"
    PREDICTED = "predicted"
    CLINICIAN = "clinician"


@dataclass(frozen=True)
class PersonalBest:
    litres_per_min: int
    meter: str
    basis: BestBasis
    set_on: date


@dataclass(frozen=True)
class PersonalBestAssessment:
    """`best` is None when nothing supports a value yet; `held_back` are higher readings that want a second day."""

    best: PersonalBest | None
    provisional: bool
    days_with_readings: int
    days_needed: int
    held_back_litres_per_min: tuple[int, ...]
    older_than_a_year: bool


def assess_personal_best(
    readings: Sequence[PeakFlowReading],
    meter: str,
    today: date,
    current: PersonalBest | None = None,
    predicted_litres_per_min: float | None = None,
    guideline: Guideline | None = None,
) -> PersonalBestAssessment:
    """The personal best for `meter` as of `today`.

    Guards: a value of another meter is not carried over; predicted serves until enough days are recorded; a value that
    jumps more than the edition allows counts only when a second day is as high; the best is never lowered.
    """
    guideline = guideline or edition()
    needed = int(guideline.number("personal_best.days_needed"))
    if current is not None and current.meter != meter:
        current = None
    best_of_day: dict[date, int] = {}
    for reading in readings:
        if reading.meter == meter and reading.taken_on <= today:
            best_of_day[reading.taken_on] = max(reading.litres_per_min, best_of_day.get(reading.taken_on, 0))

    standing = current if current is not None and current.basis is not BestBasis.PREDICTED else None
    if standing is None and len(best_of_day) < needed:
        best = current
        if best is None and predicted_litres_per_min is not None:
            best = PersonalBest(round(predicted_litres_per_min), meter, BestBasis.PREDICTED, today)
        return PersonalBestAssessment(best, True, len(best_of_day), needed, (), False)

    rising = sorted((litres_per_min, day) for day, litres_per_min in best_of_day.items())
    held_back: list[int] = []
    for place, (litres_per_min, day) in enumerate(rising):
        if standing is None:
            standing = PersonalBest(litres_per_min, meter, BestBasis.MEASURED, day)
        elif litres_per_min > standing.litres_per_min:
            jump = 100 * litres_per_min / standing.litres_per_min
            days_as_high = len(rising) - place
            if jump > guideline.number("personal_best.highest_jump") and days_as_high < guideline.number(
                "personal_best.days_confirming_a_jump"
            ):
                held_back.append(litres_per_min)
            else:
                standing = PersonalBest(litres_per_min, meter, BestBasis.MEASURED, day)
        elif litres_per_min == standing.litres_per_min and day > standing.set_on:
            standing = PersonalBest(litres_per_min, meter, standing.basis, day)
    old = standing is not None and (today - standing.set_on).days > guideline.number("personal_best.old_after")
    return PersonalBestAssessment(standing, False, len(best_of_day), needed, tuple(held_back), old)
