"""Logistic regression over hospitals that send sums only; the result is that of fitting on all rows together.

A hospital's part is gradient, Hessian and log-loss at given coefficients; the coordinator's part is Newton's method,
halving a step that made the loss larger.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

MOST_ITERATIONS = 40
# Newton's error falls with the square of the step, so after a step this small the coefficients are exact to 1e-6.
SMALL_STEP = 3e-4
MOST_HALVINGS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """How columns become a design: centre and scale of each, and the columns whose gaps have a coefficient."""

    columns: tuple[int, ...]
    centre: Float64
    scale: Float64
    with_gap: tuple[int, ...]
    limit: float

    @property
    def width(self) -> int:
        return 1 + len(self.columns) + len(self.with_gap)


def standard_from_sums(
    columns: Sequence[int], rows: float, known: Float64, total: Float64, squares: Float64, rarest: float, limit: float
) -> Standard:
    """The standard of `columns` from sums over all rows; as `ml.training.experts.fit_linear` finds it from the rows.

    `known`, `total` and `squares` hold one number a feature: rows with a value, their sum and sum of squares.
    """
    chosen = list(columns)
    count = np.maximum(known[chosen], 1.0)
    centre = total[chosen] / count
    scale = np.sqrt(np.maximum(squares[chosen] / count - centre**2, 0.0))
    scale[scale < 1e-6] = 1.0
    missing = 1.0 - known[chosen] / rows
    gaps = np.flatnonzero((missing > rarest) & (missing < 1.0 - 0.5 / rows))
    return Standard(tuple(chosen), centre, scale, tuple(gaps.tolist()), limit)


def design(values: Float64, standard: Standard) -> Float64:
    """Rows (rows, width) of ones, clipped standardised values with 0 for a gap, and gap indicators."""
    chosen = values[:, standard.columns]
    missing = np.isnan(chosen)
    scaled = np.clip((chosen - standard.centre) / standard.scale, -standard.limit, standard.limit)
    return np.hstack([np.ones((len(values), 1)), np.where(missing, 0.0, scaled), missing[:, standard.with_gap]])


def sums_at(inputs: Float64, label: Bool, coefficient: Float64) -> dict[str, Float64]:
    """A hospital's log-loss (1,), gradient (width,) and the upper half of its Hessian."""
    logit = inputs @ coefficient
    chance = np.exp(-np.logaddexp(0.0, -logit))
    # The gradient alone decides where Newton ends; half the precision makes the Hessian twice as quick.
    rooted = (inputs * np.sqrt(chance * (1.0 - chance))[:, None]).astype(np.float32)
    hessian = (rooted.T @ rooted).astype(np.float64)
    return {
        "loss": np.array([np.sum(np.logaddexp(0.0, logit) - label * logit)]),
        "gradient": inputs.T @ (chance - label),
        "hessian": hessian[np.triu_indices(len(coefficient))],
    }


def sums_shapes(width: int) -> dict[str, tuple[int, ...]]:
    """Shapes of `sums_at`."""
    return {"loss": (1,), "gradient": (width,), "hessian": (width * (width + 1) // 2,)}


@dataclass(slots=True, eq=False)
class Newton:
    """One regression on its way: ask every hospital for sums at `trial`, give the total to `advance`, until `done`."""

    trial: Float64
    ridge: float
    small_step: float = SMALL_STEP
    done: bool = False
    iterations: int = 0
    _base: Float64 | None = None
    _step: Float64 | None = None
    _loss: float = field(default=np.inf)
    _halvings: int = 0

    @classmethod
    def from_base_rate(cls, width: int, base_rate: float, ridge: float) -> "Newton":
        """All coefficients 0, the intercept at the base rate."""
        trial = np.zeros(width)
        trial[0] = np.log(base_rate / (1.0 - base_rate))
        return cls(trial, ridge)

    def forget_loss(self) -> None:
        """Losses of other participants do not compare: take the next sums as they come."""
        self._loss, self._halvings = np.inf, 0

    def advance(self, total: dict[str, Float64]) -> None:
        """Take the sums at `trial`. ValueError where they cannot be sums of a logistic regression."""
        penalty = np.full(len(self.trial), self.ridge)
        penalty[0] = 0.0
        hessian = np.zeros((len(self.trial), len(self.trial)))
        hessian[np.triu_indices(len(self.trial))] = total["hessian"]
        hessian = hessian + np.triu(hessian, 1).T + np.diag(penalty)
        loss = float(total["loss"][0] + 0.5 * (penalty * self.trial**2).sum())
        if not np.isfinite(loss) or loss < 0 or np.linalg.eigvalsh(hessian).min() < -1e-3:
            raise ValueError("these are not the sums of a logistic regression")
        self.iterations += 1
        worse = loss > self._loss * (1.0 + 1e-9) + 1e-6
        if worse and self._base is not None and self._step is not None and self._halvings < MOST_HALVINGS:
            self._halvings += 1
            self.trial = self._base + self._step * 0.5**self._halvings
            return
        gradient = total["gradient"] + penalty * self.trial
        self._base, self._loss, self._halvings = self.trial, loss, 0
        step: Float64 = -np.linalg.solve(hessian + 1e-9 * np.eye(len(hessian)), gradient).astype(np.float64)
        self._step = step
        self.trial = self.trial + step
        self.done = bool(np.abs(step).max() < self.small_step) or self.iterations >= MOST_ITERATIONS


# A hospital's own fit only has to show the way.
START_STEP = 0.05


def own_fit(inputs: Float64, label: Bool, ridge: float) -> Float64:
    """What one hospital's rows alone say, nearly: where the hospitals together begin. Zeros without both outcomes."""
    if label.all() or not label.any():
        return np.zeros(inputs.shape[1])
    newton = Newton.from_base_rate(inputs.shape[1], float(label.mean()), ridge)
    newton.small_step = START_STEP
    while not newton.done:
        newton.advance(sums_at(inputs, label, newton.trial))
    return newton.trial
