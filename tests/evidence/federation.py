"""What hospitals gain by learning together, at which price in privacy: five unequal simulated hospitals, five seeds.

Each seed trains on five hospitals of 518, 320, 176, 111 and 55 patients with a year of diary and judges on patients of
the same hospitals that nobody trained on. Runs go over the in-memory grid, with the same messages as over the network;
what was computed is kept in ml/runs and used again while the code stays the same.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ml.alarms import AMBER_BUDGET, RED_BUDGET, threshold_for_budget
from ml.contract import Diaries, Profiles
from ml.evaluation.bootstrap import interval, patient_weights, ratio_replicates, weighted_aurocs
from ml.evaluation.metrics import alarm_counts, auroc
from ml.evaluation.study_data import StudyData, study_data
from ml.experts import LinearExpert
from ml.features.catalogue import FAST_COLUMNS
from ml.federated.attack import attack_auroc, patient_losses
from ml.federated.coordinator import Federation, Outcome, Patience
from ml.federated.memory_grid import MemoryGrid, hospital_node
from ml.federated.plan import DifferentialPrivacy, FederationPlan, Privacy
from ml.federated.simulated import NAMES, SIZES, SimulatedHospitals, make_hospitals, simulated_hospitals
from ml.federated.site import Hospital
from ml.federated.tree_steps import FAST_NAMES
from ml.federated.trees import predict, read_trees
from ml.forecaster import SHIPPED_MODEL
from ml.model import MAIN_HORIZON_DAYS, Model, load_model
from ml.personal import Float64, hospital_shift, logistic
from ml.scoring import head_logit, personalised
from ml.simulator.parameters import frozen
from ml.training.fit import Cohort, TrainingPlan, train
from tests.figures import Figure, figure

SEEDS = (11, 12, 13, 14, 15)
PATIENTS, DAYS = 3_400, 365
BUDGETS = (RED_BUDGET, AMBER_BUDGET, 0.5, 1.0)
MARGIN = 0.005
NO_PRIVACY = Privacy(masked=False, patients_per_leaf=1, rows_per_leaf=100, smallest_cell=1)
EPSILONS = (8.0, 3.0, 1.0)
TREES = 100
ML = Path(__file__).parents[2] / "ml"
RUNS = ML / "runs" / "federation"
SOURCES = [
    *(file for part in ("features", "training", "federated") for file in (ML / part).glob("*.py")),
    *(ML / f"{name}.py" for name in ("alarms", "experts", "model", "personal", "scoring")),
    Path(__file__),
]

Study = dict[str, Any]


def federated_run(hospitals: Mapping[str, Cohort], plan: FederationPlan, folder: Path) -> Outcome:
    """A run over the in-memory grid."""
    folders = make_hospitals(folder, hospitals, replace(NO_PRIVACY))
    nodes = {number + 1: hospital_node(Hospital(folders[name])) for number, name in enumerate(hospitals)}
    return Federation(MemoryGrid(nodes), plan, folder / "run", Patience(len(hospitals))).train()


def together(cohorts: Mapping[str, Cohort]) -> Cohort:
    """All hospitals' patients as one cohort: what no hospital may do, and the mark to reach."""
    parts = list(cohorts.values())
    offsets = np.cumsum([0, *(len(part.profiles) for part in parts)])
    columns = {name: np.concatenate([getattr(part.diaries, name) for part in parts]) for name in Diaries.__slots__} | {
        "patient_index": np.concatenate(
            [part.diaries.patient_index + np.int32(offset) for part, offset in zip(parts, offsets, strict=False)]
        )
    }
    profiles = {name: np.concatenate([getattr(part.profiles, name) for part in parts]) for name in Profiles.__slots__}
    return Cohort(Diaries(**columns), Profiles(**profiles), np.concatenate([part.last_day for part in parts]))


def alone(cohort: Cohort, seed: int, trees: int = TREES) -> Model:
    """Ordinary training on one cohort."""
    plan = TrainingPlan(seed=seed, trees=trees, horizons=(MAIN_HORIZON_DAYS,))
    return train(cohort, plan, {"model_id": "own", "model_version": "1"})


