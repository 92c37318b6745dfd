"""A small network in memory: hospitals of made-up patients, their folders, and a grid that tests may disturb."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ml.federated.coordinator import Federation, Outcome, Patience
from ml.federated.hospital_data import HospitalData, Source
from ml.federated.memory_grid import MemoryGrid, hospital_node
from ml.federated.plan import FederationPlan, Privacy
from ml.federated.site import Hospital, HospitalSettings, new_hospital, write_rosters
from ml.training.fit import Cohort
from tests.ml.conftest import made_up_cohort

SIZES = {"aden": 90, "brno": 70, "cork": 55, "dijon": 45}
DAYS = 110
PLAN = FederationPlan(
    seed=2,
    horizons=(7,),
    every_days=4,
    trees=6,
    bins=31,
    set_aside=0.0,
    privacy=Privacy(patients_per_leaf=10, patients_to_grow=10, smallest_cell=5),
)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class SmallNetwork:
    """Hospitals by name; `node_id` is where each stands in the grid."""

    folder: Path
    hospitals: dict[str, Hospital] = field(default_factory=dict)
    node_id: dict[str, int] = field(default_factory=dict)

    def grid(self) -> MemoryGrid:
        return MemoryGrid({self.node_id[name]: hospital_node(hospital) for name, hospital in self.hospitals.items()})

    def federation(
        self,
        grid: MemoryGrid | None = None,
        plan: FederationPlan = PLAN,
        run: str = "run",
        say: Callable[[str], None] = lambda _: None,
        expected: int | None = None,
    ) -> Federation:
        patience = Patience(expected or len(self.hospitals), start_seconds=0.5, step_seconds=0.5)
        return Federation(grid or self.grid(), plan, self.folder / run, patience, say)

    def train(
        self,
        grid: MemoryGrid | None = None,
        plan: FederationPlan = PLAN,
        run: str = "run",
        say: Callable[[str], None] = lambda _: None,
    ) -> Outcome:
        return self.federation(grid, plan, run, say).train()


def small_network(folder: Path, cohorts: dict[str, Cohort]) -> SmallNetwork:
    """Folders, keys and rosters for hospitals that accept any plan and take part with `cohorts`."""
    network = SmallNetwork(folder)
    floor = Privacy(masked=False, patients_per_leaf=10, patients_to_grow=10, smallest_cell=5)
    folders = {name: folder / name for name in cohorts}
    keys = {
        name: new_hospital(folders[name], HospitalSettings(name, code, {"file": "cohort.npz"}, "any", floor))
        for code, name in enumerate(cohorts)
    }
    write_rosters(folders, keys)
    for code, name in enumerate(cohorts):
        network.hospitals[name] = Hospital(folders[name], source=own_data(name, cohorts[name]), now=lambda: NOW)
        network.node_id[name] = 100 + code
    return network


def own_data(name: str, cohort: Cohort) -> Source:
    return lambda: HospitalData(cohort, (f"id-of-{name}",))


def made_up_cohorts() -> dict[str, Cohort]:
    return {
        name: made_up_cohort(seed=20 + number, patients=size, days=DAYS)
        for number, (name, size) in enumerate(SIZES.items())
    }
