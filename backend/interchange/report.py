"""What became of each resource that another system sent."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from backend.interchange.reading import AsthmaEvidence


@dataclass(frozen=True)
class NotTaken:
    """`place` counts the bundle's entries from 0. `kept`: the resource is stored as it came all the same."""

    place: int
    resource_type: str
    source_id: str
    path: str
    why: str
    kept: bool


@dataclass
class ImportReport:
    """`became`: how many resources turned into which of Soom's own records; `kept`: stored as they came, by type.

    `unknown_codes`: observations among those kept whose code Soom has no place for, by system|code.
    """

    patient_id: UUID
    is_new_patient: bool
    entries: int = 0
    became: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    unknown_codes: Counter[str] = field(default_factory=Counter)
    unchanged: int = 0
    not_taken: list[NotTaken] = field(default_factory=list)
    asthma: AsthmaEvidence = field(default_factory=AsthmaEvidence)

    @property
    def lost(self) -> int:
        """Resources of which nothing is stored."""
        return sum(not one.kept for one in self.not_taken)

    def as_json(self) -> dict[str, Any]:
        return {
            "patient_id": str(self.patient_id),
            "is_new_patient": self.is_new_patient,
            "resources": self.entries,
            "became": dict(self.became),
            "kept": dict(self.kept),
            "unknown_codes": dict(self.unknown_codes.most_common()),
            "unchanged": self.unchanged,
            "asthma": {"strongest": self.asthma.strongest, "by": {w: dict(c) for w, c in self.asthma.found.items()}},
            "not_taken": [asdict(one) for one in self.not_taken],
        }
