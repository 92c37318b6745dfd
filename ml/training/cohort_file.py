"""A cohort in one compressed file of arrays: how diaries from a server's database, or anywhere, reach `soom-ml`."""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np

from ml.contract import Diaries, Profiles
from ml.training.fit import Cohort


class CohortFileRefused(ValueError):
    """The file is not a cohort; the message says why."""


def write_cohort(cohort: Cohort, file: Path, hospitals: Mapping[str, int] | None = None) -> None:
    """Write a `.npz` of the columns of `Diaries` and `Profiles` under `diaries.` and `profiles.`, and `last_day`.

    `hospitals` names the hospital codes of the profiles, for who must find their own hospital in a model again.
    """
    columns = {f"diaries.{field.name}": getattr(cohort.diaries, field.name) for field in fields(Diaries)}
    columns |= {f"profiles.{field.name}": getattr(cohort.profiles, field.name) for field in fields(Profiles)}
    columns["hospitals"] = np.array(json.dumps(hospitals or {}))
    np.savez_compressed(file, last_day=cohort.last_day, **columns)


def read_hospitals(file: Path) -> dict[str, int]:
    """The names of hospital codes that a cohort file holds, by name; empty where it names none."""
    with np.load(file, allow_pickle=False) as stored:
        named = json.loads(str(stored["hospitals"])) if "hospitals" in stored else {}
    return {str(name): int(code) for name, code in named.items()}


def read_cohort_file(file: Path) -> Cohort:
    """The inverse of `write_cohort`. CohortFileRefused for a file of another kind or with impossible values."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            diaries = Diaries(**{field.name: stored[f"diaries.{field.name}"] for field in fields(Diaries)})
            profiles = Profiles(**{field.name: stored[f"profiles.{field.name}"] for field in fields(Profiles)})
            last_day = stored["last_day"].astype(np.int64)
    except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise CohortFileRefused(f"{file} is not a cohort file: {error}") from error
    if last_day.shape != (len(profiles),) or (len(diaries) and diaries.patient_index[-1] >= len(profiles)):
        raise CohortFileRefused(f"{file}: diaries, profiles and last_day do not belong together")
    return Cohort(diaries, profiles, last_day)
