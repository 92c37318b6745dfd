"""Boosted trees as they travel between hospitals: splits and leaf values only, read by a strict parser.

A hospital sends the splits of its trees and no leaf values; those come from sums over all hospitals. LightGBM ends its
process on some malformed texts, so what another hospital sent never reaches it: the text is parsed here into numbers,
each within limits, and LightGBM is given a text written anew from those numbers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

LARGEST_TEXT = 32 * 1024 * 1024
# A leaf of one tree of a forest moves the log-odds by a fraction of a step; honest ones stay below 0.5.
LARGEST_LEAF = 1.0
# LightGBM's decision type of a numerical split whose missing values go right or left.
MISSING_RIGHT, MISSING_LEFT = 8, 10

# Thresholds of a split by what is missing alone: every known value lies on one side.
BELOW_ALL, ABOVE_ALL = -1e300, 1e300

_HEAD = re.compile(r"trees=(\d{1,6})")
_SPLITS = ("split_feature", "threshold", "decision_type", "left_child", "right_child")
_VALUES = "leaf_value"
_NUMBERS = re.compile(r"-?[0-9][0-9.e+-]{0,30}(?: -?[0-9][0-9.e+-]{0,30}){0,254}")


class TreesRefused(ValueError):
    """The text is not a set of trees that may be used; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """One tree: arrays over inner nodes, and `leaf_value` over leaves. A child below 0 is leaf `-child - 1`."""

    split_feature: Int64
    threshold: Float64
    decision_type: Int64
    left_child: Int64
    right_child: Int64
    leaf_value: Float64

    def leaves(self, inputs: Float64) -> Int64:
        """Leaf of each row of `inputs` (rows, features)."""
        node = np.zeros(len(inputs), dtype=np.int64)
        rows = np.arange(len(inputs))
        while len(inside := np.flatnonzero(node >= 0)):
            at = node[inside]
            value = inputs[rows[inside], self.split_feature[at]]
            left = np.where(np.isnan(value), self.decision_type[at] == MISSING_LEFT, value <= self.threshold[at])
            node[inside] = np.where(left, self.left_child[at], self.right_child[at])
        return -node - 1


Trees = Sequence[Tree]


def predict(trees: Trees, inputs: Float64) -> Float64:
    """Sum of the trees' leaf values for each row, in plain numpy: what LightGBM's answer is checked against."""
    total = np.zeros(len(inputs))
    for tree in trees:
        total += tree.leaf_value[tree.leaves(inputs)]
    return total


def write_trees(trees: Trees) -> str:
    """The text of finished trees: splits and leaf values, and nothing that counts patients."""
    return _written(trees, (*_SPLITS, _VALUES))


def write_splits(trees: Trees) -> str:
    """The text of trees without their leaf values: what a hospital tells of the trees that it grew."""
    return _written(trees, _SPLITS)


def _written(trees: Trees, keys: Sequence[str]) -> str:
    lines = [f"trees={len(trees)}"]
    for number, tree in enumerate(trees):
        lines.append(f"tree={number}")
        lines += [f"{key}={_numbers(getattr(tree, key))}" for key in keys]
    return "\n".join(lines) + "\n"


def _numbers(values: NDArray[np.generic]) -> str:
    # Through Python's own numbers: numpy's repr, "np.float64(0.1)", is what LightGBM dies of.
    return " ".join(repr(value) for value in values.tolist())


def read_trees(
    text: str, most_trees: int, most_leaves: int, edges: Sequence[Float64], largest_leaf: float = LARGEST_LEAF
) -> tuple[Tree, ...]:
    """Trees from a text of another hospital. `edges` holds the shared thresholds of each feature.

    TreesRefused for anything else than what `write_trees` writes: another key, number or order, a threshold that is not
    shared, a leaf beyond `largest_leaf`, a structure that is not a tree.
    """
    trees = _read(text, (*_SPLITS, _VALUES), most_trees, most_leaves, edges)
    for number, tree in enumerate(trees):
        if not np.isfinite(tree.leaf_value).all() or np.abs(tree.leaf_value).max() > largest_leaf:
            raise TreesRefused(f"tree {number} has a leaf beyond {largest_leaf:g}")
    return trees


def read_splits(text: str, most_trees: int, most_leaves: int, edges: Sequence[Float64]) -> tuple[Tree, ...]:
    """Trees with leaves of 0 from what `write_splits` wrote; TreesRefused as `read_trees`, leaf values included."""
    if f"\n{_VALUES}=" in text:
        raise TreesRefused("leaf values were sent, where they come from the sums of all hospitals")
    return _read(text, _SPLITS, most_trees, most_leaves, edges)


