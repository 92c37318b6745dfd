"""The network as it is deployed: a SuperLink and SuperNodes as processes, TLS between them, a key for each hospital."""

import json
import shutil
import signal
from pathlib import Path

import pytest

from infra.network.demonstration import free_ports
from ml.federated.deployment import AUTHORITY, NODE_PUBLIC, make_node_key, register_node, running, supernode_command
from ml.federated.simulated import make_hospitals
from ml.training.fit import Cohort
from tests.ml.conftest import made_up_cohort
from tests.ml.federated.networks import PLAN


@pytest.mark.timeout(300)
def test_real_processes_come_to_a_clear_end_whoever_is_killed_twice_there_or_a_stranger(tmp_path: Path) -> None:
    """Four hospitals of few, quiet patients: sums under masks go over the wire, and say there is too little."""
    cohorts: dict[str, Cohort] = {
        name: made_up_cohort(seed=40 + number, patients=12, days=30)
        for number, name in enumerate(("aden", "brno", "cork", "dijon"))
    }
    hospitals = make_hospitals(tmp_path, cohorts)
    twin = Path(shutil.copytree(hospitals["aden"], tmp_path / "aden_again"))
    dijon = hospitals["dijon"]
    first = {name: folder for name, folder in hospitals.items() if name != "dijon"}
    plan = PLAN.from_dict(PLAN.to_dict() | {"privacy": {"smallest_cell": 10}})
    said: list[str] = []
    with running(tmp_path / "coordinator", free_ports(7), first) as network:
        stranger = make_hospitals(tmp_path / "elsewhere", {"elva": cohorts["aden"]})["elva"]
        make_node_key(stranger)
        command = supernode_command(stranger, network.folder / AUTHORITY, network.address, network.port + 5)
        network.start("elva", command)
        network.start_supernode(twin, 5)
        make_node_key(dijon)
        register_node(network.folder, network.address, dijon / NODE_PUBLIC)

        def say(line: str) -> None:
            said.append(line)
            # The run begins with the fourth hospital, so not before both nodes of the first have been heard.
            if line.startswith("aden is registered twice"):
                network.start_supernode(dijon, 3)
            elif line.startswith("4 hospitals"):
                network.stop("dijon", signal.SIGKILL)

        outcome = network.run(tmp_path / "run", plan, 4, say, 240.0, step_seconds=15.0)
        assert network.processes["elva"].wait(timeout=60) != 0
    assert "too few to learn from" in outcome["refused"]
    assert "dijon left the run: no answer to counts within 15 s" in said
    assert "aden is registered twice; its second node is not asked" in said
    answered = {name: ledger(hospitals[name]) for name in ("brno", "cork")}
    for entries in answered.values():
        assert [entry["step"] for entry in entries] == ["hello", "counts", "counts"]
        assert [entry["participants"] for entry in entries[1:]] == [
            ["aden", "brno", "cork", "dijon"],
            ["aden", "brno", "cork"],
        ]
    # The second node of aden writes a ledger of its own, in its own folder.
    steps = sorted([entry["step"] for entry in ledger(folder)] for folder in (hospitals["aden"], twin))
    assert steps == [["hello"], ["hello", "counts", "counts"]]
    assert not (stranger / "ledger.jsonl").exists()


def ledger(hospital: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (hospital / "ledger.jsonl").read_text().splitlines()]
