"""The network as it is deployed: a SuperLink and SuperNodes as processes, TLS between them, a key for each hospital."""

import json
from pathlib import Path

import pytest

from infra.network.demonstration import free_ports
from ml.federated.deployment import AUTHORITY, make_node_key, running, supernode_command
from ml.federated.simulated import make_hospitals
from ml.training.fit import Cohort
from tests.ml.conftest import made_up_cohort
from tests.ml.federated.networks import PLAN


@pytest.mark.timeout(300)
def test_real_processes_come_to_a_clear_end_and_a_stranger_is_not_let_in(tmp_path: Path) -> None:
    """Three hospitals of few, quiet patients: sums under masks go over the wire, and say there is too little."""
    cohorts: dict[str, Cohort] = {
        name: made_up_cohort(seed=40 + number, patients=12, days=30)
        for number, name in enumerate(("aden", "brno", "cork"))
    }
    hospitals = make_hospitals(tmp_path, cohorts)
    plan = PLAN.from_dict(PLAN.to_dict() | {"privacy": {"smallest_cell": 10}})
    with running(tmp_path / "coordinator", free_ports(6), hospitals) as network:
        stranger = make_hospitals(tmp_path / "elsewhere", {"dijon": cohorts["aden"]})["dijon"]
        make_node_key(stranger)
        command = supernode_command(stranger, network.folder / AUTHORITY, network.address, network.port + 5)
        network.start("dijon", command)
        outcome = network.run(tmp_path / "run", plan, 3, lambda _: None, 240.0)
        assert network.processes["dijon"].wait(timeout=60) != 0
    assert "too few to learn from" in outcome["refused"]
    for hospital in hospitals.values():
        answered = [json.loads(line) for line in (hospital / "ledger.jsonl").read_text().splitlines()]
        assert [entry["step"] for entry in answered] == ["hello", "counts"]
        assert answered[-1]["participants"] == ["aden", "brno", "cork"]
    assert not (stranger / "ledger.jsonl").exists()
