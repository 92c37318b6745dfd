"""The steps that grow or try trees at a hospital."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from ml.evaluation.metrics import auroc
from ml.experts import LinearExpert, TreeExpert
from ml.features.catalogue import FAST_COLUMNS, FEATURE_NAMES
from ml.features.daily import patient_days
from ml.federated.alarm_sums import alarm_sums
from ml.federated.bins import bin_numbers
from ml.federated.logit_counts import logit_counts
from ml.federated.messages import Question
from ml.federated.plan import FederationPlan
from ml.federated.rows import HospitalRows
from ml.federated.trees import Tree, from_lightgbm, read_splits, read_trees, to_lightgbm, write_splits
from ml.model import MAIN_HORIZON_DAYS, Head
from ml.personal import HOSPITAL_PRIOR_ATTACKS, logistic, shrunk_factor
from ml.scoring import head_logit, personalised
from ml.training.experts import fit_trees
from ml.training.fit import Cohort
from ml.training.outcome import followed_days, judged_days

Float64 = NDArray[np.float64]
# A hospital has tens or hundreds of attacks to learn from, where the small, random trees of the method study did best.
MOST_LEAVES = 7
HOSPITAL_TREES = {"num_leaves": MOST_LEAVES, "learning_rate": 0.05, "extra_trees": True, "feature_fraction": 0.6}
FAST_NAMES = tuple(FEATURE_NAMES[column] for column in FAST_COLUMNS)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """`sums` go out masked; `fields` are plain numbers about enough patients; `texts` are trees."""

    sums: Mapping[str, Float64]
    fields: Mapping[str, Any]
    texts: Mapping[str, str]


def variant_name(horizon: int, left_out: int) -> str:
    """How a variant is called in messages."""
    return f"{horizon}/{left_out}"


def shared_thresholds(question: Question) -> list[Float64]:
    """The shared thresholds of each fast feature."""
    return [np.asarray(question.arrays[f"edges.{name}"], dtype=np.float64) for name in FAST_NAMES]


def shared(experts: Mapping[str, LinearExpert], edges: list[Float64]) -> tuple[dict[str, Any], dict[str, Float64]]:
    """Fields and arrays that every step with trees is told: the regressions by variant, and the shared thresholds."""
    fields = {"linear": {name: fitted.to_dict() for name, fitted in experts.items()}}
    return fields, {f"edges.{name}": values for name, values in zip(FAST_NAMES, edges, strict=True)}


def _most_trees(question: Question, plan: FederationPlan) -> int:
    return plan.trees * max(len(question.participants), plan.fewest_hospitals) * max(1, plan.challenger_rounds) * 4


def merged_trees(question: Question, name: str, plan: FederationPlan, edges: list[Float64]) -> tuple[Tree, ...]:
    """Trees that the coordinator sent, read as strictly as the coordinator reads a hospital's."""
    return read_trees(question.texts[name], _most_trees(question, plan), MOST_LEAVES, edges)


def booster_of(trees: tuple[Tree, ...], leaf_rows: list[NDArray[np.int64]] | None = None) -> TreeExpert:
    """LightGBM's own form of the trees."""
    return TreeExpert.from_text(to_lightgbm(trees, FAST_NAMES, leaf_rows))


def tree_logit(trees: tuple[Tree, ...], features: NDArray[np.float32]) -> Float64:
    """What the trees add to the log-odds of each row."""
    return booster_of(trees).logit(features) if trees else np.zeros(len(features))


def rows_per_leaf(rows: HospitalRows, plan: FederationPlan) -> int:
    """So many rows that fewer than the plan's patients cannot fill a leaf, whoever they are."""
    return max(plan.privacy.rows_per_leaf, (plan.privacy.patients_per_leaf - 1) * rows.most_rows_of_a_patient + 1)


def base_logit(
    rows: HospitalRows, question: Question, plan: FederationPlan, variant: tuple[int, int], edges: list[Float64]
) -> Float64:
    """What the trees of a variant add to: the shared regression, and the trees so far if there are any."""
    name = variant_name(*variant)
    features = rows.features[rows.chosen(plan.horizons.index(variant[0]), variant[1])]
    base = _linear(question, *variant).logit(features)
    if f"so_far.{name}" in question.texts:
        base = base + tree_logit(merged_trees(question, f"so_far.{name}", plan, edges), features)
    return base


