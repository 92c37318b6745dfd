"""What becomes of a run over real processes in which one SuperNode is killed in mid-round, one comes late, and one
hospital is registered twice; and of a run in memory, the same messages, in which three hospitals send poison.

The killed one is started again, as a supervisor does, once the coordinator has noticed; hospitals are of made-up
patients.
"""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

from infra.network.demonstration import free_ports
from ml.federated.deployment import Network, running
from ml.federated.simulated import make_hospitals
from ml.model import load_model
from tests.figures import Figure, figure
from tests.ml.conftest import made_up_cohort
from tests.ml.federated.disturbances import disturbed, forged, garbage, huge_leaves, malformed_text
from tests.ml.federated.networks import DAYS, PLAN, SIZES, made_up_cohorts, small_network

STEP_SECONDS, RUN_SECONDS, RESTART_SECONDS = 30.0, 900.0, 5.0
# Rounds enough for a SuperNode that was killed to be started again before the run is over.
LONG_PLAN = replace(PLAN, trees=10, challenger_rounds=10)


def figures() -> Iterator[Figure]:
    """Figures named `federation.faults.…`."""
    yield from over_processes()
    yield from poisoned()


def over_processes() -> Iterator[Figure]:
    """Killed and back, late, registered twice."""
    cohorts = made_up_cohorts()
    late = {"elba": made_up_cohort(seed=30, patients=50, days=DAYS)}
    said: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folders = make_hospitals(folder, cohorts | late, PLAN.privacy)
        elba = folders.pop("elba")
        twin = Path(shutil.copytree(folders["aden"], folder / "aden_again"))
        with running(folder / "coordinator", free_ports(8), folders) as network:
            network.start_supernode(twin, 5)

            def say(line: str) -> None:
                said.append(line)
                if "patient-days" in line:
                    network.stop("dijon", signal.SIGKILL)
                elif line.startswith("dijon left the run"):
                    supervisor.start()
                    network.start_supernode(elba, 6)

            over = Event()
            supervisor = Thread(target=keep_up, args=(network, folders["dijon"], 3, over))
            outcome = network.run(folder / "run", LONG_PLAN, len(SIZES), say, RUN_SECONDS, STEP_SECONDS)
            over.set()
            if supervisor.is_alive():
                supervisor.join()
        if "refused" in outcome:
            raise RuntimeError(f"{outcome['refused']}: {said}")
        card = load_model(folder / "run" / "model").card
    expected = {
        "killed_in_mid_round": "dijon left the run: no answer to",
        "killed_and_back": "dijon is back",
        "late": "elba came late and takes part from the next run on",
        "registered_twice": "aden is registered twice; its second node is not asked",
    }
    for fault, words in expected.items():
        times = sum(1 for line in said if line.startswith(words))
        yield figure(f"federation.faults.{fault}", float(times), "times said", goal="once", met=times == 1)
    auroc, at_the_end = float(card["held_out"]["7"]["auroc"]), int(card["data"]["hospitals_at_the_end"])
    yield figure(
        "federation.faults.hospitals_at_the_end",
        float(at_the_end),
        "hospitals",
        goal=f"{len(SIZES)}: the killed one is back, the late one waits, nobody counts twice",
        met=at_the_end == len(SIZES),
    )
    yield figure("federation.faults.auroc_held_out", auroc, "AUROC", goal="above 0.65", met=auroc > 0.65)


def keep_up(network: Network, hospital: Path, number: int, over: Event) -> None:
    """Start a SuperNode again whenever it ends. For a minute the SuperLink does not let in one that was killed."""
    while not over.is_set():
        network.start_supernode(hospital, number)
        while network.processes[hospital.name].poll() is None and not over.wait(1.0):
            pass
        over.wait(RESTART_SECONDS)


def poisoned() -> Iterator[Figure]:
    """A tree with huge leaves, a malformed text, and leaf sums that are noise, beside four honest hospitals."""
    poison = {
        "huge_leaves": ("grow", huge_leaves, "leaf values were sent, where they come from the sums of all hospitals"),
        "malformed_text": ("grow", malformed_text, "the text is cut short or is not a set of trees"),
        "leaf_sums_of_noise": ("leaves", garbage, "sent impossible numbers in leaves-00"),
    }
    cohorts = made_up_cohorts()
    spare = list(cohorts.values())[: len(poison)]
    said: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        network = small_network(Path(name), cohorts | dict(zip(poison, spare, strict=True)))
        grid = network.grid()
        for hospital, (step, change, _) in poison.items():
            disturbed(grid, network.node_id[hospital], step, forged(change))
        model = network.train(grid, say=said.append).model
    for hospital, (_, _, why) in poison.items():
        times = said.count(f"{hospital} left the run: {why}")
        yield figure(f"federation.faults.poison.{hospital}", float(times), "times said", goal="once", met=times == 1)
    auroc, at_the_end = float(model.card["held_out"]["7"]["auroc"]), int(model.card["data"]["hospitals_at_the_end"])
    yield figure(
        "federation.faults.poison.hospitals_at_the_end",
        float(at_the_end),
        "hospitals",
        goal="the four honest ones",
        met=at_the_end == len(SIZES),
    )
    yield figure("federation.faults.poison.auroc_held_out", auroc, "AUROC", goal="above 0.65", met=auroc > 0.65)
