"""A patient's past as rows that both outcome models share: exposures, attacks, controlled days, and their age."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.contract import TreatmentPatients
from ml.treatment.assumptions import Assumptions
from ml.treatment.ingredients import (
    Float64,
    Index,
    Prescriptions,
    exposure,
    missing_spread,
    modifiers,
    relative_biomarkers,
)

CHILD_BELOW_YEARS = 12
DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """Patients (n) and their rows (r): first, where known, the year before the first period, then each period.

    `present` and what follows it hold now; `first…` and `uncontrolled_share` held in the first period.
    `starts` is where each patient's rows begin in the row arrays; every patient here has at least one period.
    `weight` discounts old attacks; `years` is the time at risk.
    """

    starts: Index
    row_patient: Index
    row_exposure: Float64
    years: Float64
    attacks: Float64
    weight: Float64
    diary_days: Float64
    controlled_days: Float64
    years_ago: Float64
    relative_biomarkers: Float64
    modifiers: Float64
    present: Prescriptions
    adherence: Float64
    puffs: Float64
    delivered: Float64
    child: NDArray[np.bool_]
    uncontrolled_share: Float64
    first: Prescriptions
    first_puffs: Float64
    first_adherence: Float64

    def __len__(self) -> int:
        return len(self.starts)

    def summed(self, rows: Float64) -> Float64:
        """Per patient, the sum over the patient's rows."""
        return np.add.reduceat(rows, self.starts, axis=0)

    def missing_spread(self, coefficients: Float64, a: Assumptions) -> Float64:
        return missing_spread(self.relative_biomarkers, coefficients, a)


def _last_known(values: Float64, row_patient: Index, patients: int, otherwise: float) -> Float64:
    found = np.full(patients, otherwise)
    known = ~np.isnan(values)
    # Rows are in time order, and numpy keeps the last of several assignments to one place.
    found[row_patient[known]] = values[known]
    return found


def prepare(patients: TreatmentPatients, chosen: Index, as_of: int, a: Assumptions) -> Histories:
    """The histories of `chosen` patients (sorted, each with a period) as known at the end of day `as_of`.

    Raises ValueError where a period ends after `as_of`.
    """
    periods, n = patients.periods, len(chosen)
    if len(periods) and int(periods.last_day.max()) > as_of:
        raise ValueError(f"a period ends on day {periods.last_day.max()}, after as_of {as_of}")
    place = np.full(len(patients), -1)
    place[chosen] = np.arange(n)
    rows = np.flatnonzero(place[periods.patient_index] >= 0)
    owner = place[periods.patient_index[rows]]
    first_row = np.searchsorted(owner, np.arange(n))
    dose = a["dose"]

    table = Prescriptions.of(patients.regimens)
    row_regimen = table.take(periods.regimen[rows].astype(np.intp))
    technique = patients.technique_correct[chosen]
    delivered = np.where(technique == 0, dose["faulty_technique_delivers"], 1.0)
    child = np.asarray(patients.age_years[chosen] < CHILD_BELOW_YEARS)
    taken = np.where(row_regimen.scheduled, periods.controller_fraction[rows].astype(np.float64), np.nan)
    puffs = periods.reliever_puffs_per_day[rows].astype(np.float64)
    usual_taken = _last_known(taken, owner, n, dose["usual_adherence"])
    usual_puffs = _last_known(puffs, owner, n, dose["usual_puffs_per_day"])
    row_exposure = exposure(
        row_regimen,
        np.where(np.isnan(taken), usual_taken[owner], taken),
        np.where(np.isnan(puffs), usual_puffs[owner], puffs),
        delivered[owner],
        child[owner],
        a,
    )
    last_row = np.append(first_row[1:], len(rows)) - 1

    days = (periods.last_day[rows] - periods.first_day[rows] + 1).astype(np.float64)
    middle_ago = as_of - (periods.last_day[rows].astype(np.float64) + periods.first_day[rows].astype(np.float64)) / 2
    before = patients.severe_attacks_last_year[chosen].astype(np.float64)
    known_before = np.flatnonzero(~np.isnan(before))
    before_ago = as_of - periods.first_day[rows][first_row[known_before]] + DAYS_PER_YEAR / 2

    def with_year_before(period_rows: ArrayLike, year_before: ArrayLike) -> Float64:
        return np.insert(np.asarray(period_rows, np.float64), first_row[known_before], year_before, axis=0)

    days_ago = with_year_before(middle_ago, before_ago)
    row_patient = with_year_before(owner, known_before).astype(np.intp)
    none = np.zeros(len(known_before))
    diary_days = periods.diary_days[rows].astype(np.float64)
    controlled_days = periods.controlled_days[rows].astype(np.float64)
    level = a["level"]
    # What marks a patient's level is taken from the first period: later ones are what treatment has made of it.
    answered = diary_days[first_row] + level["usual_days"]
    uncontrolled = (diary_days - controlled_days)[first_row] + level["usual_days"] * level["usual_uncontrolled_share"]
    relative = relative_biomarkers(patients.eosinophils_per_microlitre[chosen], patients.feno_ppb[chosen], a)
    return Histories(
        starts=np.searchsorted(row_patient, np.arange(n)),
        row_patient=row_patient,
        row_exposure=with_year_before(row_exposure, row_exposure[first_row[known_before]]),
        years=with_year_before(days / DAYS_PER_YEAR, none + 1.0),
        attacks=with_year_before(periods.severe_attacks[rows].astype(np.float64), before[known_before]),
        weight=0.5 ** (days_ago / level["history_half_life_days"]),
        diary_days=with_year_before(diary_days, none),
        controlled_days=with_year_before(controlled_days, none),
        years_ago=days_ago / DAYS_PER_YEAR,
        relative_biomarkers=relative,
        modifiers=modifiers(relative, a),
        present=row_regimen.take(last_row),
        adherence=usual_taken,
        puffs=usual_puffs,
        delivered=delivered,
        child=child,
        uncontrolled_share=uncontrolled / answered,
        first=row_regimen.take(first_row),
        first_puffs=np.where(np.isnan(puffs[first_row]), dose["usual_puffs_per_day"], puffs[first_row]),
        first_adherence=np.where(np.isnan(taken[first_row]), dose["usual_adherence"], taken[first_row]),
    )
