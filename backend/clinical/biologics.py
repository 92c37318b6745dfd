"""Kinds of biologic treatment: what each is, and which of them suit a patient's biomarkers."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from backend.clinical.guideline import Guideline, GuidelineError, edition
from backend.clinical.medicines import AddOn, Regimen


class Biomarker(StrEnum):
    BLOOD_EOSINOPHILS = "blood_eosinophils"
    TOTAL_IGE = "total_ige"


@dataclass(frozen=True)
class Biologic:
    kind: AddOn
    label: str
    substances: tuple[str, ...]
    least_age: int
    source: str

    @property
    def name(self) -> str:
        """The same in every language: `anti-IgE (omalizumab)`."""
        return f"{self.label} ({', '.join(self.substances)})"


@dataclass(frozen=True)
class Biomarkers:
    """The newest of each; None = not measured."""

    eosinophils_per_microlitre: float | None = None
    total_ige_kilounits_per_litre: float | None = None

    @property
    def unmeasured(self) -> tuple[Biomarker, ...]:
        known = {
            Biomarker.BLOOD_EOSINOPHILS: self.eosinophils_per_microlitre,
            Biomarker.TOTAL_IGE: self.total_ige_kilounits_per_litre,
        }
        return tuple(biomarker for biomarker, value in known.items() if value is None)


@cache
def biologics() -> dict[AddOn, Biologic]:
    """By kind; raises `GuidelineError` on one without a listed source."""
    content = tomllib.loads((Path(__file__).parent / "biologics.toml").read_text(encoding="utf-8"))
    sources = content.pop("sources")
    found = {}
    for kind, raw in content.items():
        if raw["source"] not in sources:
            raise GuidelineError(f"biologics.toml: {kind} names a source that is not listed")
        found[AddOn(kind)] = Biologic(
            AddOn(kind), raw["label"], tuple(raw["substances"]), raw["least_age"], sources[raw["source"]]
        )
    return found


def fitting(
    biomarkers: Biomarkers, regimen: Regimen, age_years: float, guideline: Guideline | None = None
) -> Iterator[tuple[Biologic, str]]:
    """Each kind whose criteria are met, with the source of its criterion.

    None fits before the blood eosinophils are known: the phenotype is looked at first (GINA, step 5).
    """
    guideline = guideline or edition()
    eosinophils, total_ige = biomarkers.eosinophils_per_microlitre, biomarkers.total_ige_kilounits_per_litre
    if eosinophils is None:
        return
    least, most = guideline.numbers("biologic.total_ige")
    any_phenotype = "biologic.anti_tslp_whatever_biomarkers"
    steroid_counts = guideline.entry("biologic.anti_il4r_with_oral_steroid").value
    on_oral_steroid = steroid_counts and AddOn.ORAL_STEROID_MAINTENANCE in regimen.add_ons
    eosinophilic = eosinophils >= guideline.number("biologic.eosinophils_per_microlitre_from")
    criteria = {
        AddOn.ANTI_IGE: (total_ige is not None and least <= total_ige <= most, "biologic.total_ige"),
        AddOn.ANTI_IL5: (eosinophilic, "biologic.eosinophils_per_microlitre_from"),
        AddOn.ANTI_IL4R: (eosinophilic or on_oral_steroid, "biologic.anti_il4r_with_oral_steroid"),
        AddOn.ANTI_TSLP: (guideline.entry(any_phenotype).value, any_phenotype),
    }
    for kind, (met, key) in criteria.items():
        if met and age_years >= biologics()[kind].least_age:
            yield biologics()[kind], guideline.citation(key)
