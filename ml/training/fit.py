"""From a cohort to a model: experts, calibration on unseen patients, hospital factors, alarm thresholds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.alarms import AMBER_BUDGET, RED_BUDGET
from ml.contract import HORIZONS_DAYS, Diaries, Profiles
from ml.evaluation.metrics import alarm_counts, alarms_at_budget, auroc
from ml.evaluation.rules import action_plan_score, peak_flow_of_best
from ml.features.catalogue import FEATURES, SLOW_COLUMNS
from ml.features.daily import patient_days
from ml.model import MAIN_HORIZON_DAYS, Head, Model, Reference
from ml.personal import hospital_shift
from ml.scoring import head_logit, personalised
from ml.training.calibration import fit_calibration, hospital_factors, log_loss
from ml.training.experts import RIDGE_PENALTY, fit_linear, fit_trees
from ml.training.outcome import followed_days, judged_days, onset_within

Bool = NDArray[np.bool_]
PATIENTS_AT_ONCE = 1024
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Diaries and profiles to learn from; `last_day` is the last day of follow-up of each patient (ordinal)."""

    diaries: Diaries
    profiles: Profiles
    last_day: NDArray[np.int64]

    def chosen(self, patients: NDArray[np.intp]) -> "Cohort":
        """The cohort of some patients only, renumbered in the order given by their sorted numbers."""
        chosen = np.sort(patients)
        number = np.full(len(self.profiles), -1, dtype=np.int32)
        number[chosen] = np.arange(len(chosen), dtype=np.int32)
        rows = self.diaries.rows(number[self.diaries.patient_index] >= 0)
        columns = {name: getattr(rows, name) for name in rows.__slots__}
        diaries = Diaries(**columns | {"patient_index": number[rows.patient_index]})
        return Cohort(diaries, self.profiles.rows(chosen), self.last_day[chosen])


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How a model is fitted. `every_days` thins the days, of which neighbours say much the same.

    Days before an attack are rare and say most: with `attack_every_days` they are thinned less, and every row counts
    for the days that it stands for. `every_days` must be a multiple of it. `ridge` is the regressions' penalty.
    """

    seed: int = 1
    trees: int = 300
    folds: int = 2
    every_days: int = 4
    attack_every_days: int | None = None
    horizons: tuple[int, ...] = HORIZONS_DAYS
    threshold_patients: int = 3000
    ridge: float = RIDGE_PENALTY


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRows:
    """Thinned patient-days: features (rows, features); patient and judged label of each row, by horizon.

    `days` says how many days a row stands for; `evenly` marks the rows that are there whatever their outcome.
    """

    features: NDArray[np.float32]
    patient: NDArray[np.int32]
    days: NDArray[np.float64]
    evenly: Bool
    judged: dict[int, Bool]
    label: dict[int, Bool]


def training_rows(cohort: Cohort, plan: TrainingPlan) -> TrainingRows:
    """Features and outcomes of the days to learn from, made in chunks of patients."""
    features, patient, stands_for, evenly = [], [], [], []
    attack_every = plan.attack_every_days or plan.every_days
    if plan.every_days % attack_every:
        raise ValueError(f"every_days ({plan.every_days}) must be a multiple of attack_every_days ({attack_every})")
    judged: dict[int, list[Bool]] = {horizon: [] for horizon in plan.horizons}
    label: dict[int, list[Bool]] = {horizon: [] for horizon in plan.horizons}
    patients = len(cohort.profiles)
    for start in range(0, patients, PATIENTS_AT_ONCE):
        members = np.arange(start, min(start + PATIENTS_AT_ONCE, patients))
        part = cohort.chosen(members)
        days = patient_days(part.diaries, part.profiles)
        followed = followed_days(part.diaries, len(members), part.last_day)
        offset = np.arange(len(days.day))[:, None]
        even = (offset + members) % plan.every_days == 0
        before_attack = onset_within(days.onset, max(plan.horizons))
        kept = even | (before_attack & ((offset + members) % attack_every == 0))
        allowed = {horizon: judged_days(days, followed, horizon) & kept for horizon in plan.horizons}
        any_allowed = np.logical_or.reduce(list(allowed.values()))
        features.append(days.features[any_allowed])
        stands_for.append(np.where(before_attack, attack_every, plan.every_days)[any_allowed].astype(np.float64))
        evenly.append(even[any_allowed])
        patient.append(np.broadcast_to(members, kept.shape)[any_allowed].astype(np.int32))
        for horizon in plan.horizons:
            judged[horizon].append(allowed[horizon][any_allowed])
            label[horizon].append(onset_within(days.onset, horizon)[any_allowed])
    return TrainingRows(
        features=np.concatenate(features),
        patient=np.concatenate(patient),
        days=np.concatenate(stands_for),
        evenly=np.concatenate(evenly),
        judged={horizon: np.concatenate(parts) for horizon, parts in judged.items()},
        label={horizon: np.concatenate(parts) for horizon, parts in label.items()},
    )


def fit_head(
    features: NDArray[np.float32], label: Bool, plan: TrainingPlan, weight: NDArray[np.float64] | None = None
) -> Head:
    """One horizon's experts, not yet calibrated."""
    rate = fit_linear(features, label, SLOW_COLUMNS, weight, plan.ridge)
    # On all columns, not only the fast ones: how much a bad day means depends on whose it is.
    columns = range(len(FEATURES))
    trees = fit_trees(features, label, columns, rate.logit(features), plan.trees, plan.seed, weight=weight)
    linear = fit_linear(features, label, range(len(FEATURES)), weight, plan.ridge)
    return Head(rate=rate, trees=trees, linear=linear, slope=1.0, intercept=0.0)


