import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.experts import TreeExpert
from ml.features.catalogue import FAST_COLUMNS, FEATURES
from ml.federated.bins import bin_numbers
from ml.federated.growing import check_leaf_sums, newton_leaves
from ml.federated.tree_steps import FAST_NAMES, HOSPITAL_TREES, booster_of
from ml.federated.trees import (
    Tree,
    TreesRefused,
    by_tree,
    from_lightgbm,
    predict,
    read_splits,
    read_trees,
    to_lightgbm,
    together,
    write_splits,
    write_trees,
)
from ml.training.experts import fit_trees

RNG = np.random.default_rng(7)
ROWS = RNG.normal(size=(4000, len(FEATURES))).astype(np.float32)
ROWS[RNG.random(ROWS.shape) < 0.1] = np.nan
DIRECTIONS = np.array([FEATURES[column].risk_direction for column in FAST_COLUMNS])
LABEL = RNG.random(4000) < 1 / (1 + np.exp(1.0 - np.nan_to_num(ROWS[:, FAST_COLUMNS]) @ (0.3 * DIRECTIONS)))
EDGES = [np.round(np.linspace(-2, 2, 31), 3) + column / 1000 for column in range(len(FAST_COLUMNS))]


def grown(seed: int, rows: slice = slice(None)) -> tuple[Tree, ...]:
    binned = bin_numbers(ROWS, FAST_COLUMNS, EDGES)
    options = HOSPITAL_TREES | {"min_data_in_leaf": 100, "boost_from_average": False}
    booster = fit_trees(binned[rows], LABEL[rows], FAST_COLUMNS, np.zeros(len(LABEL[rows])), 12, seed, options)
    return from_lightgbm(booster.booster.model_to_string(), EDGES)


TREES = grown(1)
INPUTS = ROWS[:, FAST_COLUMNS].astype(np.float64)
TEXT = write_trees(TREES)


def read(text: str) -> tuple[Tree, ...]:
    return read_trees(text, 12, 7, EDGES)


def test_trees_trained_on_bins_say_the_same_of_raw_values() -> None:
    binned = bin_numbers(ROWS, FAST_COLUMNS, EDGES)
    options = HOSPITAL_TREES | {"min_data_in_leaf": 100, "boost_from_average": False}
    on_bins = fit_trees(binned, LABEL, FAST_COLUMNS, np.zeros(len(LABEL)), 12, 1, options).logit(binned)
    assert np.abs(booster_of(TREES).logit(ROWS) - on_bins).max() < 1e-12


def test_what_travels_comes_back_exactly() -> None:
    back = read(TEXT)
    assert len(back) == len(TREES) > 5
    for ours, theirs in zip(TREES, back, strict=True):
        for name in Tree.__slots__:
            assert np.array_equal(getattr(ours, name), getattr(theirs, name))


def test_splits_come_back_without_their_leaf_values() -> None:
    text = write_splits(TREES)
    back = read_splits(text, 12, 7, EDGES)
    for ours, theirs in zip(TREES, back, strict=True):
        assert np.array_equal(ours.leaves(INPUTS), theirs.leaves(INPUTS))
        assert np.array_equal(theirs.leaf_value, np.zeros_like(ours.leaf_value))
    with pytest.raises(TreesRefused, match="leaf values were sent"):
        read_splits(TEXT, 12, 7, EDGES)


def test_what_travels_counts_no_patient() -> None:
    splits = {"trees", "tree", "split_feature", "threshold", "decision_type", "left_child", "right_child"}
    assert set(re.findall(r"^([a-z_]+)=", write_splits(TREES), re.MULTILINE)) == splits
    assert set(re.findall(r"^([a-z_]+)=", TEXT, re.MULTILINE)) == splits | {"leaf_value"}


def test_a_forest_weighs_hospitals_by_their_patients_and_their_trees_alike() -> None:
    parts = {"cork": grown(2, slice(0, 1500)), "aden": grown(3, slice(1500, None))[:4]}
    trees, shares = together(parts, {"aden": 2500.0, "cork": 1500.0})
    assert trees == (*parts["aden"], *parts["cork"])
    assert np.allclose(shares[:4], 2500 / 4000 / 4)
    assert np.allclose(shares[4:], 1500 / 4000 / len(parts["cork"]))


def test_the_order_in_which_hospitals_answered_changes_nothing() -> None:
    parts = {"aden": grown(2), "cork": grown(3)}
    weights = {"aden": 1.0, "cork": 3.0}
    trees, shares = together(parts, weights)
    reversed_trees, reversed_shares = together(dict(reversed(parts.items())), weights)
    assert trees == reversed_trees
    assert np.array_equal(shares, reversed_shares)


def leaf_sums(label: np.ndarray, chance: np.ndarray, rows: slice = slice(None)) -> dict[str, np.ndarray]:
    """Sums over the leaves of TREES as plain numpy finds them."""
    sums: dict[str, list[np.ndarray]] = {"rows": [], "gradient": [], "hessian": []}
    for tree in TREES:
        leaf = tree.leaves(INPUTS[rows])
        for name, values in (
            ("rows", np.ones(len(leaf))),
            ("gradient", (chance - label)[rows]),
            ("hessian", (chance * (1 - chance))[rows]),
        ):
            sums[name].append(np.bincount(leaf, values, minlength=len(tree.leaf_value)))
    return {name: np.concatenate(parts) for name, parts in sums.items()}


