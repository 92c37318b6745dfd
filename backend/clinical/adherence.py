"""Adherence: "not logged" stays apart from "not taken", no day exceeds 100 %, as-needed use is measured apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from backend.clinical.guideline import Guideline, edition
from backend.clinical.medicines import Prescription, Use


class AdherenceClass(StrEnum):
    GOOD = "good"
    POOR = "poor"
    NOT_ENOUGH_DATA = "not_enough_data"
    NOT_DEFINED = "not_defined"  # as-needed-only treatment has no doses to miss


@dataclass(frozen=True)
class DoseDay:
    """Maintenance inhalations of one local day; `taken` None = nothing was logged, 0 = logged as not taken."""

    local_date: date
    expected: int
    taken: int | None


@dataclass(frozen=True)
class Adherence:
    """Fractions are 0..1. `fraction_taken` is over logged days; `at_least` counts unlogged days as missed."""

    adherence_class: AdherenceClass
    fraction_taken: float | None
    at_least: float | None
    days_logged: int
    days_not_logged: int
    days_not_taken: int
    source: str


def adherence(days: Iterable[DoseDay], guideline: Guideline | None = None) -> Adherence:
    """Taken over expected doses a day, each day capped at 100 % so that a catch-up hides no missed day."""
    guideline = guideline or edition()
    source = guideline.citation("adherence.good_from")
    with_doses = [day for day in days if day.expected > 0]
    logged = [min(day.taken / day.expected, 1.0) for day in with_doses if day.taken is not None]
    missing = len(with_doses) - len(logged)
    not_taken = sum(1 for fraction in logged if fraction == 0)
    if not with_doses:
        return Adherence(AdherenceClass.NOT_DEFINED, None, None, 0, 0, 0, source)
    at_least = sum(logged) / len(with_doses)
    if len(logged) < guideline.number("adherence.days_logged_needed"):
        return Adherence(AdherenceClass.NOT_ENOUGH_DATA, None, at_least, len(logged), missing, not_taken, source)
    fraction = sum(logged) / len(logged)
    good = fraction >= guideline.number("adherence.good_from")
    adherence_class = AdherenceClass.GOOD if good else AdherenceClass.POOR
    return Adherence(adherence_class, fraction, at_least, len(logged), missing, not_taken, source)


@dataclass(frozen=True)
class Supply:
    """One dispensing: the day, and for how many days of maintenance treatment it lasts."""

    dispensed_on: date
    days_supplied: int


def proportion_of_days_covered(supplies: Sequence[Supply], first: date, last: date) -> float | None:
    """PDC over `first`..`last`, 0..1, stock carried over; None when nothing was dispensed by the period's end."""
    if last < first:
        raise ValueError("the period ends before it starts")
    if not any(supply.dispensed_on <= last for supply in supplies):
        return None
    covered: set[date] = set()
    free_from = date.min
    for supply in sorted(supplies, key=lambda each: each.dispensed_on):
        start = max(supply.dispensed_on, free_from)
        covered.update(start + timedelta(days=offset) for offset in range(supply.days_supplied))
        free_from = start + timedelta(days=supply.days_supplied)
    days = (last - first).days + 1
    return sum(1 for day in covered if first <= day <= last) / days


def asthma_medication_ratio(controller_units: float, reliever_units: float) -> float | None:
    """Controller units over all asthma units (HEDIS AMR), 0..1; None without any unit."""
    if controller_units < 0 or reliever_units < 0:
        raise ValueError("units can't be negative")
    total = controller_units + reliever_units
    return controller_units / total if total else None


def medication_ratio_is_good(ratio: float, guideline: Guideline | None = None) -> bool:
    return ratio >= (guideline or edition()).number("adherence.medication_ratio_good_from")


@dataclass(frozen=True)
class AsNeededIcs:
    """What stands for adherence in as-needed-only treatment: how often and how much inhaled steroid was taken."""

    days_logged: int
    days_with_ics: int
    micrograms_metered_a_day: float | None


def as_needed_ics(inhalations_by_day: dict[date, int], prescription: Prescription) -> AsNeededIcs:
    """ICS days and mean micrograms a logged day of an as-needed steroid inhaler; raises ValueError for others."""
    strength = prescription.product.ics_metered or prescription.product.ics_delivered
    if prescription.use is Use.MAINTENANCE or strength is None:
        raise ValueError("this inhaler is not an as-needed inhaler with steroid")
    logged = len(inhalations_by_day)
    with_ics = sum(1 for inhalations in inhalations_by_day.values() if inhalations > 0)
    mean = sum(inhalations_by_day.values()) * strength / logged if logged else None
    return AsNeededIcs(logged, with_ics, mean)