class Judged:
    """One model on one hospital's unseen patients: scores and per-patient counts."""

    def __init__(self, model: Model, data: StudyData) -> None:
        shift = hospital_shift(model.hospital_factor, data.profiles.hospital)
        wanted = data.days.diary_days >= 1
        daily = personalised(data.days, head_logit(model.heads[MAIN_HORIZON_DAYS], data.days, wanted) + shift)
        self.data = data
        self.logit, self.label = daily.logit[data.judged], data.label[data.judged]
        self.patient = np.nonzero(data.judged)[1]
        self.score = daily.alarm_score
        self.auroc = auroc(self.logit, self.label)
        self.observed, self.expected = float(self.label.sum()), float(logistic(self.logit).sum())

    def replicates(self, weights: Float64) -> Float64:
        return weighted_aurocs(self.logit, self.label, self.patient, weights)

    def sensitivity(self, budget: float, weights: Float64) -> tuple[float, Float64]:
        threshold = threshold_for_budget(self.score, self.data.alarm_days, budget)
        counts = alarm_counts(self.score, self.data.alarm_days, self.data.days.onset, threshold)
        value = counts.figures(threshold).sensitivity
        return value, ratio_replicates(counts.caught, counts.attacks, weights)


def study(seed: int) -> Study:
    """Everything of one seed, as plain numbers."""
    hospitals = simulated_hospitals(seed, PATIENTS, DAYS)
    plan = FederationPlan(seed=seed, trees=TREES, horizons=(MAIN_HORIZON_DAYS,), set_aside=0.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        private = federated_run(hospitals.training, plan, folder / "on")
        plain = federated_run(hospitals.training, replace(plan, privacy=NO_PRIVACY), folder / "off")
        attack = attacks(hospitals, private.model, folder / "on" / "run")
        noisy = {
            epsilon: federated_run(
                hospitals.training,
                replace(plan, trees=1, privacy=Privacy(differential=DifferentialPrivacy(epsilon=epsilon))),
                folder / f"dp{epsilon}",
            )
            .model.heads[MAIN_HORIZON_DAYS]
            .linear
            for epsilon in EPSILONS
        }
    pooled = alone(together(hospitals.training), seed, trees=3 * TREES)
    data = study_data(together(hospitals.unseen))
    weights = patient_weights(data.patients, seed)
    models = {"federated": private.model, "without_privacy": plain.model, "pooled": pooled}
    found: Study = {"attack": attack, "rounds": private.rounds, "auroc": {}, "auroc_replicates": {}, "sensitivity": {}}
    for name, model in models.items():
        judged = Judged(model, data)
        found["auroc"][name] = judged.auroc
        found["auroc_replicates"][name] = judged.replicates(weights).tolist()
        sensitivity = {f"{budget:.2f}": judged.sensitivity(budget, weights) for budget in BUDGETS}
        found["sensitivity"][name] = {key: (value, drawn.tolist()) for key, (value, drawn) in sensitivity.items()}
    found["hospitals"] = {name: at_hospital(name, hospitals, models, seed) for name in NAMES}
    features, label = data.days.features[data.judged], data.label[data.judged]

    def of_linear(linear: LinearExpert) -> float:
        return auroc(linear.logit(features), label)

    found["linear"] = {"exact": of_linear(private.model.heads[MAIN_HORIZON_DAYS].linear)} | {
        f"{epsilon:g}": of_linear(linear) for epsilon, linear in noisy.items()
    }
    return found


def at_hospital(name: str, hospitals: SimulatedHospitals, models: Mapping[str, Model], seed: int) -> Study:
    """One hospital's unseen patients: its own model beside the others."""
    data = study_data(hospitals.unseen[name])
    weights = patient_weights(data.patients, seed)
    judged = {which: Judged(model, data) for which, model in models.items()}
    own = Judged(alone(hospitals.training[name], seed), data)
    return {
        "own": own.auroc,
        "gain_replicates": (judged["federated"].replicates(weights) - own.replicates(weights)).tolist(),
        **{which: found.auroc for which, found in judged.items()},
        "observed": judged["federated"].observed,
        "expected": judged["federated"].expected,
        "expected_without_privacy": judged["without_privacy"].expected,
        "own_expected": own.expected,
    }


def attacks(hospitals: SimulatedHospitals, model: Model, run: Path) -> dict[str, float]:
    """Membership inference on all hospitals together, on the smallest, and on the smallest's trees as they were sent.

    The reference of the stronger attack is the shipped model, which has seen neither side.
    """
    reference = load_model(SHIPPED_MODEL).heads[MAIN_HORIZON_DAYS]
    head = model.heads[MAIN_HORIZON_DAYS]
    smallest = NAMES[int(np.argmin(SIZES))]
    text = json.loads((run / "steps" / "grow-00.json").read_text())["texts"][smallest][f"{MAIN_HORIZON_DAYS}/-1"]
    thresholds = shared_thresholds_of(text)
    sent = read_trees(text, 1000, 64, thresholds)
    losses: dict[str, dict[bool, list[Float64]]] = {}
    for name in NAMES:
        for member, cohort in ((True, hospitals.training[name]), (False, hospitals.unseen[name])):
            data = study_data(cohort)
            features, label = data.days.features[data.judged], data.label[data.judged]
            patient = np.nonzero(data.judged)[1].astype(np.int32)
            raw = patient_losses(head.logit(features), label, patient)
            known = patient_losses(reference.logit(features), label, patient)
            for attack, value in (("loss", raw), ("loss_against_reference", raw - known)):
                losses.setdefault(f"all.{attack}", {True: [], False: []})[member].append(value)
                if name == smallest:
                    losses.setdefault(f"smallest.{attack}", {True: [], False: []})[member].append(value)
            if name == smallest:
                inputs = features[:, FAST_COLUMNS].astype(np.float64)
                trees = patient_losses(head.rate.logit(features) + predict(sent, inputs), label, patient)
                losses.setdefault("smallest.trees_as_sent", {True: [], False: []})[member].append(trees - known)
    return {
        name: attack_auroc(np.concatenate(sides[True]), np.concatenate(sides[False])) for name, sides in losses.items()
    }


def shared_thresholds_of(text: str) -> list[Float64]:
    """The thresholds that a set of trees uses, by feature."""
    used: list[set[float]] = [set() for _ in FAST_NAMES]
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("split_feature="):
            values = lines[number + 1].removeprefix("threshold=").split()
            for feature, value in zip(line.removeprefix("split_feature=").split(), values, strict=True):
                used[int(feature)].add(float(value))
    return [np.array(sorted(values)) for values in used]


def kept(seed: int, make: Callable[[int], Study] = study) -> Study:
    """A seed's study from ml/runs, made first where it is not there yet."""
    sources = "".join(hashlib.sha256(source.read_bytes()).hexdigest() for source in sorted(SOURCES))
    shipped = str(load_model(SHIPPED_MODEL).card["hash"])
    key = hashlib.sha256((sources + frozen().sha256 + shipped).encode()).hexdigest()[:16]
    file = RUNS / f"seed-{seed}-{key}.json"
    if not file.exists():
        found = make(seed)
        RUNS.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found), encoding="utf-8")
    stored: Study = json.loads(file.read_text(encoding="utf-8"))
    return stored


