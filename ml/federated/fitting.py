"""Logistic regressions fitted over the exchange: by Newton's method, or by noisy gradients within a budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.experts import STANDARD_LIMIT, LinearExpert
from ml.features.catalogue import FEATURES
from ml.federated.differential import noise_for
from ml.federated.exchange import Exchange, RunRefused
from ml.federated.regression import Newton, Standard, standard_from_sums, sums_shapes
from ml.federated.tree_steps import variant_name
from ml.training.experts import RAREST_MISSING

Float64 = NDArray[np.float64]
# Of noisy gradient descent, in units of the curvature at the base rate; chosen on one set of simulated hospitals, at
# epsilon 8 together with the clip of `DifferentialPrivacy`.
LEARNING_RATE, MOMENTUM = 0.05, 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """One model to fit, on all features: of a horizon, without the patients of the fold left out."""

    horizon: int
    left_out: int
    base_rate: float
    standard: Standard

    @property
    def name(self) -> str:
        return variant_name(self.horizon, self.left_out)


def check_counts(sums: Mapping[str, Float64]) -> None:
    """ValueError where the totals cannot be counts and sums of features."""
    rows, positives, known = sums["rows"], sums["positives"], sums["known"]
    for counts in (rows, positives, known, sums["patients"]):
        if np.abs(counts - np.round(counts)).max() > 1e-3 or counts.min() < 0:
            raise ValueError("counts must be whole and not negative")
    if (positives > rows).any() or (known > rows[0]).any() or sums["patients"][0] > rows.max():
        raise ValueError("counts contradict each other")
    total, squares = sums["total"], sums["squares"]
    if (squares < -1e-3).any() or (total**2 > squares * np.maximum(known, 1) * (1 + 1e-6) + 1e-2).any():
        raise ValueError("sums and sums of squares contradict each other")


def regressions(exchange: Exchange, counts: Mapping[str, Float64]) -> list[Regression]:
    """All regressions of the plan, standardised by the counts. RunRefused where an outcome is missing."""
    standard = standard_from_sums(
        range(len(FEATURES)),
        max(float(counts["rows"][0]), 1.0),
        counts["known"],
        counts["total"],
        counts["squares"],
        RAREST_MISSING,
        STANDARD_LIMIT,
    )
    found = []
    for number, (horizon, left_out) in enumerate(exchange.plan.variants):
        rows, positives = float(counts["rows"][number]), float(counts["positives"][number])
        if positives < exchange.plan.privacy.smallest_cell or positives >= rows:
            raise RunRefused(
                f"all hospitals together have {positives:.0f} of {rows:.0f} days before an attack ({horizon} days);"
                " too few to learn from"
            )
        found.append(Regression(horizon, left_out, positives / rows, standard))
    return found


def asked(models: Sequence[Regression]) -> tuple[dict[str, Any], dict[str, Float64]]:
    """Fields and arrays that tell a hospital which regressions are meant. All share one standard."""
    if not models:
        return {"models": {}}, {}
    standard = models[0].standard
    fields = {
        "models": {model.name: {"horizon": model.horizon, "left_out": model.left_out} for model in models},
        "standard": {
            "columns": list(standard.columns),
            "with_gap": list(standard.with_gap),
            "limit": standard.limit,
        },
    }
    return fields, {"standard.centre": standard.centre, "standard.scale": standard.scale}


def _trials(trials: Mapping[str, Float64]) -> dict[str, Float64]:
    return {f"{name}.trial": trial for name, trial in trials.items()}


def fit_exactly(
    exchange: Exchange, models: Sequence[Regression], starts: Mapping[str, Float64]
) -> tuple[dict[str, LinearExpert], int]:
    """Experts by name, and the rounds it took. They are those of fitting on all hospitals' rows together.

    `starts` are coefficients to begin at, such as the mean of the hospitals' own.
    """
    fits = {model.name: Newton(starts[model.name], exchange.plan.ridge) for model in models}
    rounds, participants = 0, exchange.members.present
    while active := [model for model in models if not fits[model.name].done]:
        rounds += 1
        fields, arrays = asked(active)
        arrays |= _trials({model.name: fits[model.name].trial for model in active})
        shapes = {
            f"{model.name}.{part}": shape
            for model in active
            for part, shape in sums_shapes(model.standard.width).items()
        }

        def check(sums: Mapping[str, Float64], active: Sequence[Regression] = active) -> None:
            for model in active:
                losses = sums[f"{model.name}.loss"]
                if not np.isfinite(losses).all() or (losses < 0).any() or (losses > 1e9).any():
                    raise ValueError("a log-loss is negative or beyond reason")
                hessian = np.zeros((model.standard.width, model.standard.width))
                hessian[np.triu_indices(len(hessian))] = sums[f"{model.name}.hessian"]
                if np.linalg.eigvalsh(hessian + np.triu(hessian, 1).T).min() < -1e-2:
                    raise ValueError("a Hessian is not one of a logistic regression")

        found = exchange.ask("regression", f"{rounds:02d}", fields=fields, arrays=arrays, shapes=shapes, check=check)
        if exchange.members.present != participants:
            participants = exchange.members.present
            for model in active:
                fits[model.name].forget_loss()
        for model in active:
            # `check` has seen to it that these are sums of a regression.
            fits[model.name].advance(
                {part: found.sums[f"{model.name}.{part}"] for part in ("loss", "gradient", "hessian")}
            )
        moved = max(float(np.abs(fits[model.name].trial).max()) for model in active)
        exchange.say(f"regression round {rounds}: {len(active)} models, largest coefficient {moved:.2f}")
    return {model.name: expert(model, fits[model.name].trial) for model in models}, rounds


def fit_privately(exchange: Exchange, models: Sequence[Regression]) -> tuple[dict[str, LinearExpert], int]:
    """The same within the plan's patient-level budget, which all models of the run share; from the base rate on."""
    budget = exchange.plan.privacy.differential
    if budget is None:
        raise ValueError("the plan has no differential privacy")
    multiplier = noise_for(budget, budget.steps * len(models))
    trial = {model.name: np.zeros(model.standard.width) for model in models}
    for model in models:
        trial[model.name][0] = np.log(model.base_rate / (1.0 - model.base_rate))
    speed = {model.name: np.zeros(model.standard.width) for model in models}
    for step in range(1, budget.steps + 1):
        fields, arrays = asked(models)
        arrays |= _trials(trial)
        shapes: dict[str, tuple[int, ...]] = {}
        for model in models:
            shapes |= {f"{model.name}.gradient": (model.standard.width,), f"{model.name}.patients": (1,)}
        found = exchange.ask(
            "noisy_gradient",
            f"{step:03d}",
            fields=fields | {"noise_multiplier": multiplier},
            arrays=arrays,
            shapes=shapes,
        )
        for model in models:
            patients = max(float(found.sums[f"{model.name}.patients"][0]), 1.0)
            curvature = model.base_rate * (1.0 - model.base_rate)
            speed[model.name] *= MOMENTUM
            speed[model.name] -= LEARNING_RATE / curvature * found.sums[f"{model.name}.gradient"] / patients
            trial[model.name] = trial[model.name] + speed[model.name]
    return {model.name: expert(model, trial[model.name]) for model in models}, budget.steps


def expert(model: Regression, coefficient: Float64) -> LinearExpert:
    """The fitted regression as the product uses it."""
    standard = model.standard
    width = len(standard.columns)
    missing = np.zeros(width)
    missing[list(standard.with_gap)] = coefficient[1 + width :]
    return LinearExpert(
        columns=standard.columns,
        centre=standard.centre,
        scale=standard.scale,
        coefficient=coefficient[1 : 1 + width],
        missing_coefficient=missing,
        intercept=float(coefficient[0]),
    )
