"""Who and when a contender learns from, and who and when it is judged on. No row is ever on both sides."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.study_data import StudyData
from ml.model import MAIN_HORIZON_DAYS

Bool = NDArray[np.bool_]
Scheme = Literal["patient_wise", "leave_one_hospital_out", "rolling_origin"]

ROLLING_WINDOW_DAYS = 90


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """`learn` and `test` are (days, patients). In a rolling split a patient is on both sides, at different times."""

    name: str
    learn: Bool
    test: Bool


def splits(data: StudyData, scheme: Scheme, folds: int, seed: int) -> Iterator[Split]:
    """All splits of a scheme. ValueError when there are too few patients, hospitals or days for it."""
    everyone = np.ones(data.judged.shape, dtype=np.bool_)
    if scheme == "patient_wise":
        if data.patients < folds:
            raise ValueError(f"{folds} folds need at least {folds} patients, not {data.patients}")
        # Another stream than the folds inside training: with the same one, an inner fold could be the whole outer one.
        fold = np.random.default_rng([seed, 2]).permutation(data.patients) % folds
        for number in range(folds):
            yield Split(f"fold {number + 1}", everyone & (fold != number), everyone & (fold == number))
    elif scheme == "leave_one_hospital_out":
        codes = np.unique(data.profiles.hospital[data.profiles.hospital >= 0])
        if len(codes) < 2:
            raise ValueError("leaving a hospital out needs at least two known hospitals")
        for code in codes:
            here = data.profiles.hospital == code
            yield Split(f"hospital {code}", everyone & ~here, everyone & here)
    else:
        day = data.days.day
        known = np.where(data.judged, day, 0)
        first, last = int(day[data.judged].min(initial=10**7)), int(known.max(initial=0))
        origins = range(first + ROLLING_WINDOW_DAYS + MAIN_HORIZON_DAYS, last, ROLLING_WINDOW_DAYS)
        if not origins:
            raise ValueError(f"a rolling origin needs diaries of more than {ROLLING_WINDOW_DAYS} days")
        for origin in origins:
            # The purge: an outcome that was still open at the origin may not be learned from.
            learn = day <= origin - MAIN_HORIZON_DAYS
            test = (day > origin) & (day <= origin + ROLLING_WINDOW_DAYS)
            yield Split(f"day {origin - first}", learn, test)
