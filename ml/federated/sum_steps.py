"""The steps that answer with sums over a hospital's rows. Quick to import, for each may be a process of its own."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ml.federated.bins import cell_counts, cell_edges
from ml.federated.differential import clipped_gradient, noise_share
from ml.federated.messages import Question
from ml.federated.plan import FederationPlan
from ml.federated.regression import Standard, design, own_fit, sums_at
from ml.federated.rows import HospitalRows

Float64 = NDArray[np.float64]
Sums = dict[str, Float64]


def counts(rows: HospitalRows, question: Question, plan: FederationPlan) -> Sums:
    """Rows and positive rows of each variant; of each feature rows with a value, their sum and sum of squares.

    Sums are over the rows of the shortest horizon, which has the most.
    """
    chosen = [(rows.label[plan.horizons.index(h)], rows.chosen(plan.horizons.index(h), f)) for h, f in plan.variants]
    values = rows.values[rows.chosen(0, -1)]
    missing = np.isnan(values)
    values = np.where(missing, 0.0, values)
    return {
        "patients": np.array([float(rows.patients)]),
        "rows": np.array([float(part.sum()) for _, part in chosen]),
        "positives": np.array([float(label[part].sum()) for label, part in chosen]),
        "known": (~missing).sum(axis=0).astype(float),
        "total": values.sum(axis=0),
        "squares": (values**2).sum(axis=0),
    }


def cells(rows: HospitalRows, question: Question, plan: FederationPlan) -> Sums:
    """Rows of each feature by the cells of the common grid, and this hospital's own regressions times its positives."""
    edges = cell_edges(_floats(question, "centre"), _floats(question, "scale"))
    found = {"cells": cell_counts(rows.values[rows.fold[rows.patient] >= 0], edges)}
    for name, inputs, label, _ in _models(rows, question, plan):
        found[f"{name}.start"] = own_fit(inputs, label, plan.ridge) * label.sum()
    return found


def _floats(question: Question, name: str) -> Float64:
    return np.asarray(question.arrays[name], dtype=np.float64)


def _models(
    rows: HospitalRows, question: Question, plan: FederationPlan
) -> Iterator[tuple[str, Float64, NDArray[np.bool_], NDArray[np.int32]]]:
    """Name, design, label and patient of every regression that is asked about."""
    if not question.fields["models"]:
        return
    facts = question.fields["standard"]
    standard = Standard(
        columns=tuple(facts["columns"]),
        centre=_floats(question, "standard.centre"),
        scale=_floats(question, "standard.scale"),
        with_gap=tuple(facts["with_gap"]),
        limit=float(facts["limit"]),
    )
    inputs = design(rows.values, standard)
    for name, variant in question.fields["models"].items():
        which = plan.horizons.index(variant["horizon"])
        chosen = rows.chosen(which, variant["left_out"])
        yield name, inputs[chosen], rows.label[which][chosen], rows.patient[chosen]


def regression(rows: HospitalRows, question: Question, plan: FederationPlan) -> Sums:
    """Log-loss, gradient and Hessian of every regression at the coefficients asked about."""
    found: Sums = {}
    for name, inputs, label, _ in _models(rows, question, plan):
        sums = sums_at(inputs, label, _floats(question, f"{name}.trial"))
        found |= {f"{name}.{part}": value for part, value in sums.items()}
    return found


def noisy_gradient(rows: HospitalRows, question: Question, plan: FederationPlan, noise: np.random.Generator) -> Sums:
    """Clipped gradients of patients, with this hospital's share of the noise."""
    budget = plan.privacy.differential
    if budget is None:
        raise ValueError("the plan has no differential privacy")
    found: Sums = {}
    for name, inputs, label, patient in _models(rows, question, plan):
        trial = _floats(question, f"{name}.trial")
        gradient, patients = clipped_gradient(inputs, label, patient, trial, budget.clip)
        multiplier = float(question.fields["noise_multiplier"])
        share = noise_share(len(gradient), budget.clip, multiplier, plan.fewest_hospitals, noise)
        found |= {f"{name}.gradient": gradient + share, f"{name}.patients": np.array([patients])}
    return found


SUM_STEPS: Mapping[str, Callable[[HospitalRows, Question, FederationPlan], Sums]] = {
    "counts": counts,
    "cells": cells,
    "regression": regression,
}
