"""Medicines and regimens: what each inhalation holds, what a regimen adds up to in a day, and its dose band."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from backend.clinical.guideline import Guideline, GuidelineError, edition


class Use(StrEnum):
    MAINTENANCE = "maintenance"
    AS_NEEDED = "as_needed"
    MAINTENANCE_AND_RELIEVER = "maintenance_and_reliever"


class DoseBand(StrEnum):
    NONE = "none"
    BELOW_LOW = "below_low"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        return list(DoseBand).index(self)


@dataclass(frozen=True)
class Product:
    """Micrograms in one inhalation; None = the product does not contain it, or no source states it that way."""

    id: str
    name: str
    device: str
    source: str
    least_age: int
    ics: str | None = None
    ics_metered: float | None = None
    ics_delivered: float | None = None
    laba: str | None = None
    laba_metered: float | None = None
    laba_delivered: float | None = None
    saba: str | None = None
    saba_metered: float | None = None
    saba_delivered: float | None = None
    lama: str | None = None
    lama_metered: float | None = None
    maintenance: tuple[tuple[int, int], ...] = ()
    mart: tuple[tuple[int, int], ...] = ()
    air: bool = False
    as_needed_inhalations: int = 1
    most_at_once: int | None = None
    usual_most_a_day: int | None = None
    most_a_day: int | None = None

    @property
    def is_ics_formoterol(self) -> bool:
        return self.ics is not None and self.laba == "formoterol"


@dataclass(frozen=True)
class Prescription:
    """One inhaler of a regimen. As needed: `inhalations` per occasion and `times_a_day` 0.

    `most_inhalations_a_day` includes the maintenance doses; None = the product's own limit.
    """

    product_id: str
    use: Use
    inhalations: int
    times_a_day: int = 0
    most_inhalations_a_day: int | None = None

    def __post_init__(self) -> None:
        if self.inhalations < 1:
            raise ValueError("a prescription needs at least one inhalation")
        if (self.use is Use.AS_NEEDED) != (self.times_a_day == 0):
            raise ValueError("an as-needed inhaler has no times a day, a maintenance inhaler has at least one")

    @property
    def product(self) -> Product:
        return product(self.product_id)

    @property
    def maintenance_inhalations_a_day(self) -> int:
        return self.inhalations * self.times_a_day

    @property
    def is_reliever(self) -> bool:
        return self.use is not Use.MAINTENANCE


class AddOn(StrEnum):
    """`BIOLOGIC` is one whose kind was not recorded; nothing new is prescribed by it."""

    ANTI_IGE = "anti_ige"
    ANTI_IL5 = "anti_il5"
    ANTI_IL4R = "anti_il4r"
    ANTI_TSLP = "anti_tslp"
    BIOLOGIC = "biologic"
    MONTELUKAST = "montelukast"
    ORAL_STEROID_MAINTENANCE = "oral_steroid_maintenance"


BIOLOGICS = (AddOn.ANTI_IGE, AddOn.ANTI_IL5, AddOn.ANTI_IL4R, AddOn.ANTI_TSLP, AddOn.BIOLOGIC)


@dataclass(frozen=True)
class Regimen:
    prescriptions: tuple[Prescription, ...]
    add_ons: frozenset[AddOn] = frozenset()

    @property
    def biologics(self) -> tuple[AddOn, ...]:
        return tuple(kind for kind in BIOLOGICS if kind in self.add_ons)

    @property
    def relievers(self) -> tuple[Prescription, ...]:
        return tuple(p for p in self.prescriptions if p.is_reliever and (p.product.saba or p.product.laba))

    @property
    def has_lama(self) -> bool:
        return any(p.product.lama for p in self.prescriptions)

    @property
    def reliever_is_ics_formoterol(self) -> bool:
        """True if symptoms are relieved with ICS-formoterol and with nothing else."""
        return bool(self.relievers) and all(p.product.is_ics_formoterol for p in self.relievers)

    @property
    def contains_ics(self) -> bool:
        return any(p.product.ics for p in self.prescriptions)


class UnknownProduct(GuidelineError):
    """A prescription names a product that is not in the catalogue."""


@cache
def catalogue() -> dict[str, Product]:
    """All products by id; raises `GuidelineError` on one without a listed source."""
    content = tomllib.loads((Path(__file__).parent / "medicines.toml").read_text(encoding="utf-8"))
    sources = content.pop("sources")
    return {product_id: _read_product(product_id, raw, sources) for product_id, raw in content.items()}


def product(product_id: str) -> Product:
    try:
        return catalogue()[product_id]
    except KeyError:
        raise UnknownProduct(f"there is no product {product_id!r} in the catalogue") from None


def _read_product(product_id: str, raw: dict[str, Any], sources: dict[str, str]) -> Product:
    if raw["source"] not in sources:
        raise GuidelineError(f"medicines.toml: {product_id} names a source that is not listed")
    schedules = {key: tuple((n, times) for n, times in raw.get(key, [])) for key in ("maintenance", "mart")}
    return Product(**{**raw, **schedules, "id": product_id, "source": sources[raw["source"]]})


@dataclass(frozen=True)
class DailyIcs:
    """Maintenance inhaled steroid a day in micrograms; `delivered` is None where a product states no delivered dose."""

    metered: float
    delivered: float | None
    band: DoseBand


def daily_ics(regimen: Regimen, age_years: float, guideline: Guideline | None = None) -> DailyIcs:
    """Daily maintenance ICS and its dose band; of two different steroids the micrograms add up, the higher band counts.

    Raises `RuleSwitchedOff` or `GuidelineError` where the edition has no band for that drug and age.
    """
    by_drug: dict[str, float] = {}
    delivered: float | None = 0.0
    for prescription in regimen.prescriptions:
        inhaler = prescription.product
        count = prescription.maintenance_inhalations_a_day
        if inhaler.ics is None or not count:
            continue
        if inhaler.ics_metered is None:
            raise GuidelineError(f"{inhaler.id} states no metered steroid dose and cannot be used as maintenance")
        by_drug[inhaler.ics] = by_drug.get(inhaler.ics, 0.0) + count * inhaler.ics_metered
        if delivered is not None:
            delivered = None if inhaler.ics_delivered is None else delivered + count * inhaler.ics_delivered
    bands = [ics_band(drug, amount, age_years, guideline) for drug, amount in by_drug.items()]
    band = max(bands, key=lambda each: each.rank, default=DoseBand.NONE)
    return DailyIcs(sum(by_drug.values()), delivered, band)


def ics_band(
    drug: str, micrograms_metered_a_day: float, age_years: float, guideline: Guideline | None = None
) -> DoseBand:
    """The band of a daily metered dose; raises `RuleSwitchedOff` where the edition's row is not verified."""
    guideline = guideline or edition()
    if micrograms_metered_a_day <= 0:
        return DoseBand.NONE
    adult = age_years >= guideline.number("steps.adult_from")
    low_from, low_to, medium_to = guideline.numbers(f"{'ics_adult' if adult else 'ics_child'}.{drug}")
    if micrograms_metered_a_day < low_from:
        return DoseBand.BELOW_LOW
    if micrograms_metered_a_day <= low_to:
        return DoseBand.LOW
    if micrograms_metered_a_day <= medium_to:
        return DoseBand.MEDIUM
    return DoseBand.HIGH


