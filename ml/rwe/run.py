"""`soom study run`: register, diagnose, and (in a second step) open; everything written to one folder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ml.omop.source import OmopSource
from ml.rwe.protocol import Protocol
from ml.rwe.register import StudyRegister
from ml.rwe.report import write_report
from ml.rwe.study import combine_diagnostics, combine_results, prepare_all

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StudyRun:
    """`results` is None while they are closed."""

    diagnostics: Document
    results: Document | None
    folder: Path


def run_study(
    protocol: Protocol,
    sources: Sequence[OmopSource],
    folder: Path,
    register: StudyRegister,
    now: datetime,
    *,
    open_results: bool = False,
    override: str | None = None,
) -> StudyRun:
    """One step of a study over `sources`, one a hospital.

    The first step registers the protocol and writes the blinded diagnostics; with `open_results` a later one writes the
    results too. Raises ProtocolChanged, ResultsRefused and RegisterBroken before anything is written.
    """
    if open_results:
        register.open_results(protocol, now, override)
    else:
        register.register(protocol, now)
    hospitals, declined = prepare_all(sources, protocol)
    diagnostics = combine_diagnostics(protocol, [one.diagnostics() for one in hospitals], declined)
    results = combine_results(protocol, [one.results() for one in hospitals]) if open_results else None
    if not open_results:
        register.diagnosed(protocol, now, passed=diagnostics["passed"], failed=diagnostics["failed"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "protocol.toml").write_text(protocol.text, encoding="utf-8")
    _write_json(folder / "diagnostics.json", diagnostics)
    if results is not None:
        _write_json(folder / "results.json", results)
    write_report(folder, protocol, register.entries(protocol.id), diagnostics, results)
    return StudyRun(diagnostics, results, folder)


def _write_json(file: Path, content: Document) -> None:
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
