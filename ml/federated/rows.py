"""A hospital's training rows, laid out for a run. They stay at the hospital, between steps in a file of its own."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.federated.plan import FederationPlan


class HospitalDataRefused(ValueError):
    """The hospital has no data that this run can use; the message says why, and names no patient."""


@dataclass(frozen=True, slots=True, eq=False)
class HospitalRows:
    """What one hospital trains on, laid out for a run; arrays over rows unless said otherwise.

    `values` are the linear models' inputs; `judged` and `label` are (horizons, rows); `fold` and `rows_of_patient`
    are over patients, fold -1 for those set aside.
    """

    features: NDArray[np.float32]
    values: NDArray[np.float64]
    patient: NDArray[np.int32]
    judged: NDArray[np.bool_]
    label: NDArray[np.bool_]
    fold: NDArray[np.int64]

    def chosen(self, horizon_number: int, left_out: int) -> NDArray[np.bool_]:
        """Rows that the variant without fold `left_out` learns from."""
        fold = self.fold[self.patient]
        chosen: NDArray[np.bool_] = self.judged[horizon_number] & (fold >= 0) & (fold != left_out)
        return chosen

    def held_out(self, horizon_number: int, left_out: int) -> NDArray[np.bool_]:
        """Rows of fold `left_out`."""
        chosen: NDArray[np.bool_] = self.judged[horizon_number] & (self.fold[self.patient] == left_out)
        return chosen

    @property
    def patients(self) -> int:
        """Patients with a row to learn from."""
        return len(np.unique(self.patient[self.fold[self.patient] >= 0]))

    @property
    def most_rows_of_a_patient(self) -> int:
        return int(np.bincount(self.patient, minlength=1).max())


def folds(patients: int, plan: FederationPlan, hospital: int) -> NDArray[np.int64]:
    """Fold of each patient of a hospital, -1 for those set aside; drawn by the plan's seed."""
    order = np.random.default_rng([plan.seed, hospital]).permutation(patients)
    aside = round(patients * plan.set_aside)
    fold: NDArray[np.int64] = np.where(order < aside, -1, order % plan.folds).astype(np.int64)
    return fold


def save_rows(rows: HospitalRows, file: Path) -> None:
    """Keep the rows at the hospital, readable by its own account only, so that a step need not make them again."""
    temporary = file.with_suffix(".tmp")
    with temporary.open("wb") as opened:
        temporary.chmod(0o600)
        np.savez(opened, **{name: getattr(rows, name) for name in rows.__slots__})
    temporary.replace(file)


def load_rows(file: Path) -> HospitalRows:
    """The inverse of `save_rows`."""
    with np.load(file, allow_pickle=False) as stored:
        return HospitalRows(**{name: stored[name] for name in HospitalRows.__slots__})
