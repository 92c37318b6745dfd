"""Making the arms comparable with the propensity score: trimming, matching, stratification, weighting."""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.rwe.propensity import PropensityModel
from ml.rwe.protocol import Adjustment, Propensity

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class AdjustedSample:
    """`kept` are the places of the patients that count; `weight` and `stratum` go with them, in the same order."""

    kept: Int64
    weight: Float64
    stratum: Int64
    weighted: bool


def common_support(model: PropensityModel, target: Bool, trim_share: float) -> Bool:
    """Patients in the range of scores where both arms are: Stürmer's asymmetric trimming (2010)."""
    low = np.quantile(model.score[target], trim_share)
    high = np.quantile(model.score[~target], 1 - trim_share)
    return np.asarray((model.score >= low) & (model.score <= high))


def match(logit: Float64, target: Bool, *, caliper: float, most_comparators: int = 1) -> Int64:
    """Set number per patient, -1 unmatched: target patients get the nearest free comparators within `caliper`.

    Greedy, the closest pair first, in O(n log n): comparators are sorted once, the next free one on either side is
    found by path compression, and a pair whose comparator was taken meanwhile is measured anew. Each round gives
    every matched patient one more comparator.
    """
    places = np.flatnonzero(~target)
    order = places[np.lexsort((places, logit[places]))]
    treated = np.flatnonzero(target)
    values, wanted = logit[order].tolist(), logit[treated].tolist()
    start = np.searchsorted(logit[order], logit[treated]).tolist()
    free = _FreePlaces(len(order))
    sets = np.full(len(logit), -1, dtype=np.int64)

    def nearest(number: int) -> tuple[float, int]:
        below, above = free.at_or_below(start[number] - 1), free.at_or_above(start[number])
        down = wanted[number] - values[below] if below >= 0 else np.inf
        up = values[above] - wanted[number] if above < len(values) else np.inf
        return (down, below) if down <= up else (up, above)

    for round_number in range(most_comparators):
        waiting = []
        for number, patient in enumerate(treated.tolist()):
            if round_number == 0 or sets[patient] >= 0:
                distance, place = nearest(number)
                if distance <= caliper:
                    waiting.append((distance, number, place))
        heapq.heapify(waiting)
        while waiting:
            _, number, place = heapq.heappop(waiting)
            if free.take(place):
                sets[treated[number]] = sets[order[place]] = number
                continue
            distance, place = nearest(number)
            if distance <= caliper:
                heapq.heappush(waiting, (distance, number, place))
    return sets


class _FreePlaces:
    """Places 0 to `count` - 1, some of them taken; the nearest free one on either side in almost constant time."""

    def __init__(self, count: int) -> None:
        # Shifted by one, so that 0 stands for "none below"; `count` stands for "none above".
        self._down, self._up = list(range(count + 1)), list(range(count + 1))

    def at_or_below(self, place: int) -> int:
        return self._root(self._down, place + 1) - 1

    def at_or_above(self, place: int) -> int:
        return self._root(self._up, place)

    def take(self, place: int) -> bool:
        """False where somebody took it before."""
        if self._up[place] != place:
            return False
        self._down[place + 1], self._up[place] = place, place + 1
        return True

    @staticmethod
    def _root(parents: list[int], node: int) -> int:
        root = node
        while parents[root] != root:
            root = parents[root]
        while parents[node] != root:
            parents[node], node = root, parents[node]
        return root


def adjust(model: PropensityModel, target: Bool, method: Adjustment, plan: Propensity) -> AdjustedSample:
    """The sample of one analysis. `none` keeps everybody as they are: the crude comparison."""
    everybody = np.arange(len(target))
    if method == "none":
        return AdjustedSample(everybody, np.ones(len(target)), np.zeros(len(target), dtype=np.int64), weighted=False)
    kept = np.flatnonzero(common_support(model, target, plan.trim_share))
    logit, treated = model.logit[kept], target[kept]
    if method == "matching":
        caliper = plan.caliper_sd * float(logit.std())
        sets = match(logit, treated, caliper=caliper, most_comparators=plan.most_comparators)
        matched = sets >= 0
        # Sets of one size form one stratum; with sets of several sizes each set is its own.
        stratum = sets[matched] if plan.most_comparators > 1 else np.zeros(matched.sum(), dtype=np.int64)
        return AdjustedSample(kept[matched], np.ones(matched.sum()), stratum, weighted=False)
    if method == "stratification":
        edges = np.quantile(logit[treated], np.linspace(0, 1, plan.strata + 1)[1:-1])
        return AdjustedSample(kept, np.ones(len(kept)), np.searchsorted(edges, logit), weighted=False)
    # Weighted to the target arm (the effect in those who were given it), as matching is.
    score = model.score[kept]
    weight = np.where(treated, 1.0, score / (1 - score))
    if (~treated).any():
        weight[~treated] = np.minimum(weight[~treated], np.percentile(weight[~treated], plan.largest_weight_percentile))
        weight[~treated] *= (~treated).sum() / weight[~treated].sum()
    return AdjustedSample(kept, weight, np.zeros(len(kept), dtype=np.int64), weighted=True)
