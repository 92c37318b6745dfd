"""The register of studies: which protocol was fixed when, what its diagnostics said, who opened the results and why.

One JSON object a line, each holding the hash of the line before it, so that a line changed or taken out later shows.
Lines are only ever added.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from ml.rwe.protocol import Protocol

Step = Literal["registered", "diagnosed", "overridden", "opened"]
FIRST = "0" * 64


class RegisterBroken(Exception):
    """The file was changed by other hands than this module's."""


class ProtocolChanged(Exception):
    """The study was registered with another text than it has now."""


class ResultsRefused(Exception):
    """The results may not be opened yet; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `at` is an instant in ISO 8601 with its offset."""

    study: str
    step: Step
    protocol_sha256: str
    at: str
    detail: Mapping[str, Any]


class StudyRegister:
    """A register in `file`, made with its first line."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def entries(self, study: str) -> list[Entry]:
        """The study's lines, oldest first. Raises RegisterBroken."""
        return [entry for entry in self._read()[0] if entry.study == study]

    def register(self, protocol: Protocol, now: datetime) -> Entry:
        """Fix the protocol, or find it fixed already with this very text. Raises ProtocolChanged, RegisterBroken."""
        registered = self._registration(protocol)
        if registered is not None:
            return registered
        return self._add(protocol, "registered", now, {"title": protocol.title})

    def diagnosed(self, protocol: Protocol, now: datetime, *, passed: bool, failed: list[str]) -> None:
        self._add(protocol, "diagnosed", now, {"passed": passed, "failed": failed})

    def open_results(self, protocol: Protocol, now: datetime, override: str | None = None) -> Entry:
        """Note that the results are being opened; to be called before anybody looks.

        Raises ResultsRefused unless the latest diagnostics passed or `override` gives the reason to go on without;
        ProtocolChanged, RegisterBroken.
        """
        self._registration(protocol)
        diagnosed = [entry for entry in self.entries(protocol.id) if entry.step == "diagnosed"]
        if not diagnosed:
            raise ResultsRefused("run the study without opening first: diagnostics are looked at before results")
        if not diagnosed[-1].detail["passed"]:
            if not override or not override.strip():
                raise ResultsRefused(
                    "the diagnostics did not pass: "
                    + "; ".join(diagnosed[-1].detail["failed"])
                    + ". To open all the same, give the reason; it is recorded and printed in the report."
                )
            self._add(protocol, "overridden", now, {"reason": override.strip()})
        return self._add(protocol, "opened", now, {})

    def _registration(self, protocol: Protocol) -> Entry | None:
        """The line that fixed the protocol, if any. Raises ProtocolChanged where it fixed another text."""
        for entry in self.entries(protocol.id):
            if entry.step == "registered":
                if entry.protocol_sha256 != protocol.sha256:
                    raise ProtocolChanged(
                        f"“{protocol.id}” was registered on {entry.at} with another text "
                        f"({entry.protocol_sha256[:12]}…, now {protocol.sha256[:12]}…). Restore that text, or give the "
                        "changed study an id of its own."
                    )
                return entry
        return None

    def _read(self) -> tuple[list[Entry], str]:
        if not self._file.exists():
            return [], FIRST
        entries, previous = [], FIRST
        for number, line in enumerate(self._file.read_text(encoding="utf-8").splitlines(), 1):
            try:
                content = json.loads(line)
                if content.pop("previous") != previous:
                    raise RegisterBroken(f"{self._file.name}, line {number}: a line before it was changed or removed")
                entries.append(Entry(**content))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise RegisterBroken(f"{self._file.name}, line {number} is not a line of a register") from error
            previous = hashlib.sha256(line.encode()).hexdigest()
        return entries, previous

    def _add(self, protocol: Protocol, step: Step, now: datetime, detail: Mapping[str, Any]) -> Entry:
        entry = Entry(protocol.id, step, protocol.sha256, now.isoformat(), detail)
        _, previous = self._read()
        content = {
            "study": entry.study,
            "step": entry.step,
            "protocol_sha256": entry.protocol_sha256,
            "at": entry.at,
            "detail": dict(detail),
            "previous": previous,
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(content, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return entry