def bounded(name: str, value: float, replicates: Float64, unit: str, **more: Any) -> Iterator[Figure]:
    """A figure and the ends of its 95 % interval over patients and seeds."""
    bounds = interval(value, replicates)
    yield figure(name, value, unit, **more)
    yield figure(f"{name}.low", bounds.low, unit)
    yield figure(f"{name}.high", bounds.high, unit)


def against_pooled(studies: list[Study]) -> Iterator[Figure]:
    """All unseen patients together: federated beside pooled training, privacy on and off."""

    def mean(which: str) -> float:
        return float(np.mean([found["auroc"][which] for found in studies]))

    drawn = {
        which: np.mean([found["auroc_replicates"][which] for found in studies], axis=0)
        for which in ("federated", "without_privacy", "pooled")
    }
    federated, pooled, plain = mean("federated"), mean("pooled"), mean("without_privacy")
    yield from bounded(
        "federation.auroc",
        federated,
        drawn["federated"],
        "AUROC",
        baseline=pooled,
        goal=f"pooled training minus {MARGIN}",
        met=federated >= pooled - MARGIN,
    )
    yield from bounded(
        "federation.auroc_minus_pooled", federated - pooled, drawn["federated"] - drawn["pooled"], "AUROC"
    )
    yield figure("federation.auroc_without_privacy", plain, "AUROC", baseline=federated)
    for budget in BUDGETS:
        key = f"{budget:.2f}"
        values = {
            which: float(np.mean([found["sensitivity"][which][key][0] for found in studies]))
            for which in ("federated", "pooled", "without_privacy")
        }
        sampled = {
            which: np.mean([found["sensitivity"][which][key][1] for found in studies], axis=0)
            for which in ("federated", "pooled")
        }
        name = f"federation.sensitivity_at_{key}_alarms_a_patient_month"
        yield from bounded(
            name,
            values["federated"],
            sampled["federated"],
            "share of attacks",
            baseline=values["pooled"],
            goal=f"pooled training minus {MARGIN}",
            met=values["federated"] >= values["pooled"] - MARGIN,
        )
        yield from bounded(
            f"{name}.minus_pooled",
            values["federated"] - values["pooled"],
            sampled["federated"] - sampled["pooled"],
            "share of attacks",
        )
        yield figure(f"{name}.without_privacy", values["without_privacy"], "share of attacks")


