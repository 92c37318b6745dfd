"""How good the forecast is on simulated patients that the shipped model has never seen, beside oracle, rules and peers.

Five cohorts of 3,000 patients for a year are judged with the shipped model as it is; on the first, models are also
trained and judged patient by patient and leaving a hospital out, with the peers, and a particle filter finds how much
of the oracle's advantage a diary can carry at all. What was computed is kept in ml/runs and used again while model,
simulator and figures stay the same.

The oracle is not at equal information: it sees each patient's hidden state at the end of the day (the airway's load,
whether a worsening has turned or become rapid, infection and its days left, drug levels) and all traits. It does not
know the days to come: whether a worsening turns, who catches an infection, who takes the medicine.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ml.evaluation.attainable import attainable_chance
from ml.evaluation.contenders import GPBOOST, LINEAR, ORACLE, POPULATION, PRODUCT, RIVER, TODAY_ONLY, available_peers
from ml.evaluation.metrics import auroc, within_patient_auroc
from ml.evaluation.run import simulated_study_data
from ml.evaluation.splits import Scheme
from ml.evaluation.study import ALL_CONTENDERS, BUDGETS, StudyPlan, judge_model, run_study
from ml.forecaster import SHIPPED_MODEL
from ml.model import MAIN_HORIZON_DAYS, load_model
from ml.personal import hospital_shift
from ml.scoring import head_logit, personalised
from ml.simulator.parameters import frozen
from ml.training.calibration import log_loss
from ml.training.fit import TrainingPlan
from tests.figures import Figure, figure

SEEDS = (1, 2, 3, 4, 5)
PATIENTS, DAYS = 3_000, 365
# The first patients of a cohort; so many particles each for a year take some four minutes on one core.
ATTAINABLE_PATIENTS, PARTICLES = 600, 800
TREES_OF_A_SMALL_COHORT = 100
PERSONALISATION_DAYS = (7, 30, 90, 180, 365)
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


def _trained_on(seed: int, scheme: Scheme, contenders: frozenset[str] = ALL_CONTENDERS) -> Study:
    peers = "-".join(available_peers())
    training = TrainingPlan(folds=2, trees=TREES_OF_A_SMALL_COHORT, seed=seed, every_days=8)
    plan = StudyPlan(scheme=scheme, folds=2, training=training, contenders=contenders, seed=seed)

    def say(line: str) -> None:
        sys.stderr.write(line + "\n")

    return _kept(f"{scheme}-{seed}", peers, lambda: run_study(simulated_study_data(seed, PATIENTS, DAYS), plan, say))


def _attainable(seed: int) -> Study:
    """Product, oracle and a particle filter that knows all but the hidden state, on the same patients."""
    model = load_model(SHIPPED_MODEL)

    def found() -> Study:
        chance = attainable_chance(seed, ATTAINABLE_PATIENTS, DAYS, PARTICLES).astype(np.float64)
        data = simulated_study_data(seed, PATIENTS, DAYS)
        judged = data.judged.copy()
        judged[:, ATTAINABLE_PATIENTS:] = False
        first_day = int(data.days.day.min())
        day, patient = np.nonzero(judged)
        label = data.label[judged]
        base = float(label.mean())
        site_shift = hospital_shift(model.hospital_factor, data.profiles.hospital)
        population = head_logit(model.heads[MAIN_HORIZON_DAYS], data.days, data.days.diary_days >= 1) + site_shift
        daily = personalised(data.days, population)
        assert data.oracle is not None
        chances = {
            "oracle": data.oracle[judged],
            "attainable": chance[data.days.day[day, patient] - first_day, patient],
        }
        logits = {
            name: np.log(c / (1 - c)) for name, c in ((n, np.clip(v, 1e-5, 1 - 1e-5)) for n, v in chances.items())
        }
        logits |= {PRODUCT: daily.logit[judged], POPULATION: population[judged]}
        losses = {name: log_loss(logit, label) for name, logit in logits.items()}
        base_loss = log_loss(np.full(len(label), np.log(base / (1 - base))), label)
        return {
            name: {
                "auroc": auroc(logit, label),
                "within_patient_auroc": within_patient_auroc(logit, label, patient),
                "share": (base_loss - losses[name]) / (base_loss - losses["oracle"]),
            }
            for name, logit in logits.items()
        }

    return _kept(f"attainable-{seed}", model.card["hash"], found)


def _sensitivity(study: Study, contender: str, budget: str) -> float:
    return float(study["contenders"][contender]["alarms"][budget]["sensitivity"])


def _bounds(name: str, unit: str, studies: list[Study], of: Callable[[Study], dict[str, float]]) -> Iterator[Figure]:
    """Ends of the 95 % bootstrap interval over the patients of one cohort, averaged over the cohorts."""
    for end in ("low", "high"):
        yield figure(f"{name}_{end}", float(np.mean([of(study)[end] for study in studies])), unit)


def against_the_oracle(studies: list[Study]) -> Iterator[Figure]:
    """Means over the seeds; the oracle knows each patient's hidden airway state, which no diary shows."""

    def mean(of: Callable[[Study], float]) -> float:
        return float(np.mean([of(study) for study in studies]))

    def auroc_of(contender: str) -> float:
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
    gap = auroc_of(ORACLE) - auroc_of(PRODUCT)
    yield figure("forecast.auroc_7_days", auroc_of(PRODUCT), "AUROC", baseline=auroc_of(LINEAR))
    yield from _bounds("forecast.auroc_7_days", "AUROC", studies, lambda study: study["contenders"][PRODUCT]["auroc"])
    yield figure(
        "forecast.auroc_7_days_below_oracle",
        gap,
        "AUROC",
        baseline=auroc_of(ORACLE) - auroc_of(LINEAR),
        goal="at most 0.03 (baseline: logistic regression)",
        met=gap <= 0.03,
    )
    best = mean(lambda study: study["contenders"][ORACLE]["within_patient_auroc"]) - 0.5
    for name, key in (
        ("within_patient_auroc_above_half", "within_patient_auroc"),
        ("within_patient_auroc_of_alarm_score_above_half", "within_patient_auroc_of_alarm_score"),
    ):
        own = mean(lambda study, key=key: study["contenders"][PRODUCT][key]) - 0.5  # type: ignore[misc]
        yield figure(
            f"forecast.{name}", own, "AUROC", baseline=best, goal="at least 0.80 of the oracle's", met=own >= 0.8 * best
        )
    ratio = mean(lambda study: study["contenders"][PRODUCT]["calibration"]["observed_over_expected"])
    yield figure("forecast.observed_over_expected", ratio, "ratio", goal="0.9 to 1.1", met=0.9 <= ratio <= 1.1)