def patient_folds(patients: int, plan: TrainingPlan) -> NDArray[np.intp]:
    """Fold of each patient, drawn by the plan's seed."""
    return np.random.default_rng(plan.seed).permutation(patients) % plan.folds


@dataclass(frozen=True, slots=True, eq=False)
class FittedHead:
    """A calibrated head, what it would have said of rows it had not seen, and the head that left out fold 0."""

    head: Head
    first_fold_head: Head
    held_out_logit: NDArray[np.float64]
    held_out_linear: NDArray[np.float64]


def fit_calibrated_head(
    features: NDArray[np.float32],
    label: Bool,
    row_fold: NDArray[np.intp],
    plan: TrainingPlan,
    days_a_row: NDArray[np.float64] | None = None,
) -> FittedHead:
    """Fit on all rows, calibrate on predictions for folds of patients left out.

    `days_a_row` is how many days each row stands for (default: all alike).
    """
    # The penalties of trees and regression are meant for rows of weight 1, so the rarest kind of row has that.
    weight = None if days_a_row is None else days_a_row / days_a_row.min()
    raw, linear = np.empty(len(label)), np.empty(len(label))
    fold_heads = []
    for number in range(plan.folds):
        outside = row_fold == number
        inside = None if weight is None else weight[~outside]
        fold_heads.append(fit_head(features[~outside], label[~outside], plan, inside))
        raw[outside] = fold_heads[-1].raw_logit(features[outside])
        linear[outside] = fold_heads[-1].linear.logit(features[outside])
    slope, intercept = fit_calibration(raw, label, weight)
    head = fit_head(features, label, plan, weight)
    return FittedHead(
        head=replace(head, slope=slope, intercept=intercept),
        first_fold_head=replace(fold_heads[0], slope=slope, intercept=intercept),
        held_out_logit=slope * raw + intercept,
        held_out_linear=linear,
    )


