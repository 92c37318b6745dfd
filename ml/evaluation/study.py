"""The study: splits x contenders, and every figure of merit on the days that were left out."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.alarms import alarm_days, alarms_per_patient_month, threshold_for_budget
from ml.evaluation.bootstrap import interval, patient_weights, ratio_replicates, weighted_aurocs
from ml.evaluation.contenders import (
    GPBOOST,
    LINEAR,
    ORACLE,
    PLAIN_TREES,
    POPULATION,
    PRODUCT,
    RIVER,
    TODAY_ONLY,
    per_patient_trees,
    rules_and_oracle,
    score_split,
)
from ml.evaluation.metrics import alarm_counts, alarms_at_budget, auroc, calibration, net_benefit, within_patient_auroc
from ml.evaluation.splits import Scheme, splits
from ml.evaluation.study_data import StudyData
from ml.model import MAIN_HORIZON_DAYS, Model
from ml.personal import HOSPITAL_PRIOR_ATTACKS, Float64, hospital_shift, logistic, shrunk_factor
from ml.scoring import head_logit, personalised
from ml.training.calibration import log_loss
from ml.training.fit import TrainingPlan

Bool = NDArray[np.bool_]

BUDGETS = (0.10, 0.25, 0.50, 1.00)
DECISION_THRESHOLDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.10)
ALL_CONTENDERS = frozenset({PRODUCT, POPULATION, LINEAR, PLAIN_TREES, TODAY_ONLY, GPBOOST, RIVER})
# Fewer attacks than this cannot tell a good model from a bad one; Riley's rule asks for hundreds to develop one.
ATTACKS_TO_JUDGE = 50
ATTACKS_TO_TRAIN = 20
# Around 7, 30, 90, 180 and 365 days of diary.
CURVE_DAYS = (7, 14, 60, 120, 240, 366)
CURVE_BUDGET = 0.25
HOSPITAL_SETTLING_DAYS = 100
HOSPITAL_UPDATE_DAYS = 28


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What to run. `budget_alarms` are per patient-month; `seed` draws folds, trees and bootstrap."""

    scheme: Scheme = "patient_wise"
    folds: int = 3
    training: TrainingPlan = field(default_factory=TrainingPlan)
    contenders: frozenset[str] = ALL_CONTENDERS
    seed: int = 1


@dataclass(slots=True, eq=False)
class Held:
    """Out-of-split scores of one contender, NaN where it was never judged."""

    logit: Float64 | None
    alarm_score: Float64


def out_of_split_scores(data: StudyData, plan: StudyPlan, say: Callable[[str], None]) -> tuple[dict[str, Held], Bool]:
    """Scores of each contender on the days that it did not learn from, and which days those are."""
    tested = np.zeros(data.judged.shape, dtype=np.bool_)
    held: dict[str, Held] = {}
    for split in splits(data, plan.scheme, plan.folds, plan.seed):
        attacks = int((data.days.onset & split.learn).sum())
        if attacks < ATTACKS_TO_TRAIN:
            raise ValueError(
                f"{split.name}: only {attacks} attacks to learn from, at least {ATTACKS_TO_TRAIN} are needed; "
                "these data are too few to train and judge a forecast"
            )
        say(f"{plan.scheme} {split.name}: learning from {attacks} attacks")
        for name, scored in score_split(data, split, plan.training, plan.contenders).items():
            kept = held.setdefault(name, Held(np.full(tested.shape, np.nan), np.full(tested.shape, np.nan)))
            if kept.logit is not None and scored.logit is not None:
                kept.logit[split.test] = scored.logit[split.test]
            kept.alarm_score[split.test] = scored.alarm_score[split.test]
        tested |= split.test
    for name, scored in rules_and_oracle(data).items():
        held[name] = Held(scored.logit, scored.alarm_score)
    return held, tested


