"""A small randomised or confounded trial with known benefit, independent of the virtual cohort and of the adviser.

A year of run-in on low-dose ICS, then a year on low- or high-dose ICS, then the question: who should have the high
dose from now on? The rate ratio depends on type-2 inflammation and adherence; its form is not the adviser's.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.contract import TreatmentPatients, TreatmentPeriods, TreatmentRegimen

AS_OF = 740_000
LOW = TreatmentRegimen("low", 2, 200, laba=False, lama=False, reliever="saba", reliever_ics_micrograms_per_puff=0)
HIGH = TreatmentRegimen("high", 4, 1000, laba=False, lama=False, reliever="saba", reliever_ics_micrograms_per_puff=0)


@dataclass(frozen=True, slots=True)
class VirtualTrial:
    """`rate_low` and `rate_high` are each patient's true severe attacks a year; no adviser is shown them."""

    patients: TreatmentPatients
    treated: NDArray[np.bool_]
    rate_low: NDArray[np.float64]
    rate_high: NDArray[np.float64]

    @property
    def averted(self) -> NDArray[np.float64]:
        return np.asarray(self.rate_low - self.rate_high)


def run(
    rng: np.random.Generator,
    patients: int,
    *,
    randomised: bool = True,
    all_low: bool = False,
    sicker_take_more: float = 0.0,
) -> VirtualTrial:
    """`all_low` keeps everybody on the low dose: the patients about whom advice is asked. `sicker_take_more` raises the
    log odds of a dose taken per log of frailty."""
    n = patients
    z = rng.standard_normal((4, n))
    log10_eosinophils = 2.35 + 0.33 * z[0]
    log10_feno = np.maximum(1.42 + 0.28 * (0.3 * z[0] + np.sqrt(1 - 0.09) * z[1]), 0)
    type_two = (z[0] + z[1]) / 2
    adherence = rng.beta(2.2, 1.8, n)
    frailty = rng.gamma(1.3, 1 / 1.3, n)
    severity = z[2]
    adherence = adherence / (adherence + (1 - adherence) * np.exp(-sicker_take_more * np.log(frailty)))
    untreated = 1.0 * frailty * np.exp(0.3 * severity + 0.39 * (log10_eosinophils - 2.3) + 0.36 * (log10_feno - 1.4))

    def rate(dose: float) -> NDArray[np.float64]:
        strength = 1.7 / (1 + np.exp(-0.8 * type_two))
        return np.asarray(untreated * np.exp(-strength * (1 - np.exp(-dose * adherence / 350))))

    low, high = rate(200), rate(1000)
    before = rng.poisson(low)
    if all_low:
        treated = np.zeros(n, bool)
    elif randomised:
        treated = rng.random(n) < 0.5
    else:
        # Doctors step up those who had attacks, look worse, and have raised eosinophils.
        treated = rng.random(n) < 1 / (1 + np.exp(-(-0.9 + 1.1 * before + 0.7 * severity + 0.5 * z[0])))
    during = rng.poisson(np.where(treated, high, low))
    uncontrolled = 1 / (1 + np.exp(-(-0.2 + 0.6 * severity + 0.5 * np.log(frailty + 0.1) + 0.7 * z[3])))
    diary_days = rng.binomial(365, 0.79, (2, n))
    controlled = rng.binomial(diary_days, 1 - uncontrolled)
    index = np.repeat(np.arange(n, dtype=np.int32), 2)
    first = np.tile(np.array([AS_OF - 729, AS_OF - 364], np.int32), n)

    def two(rows: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float32]:
        return rows.T.reshape(-1).astype(np.float32)

    return VirtualTrial(
        patients=TreatmentPatients(
            age_years=np.full(n, 40, np.float32),
            eosinophils_per_microlitre=(10**log10_eosinophils).astype(np.float32),
            feno_ppb=(10**log10_feno).astype(np.float32),
            severe_attacks_last_year=np.full(n, np.nan, np.float32),
            technique_correct=np.ones(n, np.float32),
            periods=TreatmentPeriods(
                patient_index=index,
                regimen=two(np.stack([np.zeros(n), treated.astype(np.float64)])).astype(np.int32),
                first_day=first,
                last_day=first + np.int32(364),
                severe_attacks=two(np.stack([before, during])),
                diary_days=two(diary_days),
                controlled_days=two(controlled),
                reliever_puffs_per_day=np.repeat(3 * uncontrolled, 2).astype(np.float32),
                controller_fraction=np.repeat(adherence, 2).astype(np.float32),
            ),
            regimens=(LOW, HIGH),
        ),
        treated=treated,
        rate_low=low,
        rate_high=high,
    )
