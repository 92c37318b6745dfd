"""The mapping of `concepts.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

MAPPING_FILE = Path(__file__).parent / "concepts.toml"
LOCAL_FROM = 2_000_000_000
NO_CONCEPT = 0
DOMAIN_OF_KIND = {
    "type": "Type Concept",
    "gender": "Gender",
    "visit": "Visit",
    "condition": "Condition",
    "unit": "Unit",
    "measurement": "Measurement",
    "observation": "Observation",
    "drug": "Drug",
    "add_on": "Drug",
}
VOCABULARY_OF_KIND = {"type": "Type Concept", "gender": "Gender", "visit": "Visit", "unit": "UCUM"}


@dataclass(frozen=True, slots=True)
class Concept:
    """`concept_id` is the standard concept, 0 where there is none; `local_id` then names it in OMOP's local range.

    `factors` of a unit: concept of another unit → what turns a value in it into this one.
    """

    kind: str
    key: str
    concept_id: int
    local_id: int
    vocabulary: str
    code: str
    name: str
    unit: str
    mark: str
    source: str
    soom_name: str
    factors: Mapping[int, float] = field(default_factory=dict)

    @property
    def source_concept_id(self) -> int:
        return self.local_id or self.concept_id

    @property
    def source_value(self) -> str:
        """At most 50 characters, as OMOP's source columns hold."""
        return f"{self.vocabulary} {self.code}"[:50]


@cache
def concepts() -> Mapping[str, Mapping[str, Concept]]:
    """Kind → key → concept, as the file states them."""
    content = tomllib.loads(MAPPING_FILE.read_text(encoding="utf-8"))
    return {
        kind: {
            key: Concept(
                kind=kind,
                key=key,
                concept_id=int(entry.get("concept_id", NO_CONCEPT)),
                local_id=int(entry.get("local_id", 0)),
                vocabulary=str(entry.get("vocabulary", VOCABULARY_OF_KIND.get(kind, "Soom"))),
                code=str(entry.get("code", key)),
                name=str(entry["name"]),
                unit=str(entry.get("unit", "")),
                mark=str(entry["mark"]),
                source=str(entry.get("source", "")),
                soom_name=str(entry.get("soom", key)),
                factors={int(other): float(factor) for other, factor in entry.get("factors", {}).items()},
            )
            for key, entry in entries.items()
        }
        for kind, entries in content.items()
    }


def concept(kind: str, key: str) -> Concept:
    return concepts()[kind][key]