def grow(rows: HospitalRows, question: Question, plan: FederationPlan, smallest_leaf: int) -> Answer:
    """Trees of every variant on shared bins over the shared regression, stripped of leaf values and of every count."""
    edges = shared_thresholds(question)
    binned = bin_numbers(rows.features, FAST_COLUMNS, edges)
    enough = rows.patients >= plan.privacy.patients_to_grow
    texts = {}
    for horizon, left_out in plan.variants:
        which = plan.horizons.index(horizon)
        chosen = rows.chosen(which, left_out)
        label = rows.label[which][chosen]
        trees: tuple[Tree, ...] = ()
        # LightGBM cannot split fewer rows than two leaves need, and warns of labels of one kind.
        if enough and label.any() and not label.all() and len(label) >= 2 * smallest_leaf:
            grown = fit_trees(
                binned[chosen],
                label,
                FAST_COLUMNS,
                base_logit(rows, question, plan, (horizon, left_out), edges),
                int(question.fields["trees"]),
                int(question.fields["seed"]),
                HOSPITAL_TREES | {"min_data_in_leaf": smallest_leaf, "boost_from_average": False},
            )
            trees = from_lightgbm(grown.booster.model_to_string(), edges)
        texts[variant_name(horizon, left_out)] = write_splits(trees)
    return Answer({}, {"patients": rows.patients // 10 * 10}, texts)


def leaves(rows: HospitalRows, question: Question, plan: FederationPlan) -> Answer:
    """Rows, gradient and Hessian of the log-loss in every leaf of all hospitals' trees, at what the trees add to."""
    edges = shared_thresholds(question)
    sums: dict[str, Float64] = {}
    for horizon, left_out in plan.variants:
        name, which = variant_name(horizon, left_out), plan.horizons.index(horizon)
        chosen = rows.chosen(which, left_out)
        trees = read_splits(question.texts[name], _most_trees(question, plan), MOST_LEAVES, edges)
        chance = logistic(base_logit(rows, question, plan, (horizon, left_out), edges))
        gradient, hessian = chance - rows.label[which][chosen], chance * (1.0 - chance)
        reached = leaf_numbers(trees, rows.features[chosen])
        for part, weight in (("rows", None), ("gradient", gradient), ("hessian", hessian)):
            sums[f"{part}.{name}"] = leaf_totals(trees, reached, weight)
    return Answer(sums, {}, {})


def leaf_numbers(trees: tuple[Tree, ...], features: NDArray[np.float32]) -> NDArray[np.int64]:
    """Leaf (rows, trees) that each row reaches."""
    booster: lightgbm.Booster = booster_of(trees).booster
    inputs = np.ascontiguousarray(features[:, FAST_COLUMNS])
    return np.asarray(booster.predict(inputs, pred_leaf=True, num_threads=1), dtype=np.int64).reshape(len(inputs), -1)


def leaf_totals(trees: tuple[Tree, ...], reached: NDArray[np.int64], weight: Float64 | None) -> Float64:
    """Rows, or the sum of their `weight`, in each leaf that they reached; all leaves of all trees in a row."""
    totals = [np.bincount(leaf, weight, len(tree.leaf_value)) for leaf, tree in zip(reached.T, trees, strict=True)]
    return np.concatenate(totals).astype(np.float64)


def held_out(rows: HospitalRows, question: Question, plan: FederationPlan) -> Answer:
    """Held-out log-odds of every candidate as counts."""
    edges = shared_thresholds(question)
    sums: dict[str, Float64] = {}
    fields: dict[str, Any] = {}
    for horizon in plan.horizons:
        which = plan.horizons.index(horizon)
        parts = [rows.held_out(which, fold) for fold in range(plan.folds)]
        label = np.concatenate([rows.label[which][part] for part in parts])
        linear = [_linear(question, horizon, fold).logit(rows.features[part]) for fold, part in enumerate(parts)]
        sums[f"linear.{horizon}"] = logit_counts(np.concatenate(linear), label)
        for candidate in question.fields["candidates"]:
            added = [
                tree_logit(
                    merged_trees(question, f"{candidate}.{variant_name(horizon, fold)}", plan, edges),
                    rows.features[part],
                )
                for fold, part in enumerate(parts)
            ]
            # The mean of the regression, and of the regression with the trees.
            logit = np.concatenate(linear) + 0.5 * np.concatenate(added)
            sums[f"{candidate}.{horizon}"] = logit_counts(logit, label)
            enough = label.sum() >= plan.privacy.smallest_cell
            if horizon == MAIN_HORIZON_DAYS:
                fields[candidate] = round(auroc(logit, label), 3) if enough else None
    return Answer(sums, fields, {})


def _linear(question: Question, horizon: int, fold: int) -> LinearExpert:
    return LinearExpert.from_dict(question.fields["linear"][variant_name(horizon, fold)])


def thresholds(rows: HospitalRows, question: Question, plan: FederationPlan, cohort: Cohort) -> Answer:
    """The hospital's shrunk factor, and its alarms at every threshold on patients of fold 0, unseen by the head."""
    edges = shared_thresholds(question)
    slope, intercept = (float(question.fields[name]) for name in ("slope", "intercept"))
    which = plan.horizons.index(MAIN_HORIZON_DAYS)
    heads = [
        Head(
            rate=_linear(question, MAIN_HORIZON_DAYS, fold),
            trees=booster_of(merged_trees(question, variant_name(MAIN_HORIZON_DAYS, fold), plan, edges)),
            linear=_linear(question, MAIN_HORIZON_DAYS, fold),
            slope=slope,
            intercept=intercept,
        )
        for fold in range(plan.folds)
    ]
    parts = [rows.held_out(which, fold) for fold in range(plan.folds)]
    logit = np.concatenate([head.logit(rows.features[part]) for head, part in zip(heads, parts, strict=True)])
    label = np.concatenate([rows.label[which][part] for part in parts])
    # Overlapping horizons count each attack once for every day of the horizon that was kept.
    thinning = plan.every_days / MAIN_HORIZON_DAYS
    observed, expected = label.sum() * thinning, logistic(logit).sum() * thinning
    factor = float(shrunk_factor(np.float64(observed), np.float64(expected), HOSPITAL_PRIOR_ATTACKS))

    unseen = cohort.chosen(np.flatnonzero(rows.fold == 0))
    days = patient_days(unseen.diaries, unseen.profiles)
    judged = judged_days(days, followed_days(unseen.diaries, len(unseen.profiles), unseen.last_day), 0)
    score = personalised(days, head_logit(heads[0], days, judged) + np.log(factor)).alarm_score
    return Answer(alarm_sums(score, judged, days.onset), {"factor": round(factor, 2)}, {})