def what_a_diary_can_carry(found: Study) -> Iterator[Figure]:
    """An upper bound for readers of diaries: all parameters and traits known, the hidden state only from the diary.

    The baseline is Soom on the same patients; its within-patient figure is that of the chance without the own attacks.
    """
    for name, key, unit, own in (
        ("share_of_oracle_log_loss_gain", "share", "share", PRODUCT),
        ("auroc_7_days", "auroc", "AUROC", PRODUCT),
        ("within_patient_auroc", "within_patient_auroc", "AUROC", POPULATION),
    ):
        yield figure(
            f"forecast.attainable_{name}",
            found["attainable"][key],
            unit,
            baseline=found[own][key],
            goal=f"none: a particle filter that knows all traits; baseline Soom; oracle {found['oracle'][key]:.3f}",
        )


def against_rules_and_regression(studies: list[Study]) -> Iterator[Figure]:
    """Attacks foreseen at equal numbers of alarms, means over the seeds."""
    for rule in RULES:
        count = f"as_{rule}"
        own = float(np.mean([_sensitivity(study, PRODUCT, count) for study in studies]))
        # A rule's own count: its one threshold, met at a budget of just that many alarms.
        theirs = float(np.mean([_sensitivity(study, rule, count) for study in studies]))
        alarms = float(np.mean([study["rule_alarms_per_patient_month"][count] for study in studies]))
        impossible = "; no forecast can, for the rule foresees more than half" if theirs > 0.5 else ""
        yield figure(
            f"forecast.sensitivity_at_the_alarms_of_{rule}",
            own,
            "share of attacks",
            baseline=theirs,
            goal=f"at least 2 times the rule's, at its {alarms:.2f} alarms a patient-month{impossible}",
            met=own >= 2 * theirs,
        )
        needed = [study["contenders"][PRODUCT]["alarms_for_sensitivity_of"][count] for study in studies]
        yield figure(
            f"forecast.alarms_for_the_sensitivity_of_{rule}",
            float(np.mean(needed)),
            "alarms a patient-month",
            baseline=alarms,
            goal="at most half of the rule's",
            met=float(np.mean(needed)) <= 0.5 * alarms,
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
        yield from _bounds(
            f"forecast.sensitivity_at_{name}_alarms_a_patient_month",
            "share of attacks",
            studies,
            lambda study, name=name: study["contenders"][PRODUCT]["alarms"][name]["sensitivity_interval"],  # type: ignore[misc]
        )


def hospitals(known: list[Study], unseen: Study) -> Iterator[Figure]:
    """True over expected chances after 100 days, by hospital; the truth is free of the attacks' own chance."""
    seen: dict[str, list[float]] = {}
    for study in known:
        for code, row in study["hospital_after_100_days"].items():
            seen.setdefault(code, []).append(row["true_over_expected"])
    for code, ratios in sorted(seen.items()):
        worst = max(ratios, key=lambda ratio: abs(np.log(ratio)))
        met = all(0.9 <= ratio <= 1.1 for ratio in ratios)
        name = f"forecast.true_over_expected_worst_seed_hospital_{code}"
        yield figure(name, worst, "ratio", goal="0.9 to 1.1 in each seed", met=met)
    for code, row in sorted(unseen["hospital_after_100_days"].items()):
        ratio = row["true_over_expected"]
        name = f"forecast.true_over_expected_hospital_{code}_never_seen"
        yield figure(name, ratio, "ratio", goal="0.9 to 1.1", met=0.9 <= ratio <= 1.1)


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
    for day, row in zip(PERSONALISATION_DAYS, study["by_diary_days"], strict=True):
        stretch = f"diary days {row['from_day']} to {row['to_day']}"
        gain = row[PRODUCT]["log_loss_gain"] - row[TODAY_ONLY]["log_loss_gain"]
        yield figure(
            f"forecast.personalisation_gain_day_{day}",
            gain,
            "nats of log loss",
            goal=f"above 0 ({stretch}, against trees that see the day and the profile but no history)",
            met=gain > 0,
        )
        foreseen = row[PRODUCT]["sensitivity"]
        yield figure(
            f"forecast.personalisation_sensitivity_day_{day}",
            foreseen,
            "share of attacks",
            baseline=row[TODAY_ONLY]["sensitivity"],
            goal=f"above the model without history at 0.25 alarms a patient-month ({stretch})",
            met=foreseen > row[TODAY_ONLY]["sensitivity"],
        )
        layer = row[PRODUCT]["log_loss_gain"] - row[POPULATION]["log_loss_gain"]
        yield figure(f"forecast.log_loss_gain_of_personal_layer_day_{day}", layer, "nats of log loss")


def figures() -> Iterator[Figure]:
    """All figures named `forecast.…`."""
    studies = [_shipped_on(seed) for seed in SEEDS]
    yield from against_the_oracle(studies)
    yield from against_rules_and_regression(studies)
    yield from what_a_diary_can_carry(_attainable(1))
    unseen = _trained_on(1, "leave_one_hospital_out", frozenset({PRODUCT, POPULATION}))
    yield from hospitals(studies, unseen)
    yield from peers_and_personalisation(_trained_on(1, "patient_wise"))
