"""The study of `make network`: each hospital's part in a process of its own, over its own tables; pooled from profiles.

    python -m infra.network.study TABLES PROTOCOL ANSWER        a hospital's part

A hospital's process reads its own OMOP tables and writes one JSON document, of aggregates alone. The coordinator sees
those documents, never tables. The hospitals are simulated, with a known effect.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ml.rwe
from ml.omop.source import OmopSource
from ml.rwe.hospital import HospitalDeclined, prepare
from ml.rwe.protocol import Protocol, read_protocol
from ml.rwe.simulated_hospital import Scenario, true_hazard_ratio, write_simulated_hospitals
from ml.rwe.study import combine_diagnostics, combine_results

PROTOCOL = Path(ml.rwe.__file__).parent / "example_study.toml"
PATIENTS = 6_000
SECONDS = 900.0


class StudyFailed(Exception):
    """A hospital's process ended without an answer; the message says which and what it said last."""


def answer(tables: Path, protocol: Protocol, name: str) -> dict[str, Any]:
    """What one hospital sends: its diagnostics and its profiles, or why it takes no part."""
    with OmopSource.of_folder(tables, name) as source:
        try:
            prepared = prepare(source, protocol)
        except HospitalDeclined as reason:
            return {"declined": str(reason)}
        return {"diagnostics": prepared.diagnostics(), "results": prepared.results()}


def run(folder: Path, names: list[str], seed: int, say: Callable[[str], None]) -> list[str]:
    """Simulate the hospitals' tables below `folder`, run the study at each in its own process, and pool.

    Returns the lines of the result. Raises StudyFailed.
    """
    protocol = read_protocol(PROTOCOL)
    places = dict(zip(names, write_simulated_hospitals(folder, seed, PATIENTS), strict=True))
    say(f"Study “{protocol.title}”: each hospital's part in a process of its own …")
    answers = _answers(folder, places, say)
    parts = [one for one in answers.values() if "declined" not in one]
    declined = [one["declined"] for one in answers.values() if "declined" in one]
    diagnostics = combine_diagnostics(protocol, [one["diagnostics"] for one in parts], declined)
    if not diagnostics["passed"]:
        return ["Diagnostics did not pass, so the results stay closed: " + "; ".join(diagnostics["failed"])]
    results = combine_results(protocol, [one["results"] for one in parts])
    (folder / "diagnostics.json").write_text(json.dumps(diagnostics, indent=1), encoding="utf-8")
    (folder / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    return _lines(results["analyses"], protocol.primary.name, answers, places)


def _answers(folder: Path, places: Mapping[str, Path], say: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """One hospital after the other: on a small machine they would only wait for each other."""
    found = {}
    for name, place in places.items():
        file = folder / f"{name}.json"
        command = [sys.executable, "-m", "infra.network.study", str(place), str(PROTOCOL), str(file), "--name", name]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=SECONDS)  # noqa: S603
        if done.returncode:
            raise StudyFailed(f"{name}: the study ended with {done.returncode}: {done.stderr.strip()[-500:]}")
        found[name] = json.loads(file.read_text(encoding="utf-8"))
        say(f"  {name}: {file.stat().st_size // 1024} kB of aggregates left the hospital")
    return found


def _lines(
    analyses: Mapping[str, Any], primary: str, answers: Mapping[str, Any], places: Mapping[str, Path]
) -> list[str]:
    chosen = analyses[primary]
    lines = ["", "Severe attacks on tiotropium against montelukast, hazard ratio (95 % interval):"]
    for name in places:
        own = chosen["hospitals"].get(name)
        lines.append(f"{name:26}{answers[name]['declined'] if own is None else _ratio(own['estimate'])}")
    truth = true_hazard_ratio(Scenario())
    return [
        *lines,
        f"{'crude, all five':26}{_ratio(analyses['crude']['estimate'])}",
        f"{'pooled from profiles':26}{_ratio(chosen['estimate'])}",
        f"{'the same, calibrated':26}{_ratio(chosen['calibrated'])}",
        f"{'the simulated truth':26}{truth:.2f}",
    ]


def _ratio(estimate: Mapping[str, float] | None) -> str:
    if estimate is None:
        return "cannot be estimated"
    return f"{estimate['hazard_ratio']:.2f} ({estimate['low']:.2f} to {estimate['high']:.2f})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    parser.add_argument("protocol", type=Path)
    parser.add_argument("answer", type=Path)
    parser.add_argument("--name", required=True)
    arguments = parser.parse_args()
    found = answer(arguments.tables, read_protocol(arguments.protocol), arguments.name)
    arguments.answer.write_text(json.dumps(found, allow_nan=False), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
