"""Published trials as one Gaussian prior over treatment effects: a linear meta-regression in closed form."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml.contract import TreatmentRegimen
from ml.treatment.assumptions import FOLDER, Assumptions
from ml.treatment.ingredients import (
    COEFFICIENTS,
    Float64,
    Prescriptions,
    exposure,
    modifiers,
    relative_biomarkers,
)

TRIALS_FILE = FOLDER / "trials.toml"
# A 95 % interval is this many standard errors wide.
INTERVAL_WIDTH = 2 * 1.959964
TRIAL_ADHERENCE = 0.8


@dataclass(frozen=True, slots=True)
class Effects:
    """Mean (coefficients,) and covariance of the cuts in the log rate of severe attacks."""

    mean: Float64
    covariance: Float64


@dataclass(frozen=True, slots=True)
class Trial:
    """One published contrast: ln rate ratio with its standard error, and the row of the design that explains it."""

    name: str
    source: str
    log_ratio: float
    standard_error: float
    contrast: Float64


def _regimen(parts: dict[str, Any]) -> TreatmentRegimen:
    return TreatmentRegimen(
        code="",
        step=1,
        ics_micrograms_per_day=parts.get("ics", 0),
        laba=parts.get("laba", False),
        lama=parts.get("lama", False),
        reliever=parts.get("reliever", "saba"),
        reliever_ics_micrograms_per_puff=parts.get("puff", 0),
        biologic=parts.get("biologic", "none"),
    )


def read_trials(a: Assumptions, path: Path = TRIALS_FILE) -> list[Trial]:
    """The trials of a file; ValueError names the trial whose ratio is not (low < estimate < high)."""
    trials = []
    for row in tomllib.loads(path.read_text(encoding="utf-8"))["trial"]:
        estimate, low, high = row["ratio"]
        if not 0 < low < estimate < high:
            raise ValueError(f"{row['name']}: ratio must be [estimate, low, high] with low < estimate < high")
        error = np.log(high / low) / INTERVAL_WIDTH * (1.5 if row.get("remembered") else 1.0)
        taken = row.get("taken", TRIAL_ADHERENCE)
        arms = exposure(
            Prescriptions.of([_regimen(row["with"]), _regimen(row["without"])]),
            adherence=[taken, row.get("taken_without", taken)],
            puffs=row.get("puffs", 0.0),
            delivered=1.0,
            child=False,
            a=a,
        )
        b = a["biomarkers"]
        group = relative_biomarkers(
            [row.get("eosinophils", b["eosinophils_reference"])], [row.get("feno", b["feno_reference"])], a
        )
        contrast = (arms[0] - arms[1]) @ modifiers(group, a)[0]
        trials.append(Trial(row["name"], row["source"], float(np.log(estimate)), float(error), contrast))
    return trials


def _base(a: Assumptions) -> Float64:
    e = a["effects"]
    return np.array([e["slope_sd"] if ":" in name else e["main_sd"] for name in COEFFICIENTS]) ** 2


def pooled(trials: list[Trial], a: Assumptions) -> Effects:
    """Posterior of the coefficients in practice: the trials, each with `between_trials_sd` on top of its own error, and
    then `trial_to_practice_sd` on every main effect."""
    design = -np.array([trial.contrast for trial in trials])
    variance = np.array([t.standard_error**2 + a["effects"]["between_trials_sd"] ** 2 for t in trials])
    precision = np.diag(1 / _base(a)) + design.T @ (design / variance[:, None])
    covariance = np.linalg.inv(precision)
    mean = covariance @ (design.T @ (np.array([t.log_ratio for t in trials]) / variance))
    in_practice = [0.0 if ":" in name else a["effects"]["trial_to_practice_sd"] ** 2 for name in COEFFICIENTS]
    return Effects(mean, covariance + np.diag(in_practice))


def log_evidence(trials: list[Trial], a: Assumptions) -> float:
    """Log marginal likelihood of the trials: how well the dose-response and the base priors explain them together."""
    design = -np.array([trial.contrast for trial in trials])
    covariance = design @ (_base(a)[:, None] * design.T)
    covariance += np.diag([t.standard_error**2 + a["effects"]["between_trials_sd"] ** 2 for t in trials])
    observed = np.array([t.log_ratio for t in trials])
    _, log_determinant = np.linalg.slogdet(2 * np.pi * covariance)
    return float(-0.5 * (log_determinant + observed @ np.linalg.solve(covariance, observed)))
