"""Hospitals of the virtual cohort: unequal in size, case mix and behaviour, for demonstrations and studies."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.federated.plan import Privacy
from ml.federated.site import HospitalSettings, new_hospital, write_rosters
from ml.training.cohort_file import write_cohort
from ml.training.fit import Cohort
from ml.training.simulated import simulated_cohort

# Patients of the five hospitals, by the simulator's hospital code; as in the method study.
NAMES = ("north", "east", "south", "west", "island")
SIZES = (518, 320, 176, 111, 55)


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedHospitals:
    """Cohorts by hospital name: `training` of the sizes asked for, `unseen` of all other patients simulated.

    `unseen_patients` are the numbers of the unseen in the cohort that all hospitals were drawn from.
    """

    training: Mapping[str, Cohort]
    unseen: Mapping[str, Cohort]
    unseen_patients: Mapping[str, NDArray[np.intp]]


def simulated_hospitals(seed: int, patients: int, days: int, sizes: tuple[int, ...] = SIZES) -> SimulatedHospitals:
    """Five hospitals out of one cohort of `patients`. ValueError where it is too small for the sizes."""
    return split_into_hospitals(simulated_cohort(seed, patients, days)[0], sizes)


def split_into_hospitals(cohort: Cohort, sizes: tuple[int, ...] = SIZES) -> SimulatedHospitals:
    """The first patients of each hospital code, and the others. ValueError where they are fewer than the sizes."""
    training, unseen, unseen_patients = {}, {}, {}
    for code, (name, size) in enumerate(zip(NAMES, sizes, strict=True)):
        members = np.flatnonzero(cohort.profiles.hospital == code)
        if len(members) < size:
            raise ValueError(f"{len(cohort.profiles)} simulated patients give {name} only {len(members)} of {size}")
        training[name] = cohort.chosen(members[:size])
        if len(members) > size:
            unseen_patients[name] = members[size:]
            unseen[name] = cohort.chosen(members[size:])
    return SimulatedHospitals(training, unseen, unseen_patients)


def make_hospitals(folder: Path, cohorts: Mapping[str, Cohort], floor: Privacy | None = None) -> dict[str, Path]:
    """A folder, keys and a data file for each hospital; all know each other and accept any plan above `floor`."""
    folders = {name: folder / name for name in cohorts}
    keys = {
        name: new_hospital(
            folders[name], HospitalSettings(name, code, {"file": "cohort.npz"}, "any", floor or Privacy())
        )
        for code, name in enumerate(cohorts)
    }
    for name, cohort in cohorts.items():
        write_cohort(cohort, folders[name] / "cohort.npz")
    write_rosters(folders, keys)
    return folders