def at_each_hospital(studies: list[Study]) -> Iterator[Figure]:
    """What each hospital gains over its own model, and its calibration; the smallest should gain most."""
    gains = {}
    for name, size in zip(NAMES, SIZES, strict=True):
        rows = [found["hospitals"][name] for found in studies]
        own, federated = (float(np.mean([row[which] for row in rows])) for which in ("own", "federated"))
        gains[name] = federated - own
        yield figure(
            f"federation.auroc_at_{name}_of_{size}_patients",
            federated,
            "AUROC",
            baseline=own,
            goal="above the hospital's own model",
            met=federated > own,
        )
        drawn = np.mean([row["gain_replicates"] for row in rows], axis=0)
        yield from bounded(f"federation.gain_at_{name}_of_{size}_patients", gains[name], drawn, "AUROC")
        ratio, plain, alone_ratio = (
            sum(row["observed"] for row in rows) / sum(row[which] for row in rows)
            for which in ("expected", "expected_without_privacy", "own_expected")
        )
        yield figure(
            f"federation.observed_over_expected_at_{name}",
            ratio,
            "ratio",
            baseline=alone_ratio,
            goal="0.9 to 1.1",
            met=0.9 <= ratio <= 1.1,
        )
        yield figure(f"federation.observed_over_expected_at_{name}.without_privacy", plain, "ratio")
    smallest = NAMES[int(np.argmin(SIZES))]
    yield figure(
        "federation.gain_of_the_smallest_hospital",
        gains[smallest],
        "AUROC",
        baseline=max(gain for name, gain in gains.items() if name != smallest),
        goal="the largest gain of all",
        met=gains[smallest] == max(gains.values()),
    )


def privacy(studies: list[Study]) -> Iterator[Figure]:
    """Membership inference, and what differential privacy of the logistic regression costs."""
    for name in studies[0]["attack"]:
        value = float(np.mean([found["attack"][name] for found in studies]))
        yield figure(
            f"federation.attack_auroc.{name}", value, "AUROC", baseline=0.5, goal="at most 0.55", met=value <= 0.55
        )
    exact = float(np.mean([found["linear"]["exact"] for found in studies]))
    for epsilon in EPSILONS:
        value = float(np.mean([found["linear"][f"{epsilon:g}"] for found in studies]))
        yield figure(f"federation.logistic_auroc_at_epsilon_{epsilon:g}", value, "AUROC", baseline=exact)


def figures() -> Iterator[Figure]:
    """All figures named `federation.…`."""
    studies = [kept(seed) for seed in SEEDS]
    yield from against_pooled(studies)
    yield from at_each_hospital(studies)
    yield from privacy(studies)
    yield figure("federation.rounds", float(np.mean([found["rounds"] for found in studies])), "questions a hospital")
