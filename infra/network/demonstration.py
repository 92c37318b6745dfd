"""`make network`: five simulated hospitals as real processes learn together and run a study; each says what it gained.

The hospitals' data, keys and ledgers lie in one folder each; what the coordinator saw lies in `run/`.
"""

import argparse
import json
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.network import study
from ml.federated.deployment import NetworkFailed, running
from ml.federated.plan import FederationPlan
from ml.federated.simulated import make_hospitals, simulated_hospitals

SEED = 5
PATIENTS, DAYS = 1_800, 365
SET_ASIDE = 0.25
RUN_SECONDS = 3600.0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def free_ports(count: int) -> int:
    """The first of `count` ports in a row that nobody listens on."""
    for first in range(9400, 9900, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as trial:
                    trial.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise NetworkFailed("no free ports between 9400 and 9900")


def table(sizes: Mapping[str, int], judgement: Mapping[str, Mapping[str, Any]]) -> str:
    """What each hospital found on patients it had set aside: its own model beside the one learned together."""
    lines = [
        "",
        "On patients that trained nothing: the hospital's own model → the model learned together",
        f"{'hospital':10}{'set aside':>14}{'AUROC':>18}{'attacks foreseen':>20}{'observed/expected (95 %)':>37}",
    ]
    for name, size in sizes.items():
        found, aside = judgement.get(name), f"{round(size * SET_ASIDE)} of {size}"
        if found is None or not found["enough"]:
            lines.append(f"{name:10}{aside:>14}   {'did not answer' if found is None else found['why']}")
            continue
        own, together = found["own"], found["federated"]
        cells = [
            f"{own[key]:.3f} → {together[key]:.3f}" if own else f"none → {together[key]:.3f}"
            for key in ("auroc", "sensitivity", "observed_over_expected")
        ]
        low, high = (together[f"observed_over_expected_{end}"] for end in ("low", "high"))
        cells[2] += f" ({low:.2f} to {high:.2f})"
        lines.append(f"{name:10}{aside:>14}{cells[0]:>18}{cells[1]:>20}{cells[2]:>37}")
    return "\n".join(lines)


def gains(judgement: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A sentence a hospital, on the patients it had set aside."""
    lines = ["", "What each gained by learning together, on the patients it had set aside:"]
    for name, found in judgement.items():
        if not found["enough"]:
            lines.append(f"{name}: {found['why']}; what it gained cannot be told.")
        elif not found["own"]:
            lines.append(f"{name} had too few attacks for a model of its own, and now has one.")
        else:
            more = found["federated"]["auroc"] - found["own"]["auroc"]
            caught = 100 * (found["federated"]["sensitivity"] - found["own"]["sensitivity"])
            low, high = (found["federated"][f"observed_over_expected_{end}"] for end in ("low", "high"))
            fit = (
                "its chances fit here"
                if low <= 1 <= high
                else f"its chances are too {'low' if low > 1 else 'high'} here"
            )
            adopted = "" if found["adopt"] else ", and it would not take the model"
            lines.append(f"{name}: AUROC {more:+.3f}, attacks foreseen {caught:+.0f} of 100; {fit}{adopted}.")
    return [*lines, "On so few patients some hundredths are luck; `make evidence ONLY=federation` judges on thousands."]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the hospitals and the run are kept; made anew")
    parser.add_argument("--trees", type=int, default=60, help="trees of each hospital and horizon")
    parser.add_argument("--days", type=int, default=DAYS, help="diary days of each simulated patient")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    say(f"Simulating {arguments.days} days of five hospitals …")
    hospitals = simulated_hospitals(SEED, PATIENTS, arguments.days)
    folders = make_hospitals(folder, hospitals.training)
    say("Starting a SuperLink and five SuperNodes, with TLS and a key for each …")
    plan = FederationPlan(name="network", seed=SEED, trees=arguments.trees, set_aside=SET_ASIDE)
    try:
        with running(folder / "coordinator", free_ports(6), folders) as network:
            outcome = network.run(folder / "run", plan, len(folders), say, RUN_SECONDS)
    except NetworkFailed as failed:
        say(str(failed))
        return 1
    if "refused" in outcome:
        say(f"No model: {outcome['refused']}")
        return 1
    judgement = json.loads((folder / "run" / "judgement.json").read_text(encoding="utf-8"))
    say(table({name: len(cohort.profiles) for name, cohort in hospitals.training.items()}, judgement))
    say("\n".join(gains(judgement)))
    try:
        say("\n".join(study.run(folder / "study", list(hospitals.training), SEED, say)))
    except study.StudyFailed as failed:
        say(str(failed))
        return 1
    say(f"\nThe model: {outcome['model']}\nWhat a hospital was asked, and why: {folder / 'north' / 'ledger.jsonl'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
