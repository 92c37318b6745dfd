"""Regimens and biomarkers as numbers: what a patient gets of each class, and what changes a class's effect.

The log rate of severe attacks under a regimen is the patient's untreated log rate minus the sum over classes of
`exposure` × the class's effect in this patient; that effect is `modifiers` × coefficients.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.contract import TreatmentRegimen
from ml.treatment.assumptions import Assumptions

Float64 = NDArray[np.float64]
Index = NDArray[np.intp]

BIOLOGICS = ("anti_ige", "anti_il4r", "anti_il5", "anti_tslp")
CLASSES = ("ics", "laba", "lama", "relief_ics_formoterol", "relief_ics_saba", *BIOLOGICS)
# A slope is the change of a class's effect per tenfold biomarker.
COEFFICIENTS = tuple(
    coefficient
    for name in CLASSES
    for coefficient in (
        (name, f"{name}:log10_eosinophils", f"{name}:log10_feno") if name == "ics" or name in BIOLOGICS else (name,)
    )
)


@dataclass(frozen=True, slots=True, eq=False)
class Prescriptions:
    """Regimens as columns, one entry per regimen or per row that has one."""

    ics_micrograms_per_day: Float64
    laba: Float64
    lama: Float64
    puff_micrograms: Float64
    relief_ics_formoterol: Float64
    relief_ics_saba: Float64
    biologic: NDArray[np.int64]
    step: Float64

    @classmethod
    def of(cls, regimens: Sequence[TreatmentRegimen]) -> Self:
        return cls(
            ics_micrograms_per_day=np.array([r.ics_micrograms_per_day for r in regimens], np.float64),
            laba=np.array([r.laba for r in regimens], np.float64),
            lama=np.array([r.lama for r in regimens], np.float64),
            puff_micrograms=np.array([r.reliever_ics_micrograms_per_puff for r in regimens], np.float64),
            relief_ics_formoterol=np.array([r.reliever == "ics_formoterol" for r in regimens], np.float64),
            relief_ics_saba=np.array([r.reliever == "ics_saba" for r in regimens], np.float64),
            biologic=np.array([("none", *BIOLOGICS).index(r.biologic) for r in regimens], np.int64),
            step=np.array([r.step for r in regimens], np.float64),
        )

    def take(self, rows: Index) -> Self:
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @property
    def scheduled(self) -> NDArray[np.bool_]:
        return np.asarray((self.ics_micrograms_per_day > 0) | (self.laba > 0) | (self.lama > 0))

    @property
    def has_ics(self) -> NDArray[np.bool_]:
        return np.asarray((self.ics_micrograms_per_day > 0) | (self.puff_micrograms > 0))


def ics_taken(prescriptions: Prescriptions, adherence: Float64, puffs: Float64, a: Assumptions) -> Float64:
    """Micrograms of inhaled steroid a day that leave the inhalers, relief included."""
    relief = prescriptions.puff_micrograms * np.minimum(puffs, a["dose"]["most_puffs_per_day"])
    return np.asarray(prescriptions.ics_micrograms_per_day * adherence + relief)


def exposure(
    prescriptions: Prescriptions,
    adherence: ArrayLike,
    puffs: ArrayLike,
    delivered: ArrayLike,
    child: ArrayLike,
    a: Assumptions,
) -> Float64:
    """(rows, classes), each 0 to 1: adherence and technique multiply the dose, which saturates (Emax).

    `adherence` is the share of scheduled doses taken, `puffs` a day, `delivered` the share that technique lets through,
    `child` marks those under 12. None of them may be NaN.
    """
    adherence, puffs = np.asarray(adherence, np.float64), np.asarray(puffs, np.float64)
    dose = ics_taken(prescriptions, adherence, puffs, a) * np.asarray(delivered, np.float64)
    dose = dose * np.where(np.asarray(child), a["dose"]["child_dose_ratio"], 1.0)
    found = np.zeros((len(prescriptions.laba), len(CLASSES)))
    found[:, 0] = dose / (dose + a["dose"]["half_effect_micrograms"])
    found[:, 1] = prescriptions.laba * adherence
    found[:, 2] = prescriptions.lama * adherence
    found[:, 3] = prescriptions.relief_ics_formoterol
    found[:, 4] = prescriptions.relief_ics_saba
    on_biologic = np.flatnonzero(prescriptions.biologic)
    # Biologics are injected, mostly by the clinic: adherence to inhalers does not touch them.
    found[on_biologic, 4 + prescriptions.biologic[on_biologic]] = 1.0
    return found


def relative_biomarkers(eosinophils: ArrayLike, feno: ArrayLike, a: Assumptions) -> Float64:
    """(rows, 2): log10 eosinophils and FeNO relative to their references; NaN stays NaN."""
    b = a["biomarkers"]
    return np.stack(
        [
            np.log10(np.asarray(eosinophils, np.float64) / b["eosinophils_reference"]),
            np.log10(np.asarray(feno, np.float64) / b["feno_reference"]),
        ],
        axis=-1,
    )


def modifiers(relative: Float64, a: Assumptions) -> Float64:
    """(rows, classes, coefficients). A missing biomarker counts as the reference; see `missing_spread`."""
    b = a["biomarkers"]
    known = np.nan_to_num(relative)
    clipped = (np.clip(known[:, 0], *b["log10_eosinophils_range"]), np.clip(known[:, 1], *b["log10_feno_range"]))
    found = np.zeros((len(relative), len(CLASSES), len(COEFFICIENTS)))
    for column, coefficient in enumerate(COEFFICIENTS):
        name, _, biomarker = coefficient.partition(":")
        value: ArrayLike = 1.0 if not biomarker else clipped[0 if biomarker == "log10_eosinophils" else 1]
        found[:, CLASSES.index(name), column] = value
    return found


def missing_spread(relative: Float64, coefficients: Float64, a: Assumptions) -> Float64:
    """(rows, classes): variance that each class's effect gains because a biomarker is not known."""
    b = a["biomarkers"]
    found = np.zeros((len(relative), len(CLASSES)))
    spreads = (b["log10_eosinophils_sd"], b["log10_feno_sd"])
    for column, coefficient in enumerate(COEFFICIENTS):
        name, _, biomarker = coefficient.partition(":")
        if biomarker:
            which = 0 if biomarker == "log10_eosinophils" else 1
            found[:, CLASSES.index(name)] += np.isnan(relative[:, which]) * (coefficients[column] * spreads[which]) ** 2
    return found
