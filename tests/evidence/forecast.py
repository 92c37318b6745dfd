"""How good the forecast is on simulated patients that the shipped model has never seen, beside oracle, rules and peers.

Five cohorts of 3,000 patients for a year are judged with the shipped model as it is; on the first, models are also
trained and judged patient by patient and leaving a hospital out, with the peers. What was computed is kept in ml/runs
and used again while model, simulator and figures stay the same.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ml.evaluation.contenders import GPBOOST, LINEAR, ORACLE, POPULATION, PRODUCT, RIVER, TODAY_ONLY, available_peers
from ml.evaluation.run import simulated_study_data
from ml.evaluation.splits import Scheme
from ml.evaluation.study import BUDGETS, StudyPlan, judge_model, run_study
from ml.forecaster import SHIPPED_MODEL
from ml.model import load_model
from ml.simulator.parameters import frozen
from ml.training.fit import TrainingPlan
from tests.figures import Figure, figure

SEEDS = (1, 2, 3, 4, 5)
PATIENTS, DAYS = 3_000, 365
ML = Path(__file__).parents[2] / "ml"
RUNS = ML / "runs" / "forecast"
RULES = ("action_plan_yellow_or_red", "peak_flow_below_60_percent", "bioair_rule")
SOURCES = [
    *(file for part in ("evaluation", "features", "training") for file in (ML / part).glob("*.py")),
    *(ML / f"{name}.py" for name in ("alarms", "experts", "model", "personal", "scoring")),
]

Study = dict[str, Any]


def _kept(name: str, depends_on: str, make: Callable[[], Study]) -> Study:
    """A study from ml/runs, made first where it is not there yet."""
    sources = "".join(hashlib.sha256(source.read_bytes()).hexdigest() for source in sorted(SOURCES))
    key = hashlib.sha256((sources + frozen().sha256 + depends_on).encode()).hexdigest()[:16]
    file = RUNS / f"{name}-{key}.json"
    if not file.exists():
        study = make()
        RUNS.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(study), encoding="utf-8")
    found: Study = json.loads(file.read_text(encoding="utf-8"))
    return found


def _shipped_on(seed: int) -> Study:
    model = load_model(SHIPPED_MODEL)
    return _kept(
        f"shipped-{seed}",
        model.card["hash"],
        lambda: judge_model(simulated_study_data(seed, PATIENTS, DAYS), model, seed),
    )


def _trained_on(seed: int, scheme: Scheme) -> Study:
    peers = "-".join(available_peers())
    plan = StudyPlan(scheme=scheme, folds=2, training=TrainingPlan(folds=2, trees=200, seed=seed), seed=seed)

    def say(line: str) -> None:
        sys.stderr.write(line + "\n")

    return _kept(f"{scheme}-{seed}", peers, lambda: run_study(simulated_study_data(seed, PATIENTS, DAYS), plan, say))


def _sensitivity(study: Study, contender: str, budget: str) -> float:
    return float(study["contenders"][contender]["alarms"][budget]["sensitivity"])


def against_the_oracle(studies: list[Study]) -> Iterator[Figure]:
    """Means over the seeds; the oracle knows each patient's hidden airway state, which no diary shows."""

    def mean(of: Callable[[Study], float]) -> float:
        return float(np.mean([of(study) for study in studies]))

    def auroc(contender: str) -> float:
        return mean(lambda study: study["contenders"][contender]["auroc"]["value"])

    share = mean(lambda study: study["contenders"][PRODUCT]["share_of_attainable_log_loss_gain"])
    yield figure(
        "forecast.share_of_oracle_log_loss_gain",
        share,
        "share",
        baseline=mean(lambda study: study["contenders"][LINEAR]["share_of_attainable_log_loss_gain"]),
        goal="at least 0.80 (baseline: logistic regression)",
        met=share >= 0.80,
    )
    gap = auroc(ORACLE) - auroc(PRODUCT)
    yield figure("forecast.auroc_7_days", auroc(PRODUCT), "AUROC", baseline=auroc(LINEAR))
    yield figure("forecast.auroc_7_days_below_oracle", gap, "AUROC", goal="at most 0.03", met=gap <= 0.03)
    own = mean(lambda study: study["contenders"][PRODUCT]["within_patient_auroc"]) - 0.5
    best = mean(lambda study: study["contenders"][ORACLE]["within_patient_auroc"]) - 0.5
    yield figure(
        "forecast.within_patient_auroc_above_half",
        own,
        "AUROC",
        baseline=best,
        goal="at least 0.80 of the oracle's",
        met=own >= 0.8 * best,
    )
    alarm = mean(lambda study: study["contenders"][PRODUCT]["within_patient_auroc_of_alarm_score"]) - 0.5
    yield figure(
        "forecast.within_patient_auroc_of_alarm_score_above_half",
        alarm,
        "AUROC",
        baseline=best,
        goal="at least 0.80 of the oracle's",
        met=alarm >= 0.8 * best,
    )
    ratio = mean(lambda study: study["contenders"][PRODUCT]["calibration"]["observed_over_expected"])
    yield figure("forecast.observed_over_expected", ratio, "ratio", goal="0.9 to 1.1", met=0.9 <= ratio <= 1.1)


