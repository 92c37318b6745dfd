"""Hospitals of invented people as OMOP tables, with a known effect and confounding by severity.

Who the people are (severity, frailty, eosinophils, step, hospital mix) comes from the virtual cohort of `ml.simulator`.
What happens to them is a Poisson process of their latent risk, so that the true effect is known:

- risk of anything that goes with bad asthma = severity, log eosinophils and log frailty together, `LATENT`.
- severe attacks: `ATTACKS_PER_YEAR` × exp(risk), in the year before and after; × the true hazard ratio while on target.
- the choice: the worse the asthma, as the doctor sees it, the likelier the target treatment, `CHOICE`. The doctor sees
  the latent severity itself, the record only its traces (attacks, canisters, eosinophils, step): a bias is left.
- negative controls: conditions whose rate depends on the latent risk as attacks do, more or less, and on no treatment.

All numbers here are assumptions [A], made to be wrong in a known way, not to describe asthma.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import ArrayLike, NDArray

from ml.omop.concepts import concept
from ml.omop.tables import SCHEMAS
from ml.rwe.survival import partial_likelihood
from ml.simulator import people as virtual_people
from ml.simulator.parameters import frozen
from ml.simulator.people import SITES, People

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]
# Events of one table under construction: arrays of person index, concept, day, and what else the table holds.
Rows = list[tuple[NDArray[Any], ...]]

LATENT = {"severity": 0.45, "log10_eosinophils": 0.35, "log_frailty": 0.25}
ATTACKS_PER_YEAR = 0.45
CHOICE = {"severity": 0.7, "attacks": 0.25, "log10_eosinophils": 0.3, "step": 0.2}
# How a hospital's habits move the choice, in logits.
HABITS = (0.2, -0.2, 0.0, 0.4, -0.4)
CONTROLS = 50
FIRST_CONTROL_CONCEPT = 2_000_100_000
# A null outcome for evaluation, of the negative controls' kind, that no protocol uses as one.
HELD_OUT_CONCEPT = FIRST_CONTROL_CONCEPT + CONTROLS
CONTROLS_PER_YEAR = (0.06, 0.2)
# Slope of a negative control's rate on the latent risk: mean and SD.
CONTROL_SLOPE = (0.8, 0.25)
BACKGROUND_CONDITIONS, BACKGROUND_DRUGS = 30, 15
FIRST_BACKGROUND_CONDITION, FIRST_BACKGROUND_DRUG = 2_000_200_000, 2_000_300_000
BEFORE_DAYS, AFTER_DAYS = 400, 400
# People that a protocol should leave out: with COPD (concept 255573), with too short a past, with both at once.
COPD_SHARE, SHORT_PAST_SHARE, BOTH_SHARE = 0.04, 0.06, 0.01
COPD_CONCEPT = 255_573
SHORT_PAST_DAYS = 200
SUPPLY_DAYS = 30
# Share of the patients who leave their treatment each year.
STOP_PER_YEAR = 0.35
EPOCH_DAY_2022 = 18_993


@dataclass(frozen=True, slots=True)
class Scenario:
    """`hazard_ratio` of severe attacks on target against comparator; `outcome_slope`: how much of the latent risk the
    outcome takes up (1 = as in the past)."""

    hazard_ratio: float = 0.75
    outcome_slope: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """People with their latent risk, past and treatment; one entry each."""

    people: People
    risk: Float64
    past_attacks: Int64
    target: Bool
    stop_day: Float64


def _draw(rng: np.random.Generator, patients: int, hospital: int | None) -> Arms:
    p = frozen()
    if hospital is None:
        people = virtual_people.draw(p, rng, patients, age_range=(18.0, 79.0))
    else:
        # The site's share of the virtual cohort sets how many must be drawn to have enough of its people.
        drawn = virtual_people.draw(p, rng, int(patients / SITES[hospital].share * 1.3) + 200, age_range=(18.0, 79.0))
        people = drawn.take(np.flatnonzero(drawn.hospital == hospital)[:patients])
    n = len(people)
    eosinophils = (np.log10(people.eosinophils_per_microlitre) - p.log10_eosinophils_mean) / p.log10_eosinophils_sd
    frailty = np.clip(np.log(people.frailty + 1e-3), -2, 1.5)
    risk = (
        LATENT["severity"] * people.severity
        + LATENT["log10_eosinophils"] * eosinophils
        + LATENT["log_frailty"] * frailty
    ).astype(np.float64)
    past = rng.poisson(ATTACKS_PER_YEAR * np.exp(risk))
    logit = (
        CHOICE["severity"] * people.severity
        + CHOICE["attacks"] * (np.minimum(past, 4) - 0.5)
        + CHOICE["log10_eosinophils"] * eosinophils
        + CHOICE["step"] * (people.treatment_step - 3)
        + np.array(HABITS)[people.hospital.astype(np.intp)]
    )
    target = rng.random(n) < 1 / (1 + np.exp(-logit))
    stop = rng.exponential(365.0 / STOP_PER_YEAR, n)
    return Arms(people, risk, past, target, stop)


def true_hazard_ratio(scenario: Scenario, seed: int = 7, patients: int = 200_000) -> float:
    """The hazard ratio that a trial in those given the target would find: the same people under both treatments.

    Cox's ratio over people of unequal risk lies nearer to 1 than the ratio of each one's own; this is the former, which
    a matched comparison estimates.
    """
    rng = np.random.default_rng([seed, 3])
    arms = _draw(rng, patients, None)
    treated = np.flatnonzero(arms.target)
    rate = ATTACKS_PER_YEAR / 365.0 * np.exp(scenario.outcome_slope * arms.risk[treated])
    censored = np.minimum(arms.stop_day[treated], 365.0)
    days, events = [], []
    for ratio in (scenario.hazard_ratio, 1.0):
        attack = np.ceil(rng.exponential(1 / (rate * ratio)))
        days.append(np.minimum(attack, np.ceil(censored)))
        events.append(attack <= censored)
    arm = np.repeat([True, False], len(treated))
    found = partial_likelihood(np.concatenate(days), np.concatenate(events), arm).estimate()
    if found is None:
        raise ValueError("the scenario has no events")
    return float(np.exp(found[0]))


def simulated_hospital(
    seed: int, hospital: int, patients: int, scenario: Scenario | None = None
) -> dict[str, pa.Table]:
    """OMOP tables of one hospital, by name. The same arguments always give the same tables."""
    scenario = scenario or Scenario()
    rng = np.random.default_rng([seed, 1, hospital])
    # Negative controls are the same things in every hospital.
    controls = np.random.default_rng([seed, 2])
    arms = _draw(rng, patients, hospital)
    n = len(arms.people)
    index = EPOCH_DAY_2022 + rng.integers(BEFORE_DAYS, BEFORE_DAYS + 365, n)
    rows = _Rows(rng, n)
    rows.attacks(arms, index, scenario)
    rows.controls(arms, index, controls)
    rows.background(arms, index, controls)
    rows.treatment(arms, index)
    rows.severity_traces(arms, index)
    past_days = np.where(rng.random(n) < SHORT_PAST_SHARE, SHORT_PAST_DAYS, BEFORE_DAYS)
    return _tables(arms.people, index, index - past_days, rows, hospital)


def write_simulated_hospitals(folder: Path, seed: int, patients: int, scenario: Scenario | None = None) -> list[Path]:
    """All five hospitals of the virtual cohort, unequal as there, as folders of Parquet files in the new `folder`."""
    made = []
    for number, site in enumerate(SITES):
        place = folder / f"hospital-{number + 1}"
        place.mkdir(parents=True)
        for name, table in simulated_hospital(seed, number, max(1, round(patients * site.share)), scenario).items():
            pyarrow.parquet.write_table(table, place / f"{name}.parquet", compression="zstd")
        made.append(place)
    return made


class _Rows:
    """Events of all tables under construction."""

    def __init__(self, rng: np.random.Generator, patients: int) -> None:
        self.rng, self.patients = rng, patients
        self.condition: Rows = []
        self.visit: Rows = []
        self.drug: Rows = []
        self.measurement: Rows = []
        self.observation: Rows = []

    def _spread(self, counts: Int64, index: Int64, first: int, last: int) -> tuple[Int64, Int64]:
        """`counts` events a person on days drawn evenly from `first` to `last` after index."""
        person = np.repeat(np.arange(self.patients), counts)
        return person, index[person] + self.rng.integers(first, last + 1, len(person))

    def _poisson_after(self, rate: Float64, index: Int64) -> tuple[Int64, Int64]:
        return self._spread(self.rng.poisson(rate * AFTER_DAYS), index, 1, AFTER_DAYS)

    def attacks(self, arms: Arms, index: Int64, scenario: Scenario) -> None:
        person, day = self._spread(arms.past_attacks, index, -365, -1)
        rate = ATTACKS_PER_YEAR / 365.0 * np.exp(scenario.outcome_slope * arms.risk)
        # Each attack of those on target is prevented with the chance 1 − hazard ratio (or, above 1, some are added).
        ratio = scenario.hazard_ratio
        person_after, day_after = self._poisson_after(rate * max(ratio, 1.0), index)
        on_target = arms.target[person_after] & (day_after - index[person_after] <= arms.stop_day[person_after])
        share = np.where(on_target, min(ratio, 1.0), 1.0 / max(ratio, 1.0))
        happens = self.rng.random(len(person_after)) < share
        person, day = np.concatenate([person, person_after[happens]]), np.concatenate([day, day_after[happens]])
        self._add(self.condition, person, concept("condition", "exacerbation").concept_id, day)
        by_emergency = self.rng.random(len(person)) < 0.35
        self._add(self.visit, person[by_emergency], concept("visit", "emergency").concept_id, day[by_emergency])
        steroid = self.rng.random(len(person)) < 0.8
        length = np.full(steroid.sum(), 5)
        self._add(self.drug, person[steroid], concept("drug", "prednisolone").concept_id, day[steroid], length)

    def controls(self, arms: Arms, index: Int64, shared: np.random.Generator) -> None:
        rates = np.exp(shared.uniform(np.log(CONTROLS_PER_YEAR[0]), np.log(CONTROLS_PER_YEAR[1]), CONTROLS + 1))
        slopes = shared.normal(*CONTROL_SLOPE, CONTROLS + 1)
        for number, (rate, slope) in enumerate(zip(rates, slopes, strict=True)):
            person, day = self._poisson_after(rate / 365.0 * np.exp(slope * arms.risk), index)
            self._add(self.condition, person, FIRST_CONTROL_CONCEPT + number, day)

    def background(self, arms: Arms, index: Int64, shared: np.random.Generator) -> None:
        """Other illness and medicines of the year before, some of which go with bad asthma."""
        kinds = (
            (BACKGROUND_CONDITIONS, FIRST_BACKGROUND_CONDITION, self.condition),
            (BACKGROUND_DRUGS, FIRST_BACKGROUND_DRUG, self.drug),
        )
        for count, first_concept, rows in kinds:
            base, slope = shared.uniform(-3.5, -0.7, count), shared.normal(0.0, 0.35, count)
            chance = 1 / (1 + np.exp(-(base[:, None] + slope[:, None] * arms.people.severity[None, :])))
            number, person = np.nonzero(self.rng.random(chance.shape) < chance)
            day = index[person] - self.rng.integers(1, 366, len(person))
            extra = (np.full(len(person), SUPPLY_DAYS),) if rows is self.drug else ()
            self._add(rows, person, first_concept + number, day, *extra)
        everyone = np.arange(self.patients)
        with_copd = everyone[self.rng.random(self.patients) < COPD_SHARE]
        self._add(self.condition, with_copd, COPD_CONCEPT, index[with_copd] - self.rng.integers(1, 300, len(with_copd)))
        before = index - self.rng.integers(1, 300, self.patients)
        self._add(self.condition, everyone, concept("condition", "asthma").concept_id, before)

    def treatment(self, arms: Arms, index: Int64) -> None:
        """A supply every 30 days until the treatment is left."""
        supplies = np.minimum(np.ceil(arms.stop_day / SUPPLY_DAYS), np.ceil(AFTER_DAYS / SUPPLY_DAYS)).astype(np.int64)
        person = np.repeat(np.arange(self.patients), supplies)
        nth = np.arange(len(person)) - np.repeat(np.cumsum(supplies) - supplies, supplies)
        target, comparator = concept("drug", "tiotropium").concept_id, concept("drug", "montelukast").concept_id
        which = np.where(arms.target[person], target, comparator)
        left = arms.stop_day[person] - nth * SUPPLY_DAYS
        length = np.clip(np.ceil(left), 1, SUPPLY_DAYS).astype(np.int64)
        self._add(self.drug, person, which, index[person] + nth * SUPPLY_DAYS, length)
        both = np.flatnonzero(self.rng.random(self.patients) < BOTH_SHARE)
        other = np.where(arms.target[both], comparator, target)
        self._add(self.drug, both, other, index[both], np.full(len(both), SUPPLY_DAYS))

    def severity_traces(self, arms: Arms, index: Int64) -> None:
        people = arms.people
        canisters = self.rng.poisson(3.0 * np.exp(0.4 * people.severity) * people.reliever_habit)
        person, day = self._spread(np.minimum(canisters, 40), index, -365, -1)
        self._add(self.drug, person, concept("drug", "salbutamol").concept_id, day, np.full(len(person), SUPPLY_DAYS))
        everyone = np.arange(self.patients)

        def on_record(logit: Float64) -> Int64:
            return everyone[self.rng.random(self.patients) < 1 / (1 + np.exp(-logit))]

        # The sicker are measured more often: what is missing is not missing at random.
        measured = on_record(1.2 + 0.3 * people.severity.astype(np.float64))
        noisy = people.eosinophils_per_microlitre[measured] * np.exp(0.25 * self.rng.standard_normal(len(measured)))
        day = index[measured] - self.rng.integers(1, 300, len(measured))
        self._add(
            self.measurement, measured, concept("measurement", "blood_eosinophils").concept_id, day, np.round(noisy)
        )
        measured = on_record(0.0 + 0.3 * people.severity.astype(np.float64))
        noisy = people.feno_ppb[measured] * np.exp(0.25 * self.rng.standard_normal(len(measured)))
        day = index[measured] - self.rng.integers(1, 300, len(measured))
        self._add(self.measurement, measured, concept("measurement", "feno").local_id, day, np.round(noisy))
        step = people.treatment_step.astype(np.float64)
        self._add(
            self.observation,
            everyone,
            concept("observation", "treatment_step").local_id,
            index - self.rng.integers(1, 60, self.patients),
            step,
        )

    @staticmethod
    def _add(rows: Rows, person: Int64, concept_id: ArrayLike, day: Int64, *more: NDArray[Any]) -> None:
        rows.append((person, np.broadcast_to(np.asarray(concept_id, dtype=np.int64), person.shape), day, *more))


def _stacked(rows: Rows, column: int) -> NDArray[Any]:
    return np.concatenate([row[column] for row in rows])


def _table(name: str, columns: Mapping[str, Any]) -> pa.Table:
    """An Arrow table in the schema of `name`; what is not given is NULL."""
    schema = SCHEMAS[name]
    length = len(next(iter(columns.values())))
    arrays = [
        pa.array(columns[field.name]).cast(field.type) if field.name in columns else pa.nulls(length, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _days(values: NDArray[Any]) -> pa.Array:
    return pa.array(np.asarray(values, dtype=np.int32)).cast(pa.date32())


def _tables(people: People, index: Int64, observed_from: Int64, rows: _Rows, hospital: int) -> dict[str, pa.Table]:
    n = len(people)
    person_id = np.arange(1, n + 1)
    ehr = concept("type", "ehr").concept_id

    def events(name: str, id_column: str, prefix: str, found: Rows) -> dict[str, Any]:
        person = _stacked(found, 0).astype(np.int64)
        columns: dict[str, Any] = {
            id_column: np.arange(1, len(person) + 1),
            "person_id": person_id[person],
            f"{prefix}_type_concept_id": np.full(len(person), ehr),
        }
        concepts = _stacked(found, 1).astype(np.int64)
        # Local concepts are no standard concepts: they stand in the source column where there is one.
        source_column = f"{prefix}_source_concept_id"
        if source_column in SCHEMAS[name].names and prefix in ("measurement", "observation"):
            columns[source_column] = concepts
            concepts = np.where(concepts >= 2_000_000_000, 0, concepts)
        columns[f"{prefix}_concept_id"] = concepts
        return columns

    condition = events("condition_occurrence", "condition_occurrence_id", "condition", rows.condition)
    condition["condition_start_date"] = _days(_stacked(rows.condition, 2))
    visit = events("visit_occurrence", "visit_occurrence_id", "visit", rows.visit)
    visit["visit_start_date"] = visit["visit_end_date"] = _days(_stacked(rows.visit, 2))
    drug = events("drug_exposure", "drug_exposure_id", "drug", rows.drug)
    first, length = _stacked(rows.drug, 2).astype(np.int64), _stacked(rows.drug, 3).astype(np.int64)
    drug |= {
        "drug_exposure_start_date": _days(first),
        "drug_exposure_end_date": _days(first + length - 1),
        "days_supply": length,
    }
    measurement = events("measurement", "measurement_id", "measurement", rows.measurement)
    measurement |= {
        "measurement_date": _days(_stacked(rows.measurement, 2)),
        "value_as_number": _stacked(rows.measurement, 3).astype(np.float64),
    }
    observation = events("observation", "observation_id", "observation", rows.observation)
    observation |= {
        "observation_date": _days(_stacked(rows.observation, 2)),
        "value_as_number": _stacked(rows.observation, 3).astype(np.float64),
    }
    female = concept("gender", "female").concept_id
    year = 1970 + np.floor(index / 365.2425).astype(np.int64) - np.floor(people.age_years).astype(np.int64)
    return {
        "person": _table(
            "person",
            {
                "person_id": person_id,
                "gender_concept_id": np.where(people.female == 1, female, concept("gender", "male").concept_id),
                "year_of_birth": year,
                "race_concept_id": np.zeros(n, dtype=np.int64),
                "ethnicity_concept_id": np.zeros(n, dtype=np.int64),
                "care_site_id": np.full(n, hospital + 1),
            },
        ),
        "observation_period": _table(
            "observation_period",
            {
                "observation_period_id": person_id,
                "person_id": person_id,
                "observation_period_start_date": _days(observed_from),
                "observation_period_end_date": _days(index + AFTER_DAYS),
                "period_type_concept_id": np.full(n, concept("type", "algorithm").concept_id),
            },
        ),
        "care_site": _table(
            "care_site", {"care_site_id": [hospital + 1], "care_site_name": [f"Simulated hospital {hospital + 1}"]}
        ),
        "condition_occurrence": _table("condition_occurrence", condition),
        "visit_occurrence": _table("visit_occurrence", visit),
        "drug_exposure": _table("drug_exposure", drug),
        "measurement": _table("measurement", measurement),
        "observation": _table("observation", observation),
    }