@dataclass(frozen=True)
class InhalationLimits:
    """Inhalations a day of one inhaler, maintenance included: when to warn, and where to stop and call."""

    warn_from: int | None
    most_a_day: int | None
    most_at_once: int | None


def inhalation_limits(
    prescription: Prescription, age_years: float, guideline: Guideline | None = None
) -> InhalationLimits:
    """The strictest of the prescription, the product and the formoterol ceiling for the age."""
    guideline = guideline or edition()
    inhaler = prescription.product
    limits = [limit for limit in (prescription.most_inhalations_a_day, inhaler.most_a_day) if limit is not None]
    warn = inhaler.usual_most_a_day
    if inhaler.laba == "formoterol":
        limits.append(_formoterol_inhalations(inhaler, age_years, guideline))
        if age_years < guideline.number("steps.adult_from"):
            warn = int(guideline.number("red_flags.reliever_ceiling_warning_child"))
    most = min(limits, default=None)
    if warn is not None and most is not None:
        warn = min(warn, most)
    return InhalationLimits(warn, most, inhaler.most_at_once)


def _formoterol_inhalations(inhaler: Product, age_years: float, guideline: Guideline) -> int:
    if age_years >= guideline.number("steps.adult_from"):
        return int(guideline.number("formoterol.adult_metered_a_day") // (inhaler.laba_metered or 1))
    if inhaler.laba_delivered is None:
        return (
            0  # The ceiling for children is stated as delivered; without that figure no dose can be shown to be safe.
        )
    return int(guideline.number("formoterol.child_delivered_a_day") // inhaler.laba_delivered)