def train(cohort: Cohort, plan: TrainingPlan, card: dict[str, Any], say: Say = lambda _: None) -> Model:
    """Fit a model. ValueError when the cohort holds too few attacks for each fold to have some.

    `card` is what the model says of itself (`model_id`, `model_version`, `data`); the figures found here are added.
    """
    rows = training_rows(cohort, plan)
    say(f"{len(rows.features):,} patient-days of {len(cohort.profiles):,} patients")
    fold = patient_folds(len(cohort.profiles), plan)
    heads: dict[int, Head] = {}
    metrics: dict[str, Any] = {}
    for horizon in plan.horizons:
        judged = rows.judged[horizon]
        features, label, patient = rows.features[judged], rows.label[horizon][judged], rows.patient[judged]
        fitted = fit_calibrated_head(features, label, fold[patient], plan, rows.days[judged])
        heads[horizon] = fitted.head
        metrics[str(horizon)] = _held_out_figures(fitted, label, rows.evenly[judged])
        say(f"{horizon}-day head: {metrics[str(horizon)]}")
        if horizon == MAIN_HORIZON_DAYS:
            hospital = cohort.profiles.hospital[patient]
            factors = hospital_factors(fitted.held_out_logit, label, hospital, horizon, rows.days[judged])
            threshold_head = fitted.first_fold_head
    unseen = cohort.chosen(np.flatnonzero(fold == 0)[: plan.threshold_patients])
    amber, red, alarms = alarm_thresholds(unseen, threshold_head, factors)
    say(f"alarm thresholds {amber:.3f} and {red:.3f}")
    found = {"held_out": metrics, "held_out_alarms": alarms}
    return Model(heads, factors, amber, red, dict(card) | found, _reference(rows.features[rows.evenly]))


def _held_out_figures(fitted: FittedHead, label: Bool, evenly: Bool) -> dict[str, float]:
    """How good the predictions for patients left out were, on days thinned without regard to the outcome."""
    logit, linear, outcome = fitted.held_out_logit[evenly], fitted.held_out_linear[evenly], label[evenly]
    base_rate = float(outcome.mean())
    base_logit = np.full(len(outcome), np.log(base_rate / (1 - base_rate)))
    return {
        "days_learned_from": len(label),
        "positive_days_learned_from": int(label.sum()),
        "days": len(outcome),
        "positive_days": int(outcome.sum()),
        "log_loss": log_loss(logit, outcome),
        "log_loss_of_base_rate": log_loss(base_logit, outcome),
        "auroc": auroc(logit, outcome),
        "auroc_logistic_regression": auroc(linear, outcome),
    }


def bin_shares(values: NDArray[np.float32], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of `values` up to each edge, above the last edge, and missing."""
    known = values[~np.isnan(values)]
    counts = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    shares: NDArray[np.float64] = np.append(counts, len(values) - len(known)) / len(values)
    return shares


def _reference(features: NDArray[np.float32]) -> dict[str, Reference]:
    spreads: dict[str, Reference] = {}
    for feature, values in zip(FEATURES, features.T, strict=True):
        known = values[~np.isnan(values)]
        edges = np.unique(np.quantile(known, np.arange(1, 10) / 10)).astype(np.float64) if len(known) else np.zeros(0)
        spreads[feature.name] = Reference(tuple(edges.tolist()), tuple(bin_shares(values, edges).tolist()))
    return spreads


def alarm_thresholds(cohort: Cohort, head: Head, factors: dict[int, float]) -> tuple[float, float, dict[str, Any]]:
    """Amber and red thresholds that keep the default budgets on patients that `head` has not seen.

    The third element holds sensitivity and PPV there, beside logistic regression and the action-plan rule.
    """
    days = patient_days(cohort.diaries, cohort.profiles)
    followed = followed_days(cohort.diaries, len(cohort.profiles), cohort.last_day)
    judged = judged_days(days, followed, 0)
    site_shift = hospital_shift(factors, cohort.profiles.hospital)
    score = personalised(days, head_logit(head, days, judged) + site_shift).alarm_score
    linear = np.full(judged.shape, -np.inf)
    linear[judged] = head.linear.logit(days.features[judged])
    zone = action_plan_score(peak_flow_of_best(cohort.diaries, cohort.profiles, len(judged)))
    rule = alarm_counts(zone, judged, days.onset, 1.0).figures(1.0)
    budgets = {"amber": AMBER_BUDGET, "red": RED_BUDGET, "as_action_plan": rule.alarms_per_patient_month}
    model = {name: alarms_at_budget(score, judged, days.onset, budget) for name, budget in budgets.items()}
    figures: dict[str, Any] = {
        "patients": len(cohort.profiles),
        "action_plan_yellow_or_red": rule.to_dict(),
        "model": {name: found.to_dict() for name, found in model.items()},
        "logistic_regression": {
            name: alarms_at_budget(linear, judged, days.onset, budget).to_dict() for name, budget in budgets.items()
        },
    }
    return model["amber"].threshold, model["red"].threshold, figures
