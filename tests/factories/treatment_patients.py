"""Patients for advice, made from a few plain words; what is not said is ordinary."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.contract import Biologic, Reliever, TreatmentPatients, TreatmentPeriods, TreatmentRegimen

AS_OF = 740_000
NOT_KNOWN = float("nan")


def regimen(
    code: str,
    step: int,
    ics: float,
    *,
    laba: bool = False,
    lama: bool = False,
    reliever: Reliever = "saba",
    biologic: Biologic = "none",
) -> TreatmentRegimen:
    puff = {"saba": 0.0, "ics_saba": 80.0, "ics_formoterol": 200.0}[reliever]
    return TreatmentRegimen(code, step, ics, laba, lama, reliever, puff, biologic)


RELIEVER_ONLY = regimen("reliever_only", 1, 0)
AIR = regimen("air", 1, 0, reliever="ics_formoterol")
LOW = regimen("low", 2, 200)
LOW_LABA = regimen("low_laba", 3, 400, laba=True)
LOW_MART = regimen("low_mart", 3, 400, laba=True, reliever="ics_formoterol")
MEDIUM_LABA = regimen("medium_laba", 4, 800, laba=True)
MEDIUM_MART = regimen("medium_mart", 4, 800, laba=True, reliever="ics_formoterol")
TRIPLE = regimen("triple", 5, 800, laba=True, lama=True)
TRIPLE_ANTI_IL4R = regimen("triple_anti_il4r", 5, 800, laba=True, lama=True, biologic="anti_il4r")
LADDER = (RELIEVER_ONLY, AIR, LOW, LOW_LABA, LOW_MART, MEDIUM_LABA, MEDIUM_MART, TRIPLE, TRIPLE_ANTI_IL4R)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A year, unless said otherwise, on one treatment."""

    regimen: TreatmentRegimen
    attacks: float = 0
    days: int = 365
    diary_days: float = 280
    controlled_days: float = 140
    puffs: float = 1.0
    adherence: float = 0.9


@dataclass(frozen=True, slots=True)
class Person:
    stretches: tuple[Stretch, ...]
    age: float = 40
    eosinophils: float = 250
    feno: float = 28
    last_year: float = 1
    technique: float = 1


def patients(people: Sequence[Person]) -> TreatmentPatients:
    rows = [(number, stretch) for number, person in enumerate(people) for stretch in person.stretches]
    first: list[int] = []
    for person in people:
        ends = AS_OF
        begins = []
        for stretch in reversed(person.stretches):
            begins.append(ends - stretch.days + 1)
            ends -= stretch.days
        first.extend(reversed(begins))
    days = [stretch.days for _, stretch in rows]

    def column(values: Sequence[float]) -> NDArray[np.float32]:
        return np.array(values, np.float32)

    return TreatmentPatients(
        age_years=column([person.age for person in people]),
        eosinophils_per_microlitre=column([person.eosinophils for person in people]),
        feno_ppb=column([person.feno for person in people]),
        severe_attacks_last_year=column([person.last_year for person in people]),
        technique_correct=column([person.technique for person in people]),
        periods=TreatmentPeriods(
            patient_index=np.array([number for number, _ in rows], np.int32),
            regimen=np.array([LADDER.index(stretch.regimen) for _, stretch in rows], np.int32),
            first_day=np.array(first, np.int32),
            last_day=np.array(first, np.int32) + np.array(days, np.int32) - np.int32(1),
            severe_attacks=column([stretch.attacks for _, stretch in rows]),
            diary_days=column([stretch.diary_days for _, stretch in rows]),
            controlled_days=column([stretch.controlled_days for _, stretch in rows]),
            reliever_puffs_per_day=column([stretch.puffs for _, stretch in rows]),
            controller_fraction=column([stretch.adherence for _, stretch in rows]),
        ),
        regimens=LADDER,
    )
