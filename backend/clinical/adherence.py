"""Adherence: "not logged" stays apart from "not taken", no day exceeds 100 %, as-needed use is measured apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
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
