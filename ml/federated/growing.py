"""Trees over the exchange: each hospital grows its own, tells their splits, and sums of all value their leaves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.experts import LinearExpert
from ml.federated.exchange import Exchange, RunRefused
from ml.federated.messages import Reply
from ml.federated.tree_steps import MOST_LEAVES, shared, variant_name
from ml.federated.trees import (
    Tree,
    Trees,
    TreesRefused,
    by_tree,
    read_splits,
    together,
    valued,
    write_splits,
    write_trees,
)
from ml.training.experts import PARAMETERS

Float64 = NDArray[np.float64]

# Each tree's leaves would take one Newton step from the regression; the mean over the forest is less than that, and so
# many of it are taken. Chosen on simulated hospitals of seeds 21-24: 1 to 4 foresee the same to 0.004 of the attacks,
# and with 4 the log-odds need the least calibration.
FOREST_STEP = 4.0
# Sums come back from fixed point.
TOLERANCE = 1e-3


class NothingGrown(RunRefused):
    """No hospital had a tree to tell of; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees of every variant by its name, and how many rows of all hospitals reach each of their leaves."""

    trees: Mapping[str, tuple[Tree, ...]]
    leaf_rows: Mapping[str, list[NDArray[Any]]]

    def __add__(self, other: "Forest") -> "Forest":
        return Forest(
            {name: (*trees, *other.trees[name]) for name, trees in self.trees.items()},
            {name: [*rows, *other.leaf_rows[name]] for name, rows in self.leaf_rows.items()},
        )


def grow_forest(
    exchange: Exchange,
    experts: Mapping[str, LinearExpert],
    edges: list[Float64],
    trees: int,
    number: int = 0,
    step: float = FOREST_STEP,
    so_far: Forest | None = None,
) -> Forest:
    """One forest, of at most `trees` a hospital and variant, on top of the shared regressions and of `so_far`.

    `number` tells the forests of a run apart. NothingGrown where no hospital grows any tree of a variant.
    """
    variants = [variant_name(horizon, left_out) for horizon, left_out in exchange.plan.variants]
    fields, arrays = shared(experts, edges)
    before = {f"so_far.{name}": write_trees(so_far.trees[name]) for name in variants} if so_far else {}
    read: dict[str, dict[str, Trees]] = {}

    def accept(hospital: str, reply: Reply) -> None:
        if reply.fields.get("patients") != exchange.members.patients[hospital]:
            raise TreesRefused("another number of patients than in its hello")
        if set(reply.texts) != set(variants):
            raise TreesRefused("trees of other variants than asked for")
        read[hospital] = {name: read_splits(reply.texts[name], trees, MOST_LEAVES, edges) for name in variants}

    grown = exchange.ask(
        "grow",
        f"{number:02d}",
        fields=fields | {"trees": trees, "seed": exchange.plan.seed + 1000 * number},
        arrays=arrays,
        texts=before,
        accept=accept,
    )
    for hospital, texts in grown.texts.items():
        if hospital not in read:  # a step from disk
            read[hospital] = {name: read_splits(text, trees, MOST_LEAVES, edges) for name, text in texts.items()}
    patients = {hospital: float(facts["patients"]) for hospital, facts in grown.fields.items()}
    # Who sent no trees of a variant has no share in it; a share of nothing would only make the others' smaller.
    growers = {name: {who: read[who][name] for who in patients if read[who][name]} for name in variants}
    if not all(growers.values()):
        fewest = exchange.plan.privacy.patients_to_grow
        raise NothingGrown(f"no hospital has {fewest} patients, and attacks enough, to grow trees")
    forests = {name: together(growers[name], patients) for name in variants}

    shapes = {
        f"{part}.{name}": (sum(len(tree.leaf_value) for tree in forest),)
        for name, (forest, _) in forests.items()
        for part in ("rows", "gradient", "hessian")
    }

    def check(sums: Mapping[str, Float64]) -> None:
        for name, (forest, _) in forests.items():
            check_leaf_sums(forest, *(sums[f"{part}.{name}"] for part in ("rows", "gradient", "hessian")))

    found = exchange.ask(
        "leaves",
        f"{number:02d}",
        fields=fields,
        arrays=arrays,
        texts=before | {name: write_splits(forest) for name, (forest, _) in forests.items()},
        shapes=shapes,
        check=check,
    )
    exchange.say(f"trees of {max(len(who) for who in growers.values())} hospitals, their leaves valued by all")
    grown_forest: dict[str, tuple[Tree, ...]] = {}
    leaf_rows: dict[str, list[NDArray[Any]]] = {}
    for name, (forest, shares) in forests.items():
        rows, gradient, hessian = (found.sums[f"{part}.{name}"] for part in ("rows", "gradient", "hessian"))
        # An honest leaf rests on more; one made to single somebody out says nothing.
        gradient = np.where(rows < exchange.plan.privacy.rows_per_leaf, 0.0, gradient)
        grown_forest[name] = valued(forest, newton_leaves(forest, shares, gradient, hessian, step))
        leaf_rows[name] = by_tree(forest, np.round(rows))
    return Forest(grown_forest, leaf_rows)


def check_leaf_sums(trees: Trees, rows: Float64, gradient: Float64, hessian: Float64) -> None:
    """ValueError where these cannot be sums over the rows of a logistic regression that reach each leaf."""
    if np.abs(rows - np.round(rows)).max() > TOLERANCE or rows.min() < -TOLERANCE:
        raise ValueError("rows of a leaf must be whole and not negative")
    if (np.abs(gradient) > rows + TOLERANCE).any() or (hessian < -TOLERANCE).any():
        raise ValueError("a leaf's gradient or Hessian is beyond that of its rows")
    if (hessian > rows / 4 + TOLERANCE).any():
        raise ValueError("a leaf's Hessian is beyond that of its rows")
    for values in (rows, gradient, hessian):
        # Every row reaches one leaf of every tree.
        if np.ptp([part.sum() for part in by_tree(trees, values)]) > 10 * TOLERANCE:
            raise ValueError("the trees of a forest rest on different rows")


def newton_leaves(trees: Trees, shares: Float64, gradient: Float64, hessian: Float64, step: float) -> list[Float64]:
    """Leaf values, an array a tree, that take `step` times the forest's mean Newton step; `shares` weigh its trees.

    `gradient` and `hessian` are over all hospitals' rows, all leaves of all trees behind one another.
    """
    newton = -gradient / (hessian + PARAMETERS["lambda_l2"])
    return [step * share * values for share, values in zip(shares, by_tree(trees, newton), strict=True)]