def test_leaves_take_the_newton_step_that_all_rows_ask_for() -> None:
    chance = np.full(len(LABEL), 0.3)
    sums = leaf_sums(LABEL, chance)
    shares = np.full(len(TREES), 1 / len(TREES))
    values = newton_leaves(TREES, shares, sums["gradient"], sums["hessian"], step=2.0)
    leaf = TREES[3].leaves(INPUTS)
    for number, value in enumerate(values[3]):
        here = leaf == number
        newton = (LABEL[here].sum() - 0.3 * here.sum()) / (0.21 * here.sum() + 10.0)
        assert value == pytest.approx(2.0 / len(TREES) * newton)


def test_sums_of_leaves_that_no_rows_can_have_are_refused() -> None:
    chance = np.full(len(LABEL), 0.3)
    honest = leaf_sums(LABEL, chance)
    check_leaf_sums(TREES, **honest)
    elsewhere = honest["rows"].copy()
    elsewhere[0] += 5
    for part, values, reason in (
        ("rows", honest["rows"] + 0.3, "whole"),
        ("rows", elsewhere, "different rows"),
        ("gradient", 9.0 * honest["gradient"] - 9 * honest["rows"], "gradient"),
        ("hessian", 9.0 * honest["hessian"], "Hessian"),
        ("hessian", -honest["hessian"], "Hessian"),
        ("gradient", np.where(np.arange(len(elsewhere)) == 0, 0.0, honest["gradient"]), "different rows"),
    ):
        with pytest.raises(ValueError, match=reason):
            check_leaf_sums(TREES, **(honest | {part: values}))
    assert [len(part) for part in by_tree(TREES, honest["rows"])] == [len(tree.leaf_value) for tree in TREES]


def test_tree_sizes_are_the_lengths_of_the_trees() -> None:
    text = to_lightgbm(TREES, FAST_NAMES)
    sizes = [int(size) for size in re.search(r"tree_sizes=(.*)", text)[1].split()]  # type: ignore[index]
    starts = [match.start() for match in re.finditer(r"^Tree=", text, re.MULTILINE)]
    ends = [*starts[1:], text.index("end of trees")]
    assert sizes == [end - start for start, end in zip(starts, ends, strict=True)]


def test_reasons_from_the_merged_trees_add_up() -> None:
    leaf_rows = [np.full(len(tree.leaf_value), 50) for tree in TREES]
    expert = TreeExpert.from_text(to_lightgbm(TREES, FAST_NAMES, leaf_rows))
    shares, rest = expert.contributions(ROWS[:200])
    assert np.abs(shares.sum(axis=1) + rest - expert.logit(ROWS[:200])).max() < 1e-9


LEAF_LINE = next(line for line in TEXT.splitlines() if line.startswith("leaf_value="))
SPLIT_LINE = next(line for line in TEXT.splitlines() if line.startswith("split_feature="))
CHILD_LINE = next(line for line in TEXT.splitlines() if line.startswith("left_child="))
THRESHOLD_LINE = next(line for line in TEXT.splitlines() if line.startswith("threshold="))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TEXT.replace(LEAF_LINE, "leaf_value=" + " ".join(["500.0"] * len(LEAF_LINE.split()))), "beyond 1"),
        (TEXT.replace(LEAF_LINE, LEAF_LINE.replace("leaf_value=", "leaf_value=nan ")), "not a list of numbers"),
        (TEXT.replace(LEAF_LINE, "leaf_value=np.float64(0.1)"), "not a list of numbers"),
        (TEXT.replace(LEAF_LINE, "leaf_count=5"), "not a list of numbers"),
        (TEXT[:-40], "cut short|lines"),
        (TEXT.replace(f"trees={len(TREES)}", f"trees={len(TREES) - 1}"), "lines"),
        (TEXT.replace(f"trees={len(TREES)}", "trees=999999"), "the plan allows"),
        (TEXT.replace("tree=3", "tree=4"), "out of order"),
        (TEXT.replace(SPLIT_LINE, "split_feature=" + " ".join(["999"] * len(SPLIT_LINE.split()))), "not there"),
        (TEXT.replace(CHILD_LINE, "left_child=" + " ".join(["0"] * len(CHILD_LINE.split()))), "do not make a tree"),
        (
            TEXT.replace(THRESHOLD_LINE, "threshold=" + " ".join(["0.123456789"] * len(THRESHOLD_LINE.split()))),
            "no shared threshold",
        ),
        ("", "cut short"),
        ("tree\nversion=v4\n", "cut short"),
    ],
)
def test_a_broken_text_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(TreesRefused, match=reason):
        read(text)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.characters(codec="utf-8"), st.integers(0, 3))
def test_no_single_error_in_a_text_reaches_lightgbm(at: int, character: str, removed: int) -> None:
    try:
        trees = read(TEXT[:at] + character + TEXT[at + removed :])
    except TreesRefused:
        return
    # What is let through is numbers within limits, which LightGBM answers as their plain sum.
    inputs = ROWS[:50, FAST_COLUMNS].astype(np.float64)
    assert np.abs(booster_of(trees).logit(ROWS[:50]) - predict(trees, inputs)).max() < 1e-9
