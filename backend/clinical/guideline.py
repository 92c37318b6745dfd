"""Dated guideline editions: the numbers behind every rule, each with its unit and its source.

A new edition is a new TOML file beside this module. An entry that nobody has traced to a source is kept, with the
reason, as `enabled = false`: no rule can read it, and `switched_off()` lists it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

DEFAULT_EDITION = "gina_2025"
_FOLDER = Path(__file__).parent


class GuidelineError(ValueError):
    """A guideline file is incomplete, or a rule asked for something the edition does not offer."""


class RuleSwitchedOff(GuidelineError):
    """The edition holds this entry, but its source is not verified, so no rule may use it."""


@dataclass(frozen=True)
class Entry:
    """One number (or short list of numbers or codes) of an edition, with its unit and source."""

    key: str
    value: Any
    unit: str
    source: str
    citation: str
    enabled: bool
    reason: str


@dataclass(frozen=True)
class Guideline:
    """One edition. `number("zones.yellow_below")` is the only way a rule obtains a threshold."""

    id: str
    title: str
    published: str
    entries: dict[str, Entry]

    def entry(self, key: str) -> Entry:
        """The enabled entry; raises `RuleSwitchedOff` or, for an unknown key, `GuidelineError`."""
        found = self.entries.get(key)
        if found is None:
            raise GuidelineError(f"{self.id} has no entry {key!r}")
        if not found.enabled:
            raise RuleSwitchedOff(f"{self.id}: {key} is switched off: {found.reason}")
        return found

    def number(self, key: str) -> float:
        value = self.entry(key).value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise GuidelineError(f"{self.id}: {key} is not a number")
        return value

    def numbers(self, key: str) -> tuple[float, ...]:
        value = self.entry(key).value
        if not isinstance(value, list):
            raise GuidelineError(f"{self.id}: {key} is not a list of numbers")
        return tuple(value)

    def codes(self, key: str) -> tuple[str, ...]:
        value = self.entry(key).value
        if not isinstance(value, list):
            raise GuidelineError(f"{self.id}: {key} is not a list of codes")
        return tuple(str(code) for code in value)

    def offers(self, key: str) -> bool:
        """True if the edition has this entry and it is switched on."""
        return key in self.entries and self.entries[key].enabled

    def citation(self, key: str) -> str:
        return self.entry(key).citation

    def switched_off(self) -> list[Entry]:
        return [entry for entry in self.entries.values() if not entry.enabled]


@cache
def edition(edition_id: str = DEFAULT_EDITION) -> Guideline:
    """The edition of `guideline_<edition_id>.toml`; raises `GuidelineError` if it is missing or incomplete."""
    path = _FOLDER / f"guideline_{edition_id}.toml"
    if edition_id not in edition_ids():
        raise GuidelineError(f"there is no guideline edition {edition_id!r}; known: {', '.join(edition_ids())}")
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    return _read(edition_id, content)


@cache
def edition_ids() -> tuple[str, ...]:
    return tuple(sorted(path.stem.removeprefix("guideline_") for path in _FOLDER.glob("guideline_*.toml")))


def read_entries(content: dict[str, Any], where: str) -> dict[str, Entry]:
    """Flatten `[group] name = {value, unit, source}`; raises `GuidelineError` on a number without unit or source."""
    sources = content["sources"]
    entries: dict[str, Entry] = {}
    for group, table in content.items():
        if group in {"edition", "sources"}:
            continue
        for name, raw in table.items():
            key = f"{group}.{name}"
            entries[key] = _read_entry(key, raw, sources, where)
    return entries


def _read(edition_id: str, content: dict[str, Any]) -> Guideline:
    head = content["edition"]
    entries: dict[str, Entry] = {}
    if "extends" in head:
        entries.update(edition(head["extends"]).entries)
    entries.update(read_entries(content, edition_id))
    return Guideline(id=edition_id, title=head["title"], published=head["published"], entries=entries)


def _read_entry(key: str, raw: dict[str, Any], sources: dict[str, str], where: str) -> Entry:
    unknown = raw.keys() - {"value", "unit", "source", "place", "enabled", "reason"}
    missing = {"value", "unit", "source"} - raw.keys()
    if unknown or missing:
        raise GuidelineError(f"{where}: {key}: missing {sorted(missing)}, unknown {sorted(unknown)}")
    if raw["source"] not in sources:
        raise GuidelineError(f"{where}: {key} names a source {raw['source']!r} that is not listed")
    enabled = raw.get("enabled", True)
    if not enabled and not raw.get("reason"):
        raise GuidelineError(f"{where}: {key} is switched off without a reason")
    citation = sources[raw["source"]] + (f", {raw['place']}" if "place" in raw else "")
    return Entry(key, raw["value"], raw["unit"], raw["source"], citation, enabled, raw.get("reason", ""))