def run_study(data: StudyData, plan: StudyPlan, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """All figures as plain data for JSON. ValueError, in words, where the data are too few to train on."""
    held, tested = out_of_split_scores(data, plan, say)
    return {
        "scheme": plan.scheme,
        "seed": plan.seed,
        **figures(data, held, tested, plan.seed),
    }


def judge_model(data: StudyData, model: Model, seed: int) -> dict[str, Any]:
    """Figures of a model as it is, on diaries that it did not learn from, beside the rules."""
    wanted = data.days.diary_days >= 1
    site_shift = hospital_shift(model.hospital_factor, data.profiles.hospital)
    population = head_logit(model.heads[MAIN_HORIZON_DAYS], data.days, wanted) + site_shift
    daily = personalised(data.days, population)
    linear = np.full(wanted.shape, np.nan)
    linear[wanted] = model.heads[MAIN_HORIZON_DAYS].linear.logit(data.days.features[wanted])
    held = {
        PRODUCT: Held(daily.logit, daily.alarm_score),
        POPULATION: Held(population, population),
        LINEAR: Held(linear, linear),
    }
    held |= {name: Held(scored.logit, scored.alarm_score) for name, scored in rules_and_oracle(data).items()}
    everywhere = np.ones(data.judged.shape, dtype=np.bool_)
    return {"scheme": "model_as_it_is", "seed": seed, **figures(data, held, everywhere, seed)}


def alarms_for_sensitivity(data: StudyData, score: Float64, alarm_mask: Bool, sensitivity: float) -> float:
    """Fewest alarms per patient-month at which `score` foresees that share of attacks."""
    usable = np.where(np.isfinite(score), score, -np.inf)
    thresholds = np.sort(usable[alarm_mask])
    low, high = 0, len(thresholds) - 1
    while high - low > len(thresholds) // 2_000 + 1:
        middle = (low + high) // 2
        threshold = float(thresholds[middle])
        found = alarm_counts(usable, alarm_mask, data.days.onset, threshold).figures(threshold)
        low, high = (middle, high) if found.sensitivity >= sensitivity else (low, middle)
    threshold = float(thresholds[low])
    return alarm_counts(usable, alarm_mask, data.days.onset, threshold).figures(threshold).alarms_per_patient_month


def figures(data: StudyData, held: dict[str, Held], tested: Bool, seed: int) -> dict[str, Any]:
    """Every figure of the contenders on the tested days."""
    judged, alarm_mask = data.judged & tested, data.alarm_days & tested
    label = data.label[judged]
    patient = np.nonzero(judged)[1]
    attacks = int((data.days.onset & tested).sum())
    weights = patient_weights(data.patients, seed)
    rule_alarms = {
        f"as_{name}": alarms_per_patient_month(alarm_days(scored.alarm_score, alarm_mask, 1.0), alarm_mask)
        for name, scored in rules_and_oracle(data).items()
        if scored.logit is None
    }
    base = float(label.mean()) if len(label) else float("nan")
    base_loss = log_loss(np.full(len(label), np.log(base / (1 - base))), label) if 0 < base < 1 else float("nan")
    oracle_logit = held[ORACLE].logit if ORACLE in held else None
    oracle_loss = log_loss(oracle_logit[judged], label) if oracle_logit is not None else float("nan")
    contenders: dict[str, Any] = {}
    for name, scored in held.items():
        found: dict[str, Any] = {}
        ranking = scored.alarm_score[judged] if scored.logit is None else scored.logit[judged]
        finite = np.where(np.isfinite(ranking), ranking, -50.0)
        replicates = weighted_aurocs(finite, label, patient, weights)
        found["auroc"] = asdict(interval(auroc(finite, label), replicates))
        found["within_patient_auroc"] = within_patient_auroc(finite, label, patient)
        alarm_ranking = np.nan_to_num(scored.alarm_score[judged], nan=-50.0, neginf=-50.0)
        found["within_patient_auroc_of_alarm_score"] = within_patient_auroc(alarm_ranking, label, patient)
        if scored.logit is not None:
            found["log_loss"] = log_loss(finite, label)
            found["share_of_attainable_log_loss_gain"] = (base_loss - found["log_loss"]) / (base_loss - oracle_loss)
            found["calibration"] = asdict(calibration(finite, label))
            found["observed_over_expected_by"] = by_group(data, finite, judged, tested, weights)
            found["net_benefit"] = decision_curve(logistic(finite), label)
        found["alarms"] = alarm_table(data, scored.alarm_score, alarm_mask, rule_alarms, weights)
        contenders[name] = found
    for name, found in contenders.items():
        if name == PRODUCT:
            found["alarms_for_sensitivity_of"] = {
                count: alarms_for_sensitivity(
                    data,
                    held[name].alarm_score,
                    alarm_mask,
                    contenders[count.removeprefix("as_")]["alarms"][count]["sensitivity"],
                )
                for count in rule_alarms
            }
    result: dict[str, Any] = {
        "patients": data.patients,
        "judged_days": int(judged.sum()),
        "attacks": attacks,
        "verdict": verdict(attacks),
        "positive_day_share": base,
        "rule_alarms_per_patient_month": rule_alarms,
        "contenders": contenders,
        "action_plan_net_benefit": rule_decision_curve(data, judged),
        "by_diary_days": diary_day_curve(data, held, judged, alarm_mask, base),
        "hospital_after_100_days": settled_hospitals(data, held, judged),
    }
    population = held[POPULATION].logit if POPULATION in held else None
    if population is not None and not np.isnan(population[data.judged]).any():
        own = per_patient_trees(data, population)
        result["per_patient_lightgbm"] = None if own is None else asdict(own)
    return result


def verdict(attacks: int) -> str:
    """Whether so many attacks can tell a good model from a bad one."""
    if attacks < ATTACKS_TO_JUDGE:
        return f"too few to judge: {attacks} attacks, at least {ATTACKS_TO_JUDGE} are needed"
    return f"enough to judge: {attacks} attacks"


def alarm_table(
    data: StudyData, score: Float64, alarm_mask: Bool, rule_alarms: dict[str, float], weights: Float64
) -> dict[str, Any]:
    """Sensitivity, PPV, lead time and concentration at each budget and at each rule's own alarm count."""
    usable = np.where(np.isfinite(score), score, -np.inf)
    table: dict[str, Any] = {}
    budgets = {f"{budget:.2f}": budget for budget in BUDGETS} | rule_alarms
    for name, budget in budgets.items():
        threshold = threshold_for_budget(usable, alarm_mask, budget)
        counts = alarm_counts(usable, alarm_mask, data.days.onset, threshold)
        found = counts.figures(threshold)
        row: dict[str, Any] = found.to_dict()
        row["sensitivity_interval"] = asdict(
            interval(found.sensitivity, ratio_replicates(counts.caught, counts.attacks, weights))
        )
        table[name] = row
    return table


def by_group(
    data: StudyData, logit: Float64, judged: Bool, tested: Bool, weights: Float64
) -> dict[str, dict[str, dict[str, float]]]:
    """Observed over expected positive days with its interval, and the attacks, of all patients and by group."""
    patient = np.nonzero(judged)[1]
    observed = np.bincount(patient, data.label[judged], data.patients)
    expected = np.bincount(patient, logistic(logit), data.patients)
    attacks = (data.days.onset & tested).sum(axis=0)
    profiles = data.profiles
    thirds = np.quantile(data.missing_share, [1 / 3, 2 / 3]) if data.patients else np.zeros(2)
    groups: dict[str, NDArray[Any]] = {
        "all": np.full(data.patients, "all"),
        "hospital": np.where(profiles.hospital < 0, "unknown", profiles.hospital.astype(str)),
        "treatment_step": np.where(
            np.isnan(profiles.treatment_step), "unknown", np.nan_to_num(profiles.treatment_step).astype(int).astype(str)
        ),
        "sex": np.where(np.isnan(profiles.female), "unknown", np.where(profiles.female > 0, "female", "male")),
        "age": np.where(
            np.isnan(profiles.age_years), "unknown", np.where(profiles.age_years < 18, "below 18", "18 and over")
        ),
        "missing_days": np.array(["least", "middle", "most"])[np.digitize(data.missing_share, thirds)],
    }
    result: dict[str, dict[str, dict[str, float]]] = {}
    for name, group in groups.items():
        result[name] = {}
        for value in np.unique(group[expected > 0]):
            here = group == value
            ratio = float(observed[here].sum() / expected[here].sum())
            replicates = ratio_replicates(observed * here, expected * here, weights)
            result[name][str(value)] = asdict(interval(ratio, replicates)) | {"attacks": int(attacks[here].sum())}
    return result


def decision_curve(chance: Float64, label: Bool) -> dict[str, float]:
    """Net benefit of acting above each threshold of chance."""
    return {str(threshold): net_benefit(chance >= threshold, label, threshold) for threshold in DECISION_THRESHOLDS}


def rule_decision_curve(data: StudyData, judged: Bool) -> dict[str, float]:
    """Net benefit of acting in the yellow or red zone."""
    flagged, label = (data.action_plan >= 1)[judged], data.label[judged]
    return {str(threshold): net_benefit(flagged, label, threshold) for threshold in DECISION_THRESHOLDS}


def diary_day_curve(
    data: StudyData, held: dict[str, Held], judged: Bool, alarm_mask: Bool, base: float
) -> list[dict[str, Any]]:
    """What knowing the patient is worth as the diary grows: log loss, AUROC and attacks foreseen by diary days.

    `sensitivity` is that at `CURVE_BUDGET` alarms per patient-month within the same stretch of diary.
    """
    curve = []
    for low, high in pairwise(CURVE_DAYS):
        stretch = (data.days.diary_days >= low) & (data.days.diary_days < high)
        here, alarms_here = judged & stretch, alarm_mask & stretch
        label = data.label[here]
        if not label.any() or label.all():
            continue
        base_loss = log_loss(np.full(len(label), np.log(base / (1 - base))), label)
        row: dict[str, Any] = {"from_day": low, "to_day": high - 1, "days": len(label), "positive": int(label.sum())}
        for name in (PRODUCT, POPULATION, TODAY_ONLY, ORACLE):
            logit = held[name].logit if name in held else None
            if logit is not None:
                values = logit[here]
                score = np.where(np.isfinite(held[name].alarm_score), held[name].alarm_score, -np.inf)
                row[name] = {
                    "auroc": auroc(values, label),
                    "log_loss_gain": base_loss - log_loss(values, label),
                    "sensitivity": alarms_at_budget(score, alarms_here, data.days.onset, CURVE_BUDGET).sensitivity,
                }
        curve.append(row)
    return curve


def settled_hospitals(data: StudyData, held: dict[str, Held], judged: Bool) -> dict[str, dict[str, float]]:
    """Observed over expected of each hospital from day 100 on, its factor learned anew every four weeks from the past.

    `true_over_expected` uses the simulator's own chances instead of the attacks that happened, which frees it of their
    chance; it is missing on real diaries. `factor` is the last one.
    """
    logit = held[POPULATION].logit if POPULATION in held else None
    if logit is None:
        return {}
    offset = np.broadcast_to(np.arange(len(judged))[:, None], judged.shape)
    result: dict[str, dict[str, float]] = {}
    for code in np.unique(data.profiles.hospital[data.profiles.hospital >= 0]):
        here = judged & (data.profiles.hospital == code)
        happened = expected = truly = 0.0
        factor = 1.0
        for start in range(HOSPITAL_SETTLING_DAYS, len(judged), HOSPITAL_UPDATE_DAYS):
            # Outcomes that were still open on the day of the update are not known yet.
            past = here & (offset < start - MAIN_HORIZON_DAYS)
            now = here & (offset >= start) & (offset < start + HOSPITAL_UPDATE_DAYS)
            # Overlapping 7-day outcomes count each attack seven times.
            observed, foreseen = data.label[past].sum() / 7, logistic(logit[past]).sum() / 7
            factor = float(shrunk_factor(observed, foreseen, HOSPITAL_PRIOR_ATTACKS))
            happened += data.label[now].sum()
            expected += logistic(logit[now] + np.log(factor)).sum()
            truly += 0.0 if data.oracle is None else data.oracle[now].sum()
        if not expected:
            continue
        row = {"factor": factor, "observed_over_expected": float(happened / expected)}
        if data.oracle is not None:
            row["true_over_expected"] = float(truly / expected)
        result[str(code)] = row
    return result
