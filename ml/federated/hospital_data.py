"""Where a hospital's training rows come from: one port, `Source`, and what stands behind it.

A source is a function without arguments that gives `HospitalData`; it runs at the hospital, and no row of it leaves.
"""

import shlex
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.experts import linear_inputs
from ml.features.catalogue import FEATURES
from ml.federated.plan import FederationPlan
from ml.federated.rows import HospitalDataRefused, HospitalRows, folds
from ml.training.cohort_file import CohortFileRefused, read_cohort_file, read_hospitals
from ml.training.fit import Cohort, TrainingPlan, training_rows

COMMAND_SECONDS = 3600


@dataclass(frozen=True, slots=True, eq=False)
class HospitalData:
    """`own_ids`: by which ids the hospital's own Soom knows whose patients these are, so that it finds its factor."""

    cohort: Cohort
    own_ids: tuple[str, ...] = ()


Source = Callable[[], HospitalData]


def cohort_file_source(file: Path) -> Source:
    """A cohort file (.npz), as `soom-ml train --cohort` reads it. HospitalDataRefused when it is not one."""

    def read() -> HospitalData:
        try:
            return HospitalData(read_cohort_file(file), tuple(sorted(read_hospitals(file))))
        except CohortFileRefused as error:
            # The reason may quote a diary's value, so it stays here, in the cause.
            raise HospitalDataRefused(f"{file.name} is not a usable cohort file") from error

    return read


def command_source(command: str, plan_digest: Callable[[], str]) -> Source:
    """A program that writes a cohort file where `{file}` stands, such as an export of Soom's database or OMOP tables.

    `{plan}` becomes the digest of the plan that asks, so that the program can refuse what its hospital did not accept:
    `soom export round {file} {plan}` does.
    HospitalDataRefused, what the program said as its cause, when it fails or writes no cohort.
    """

    def read() -> HospitalData:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "cohort.npz"
            words = [
                word.replace("{file}", str(file)).replace("{plan}", plan_digest()) for word in shlex.split(command)
            ]
            try:
                # The hospital's own configuration names the program; nothing from the network reaches this line.
                made = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=COMMAND_SECONDS)  # noqa: S603
            except (OSError, subprocess.TimeoutExpired) as error:
                raise HospitalDataRefused("the export could not be run") from error
            if made.returncode:
                said = ValueError((made.stderr or made.stdout).strip())
                raise HospitalDataRefused(f"the export failed with code {made.returncode}") from said
            return cohort_file_source(file)()

    return read


def hospital_rows(cohort: Cohort, plan: FederationPlan, hospital: int) -> HospitalRows:
    """Rows of a cohort. HospitalDataRefused for fewer patients than the plan's smallest cell, or no attack."""
    patients = len(cohort.profiles)
    smallest = plan.privacy.smallest_cell
    if patients < smallest:
        raise HospitalDataRefused(f"{patients} patients; a run needs {smallest} or more at each hospital")
    rows = training_rows(
        cohort, TrainingPlan(seed=plan.seed, folds=plan.folds, every_days=plan.every_days, horizons=plan.horizons)
    )
    found = HospitalRows(
        features=rows.features,
        values=linear_inputs(rows.features, range(len(FEATURES))),
        patient=rows.patient,
        judged=np.stack([rows.judged[horizon] for horizon in plan.horizons]),
        label=np.stack([rows.label[horizon] for horizon in plan.horizons]),
        fold=folds(patients, plan, hospital),
    )
    if found.patients < smallest:
        raise HospitalDataRefused(f"{found.patients} patients with enough diary; a run needs {smallest} or more")
    return found