def _read(
    text: str, keys: Sequence[str], most_trees: int, most_leaves: int, edges: Sequence[Float64]
) -> tuple[Tree, ...]:
    if len(text) > LARGEST_TEXT:
        raise TreesRefused(f"the text has {len(text)} characters; at most {LARGEST_TEXT} are read")
    lines = text.split("\n")
    head = _HEAD.fullmatch(lines[0])
    if not head or lines[-1] != "":
        raise TreesRefused("the text is cut short or is not a set of trees")
    count = int(head[1])
    if count > most_trees:
        raise TreesRefused(f"{count} trees were sent; the plan allows {most_trees}")
    if len(lines) != 2 + count * (1 + len(keys)):
        raise TreesRefused(f"{count} trees were announced, but the text has {len(lines)} lines")
    shared = [frozenset((BELOW_ALL, *values.tolist(), ABOVE_ALL)) for values in edges]
    trees = []
    for number in range(count):
        start = 1 + number * (1 + len(keys))
        if lines[start] != f"tree={number}":
            raise TreesRefused(f"tree {number} is missing or out of order")
        values = {}
        for key, line in zip(keys, lines[start + 1 : start + 1 + len(keys)], strict=True):
            name, _, numbers = line.partition("=")
            if name != key or not _NUMBERS.fullmatch(numbers):
                raise TreesRefused(f"tree {number}: {key} is not a list of numbers")
            try:
                values[key] = [float(part) for part in numbers.split(" ")]
            except ValueError as error:
                raise TreesRefused(f"tree {number}: {key} is not a list of numbers") from error
        trees.append(_checked(number, values, most_leaves, shared))
    return tuple(trees)


def _checked(
    number: int, values: Mapping[str, list[float]], most_leaves: int, edges: Sequence[frozenset[float]]
) -> Tree:
    leaves = len(values["split_feature"]) + 1
    if not 2 <= leaves <= most_leaves:
        raise TreesRefused(f"tree {number} has {leaves} leaves; allowed are 2 to {most_leaves}")
    whole: dict[str, Int64] = {}
    for key in _SPLITS:
        if len(values[key]) != leaves - 1:
            raise TreesRefused(f"tree {number}: {key} has {len(values[key])} numbers where {leaves - 1} belong")
        if key != "threshold":
            if not all(value.is_integer() and abs(value) < 10_000 for value in values[key]):
                raise TreesRefused(f"tree {number}: {key} must hold small whole numbers")
            whole[key] = np.array(values[key], dtype=np.int64)
    leaf_value = np.array(values.get(_VALUES, [0.0] * leaves))
    if len(leaf_value) != leaves:
        raise TreesRefused(f"tree {number} has {len(leaf_value)} leaf values for {leaves} leaves")
    if not set(values["decision_type"]) <= {MISSING_RIGHT, MISSING_LEFT}:
        raise TreesRefused(f"tree {number} has a split of an unknown kind")
    if whole["split_feature"].min() < 0 or whole["split_feature"].max() >= len(edges):
        raise TreesRefused(f"tree {number} splits on a feature that is not there")
    for feature, value in zip(whole["split_feature"].tolist(), values["threshold"], strict=True):
        if value not in edges[feature]:
            raise TreesRefused(f"tree {number} splits feature {feature} at {value!r}, which is no shared threshold")
    children = np.concatenate([whole["left_child"], whole["right_child"]])
    # Every node but the root, and every leaf, is some node's child exactly once, and no child comes before its parent.
    parent = np.tile(np.arange(leaves - 1), 2)
    inner = children >= 0
    if (
        not np.array_equal(np.sort(children), np.delete(np.arange(-leaves, leaves - 1), leaves))
        or (children[inner] <= parent[inner]).any()
    ):
        raise TreesRefused(f"tree {number}: its nodes do not make a tree")
    return Tree(threshold=np.array(values["threshold"]), leaf_value=leaf_value, **whole)


def together(by_hospital: Mapping[str, Trees], weights: Mapping[str, float]) -> tuple[tuple[Tree, ...], Float64]:
    """All hospitals' trees as one forest, and each tree's share in its mean: its hospital's weight over its trees.

    Sorted by hospital name, so that the order in which replies came in changes nothing.
    """
    total = sum(weights[name] for name in by_hospital)
    trees: list[Tree] = []
    shares: list[float] = []
    for name in sorted(by_hospital):
        trees.extend(by_hospital[name])
        shares.extend([weights[name] / total / len(by_hospital[name])] * len(by_hospital[name]))
    return tuple(trees), np.array(shares)


def valued(trees: Trees, leaf_values: Sequence[Float64]) -> tuple[Tree, ...]:
    """The trees with other leaf values, an array a tree."""
    return tuple(replace(tree, leaf_value=values) for tree, values in zip(trees, leaf_values, strict=True))


