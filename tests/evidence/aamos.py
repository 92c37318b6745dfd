"""The shipped model and the peak-flow forecast on the published AAMOS-00 diaries: real, and too few to judge."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from ml.evaluation.contenders import LINEAR, PRODUCT
from ml.evaluation.run import evaluate_aamos
from ml.forecaster import SHIPPED_MODEL
from tests.figures import Figure, figure

PROJECT = Path(__file__).parents[2]
FILES = PROJECT / os.environ.get("SOOM_SHARED_DATA", "../shared/data") / "aamos00"
# The moving average's error that the data's own description gives.
KNOWN_MOVING_AVERAGE_PERCENT = 6.3


def figures() -> Iterator[Figure]:
    """All figures named `aamos.…`; none where the files are missing."""
    if not FILES.is_dir():
        yield figure("aamos.files_found", 0.0, "folders", goal="set SOOM_SHARED_DATA", met=False)
        return
    with TemporaryDirectory() as folder:
        found = evaluate_aamos(Path(folder), FILES, SHIPPED_MODEL, seed=1)
    errors, study = found["one_step"], found["study"]
    low, high = errors.forecast.low, errors.forecast.high
    yield figure(
        "aamos.next_morning_peak_flow_error",
        errors.forecast.value,
        "percent of own median",
        baseline=errors.moving_average.value,
        goal=f"below {KNOWN_MOVING_AVERAGE_PERCENT}; 95 % interval {low:.2f} to {high:.2f}",
        met=errors.forecast.value < KNOWN_MOVING_AVERAGE_PERCENT,
    )
    yield figure(
        "aamos.closer_than_the_moving_average",
        errors.gain.value,
        "percent points of own median",
        goal=f"95 % interval {errors.gain.low:.2f} to {errors.gain.high:.2f}",
    )
    yield figure("aamos.last_morning_peak_flow_error", errors.last.value, "percent of own median")
    yield figure("aamos.attacks", float(study["attacks"]), "attacks", goal=study["verdict"])
    for name in (PRODUCT, LINEAR):
        auroc = study["contenders"][name]["auroc"]
        interval = f"95 % interval {auroc['low']:.2f} to {auroc['high']:.2f}; {study['verdict']}"
        yield figure(f"aamos.auroc_7_days_{name}", auroc["value"], "AUROC", goal=interval)
        within = study["contenders"][name]["within_patient_auroc"]
        yield figure(f"aamos.within_patient_auroc_7_days_{name}", within, "AUROC", goal=study["verdict"])
    ratio = study["contenders"][PRODUCT]["calibration"]["observed_over_expected"]
    yield figure("aamos.observed_over_expected", ratio, "ratio", goal=study["verdict"])
