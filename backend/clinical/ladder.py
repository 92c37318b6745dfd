"""The treatment ladder: which step a regimen is, and every legal regimen that could stand on each step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from backend.clinical.guideline import Guideline, edition
from backend.clinical.medicines import (
    DoseBand,
    Prescription,
    Product,
    Regimen,
    Use,
    catalogue,
    daily_ics,
)
from backend.clinical.regimen_checks import is_legal

DEFAULT_SABA = "salbutamol_100_pmdi"


class Track(StrEnum):
    """Named by the reliever: ICS-formoterol (AIR, MART) or SABA / ICS-SABA."""

    ONE = "track_1"
    TWO = "track_2"

    @property
    def short(self) -> str:
        return "T1" if self is Track.ONE else "T2"


@dataclass(frozen=True)
class Step:
    """As-needed ICS-formoterol alone stands for steps 1 and 2 together and is called 2."""

    track: Track
    number: int

    def __str__(self) -> str:
        return f"{self.track.short}.{self.number}"


@dataclass(frozen=True)
class Rung:
    """A legal regimen with its place on the ladder."""

    regimen: Regimen
    step: Step
    micrograms_metered_a_day: float
    has_laba: bool
    steroid: str | None
    device: str


def classify(regimen: Regimen, age_years: float, guideline: Guideline | None = None) -> Step | None:
    """The step of a regimen, or None for one without inhaled steroid or without a reliever."""
    guideline = guideline or edition()
    if not regimen.contains_ics or not regimen.relievers:
        return None
    formoterol_reliever = any(p.is_reliever and p.product.is_ics_formoterol for p in regimen.prescriptions)
    track = Track.ONE if formoterol_reliever else Track.TWO
    if regimen.has_lama or regimen.add_ons:
        return Step(track, 5)
    ics = daily_ics(regimen, age_years, guideline)
    if track is Track.ONE:
        if age_years < guideline.number("steps.adult_from"):
            return Step(track, _child_mart_step(ics.metered, ics.band, guideline))
        by_band = {DoseBand.NONE: 2, DoseBand.BELOW_LOW: 3, DoseBand.LOW: 3, DoseBand.MEDIUM: 4, DoseBand.HIGH: 5}
    elif any(p.product.laba for p in regimen.prescriptions):
        by_band = {DoseBand.NONE: 3, DoseBand.BELOW_LOW: 3, DoseBand.LOW: 3, DoseBand.MEDIUM: 4, DoseBand.HIGH: 5}
    else:
        by_band = {DoseBand.NONE: 1, DoseBand.BELOW_LOW: 2, DoseBand.LOW: 2, DoseBand.MEDIUM: 3, DoseBand.HIGH: 4}
    return Step(track, by_band[ics.band])


def _child_mart_step(metered: float, band: DoseBand, guideline: Guideline) -> int:
    if metered <= guideline.number("steps.child_very_low_mart"):
        return 3
    return 4 if band.rank <= DoseBand.LOW.rank else 5


@lru_cache(maxsize=256)
def rungs(age_whole_years: int, saba_id: str = DEFAULT_SABA, edition_id: str = edition().id) -> tuple[Rung, ...]:
    """Every legal regimen for an age, without add-ons: catalogue × schedules, less what a check refuses.

    Doses below the low band are left out: no guideline recommends them as treatment.
    """
    guideline = edition(edition_id)
    found = []
    for item in catalogue().values():
        for regimen in _regimens_of(item, saba_id):
            if age_whole_years < item.least_age or not is_legal(regimen, age_whole_years, guideline):
                continue
            rung = describe(regimen, age_whole_years, guideline)
            below_low = daily_ics(regimen, age_whole_years, guideline).band is DoseBand.BELOW_LOW
            if rung is not None and not below_low:
                found.append(rung)
    return tuple(found)


def describe(regimen: Regimen, age_years: float, guideline: Guideline | None = None) -> Rung | None:
    """Where a regimen stands; None if it stands nowhere (see `classify`)."""
    step = classify(regimen, age_years, guideline)
    if step is None:
        return None
    with_ics = [p for p in regimen.prescriptions if p.product.ics]
    main = max(with_ics, key=lambda p: p.maintenance_inhalations_a_day)
    return Rung(
        regimen=regimen,
        step=step,
        micrograms_metered_a_day=daily_ics(regimen, age_years, guideline).metered,
        has_laba=any(p.product.laba for p in regimen.prescriptions),
        steroid=main.product.ics,
        device=main.product.device,
    )


def _regimens_of(item: Product, saba_id: str) -> list[Regimen]:
    regimens = []
    if item.air:
        regimens.append(Regimen((Prescription(item.id, Use.AS_NEEDED, item.as_needed_inhalations),)))
    for inhalations, times in item.mart:
        regimens.append(Regimen((Prescription(item.id, Use.MAINTENANCE_AND_RELIEVER, inhalations, times),)))
    if item.ics:
        saba = catalogue()[saba_id]
        reliever = Prescription(saba_id, Use.AS_NEEDED, saba.as_needed_inhalations)
        for inhalations, times in item.maintenance:
            regimens.append(Regimen((Prescription(item.id, Use.MAINTENANCE, inhalations, times), reliever)))
    return regimens
