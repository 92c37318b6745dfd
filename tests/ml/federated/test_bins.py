import numpy as np

from ml.experts import linear_inputs
from ml.features.catalogue import COLUMN, FAST_COLUMNS, FEATURES
from ml.federated.bins import bin_numbers, cell_counts, cell_edges, shared_edges, spreads

RNG = np.random.default_rng(3)
FEATURE_ROWS = np.abs(RNG.normal(1.0, 1.0, (5000, len(FEATURES)))).astype(np.float32)
FEATURE_ROWS[RNG.random(FEATURE_ROWS.shape) < 0.2] = np.nan
VALUES = linear_inputs(FEATURE_ROWS, range(len(FEATURES)))
GRID = cell_edges(np.nanmean(VALUES, axis=0), np.nanstd(VALUES, axis=0))


def test_hospitals_counts_add_up_to_those_of_all() -> None:
    parts = [cell_counts(VALUES[:1200], GRID), cell_counts(VALUES[1200:], GRID)]
    assert np.array_equal(parts[0] + parts[1], cell_counts(VALUES, GRID))


def test_shared_bins_hold_about_equal_shares_of_everybody() -> None:
    edges = shared_edges(cell_counts(VALUES, GRID), GRID, FAST_COLUMNS, 16)
    binned = bin_numbers(FEATURE_ROWS, FAST_COLUMNS, edges)
    column = FAST_COLUMNS[0]
    known = binned[~np.isnan(binned[:, column]), column].astype(int)
    assert set(known) == set(range(1, 17))
    assert np.abs(np.bincount(known)[1:] / len(known) - 1 / 16).max() < 0.02


def test_no_shared_threshold_is_a_patients_value() -> None:
    for column, edges in zip(
        FAST_COLUMNS, shared_edges(cell_counts(VALUES, GRID), GRID, FAST_COLUMNS, 32), strict=True
    ):
        assert not np.isin(edges, FEATURE_ROWS[:, column].astype(np.float64)).any()


def test_missing_stays_missing_and_a_value_on_an_edge_falls_below_it() -> None:
    rows = np.full((3, len(FEATURES)), np.nan, dtype=np.float32)
    column = FAST_COLUMNS[0]
    rows[1:, column] = 0.5, 0.75
    edges = [np.array([0.5])] * len(FAST_COLUMNS)
    binned = bin_numbers(rows, FAST_COLUMNS, edges)[:, column]
    assert np.isnan(binned[0])
    assert binned[1:].tolist() == [1.0, 2.0]


def test_training_spread_sums_to_one_and_counts_what_is_missing() -> None:
    edges, shares = spreads(cell_counts(VALUES, GRID), GRID)["age_years"]
    assert abs(sum(shares) - 1.0) < 1e-9
    assert len(shares) == len(edges) + 2
    assert abs(shares[-1] - np.isnan(FEATURE_ROWS[:, COLUMN["age_years"]]).mean()) < 1e-9