def against_rules_and_regression(studies: list[Study]) -> Iterator[Figure]:
    """Attacks foreseen at equal numbers of alarms, means over the seeds."""
    for rule in RULES:
        count = f"as_{rule}"
        own = float(np.mean([_sensitivity(study, PRODUCT, count) for study in studies]))
        # A rule's own count: its one threshold, met at a budget of just that many alarms.
        theirs = float(np.mean([_sensitivity(study, rule, count) for study in studies]))
        alarms = float(np.mean([study["rule_alarms_per_patient_month"][count] for study in studies]))
        yield figure(
            f"forecast.sensitivity_at_the_alarms_of_{rule}",
            own,
            "share of attacks",
            baseline=theirs,
            goal=f"at least 2 times the rule's, at its {alarms:.2f} alarms a patient-month",
            met=own >= 2 * theirs,
        )
    for budget in BUDGETS:
        name = f"{budget:.2f}"
        own = float(np.mean([_sensitivity(study, PRODUCT, name) for study in studies]))
        linear = float(np.mean([_sensitivity(study, LINEAR, name) for study in studies]))
        yield figure(
            f"forecast.sensitivity_at_{name}_alarms_a_patient_month",
            own,
            "share of attacks",
            baseline=linear,
            goal="not below logistic regression",
            met=own >= linear,
        )


def hospitals(known: list[Study], unseen: Study) -> Iterator[Figure]:
    """Expected against true chances after 100 days, worst hospital of all; the truth is free of sampling noise."""
    for name, studies in (("known", known), ("unseen", [unseen])):
        ratios = [row["true_over_expected"] for study in studies for row in study["hospital_after_100_days"].values()]
        worst = max(ratios, key=lambda ratio: abs(np.log(ratio)))
        met = all(0.9 <= ratio <= 1.1 for ratio in ratios)
        yield figure(f"forecast.true_over_expected_worst_{name}_hospital", worst, "ratio", goal="0.9 to 1.1", met=met)


def peers_and_personalisation(study: Study) -> Iterator[Figure]:
    """Peers on the same rows, and what knowing the patient is worth as the diary grows."""
    own = study["contenders"][PRODUCT]["auroc"]["value"]
    for name, found in study["contenders"].items():
        if name not in (PRODUCT, ORACLE):
            yield figure(f"forecast.auroc_beside_{name}", own, "AUROC", baseline=found["auroc"]["value"])
    for name in (GPBOOST, RIVER):
        if name not in study["contenders"]:
            yield figure(f"forecast.auroc_beside_{name}", None, "AUROC", goal="install ml/evaluation/peers.lock")
    trees = study.get("per_patient_lightgbm")
    if trees:
        yield figure(
            "forecast.auroc_beside_per_patient_lightgbm",
            trees["population_auroc"],
            "AUROC",
            baseline=trees["own_auroc"],
        )
    for row in study["by_diary_days"]:
        gain = row[PRODUCT]["log_loss_gain"] - row[TODAY_ONLY]["log_loss_gain"]
        days = f"{row['from_day']}_to_{row['to_day']}"
        yield figure(
            f"forecast.log_loss_gain_over_population_model_diary_days_{days}",
            gain,
            "nats",
            goal="above 0",
            met=gain > 0,
        )
        layer = row[PRODUCT]["log_loss_gain"] - row[POPULATION]["log_loss_gain"]
        yield figure(f"forecast.log_loss_gain_of_personal_layer_diary_days_{days}", layer, "nats")


def figures() -> Iterator[Figure]:
    """All figures named `forecast.…`."""
    studies = [_shipped_on(seed) for seed in SEEDS]
    yield from against_the_oracle(studies)
    yield from against_rules_and_regression(studies)
    yield from hospitals(studies, _trained_on(1, "leave_one_hospital_out"))
    yield from peers_and_personalisation(_trained_on(1, "patient_wise"))
