"""The reviewable table of codes (codes.toml) as data: what Soom says, what it understands, what it may convert."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("codes.toml")

Resource = dict[str, Any]


@dataclass(frozen=True)
class Code:
    """`system` is the URI. `bronchodilator`: what the code itself says of a blow, or None."""

    system: str
    code: str
    display: str
    unit: str | None = None
    bronchodilator: str | None = None

    @property
    def concept(self) -> Resource:
        """As a CodeableConcept."""
        return {
            "coding": [{"system": self.system, "code": self.code, "display": self.display}],
            "text": self.display,
        }


@dataclass(frozen=True)
class Quantity:
    """What a number may mean: its codes, Soom's unit (UCUM), and factors from other units to it."""

    name: str
    codes: tuple[Code, ...]
    unit: str
    factors: Mapping[str, float]


@dataclass(frozen=True)
class AsthmaCodes:
    """`weight`: diagnosis or care. Codes match whole; prefixes (ICD) match the beginning."""

    weight: str
    system: str
    codes: frozenset[str]
    prefixes: tuple[str, ...]


@cache
def _table() -> dict[str, Any]:
    with TABLE.open("rb") as file:
        return tomllib.load(file)


def system(name: str) -> str:
    """The URI of a code system. KeyError for one that codes.toml does not name."""
    return str(_table()["systems"][name])


def _code(row: Mapping[str, Any]) -> Code:
    return Code(system(row["system"]), row["code"], row["display"], row.get("unit"), row.get("bronchodilator"))


@cache
def diary() -> Mapping[str, Code]:
    """The code of each kind of entry that has one."""
    return {kind: _code(row) for kind, row in _table()["diary"].items()}


def _quantities(section: str) -> dict[str, Quantity]:
    return {
        name: Quantity(name, tuple(_code(code) for code in row["codes"]), row["unit"], row["accepts"])
        for name, row in _table()[section].items()
    }


@cache
def measurements() -> Mapping[str, Quantity]:
    """By the name of the measurement's kind."""
    return _quantities("measurement")


@cache
def body() -> Mapping[str, Quantity]:
    """height_cm and weight_kg."""
    return _quantities("body")


@cache
def asthma() -> tuple[AsthmaCodes, ...]:
    return tuple(
        AsthmaCodes(
            row["weight"], system(row["system"]), frozenset(row.get("codes", ())), tuple(row.get("prefixes", ()))
        )
        for row in _table()["asthma"]
    )


def medicine(name: str, drug: str) -> Resource:
    """A medicine as a CodeableConcept: the name as it is, and its ATC code where the ingredients have one."""
    ingredients = "+".join(sorted(part.strip() for part in re.split(r"[-/+,]", drug.lower()) if part.strip()))
    known = {"+".join(sorted(names.split("+"))): code for names, code in _table()["atc"].items()}
    code = known.get(ingredients)
    if code is None:
        return {"text": name}
    return {"coding": [{"system": system("atc"), "code": code, "display": drug}], "text": name}


def add_on(kind: str, name: str) -> Resource:
    """An add-on treatment as a CodeableConcept: Soom's code of the kind, and ATC's where there is one."""
    coding = [{"system": system("soom"), "code": kind.replace("_", "-"), "display": name}]
    if kind in _table()["add_on"]:
        coding.append({"system": system("atc"), **_table()["add_on"][kind]})
    return {"coding": coding, "text": name}
