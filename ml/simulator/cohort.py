"""A cohort under usual care: diaries and profiles as the server would hold them, and the truth beside them."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ml.contract import Diaries, Profiles
from ml.simulator import people as people_of
from ml.simulator import surroundings
from ml.simulator.airways import Airways, Latent
from ml.simulator.parameters import Parameters, frozen
from ml.simulator.people import People
from ml.simulator.regimens import USUAL_CARE_BY_STEP, Regimen
from ml.simulator.reporting import Notebook
from ml.simulator.treatment import Treatment, prescribe
from ml.simulator.truth import Oracle, Truth

HISTORY_DAYS = 365
PATIENTS_PER_CHUNK = 4096
# Monday of the first full week of 2024: the diary starts in winter unless asked otherwise.
START_ON = datetime.date(2024, 1, 8)
# [A] An asthma clinic knows most patients' blood eosinophils and exhaled nitric oxide; one measurement strays from the
# patient's own mean by these SDs of the natural logarithm, within the day and from week to week.
EOSINOPHILS_KNOWN, EOSINOPHILS_SPREAD = 0.8, 0.3
FENO_KNOWN, FENO_SPREAD = 0.6, 0.2
Columns = TypeVar("Columns", Diaries, Profiles, People)


@dataclass(frozen=True, slots=True)
class SimulatedCohort:
    """`truth` is for evaluation only; models are given `diaries` and `profiles`."""

    diaries: Diaries
    profiles: Profiles
    truth: Truth


def simulate(
    seed: int,
    patients: int,
    days: int,
    start_on: datetime.date = START_ON,
    *,
    severity_shift: float = 0.0,
    limits: Mapping[str, tuple[float, float]] | None = None,
    oracle: bool = False,
    regimens_by_step: dict[int, Regimen] | None = None,
    parameters: Parameters | None = None,
) -> SimulatedCohort:
    """`patients` followed for `days`, after a year of unrecorded history that gives `severe_attacks_last_year`.

    `severity_shift` moves the population by SDs of severity; `limits` keeps patients whose traits lie within ranges,
    such as {"treatment_step": (3, 5)}; `oracle` also fills `truth.chance_within`. The same
    arguments always give the same cohort; ValueError when patients or days are not positive.
    """
    return _joined(
        list(
            simulate_in_chunks(
                seed,
                patients,
                days,
                start_on,
                severity_shift=severity_shift,
                limits=limits,
                oracle=oracle,
                regimens_by_step=regimens_by_step,
                parameters=parameters,
            )
        )
    )


def simulate_in_chunks(
    seed: int,
    patients: int,
    days: int,
    start_on: datetime.date = START_ON,
    *,
    severity_shift: float = 0.0,
    limits: Mapping[str, tuple[float, float]] | None = None,
    oracle: bool = False,
    regimens_by_step: dict[int, Regimen] | None = None,
    parameters: Parameters | None = None,
) -> Iterator[SimulatedCohort]:
    """As `simulate`, a bounded number of patients at a time; `patient_index` runs on across chunks."""
    if patients < 1 or days < 1:
        raise ValueError("a cohort needs at least one patient and one day")
    p = parameters or frozen()
    regimens = USUAL_CARE_BY_STEP | (regimens_by_step or {})
    first_day = start_on.toordinal()
    air = surroundings.draw(p, np.random.default_rng([seed, 0]), first_day - HISTORY_DAYS, HISTORY_DAYS + days)
    for chunk, first_patient in enumerate(range(0, patients, PATIENTS_PER_CHUNK)):
        rng = np.random.default_rng([seed, 1, chunk])
        count = min(PATIENTS_PER_CHUNK, patients - first_patient)
        people = people_of.draw_eligible(p, rng, count, limits or {}, severity_shift)
        codes = sorted(regimens)
        which = np.searchsorted(np.array(codes), people.treatment_step).astype(np.intp)
        treatment = prescribe(p, people, [regimens[code] for code in codes], which)
        yield _follow(p, people, treatment, air, days, first_patient, rng, with_oracle=oracle)


def _follow(
    p: Parameters,
    people: People,
    treatment: Treatment,
    air: surroundings.Surroundings,
    days: int,
    first_patient: int,
    rng: np.random.Generator,
    *,
    with_oracle: bool,
) -> SimulatedCohort:
    n = len(people)
    airways = Airways(p, people)
    latent = Latent.at_rest(rng, n)
    attacks = np.zeros(n, np.float32)
    best = np.zeros(n, np.float32)
    for number in range(HISTORY_DAYS):
        day = airways.advance(latent, treatment, air, number, rng)
        attacks += day.severe
        # A personal best is found in two or three good weeks, not over a lifetime.
        if number >= HISTORY_DAYS - 21:
            best = np.maximum(best, np.maximum(day.morning_litres_per_min, day.evening_litres_per_min))
    first_day = air.first_day + HISTORY_DAYS
    notebook = Notebook.empty(p, people, first_day, days)
    onset = np.zeros((days, n), bool)
    chance = np.zeros((days, n), np.float32)
    load = np.zeros((days, n), np.float32)
    oracle = Oracle(airways)
    within: dict[int, NDArray[np.float32]] = {}
    for number in range(days):
        chance[number] = oracle.chance_tomorrow(latent)
        day = airways.advance(latent, treatment, air, HISTORY_DAYS + number, rng)
        notebook.write(number, day, treatment.has_controller, rng)
        onset[number], load[number] = day.severe, latent.load
        if with_oracle:
            for horizon, values in oracle.chance_within(latent, air, HISTORY_DAYS + number).items():
                within.setdefault(horizon, np.zeros((days, n), np.float32))[number] = values
    truth = Truth(
        first_day=first_day,
        severe_onset=onset.T,
        chance_today=chance.T,
        load=load.T,
        chance_within={horizon: values.T for horizon, values in within.items()},
        people=people,
    )
    unknown = rng.random((3, n))
    strays = rng.standard_normal((2, n))
    measured = rng.random((2, n)) < np.array([[EOSINOPHILS_KNOWN], [FENO_KNOWN]])
    eosinophils = np.round(people.eosinophils_per_microlitre * np.exp(EOSINOPHILS_SPREAD * strays[0]))
    feno = np.round(people.feno_ppb * np.exp(FENO_SPREAD * strays[1]))
    profiles = Profiles.of(
        n,
        hospital=people.hospital.astype(np.int32),
        age_years=np.floor(people.age_years),
        female=people.female,
        height_cm=np.round(people.height_cm),
        personal_best_litres_per_min=np.where(unknown[0] < 0.12, np.nan, np.round(best / 5) * 5),
        treatment_step=people.treatment_step,
        severe_attacks_last_year=np.where(unknown[1] < 0.08, np.nan, attacks),
        eosinophils_per_microlitre=np.where(measured[0], np.clip(eosinophils, 1, 20_000), np.nan),
        feno_ppb=np.where(measured[1], np.clip(feno, 1, 400), np.nan),
    )
    return SimulatedCohort(notebook.diaries(first_patient), profiles, truth)


def _stacked(parts: Sequence[Columns]) -> Columns:
    kind = type(parts[0])
    return kind(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(kind)})


def _joined(chunks: list[SimulatedCohort]) -> SimulatedCohort:
    if len(chunks) == 1:
        return chunks[0]
    truths = [chunk.truth for chunk in chunks]
    truth = Truth(
        first_day=truths[0].first_day,
        severe_onset=np.concatenate([t.severe_onset for t in truths]),
        chance_today=np.concatenate([t.chance_today for t in truths]),
        load=np.concatenate([t.load for t in truths]),
        chance_within={
            horizon: np.concatenate([t.chance_within[horizon] for t in truths]) for horizon in truths[0].chance_within
        },
        people=_stacked([t.people for t in truths]),
    )
    return SimulatedCohort(
        diaries=_stacked([chunk.diaries for chunk in chunks]),
        profiles=_stacked([chunk.profiles for chunk in chunks]),
        truth=truth,
    )
