"""What is new in a plan against the one before, in the patient's words; signed with the plan and kept with it."""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from backend.clinical.action_plan import LANGUAGES, OralSteroid
from backend.clinical.biologics import biologics
from backend.clinical.medicines import AddOn, Prescription, Regimen
from backend.clinical.peak_flow import Zone


@dataclass(frozen=True)
class PlanContent:
    """What a patient can tell two plans apart by. `extra`: zone → the clinician's own sentences."""

    personal_best_litres_per_min: int
    meter: str
    yellow_below_litres_per_min: int
    red_below_litres_per_min: int
    regimen: Regimen | None
    oral_steroid: OralSteroid | None
    extra: dict[str, list[str]]
    review_on: date | None


def differences(before: PlanContent | None, after: PlanContent) -> dict[str, list[str]]:
    """Language → sentences; empty lists for a first plan, one calm sentence where nothing changed."""
    return {language: _in_language(before, after, language) for language in LANGUAGES}


def prescription_text(prescription: Prescription, language: str) -> str:
    return say(
        prescription.use.value,
        language,
        name=prescription.product.name,
        inhalations=prescription.inhalations,
        times=prescription.times_a_day,
    )


def add_on_text(add_on: AddOn, language: str) -> str:
    known = biologics().get(add_on)
    return say(add_on.value if known is None else "biologic_kind", language, name="" if known is None else known.name)


def say(key: str, language: str, **values: object) -> str:
    """A text of difference_wording.toml."""
    return _wording()[key][language].format(**values)


@cache
def _wording() -> dict[str, dict[str, str]]:
    return tomllib.loads((Path(__file__).parent / "difference_wording.toml").read_text(encoding="utf-8"))


def _in_language(before: PlanContent | None, after: PlanContent, language: str) -> list[str]:
    if before is None:
        return []
    lines = _medicines(before.regimen, after.regimen, language)
    for key, old, new in (
        ("best", before.personal_best_litres_per_min, after.personal_best_litres_per_min),
        ("yellow", before.yellow_below_litres_per_min, after.yellow_below_litres_per_min),
        ("red", before.red_below_litres_per_min, after.red_below_litres_per_min),
        ("meter", before.meter, after.meter),
    ):
        if old != new:
            lines.append(say(key, language, old=old, new=new))
    lines += _oral_steroid(before.oral_steroid, after.oral_steroid, language)
    for zone in Zone:
        old_sentences, new_sentences = before.extra.get(zone.value, []), after.extra.get(zone.value, [])
        word = say(f"zone_{zone.value}", language)
        lines += [
            say("sentence_new", language, zone=word, sentence=one) for one in new_sentences if one not in old_sentences
        ]
        lines += [
            say("sentence_gone", language, zone=word, sentence=one) for one in old_sentences if one not in new_sentences
        ]
    return lines or [say("nothing_new", language)]


def _medicines(before: Regimen | None, after: Regimen | None, language: str) -> list[str]:
    if after is None:
        return []
    old = {prescription.product_id: prescription for prescription in before.prescriptions} if before else {}
    new = {prescription.product_id: prescription for prescription in after.prescriptions}
    lines = []
    for product_id, prescription in new.items():
        what = prescription_text(prescription, language)
        if product_id not in old:
            lines.append(say("medicine_new", language, what=what))
        elif old[product_id] != prescription:
            then = prescription_text(old[product_id], language)
            lines.append(say("medicine_changed", language, what=what, before=then))
    lines += [
        say("medicine_stopped", language, name=prescription.product.name)
        for product_id, prescription in old.items()
        if product_id not in new
    ]
    had = before.add_ons if before else frozenset()
    lines += [say("medicine_new", language, what=add_on_text(one, language)) for one in sorted(after.add_ons - had)]
    lines += [say("add_on_stopped", language, what=add_on_text(one, language)) for one in sorted(had - after.add_ons)]
    return lines


def _oral_steroid(before: OralSteroid | None, after: OralSteroid | None, language: str) -> list[str]:
    if before == after:
        return []
    if after is None:
        return [say("oral_steroid_stopped", language)]
    key = "oral_steroid_new" if before is None else "oral_steroid_changed"
    return [say(key, language, milligrams=f"{after.milligrams_a_day:g}", days=after.days)]
