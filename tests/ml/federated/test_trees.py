import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.experts import TreeExpert
from ml.features.catalogue import FAST_COLUMNS, FEATURES
from ml.federated.bins import bin_numbers
from ml.federated.tree_steps import FAST_NAMES, HOSPITAL_TREES, booster_of
from ml.federated.trees import (
    Tree,
    TreesRefused,
    from_lightgbm,
    merge,
    predict,
    read_trees,
    to_lightgbm,
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


def test_what_travels_counts_no_patient() -> None:
    assert set(re.findall(r"^([a-z_]+)=", TEXT, re.MULTILINE)) == {
        *("trees", "tree", "split_feature", "threshold", "decision_type", "left_child", "right_child", "leaf_value")
    }


def test_merged_booster_is_the_weighted_sum_of_the_hospitals_trees() -> None:
    parts = {"cork": grown(2, slice(0, 1500)), "aden": grown(3, slice(1500, None))}
    weights = {"aden": 2500.0, "cork": 1500.0}
    inputs = ROWS[:, FAST_COLUMNS].astype(np.float64)
    expected = (2500 * predict(parts["aden"], inputs) + 1500 * predict(parts["cork"], inputs)) / 4000
    merged = merge(parts, weights)
    assert np.abs(booster_of(merged).logit(ROWS) - expected).max() < 1e-12


def test_the_order_in_which_hospitals_answered_changes_nothing() -> None:
    parts = {"aden": grown(2), "cork": grown(3)}
    weights = {"aden": 1.0, "cork": 3.0}
    assert write_trees(merge(parts, weights)) == write_trees(merge(dict(reversed(parts.items())), weights))


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
