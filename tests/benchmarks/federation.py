"""How long a full federated run takes, over real processes and in memory, beside LightGBM on all rows at once.

Five hospitals of 1,180 patients with a year of diary, of whom a fifth are set aside: 344,000 patient-days to learn
from, three horizons, hospitals judging the model at the end.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import lightgbm
import numpy as np

from infra.network.demonstration import free_ports
from ml.features.catalogue import FAST_COLUMNS
from ml.federated.coordinator import Federation, Patience
from ml.federated.deployment import running
from ml.federated.hospital_data import hospital_rows
from ml.federated.memory_grid import MemoryGrid, hospital_node
from ml.federated.plan import FederationPlan
from ml.federated.simulated import make_hospitals, simulated_hospitals
from ml.federated.site import Hospital
from ml.training.experts import PARAMETERS
from ml.training.fit import Cohort
from tests.figures import Figure, figure

SEED, PATIENTS, DAYS = 21, 1_800, 365
PLAN = FederationPlan(seed=SEED, trees=100)


def pooled_seconds(cohorts: list[Cohort]) -> float:
    """LightGBM alone on all hospitals' rows: as many trees for as many models, features made beforehand."""
    parts = [hospital_rows(cohort, PLAN, code) for code, cohort in enumerate(cohorts)]
    growers = sum(1 for part in parts if part.patients >= PLAN.privacy.patients_to_grow)
    start = perf_counter()
    for horizon, left_out in PLAN.variants:
        which = PLAN.horizons.index(horizon)
        chosen = [part.chosen(which, left_out) for part in parts]
        features = np.concatenate([part.features[at][:, FAST_COLUMNS] for part, at in zip(parts, chosen, strict=True)])
        label = np.concatenate([part.label[which][at] for part, at in zip(parts, chosen, strict=True)])
        data = lightgbm.Dataset(features, label=label.astype(np.float32), params={"verbosity": -1, "num_threads": 1})
        lightgbm.train(PARAMETERS, data, num_boost_round=PLAN.trees * growers)
    return perf_counter() - start


def figures() -> Iterator[Figure]:
    """Seconds of both kinds of run, and of pooled LightGBM as their baseline."""
    hospitals = simulated_hospitals(SEED, PATIENTS, DAYS).training
    rows = [hospital_rows(cohort, PLAN, code) for code, cohort in enumerate(hospitals.values())]
    learned = sum(int(part.chosen(0, -1).sum()) for part in rows)
    yield figure("federation.patient_days", float(learned * PLAN.every_days), "patient-days")
    baseline = pooled_seconds(list(hospitals.values()))
    yield figure("federation.pooled_lightgbm", baseline, "s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folders = make_hospitals(folder, hospitals)
        start = perf_counter()
        nodes = {number: hospital_node(Hospital(at)) for number, at in enumerate(folders.values())}
        Federation(MemoryGrid(nodes), PLAN, folder / "in_memory", Patience(len(folders))).train()
        seconds = perf_counter() - start
        yield figure(
            "federation.run_in_memory", seconds, "s", baseline=baseline, goal="at most 60 s", met=seconds <= 60
        )
        with running(folder / "coordinator", free_ports(6), folders) as network:
            start = perf_counter()
            outcome = network.run(folder / "over_processes", PLAN, len(folders), lambda _: None, 1800.0)
            seconds = perf_counter() - start
        if "refused" in outcome:
            raise RuntimeError(str(outcome["refused"]))
        yield figure(
            "federation.run_over_processes", seconds, "s", baseline=baseline, goal="at most 180 s", met=seconds <= 180
        )
