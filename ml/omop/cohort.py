"""From OMOP tables to a cohort file: how a hospital's own records, of any origin, reach training."""

from pathlib import Path

import numpy as np

from ml.omop.diaries import EPOCH_ORDINAL, Refused, read_diaries
from ml.omop.source import OmopSource
from ml.training.cohort_file import write_cohort
from ml.training.fit import Cohort


def read_cohort(source: OmopSource) -> tuple[Cohort, tuple[Refused, ...]]:
    """Diaries, profiles (ages at the end of the diary) and the last day watched of everybody in `source`."""
    found = read_diaries(source)
    ends = source.columns(
        "SELECT max(observation_period_end_date) - DATE '1970-01-01' AS day FROM person"
        " LEFT JOIN observation_period USING (person_id) GROUP BY person_id ORDER BY person_id"
    )["day"]
    last_day = np.ma.filled(np.ma.asarray(ends, dtype=np.int64), 0) + EPOCH_ORDINAL
    # A diary that goes on after the period it should lie in was watched all the same.
    np.maximum.at(last_day, found.diaries.patient_index, found.diaries.day)
    return Cohort(found.diaries, found.profiles, last_day), found.refused


def write_cohort_file(folder: Path, file: Path) -> tuple[int, tuple[Refused, ...]]:
    """Write the cohort of the tables in `folder`; return its patients and what was refused. OmopUnreadable as usual."""
    with OmopSource.of_folder(folder) as source:
        cohort, refused = read_cohort(source)
    write_cohort(cohort, file)
    return len(cohort.profiles), refused
