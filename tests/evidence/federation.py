"""What hospitals gain by learning together, at which price in privacy: five unequal simulated hospitals, five seeds.

Each seed trains on five hospitals of 518, 320, 176, 111 and 55 patients with a year of diary and judges on patients of
the same hospitals that nobody trained on.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ml.evaluation.bootstrap import interval
from ml.federated.simulated import NAMES, SIZES
from ml.personal import Float64
from tests.evidence.federation_study import BUDGETS, EPSILONS, SMALLEST, Study, kept
from tests.figures import Figure, figure

SEEDS = (11, 12, 13, 14, 15)
MARGIN = 0.005


def bounded(name: str, value: float, replicates: Float64, unit: str, **more: Any) -> Iterator[Figure]:
    """A figure and the ends of its 95 % interval over patients and seeds."""
    bounds = interval(value, replicates)
    yield figure(name, value, unit, **more)
    yield figure(f"{name}.low", bounds.low, unit)
    yield figure(f"{name}.high", bounds.high, unit)


def against_pooled(studies: list[Study]) -> Iterator[Figure]:
    """All unseen patients together: federated beside pooled training, privacy on and off."""

    def mean(which: str) -> float:
        return float(np.mean([found["auroc"][which] for found in studies]))

    drawn = {
        which: np.mean([found["auroc_replicates"][which] for found in studies], axis=0)
        for which in ("federated", "without_privacy", "pooled")
    }
    federated, pooled, plain = mean("federated"), mean("pooled"), mean("without_privacy")
    yield from bounded(
        "federation.auroc",
        federated,
        drawn["federated"],
        "AUROC",
        baseline=pooled,
        goal=f"pooled training minus {MARGIN}",
        met=federated >= pooled - MARGIN,
    )
    yield from bounded(
        "federation.auroc_minus_pooled", federated - pooled, drawn["federated"] - drawn["pooled"], "AUROC"
    )
    yield figure("federation.auroc_without_privacy", plain, "AUROC", baseline=federated)
    for budget in BUDGETS:
        key = f"{budget:.2f}"
        values = {
            which: float(np.mean([found["sensitivity"][which][key][0] for found in studies]))
            for which in ("federated", "pooled", "without_privacy")
        }
        sampled = {
            which: np.mean([found["sensitivity"][which][key][1] for found in studies], axis=0)
            for which in ("federated", "pooled")
        }
        name = f"federation.sensitivity_at_{key}_alarms_a_patient_month"
        yield from bounded(
            name,
            values["federated"],
            sampled["federated"],
            "share of attacks",
            baseline=values["pooled"],
            goal=f"pooled training minus {MARGIN}",
            met=values["federated"] >= values["pooled"] - MARGIN,
        )
        yield from bounded(
            f"{name}.minus_pooled",
            values["federated"] - values["pooled"],
            sampled["federated"] - sampled["pooled"],
            "share of attacks",
        )
        yield figure(f"{name}.without_privacy", values["without_privacy"], "share of attacks")


def at_each_hospital(studies: list[Study]) -> Iterator[Figure]:
    """What each hospital gains over its own model; the smallest should gain most."""
    gains = {}
    for name, size in zip(NAMES, SIZES, strict=True):
        rows = [found["hospitals"][name] for found in studies]
        own, federated = (float(np.mean([row["auroc"][which] for row in rows])) for which in ("own", "federated"))
        gains[name] = federated - own
        yield figure(
            f"federation.auroc_at_{name}_of_{size}_patients",
            federated,
            "AUROC",
            baseline=own,
            goal="above the hospital's own model",
            met=federated > own,
        )
        drawn = np.mean([row["gain_replicates"] for row in rows], axis=0)
        yield from bounded(f"federation.gain_at_{name}_of_{size}_patients", gains[name], drawn, "AUROC")
        for number, budget in enumerate(BUDGETS):
            own, federated = (
                float(np.mean([row["sensitivity"][which][number] for row in rows])) for which in ("own", "federated")
            )
            yield figure(
                f"federation.sensitivity_at_{budget:.2f}_alarms_a_patient_month_at_{name}",
                federated,
                "share of attacks",
                baseline=own,
                goal="above the hospital's own model",
                met=federated > own,
            )
        yield from calibration(name, rows)
    yield figure(
        "federation.gain_of_the_smallest_hospital",
        gains[SMALLEST],
        "AUROC",
        baseline=max(gain for name, gain in gains.items() if name != SMALLEST),
        goal="the largest gain of all",
        met=gains[SMALLEST] == max(gains.values()),
    )


def calibration(name: str, rows: list[Study]) -> Iterator[Figure]:
    """Attacks that came, and the simulator's own chances of them, over those that the model expects at a hospital.

    A virus takes many patients of a hospital at once, so what came strays from its own chances further than luck with
    independent attacks would; the second ratio leaves that out.
    """

    def summed(key: str, which: str | None = None) -> Float64:
        total: Float64 = np.sum([row[key] if which is None else row[key][which] for row in rows], axis=0)
        return total

    expected = float(summed("expected", "federated"))
    for seen, goal in (("observed", "0.9 to 1.1"), ("truth", None)):
        ratio = float(summed(seen)) / expected
        yield from bounded(
            f"federation.{seen}_over_expected_at_{name}",
            ratio,
            summed(f"{seen}_replicates") / summed("expected_replicates"),
            "ratio",
            baseline=float(summed(seen) / summed("expected", "own")),
            goal=goal,
            met=None if goal is None else 0.9 <= ratio <= 1.1,
        )
        plain = float(summed(seen) / summed("expected", "without_privacy"))
        yield figure(f"federation.{seen}_over_expected_at_{name}.without_privacy", plain, "ratio")


def privacy(studies: list[Study]) -> Iterator[Figure]:
    """Membership inference, and what differential privacy of the logistic regression costs."""
    for name in studies[0]["attack"]:
        value = float(np.mean([found["attack"][name]["auroc"] for found in studies]))
        drawn = np.mean([found["attack"][name]["replicates"] for found in studies], axis=0)
        figure_name = f"federation.attack_auroc.{name}"
        yield from bounded(figure_name, value, drawn, "AUROC", baseline=0.5, goal="at most 0.55", met=value <= 0.55)
    exact = float(np.mean([found["linear"]["exact"] for found in studies]))
    for epsilon in EPSILONS:
        value = float(np.mean([found["linear"][f"{epsilon:g}"] for found in studies]))
        yield figure(f"federation.logistic_auroc_at_epsilon_{epsilon:g}", value, "AUROC", baseline=exact)


def figures() -> Iterator[Figure]:
    """All figures named `federation.…`."""
    studies = [kept(seed) for seed in SEEDS]
    yield from against_pooled(studies)
    yield from at_each_hospital(studies)
    yield from privacy(studies)
    yield figure("federation.rounds", float(np.mean([found["rounds"] for found in studies])), "questions a hospital")
