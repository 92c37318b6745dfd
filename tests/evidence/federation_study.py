"""One seed of what hospitals gain by learning together: every run, judged beside the simulator's truth.

Runs go over the in-memory grid, with the same messages as over the network; what was computed is kept in ml/runs and
used again while the code stays the same.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ml.alarms import AMBER_BUDGET, RED_BUDGET, threshold_for_budget
from ml.contract import Diaries, Profiles
from ml.evaluation.bootstrap import patient_weights, ratio_replicates, weighted_aurocs
from ml.evaluation.metrics import alarm_counts, auroc
from ml.evaluation.study_data import StudyData, study_data
from ml.experts import LinearExpert
from ml.federated.attack import attack_auroc, patient_losses
from ml.federated.coordinator import Federation, Patience
from ml.federated.growing import FOREST_STEP, newton_leaves
from ml.federated.memory_grid import MemoryGrid, hospital_node
from ml.federated.plan import DifferentialPrivacy, FederationPlan, Privacy
from ml.federated.simulated import NAMES, SIZES, SimulatedHospitals, make_hospitals, split_into_hospitals
from ml.federated.site import Hospital
from ml.federated.tree_steps import FAST_NAMES, booster_of, leaf_numbers, leaf_totals, variant_name
from ml.federated.trees import Tree, read_splits, valued
from ml.forecaster import SHIPPED_MODEL
from ml.model import MAIN_HORIZON_DAYS, Model, load_model
from ml.personal import Float64, hospital_shift, logistic
from ml.scoring import head_logit, personalised
from ml.simulator.cohort import simulate
from ml.simulator.parameters import frozen
from ml.training.fit import Cohort, TrainingPlan, train

PATIENTS, DAYS = 3_400, 365
BUDGETS = (RED_BUDGET, AMBER_BUDGET, 0.5, 1.0)
NO_PRIVACY = Privacy(masked=False, patients_per_leaf=1, rows_per_leaf=100, patients_to_grow=1, smallest_cell=1)
EPSILONS = (8.0, 3.0, 1.0)
TREES = 100
ML = Path(__file__).parents[2] / "ml"
RUNS = ML / "runs" / "federation"
SOURCES = [
    *(file for part in ("features", "training", "federated") for file in (ML / part).glob("*.py")),
    *(ML / f"{name}.py" for name in ("alarms", "experts", "model", "personal", "scoring")),
    Path(__file__),
]

SMALLEST = NAMES[int(np.argmin(SIZES))]
Study = dict[str, Any]
Bool = NDArray[np.bool_]


def federation(hospitals: Mapping[str, Cohort], plan: FederationPlan, folder: Path) -> Federation:
    """A run over the in-memory grid, not yet begun."""
    folders = make_hospitals(folder, hospitals, replace(NO_PRIVACY))
    nodes = {number + 1: hospital_node(Hospital(folders[name])) for number, name in enumerate(hospitals)}
    return Federation(MemoryGrid(nodes), plan, folder / "run", Patience(len(hospitals)))


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
    """Ordinary training on one cohort, with the penalty of the federated regressions."""
    plan = TrainingPlan(seed=seed, trees=trees, horizons=(MAIN_HORIZON_DAYS,), ridge=FederationPlan().ridge)
    return train(cohort, plan, {"model_id": "own", "model_version": "1"})


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One model on one side's patients. `score`, `alarm_days` and `onset` are (days, patients), the others over judged
    days; `population` is the log-odds before the personal layer.
    """

    score: Float64
    alarm_days: Bool
    onset: Bool
    logit: Float64
    population: Float64
    label: Bool
    patient: NDArray[np.intp]

    @classmethod
    def of(cls, model: Model, data: StudyData) -> Self:
        shift = hospital_shift(model.hospital_factor, data.profiles.hospital)
        wanted = data.days.diary_days >= 1
        daily = personalised(data.days, head_logit(model.heads[MAIN_HORIZON_DAYS], data.days, wanted) + shift)
        return cls(
            daily.alarm_score,
            data.alarm_days,
            data.days.onset,
            daily.logit[data.judged],
            daily.population_logit[data.judged],
            data.label[data.judged],
            np.nonzero(data.judged)[1],
        )

    @classmethod
    def together(cls, parts: Sequence[Self]) -> Self:
        """Patients of several hospitals beside one another."""
        offsets = np.cumsum([0, *(part.patients for part in parts)])
        return cls(
            side_by_side([part.score for part in parts], np.nan),
            side_by_side([part.alarm_days for part in parts], False),
            side_by_side([part.onset for part in parts], False),
            np.concatenate([part.logit for part in parts]),
            np.concatenate([part.population for part in parts]),
            np.concatenate([part.label for part in parts]),
            np.concatenate([part.patient + offset for part, offset in zip(parts, offsets, strict=False)]),
        )

    @property
    def patients(self) -> int:
        return int(self.onset.shape[1])

    @property
    def auroc(self) -> float:
        return auroc(self.logit, self.label)

    def replicates(self, weights: Float64) -> Float64:
        return weighted_aurocs(self.logit, self.label, self.patient, weights)

    def sensitivity(self, budget: float, weights: Float64) -> tuple[float, Float64]:
        threshold = threshold_for_budget(self.score, self.alarm_days, budget)
        counts = alarm_counts(self.score, self.alarm_days, self.onset, threshold)
        value = counts.figures(threshold).sensitivity
        return value, ratio_replicates(counts.caught, counts.attacks, weights)

    def of_each_patient(self, values: NDArray[np.generic]) -> Float64:
        """Sums of one value a judged day by patient."""
        return np.bincount(self.patient, values.astype(np.float64), minlength=self.patients).astype(np.float64)


