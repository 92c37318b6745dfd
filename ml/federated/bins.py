"""Shared thresholds: quantiles over all hospitals, cut on a fixed grid and never at a patient's own value."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml.features.catalogue import FEATURES

Float64 = NDArray[np.float64]

CELLS = 400
SPREADS = 6.0


def cell_edges(centre: Float64, scale: Float64) -> Float64:
    """Edges (features, CELLS + 1) of a fine grid over each feature's usual range, in the linear models' units."""
    steps = np.linspace(-SPREADS, SPREADS, CELLS + 1)
    edges: Float64 = centre[:, None] + scale[:, None] * steps
    return edges


def cell_counts(values: Float64, edges: Float64) -> Float64:
    """Rows (features, CELLS + 3) up to each edge, above the last, and, last, missing."""
    counts = np.zeros((values.shape[1], CELLS + 3))
    for column, (feature_edges, column_values) in enumerate(zip(edges, values.T, strict=True)):
        known = column_values[~np.isnan(column_values)]
        cells = np.searchsorted(feature_edges, known, side="left")
        counts[column, : CELLS + 2] = np.bincount(cells, minlength=CELLS + 2)
        counts[column, -1] = len(column_values) - len(known)
    return counts


def _natural(column: int, edges: Float64) -> Float64:
    return np.expm1(edges) if FEATURES[column].log_scaled else edges


def _cuts(counts: Float64, shares: Float64) -> NDArray[np.intp]:
    """Grid edges nearest above the given shares of the known rows; an edge that cuts nothing off is left out."""
    below = np.cumsum(counts[: CELLS + 1])
    total = counts[: CELLS + 2].sum()
    if not total:
        return np.zeros(0, dtype=np.intp)
    found = np.unique(np.searchsorted(below, shares * total, side="left"))
    inside = found[found <= CELLS]
    kept: NDArray[np.intp] = inside[(below[inside] > 0) & (below[inside] < total)]
    return kept


def shared_edges(counts: Float64, edges: Float64, columns: Sequence[int], bins: int) -> list[Float64]:
    """Thresholds of each of `columns`, in the feature's own units, that make `bins` bins of about equal rows."""
    shares = np.arange(1, bins) / bins
    return [_natural(column, edges[column][_cuts(counts[column], shares)]) for column in columns]


def spreads(counts: Float64, edges: Float64) -> dict[str, tuple[list[float], list[float]]]:
    """Of every feature, by name: edges by tenths in its own units, and the shares of `ml.model.Reference`."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for column, feature in enumerate(FEATURES):
        cuts = _cuts(counts[column], np.arange(1, 10) / 10)
        below = np.cumsum(counts[column][: CELLS + 2])
        steps = np.diff(np.concatenate([[0.0], below[cuts], [below[-1]]]))
        shares = np.append(steps, counts[column, -1]) / max(counts[column].sum(), 1.0)
        found[feature.name] = (_natural(column, edges[column][cuts]).tolist(), shares.tolist())
    return found


def bin_numbers(features: NDArray[np.float32], columns: Sequence[int], edges: Sequence[Float64]) -> NDArray[np.float32]:
    """The features with each of `columns` replaced by its bin, from 1; a missing value stays missing."""
    binned = features.copy()
    for column, cuts in zip(columns, edges, strict=True):
        values = features[:, column].astype(np.float64)
        numbers = np.searchsorted(cuts, values, side="left") + 1.0
        binned[:, column] = np.where(np.isnan(values), np.nan, numbers)
    return binned