def by_tree(trees: Trees, values: NDArray[np.generic]) -> list[NDArray[Any]]:
    """Numbers of all leaves of all trees behind one another, as one array a tree."""
    return np.split(values, np.cumsum([len(tree.leaf_value) for tree in trees])[:-1])


def from_lightgbm(text: str, edges: Sequence[Float64]) -> tuple[Tree, ...]:
    """Trees of a booster trained on bin numbers (`ml.federated.bins`), with the shared thresholds put in their place.

    A split that saw no missing value sends one to its heavier side. Trees without a split are left out.
    """
    trees = []
    for block in text.split("\nTree=")[1:]:
        fields = dict(line.split("=", 1) for line in block.split("end of trees")[0].splitlines()[1:] if "=" in line)
        if int(fields["num_leaves"]) < 2:
            continue
        feature = np.array(fields["split_feature"].split(), dtype=np.int64)
        threshold = np.array(fields["threshold"].split(), dtype=np.float64)
        kind = np.array(fields["decision_type"].split(), dtype=np.int64)
        left, right = (np.array(fields[f"{side}_child"].split(), dtype=np.int64) for side in ("left", "right"))
        inner = np.array(fields["internal_count"].split(), dtype=np.int64)
        leaf = np.array(fields["leaf_count"].split(), dtype=np.int64)

        def rows(child: Int64, inner: Int64 = inner, leaf: Int64 = leaf) -> Int64:
            return np.where(child >= 0, inner[np.maximum(child, 0)], leaf[np.maximum(-child - 1, 0)])

        saw_missing = (kind & 12) == MISSING_RIGHT
        heavier = np.where(rows(left) >= rows(right), MISSING_LEFT, MISSING_RIGHT)
        trees.append(
            Tree(
                split_feature=feature,
                threshold=np.array(
                    [_edge(edges[column], value) for column, value in zip(feature, threshold, strict=True)]
                ),
                decision_type=np.where(saw_missing, kind, heavier),
                left_child=left,
                right_child=right,
                leaf_value=np.array(fields["leaf_value"].split(), dtype=np.float64),
            )
        )
    return tuple(trees)


def _edge(edges: Float64, threshold: float) -> float:
    """The shared threshold that a threshold between bin numbers, which begin at 1, stands for."""
    if threshold < 1:
        return BELOW_ALL
    return float(edges[int(threshold) - 1]) if threshold < len(edges) + 1 else ABOVE_ALL


def to_lightgbm(trees: Trees, feature_names: Sequence[str], leaf_rows: Sequence[Int64] | None = None) -> str:
    """LightGBM's text form, `tree_sizes` included. `leaf_rows` are rows of each leaf, which exact reasons are told by.

    Without them every leaf counts alike.
    """
    blocks = []
    for number, tree in enumerate(trees):
        counts = (
            np.ones(len(tree.leaf_value), dtype=np.int64) if leaf_rows is None else np.maximum(leaf_rows[number], 1)
        )
        zeros = " ".join(["0"] * len(tree.threshold))
        blocks.append(
            f"Tree={number}\nnum_leaves={len(counts)}\nnum_cat=0\nsplit_feature={_numbers(tree.split_feature)}\n"
            f"split_gain={zeros}\nthreshold={_numbers(tree.threshold)}\ndecision_type={_numbers(tree.decision_type)}\n"
            f"left_child={_numbers(tree.left_child)}\nright_child={_numbers(tree.right_child)}\n"
            f"leaf_value={_numbers(tree.leaf_value)}\nleaf_weight={_numbers(counts)}\nleaf_count={_numbers(counts)}\n"
            f"internal_value={zeros}\ninternal_weight={zeros}\ninternal_count={_numbers(_inner_rows(tree, counts))}\n"
            "is_linear=0\nshrinkage=1\n\n\n"
        )
    infos = " ".join(["[-1e+300:1e+300]"] * len(feature_names))
    return (
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n"
        f"max_feature_idx={len(feature_names) - 1}\nobjective=binary sigmoid:1\n"
        f"feature_names={' '.join(feature_names)}\nfeature_infos={infos}\n"
        f"tree_sizes={' '.join(str(len(block)) for block in blocks)}\n\n"
        + "".join(blocks)
        + "end of trees\n\nfeature_importances:\n\nparameters:\n[objective: binary]\nend of parameters\n\n"
        + "pandas_categorical:null\n"
    )


def _inner_rows(tree: Tree, leaf_rows: Int64) -> Int64:
    inner = np.zeros(len(tree.threshold), dtype=np.int64)
    for node in reversed(range(len(inner))):
        for child in (tree.left_child[node], tree.right_child[node]):
            inner[node] += inner[child] if child >= 0 else leaf_rows[-child - 1]
    return inner