def side_by_side(arrays: Sequence[NDArray[Any]], after_the_end: float | bool) -> NDArray[Any]:
    """Arrays (days, patients) of perhaps unequal days as one."""
    days = max(len(array) for array in arrays)
    return np.hstack(
        [np.pad(array, ((0, days - len(array)), (0, 0)), constant_values=after_the_end) for array in arrays]
    )


def study(seed: int) -> Study:
    """Everything of one seed, as plain numbers."""
    hospitals, unseen = simulated_sides(seed)
    plan = FederationPlan(seed=seed, trees=TREES, horizons=(MAIN_HORIZON_DAYS,), set_aside=0.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        private = federation(hospitals.training, plan, folder / "on").train()
        plain = federation(hospitals.training, replace(plan, privacy=NO_PRIVACY), folder / "off").train()
        grown = json.loads((folder / "on" / "run" / "steps" / "grow-00.json").read_text())["texts"]
        noisy = {
            epsilon: noisy_regression(hospitals.training, plan, epsilon, folder / f"dp{epsilon}")
            for epsilon in EPSILONS
        }
    pooled = alone(together(hospitals.training), seed, trees=3 * TREES)
    models = {"federated": private.model, "without_privacy": plain.model, "pooled": pooled}
    judged = {which: {name: Judged.of(model, data) for name, data in unseen.items()} for which, model in models.items()}
    sent = {name: grown[name][f"{MAIN_HORIZON_DAYS}/-1"] for name in NAMES}
    attack = attacks(hospitals, unseen, private.model, judged["federated"], sent, seed)
    found: Study = {"attack": attack, "rounds": private.rounds, "auroc": {}, "auroc_replicates": {}, "sensitivity": {}}
    for which, parts in judged.items():
        everybody = Judged.together(list(parts.values()))
        weights = patient_weights(everybody.patients, seed)
        found["auroc"][which] = everybody.auroc
        found["auroc_replicates"][which] = everybody.replicates(weights).tolist()
        sensitivity = {f"{budget:.2f}": everybody.sensitivity(budget, weights) for budget in BUDGETS}
        found["sensitivity"][which] = {key: (value, drawn.tolist()) for key, (value, drawn) in sensitivity.items()}
    found["hospitals"] = {
        name: at_hospital(
            {which: parts[name] for which, parts in judged.items()}
            | {"own": Judged.of(alone(hospitals.training[name], seed), unseen[name])},
            unseen[name],
            seed,
        )
        for name in NAMES
    }
    features = np.concatenate([data.days.features[data.judged] for data in unseen.values()])
    label = np.concatenate([data.label[data.judged] for data in unseen.values()])

    def of_linear(linear: LinearExpert) -> float:
        return auroc(linear.logit(features), label)

    found["linear"] = {"exact": of_linear(private.model.heads[MAIN_HORIZON_DAYS].linear)} | {
        f"{epsilon:g}": of_linear(linear) for epsilon, linear in noisy.items()
    }
    return found


def noisy_regression(
    hospitals: Mapping[str, Cohort], plan: FederationPlan, epsilon: float, folder: Path
) -> LinearExpert:
    """The logistic regression of all features within a budget of differential privacy."""
    noisy = replace(plan, privacy=Privacy(differential=DifferentialPrivacy(epsilon=epsilon)))
    return federation(hospitals, noisy, folder).regressions().experts[variant_name(MAIN_HORIZON_DAYS, -1)]


def simulated_sides(seed: int) -> tuple[SimulatedHospitals, dict[str, StudyData]]:
    """The hospitals, and their unseen patients laid out with the simulator's truth, which only the judging reads."""
    simulated = simulate(seed, PATIENTS, DAYS, oracle=True)
    first_day, chance = simulated.truth.first_day, simulated.truth.chance_within[MAIN_HORIZON_DAYS]
    last_day = np.full(PATIENTS, first_day + DAYS - 1, dtype=np.int64)
    hospitals = split_into_hospitals(Cohort(simulated.diaries, simulated.profiles, last_day))
    unseen = {
        name: study_data(cohort, chance[hospitals.unseen_patients[name]], first_day)
        for name, cohort in hospitals.unseen.items()
    }
    return hospitals, unseen


def at_hospital(judged: Mapping[str, Judged], data: StudyData, seed: int) -> Study:
    """One hospital's unseen patients: its own model beside the others."""
    if data.oracle is None:
        raise ValueError("a hospital is judged beside the simulator's truth")
    federated, own = judged["federated"], judged["own"]
    weights = patient_weights(federated.patients, seed)
    observed, truth = (federated.of_each_patient(values) for values in (federated.label, data.oracle[data.judged]))
    expected = {which: one.of_each_patient(logistic(one.logit)) for which, one in judged.items()}
    return {
        "auroc": {which: one.auroc for which, one in judged.items()},
        "gain_replicates": (federated.replicates(weights) - own.replicates(weights)).tolist(),
        "sensitivity": {
            which: [judged[which].sensitivity(budget, weights)[0] for budget in BUDGETS]
            for which in ("federated", "own")
        },
        "observed": float(observed.sum()),
        "truth": float(truth.sum()),
        "expected": {which: float(sums.sum()) for which, sums in expected.items()},
        "observed_replicates": (weights @ observed).tolist(),
        "truth_replicates": (weights @ truth).tolist(),
        "expected_replicates": (weights @ expected["federated"]).tolist(),
    }


def attacks(
    hospitals: SimulatedHospitals,
    unseen: Mapping[str, StudyData],
    model: Model,
    judged: Mapping[str, Judged],
    sent: Mapping[str, str],
    seed: int,
) -> dict[str, Study]:
    """Membership inference on all hospitals together, on the smallest, and on trees as the smallest sender sends them.

    Two attacks are stronger than the plain loss. One takes off the loss under the shipped model, which has seen neither
    side; the other that under the shared regression, which every hospital knows: what is left is the trees' doing. To
    the trees as sent, which have no leaf values, the attacker gives those that the largest hospital's patients ask for.
    """
    head = model.heads[MAIN_HORIZON_DAYS]
    reference = load_model(SHIPPED_MODEL).heads[MAIN_HORIZON_DAYS]
    members = {name: study_data(hospitals.training[name]) for name in NAMES}
    by_size = sorted(NAMES, key=lambda name: SIZES[NAMES.index(name)])
    sender = next(name for name in by_size if not sent[name].startswith("trees=0"))
    trees = booster_of(valued_by(sent[sender], head.linear, members[by_size[-1]]))
    losses: dict[str, dict[bool, list[Float64]]] = {}

    def lost(attack: str, member: bool, loss: Float64) -> None:
        losses.setdefault(attack, {True: [], False: []})[member].append(loss)

    for name in NAMES:
        mine = members[name]
        for member, data, found in ((True, mine, Judged.of(model, mine)), (False, unseen[name], judged[name])):
            features = data.days.features[data.judged]
            patient = found.patient.astype(np.int32)
            raw = patient_losses(found.population, found.label, patient)
            known = patient_losses(reference.logit(features), found.label, patient)
            linear = head.linear.logit(features)
            shared = patient_losses(linear, found.label, patient)
            layered = patient_losses(linear + head.trees.logit(features), found.label, patient)
            for whom in ("all", "smallest") if name == SMALLEST else ("all",):
                lost(f"{whom}.loss", member, raw)
                lost(f"{whom}.loss_against_reference", member, raw - known)
                lost(f"{whom}.trees_against_regression", member, layered - shared)
            if name == sender:
                told = patient_losses(linear + trees.logit(features), found.label, patient)
                lost(f"{sender}.trees_as_sent_against_reference", member, told - known)
                lost(f"{sender}.trees_as_sent_against_regression", member, told - shared)
    return {
        name: attacked(np.concatenate(sides[True]), np.concatenate(sides[False]), seed)
        for name, sides in losses.items()
    }


def valued_by(text: str, linear: LinearExpert, data: StudyData) -> tuple[Tree, ...]:
    """Trees sent without leaf values, with those that one hospital's patients ask for on top of the regression."""
    trees = read_splits(text, 1000, 64, shared_thresholds_of(text))
    features = data.days.features[data.judged]
    chance = logistic(linear.logit(features))
    reached = leaf_numbers(trees, features)
    gradient = leaf_totals(trees, reached, chance - data.label[data.judged])
    hessian = leaf_totals(trees, reached, chance * (1.0 - chance))
    shares = np.full(len(trees), 1.0 / len(trees))
    return valued(trees, newton_leaves(trees, shares, gradient, hessian, FOREST_STEP))


def attacked(members: Float64, others: Float64, seed: int) -> Study:
    """AUROC of one attack, also with members and others drawn again, each among themselves."""
    loss = np.concatenate([members, others])
    weights = np.hstack([patient_weights(len(members), seed), patient_weights(len(others), seed + 1)])
    patient = np.arange(len(loss))
    return {
        "auroc": attack_auroc(members, others),
        "replicates": weighted_aurocs(-loss, patient < len(members), patient, weights).tolist(),
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
