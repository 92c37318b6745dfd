"""The virtual cohort as something to learn from: diaries and profiles cross over, the truth stays behind."""

from typing import Any

import numpy as np

from ml.simulator.cohort import simulate
from ml.simulator.parameters import frozen
from ml.training.fit import Cohort


def simulated_cohort(seed: int, patients: int, days: int) -> tuple[Cohort, dict[str, Any]]:
    """A cohort, and where it comes from in words for a model's card."""
    simulated = simulate(seed, patients, days)
    last_day = np.full(patients, simulated.truth.first_day + days - 1, dtype=np.int64)
    provenance = {
        "source": "simulated cohort",
        "simulator": frozen().sha256,
        "seed": seed,
        "patients": patients,
        "days": days,
        "diary_rows": len(simulated.diaries),
    }
    return Cohort(simulated.diaries, simulated.profiles, last_day), provenance
