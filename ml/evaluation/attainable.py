"""How much a diary can say at best: a particle filter that knows the simulator's law and each patient's traits.

The oracle sees the hidden state itself (load, infection, turned or not); no reader of a diary can. This observer knows
everything else that the oracle knows, all parameters and traits included, but learns of the state only through what
the patient wrote down. What it reaches is an upper bound for any model that reads diaries, and one that needs never be
reached: a model has to learn the traits from the diary as well. For evaluation only.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ml.contract import EVENT_COLUMNS
from ml.features.daily import day_grid
from ml.features.filters import DIARY_COLUMNS, RECOVERY_DAYS
from ml.simulator import surroundings
from ml.simulator.airways import Airways, Day, Latent, attack_chance
from ml.simulator.cohort import HISTORY_DAYS, START_ON, simulate
from ml.simulator.parameters import Parameters, frozen
from ml.simulator.people import People
from ml.simulator.regimens import USUAL_CARE_BY_STEP
from ml.simulator.treatment import Treatment, prescribe
from ml.simulator.truth import Oracle

Float32 = NDArray[np.float32]

BURN_IN_DAYS = 60
# Particles of each patient that the chance is averaged over: the oracle costs more than a day's step.
ORACLE_PARTICLES = 80
# Symptoms are a hard function of the felt state; a little softness keeps particles alive.
SYMPTOM_SOFTNESS = 0.12
LEAST_LIKELIHOOD = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Particles:
    """All patients' particles, patient by patient: who they stand for and how they are treated."""

    people: People
    treatment: Treatment
    patient: NDArray[np.intp]
    parameters: Parameters


def attainable_chance(seed: int, patients: int, days: int, particles: int) -> Float32:
    """Chance (days, `patients`) within 7 days for the first patients of the cohort `simulate(seed, 3000, days)`."""
    p = frozen()
    cohort = simulate(seed, 3_000, days)
    first_day = cohort.truth.first_day
    grid = day_grid(cohort.diaries, 3_000, np.full(3_000, first_day), days)[:, :, :patients]
    people = cohort.truth.people.take(np.arange(patients))
    codes = sorted(USUAL_CARE_BY_STEP)
    which = np.searchsorted(np.array(codes), people.treatment_step).astype(np.intp)
    treatment = prescribe(p, people, [USUAL_CARE_BY_STEP[code] for code in codes], which)
    patient = np.repeat(np.arange(patients), particles)
    cloud = Particles(people.take(patient), treatment.take(patient), patient, p)
    air = surroundings.draw(
        p, np.random.default_rng([seed, 0]), START_ON.toordinal() - HISTORY_DAYS, HISTORY_DAYS + days
    )
    airways = Airways(p, cloud.people)
    oracle = Oracle(Airways(p, people.take(np.repeat(np.arange(patients), ORACLE_PARTICLES))))
    spread = np.arange(ORACLE_PARTICLES) * (particles // ORACLE_PARTICLES)
    judged = (np.arange(patients)[:, None] * particles + spread).ravel()

    rng = np.random.default_rng([seed, 99])
    latent = Latent.at_rest(rng, len(patient))
    for number in range(HISTORY_DAYS - BURN_IN_DAYS, HISTORY_DAYS):
        airways.advance(latent, cloud.treatment, air, number, rng)
    chance = np.empty((days, patients), np.float32)
    days_since_severe = np.full(patients, 10**6)
    for number in range(days):
        day = airways.advance(latent, cloud.treatment, air, HISTORY_DAYS + number, rng)
        severe = (grid[number][[DIARY_COLUMNS.index(name) for name in EVENT_COLUMNS]] > 0).any(axis=0)
        onset = severe & (days_since_severe >= RECOVERY_DAYS)
        days_since_severe = np.where(severe, 0, days_since_severe + 1)
        log_weight = _log_likelihood(cloud, latent, day, grid[number])
        log_weight += _attack_log_likelihood(cloud, latent, day, severe[patient], onset[patient])
        latent = latent.take(_resampled(log_weight.reshape(patients, particles), rng))
        sample = latent.take(judged)
        found = oracle.chance_within(sample, air, HISTORY_DAYS + number)[7]
        chance[number] = found.reshape(patients, ORACLE_PARTICLES).mean(axis=1)
    return chance


def _log_likelihood(cloud: Particles, s: Latent, day: Day, written: Float32) -> Float32:
    """ln likelihood of one day's entries (columns, patients) for each particle; what is missing says nothing."""
    p, people, f = cloud.parameters, cloud.people, np.float32
    total = np.zeros(len(people), np.float32)

    def entry(name: str) -> tuple[Float32, NDArray[np.bool_]]:
        values = written[DIARY_COLUMNS.index(name)][cloud.patient]
        return np.nan_to_num(values), ~np.isnan(values)

    def add(known: NDArray[np.bool_], likelihood: NDArray[np.floating]) -> None:
        total[known] += np.log(np.maximum(likelihood, LEAST_LIKELIHOOD))[known].astype(np.float32)

    calibre = people.predicted_litres_per_min * people.lung_size_ratio * day.fev1_ratio ** f(1 / p.fev1_per_predicted)
    for name, expected in (
        ("morning_litres_per_min", calibre * (1 - people.morning_dip * (1 + s.load))),
        ("evening_litres_per_min", calibre),
    ):
        values, known = entry(name)
        values = np.where(known, values, f(300))
        # The meter's steps of 5 L/min add their own 1.44 L/min of standard deviation.
        spread = np.sqrt(people.blow_noise_sd**2 + (f(1.44) / values) ** 2)
        off = np.minimum(((np.log(values) - np.log(expected)) / spread) ** 2, f(60))
        add(known, (1 - p.poor_blow_share) * np.exp(-off / 2) + p.poor_blow_share * spread)
    felt = day.latent_symptoms
    values, known = entry("day_symptoms")
    edges = np.array([-99.0, 0.0, p.moderate_symptoms_above, p.severe_symptoms_above, 99.0])
    level = values.astype(np.intp)
    above, below = (edges[level + 1] - felt) / SYMPTOM_SOFTNESS, (edges[level] - felt) / SYMPTOM_SOFTNESS
    add(known, ndtr(above) - ndtr(below))
    for name, threshold, spread_felt in (
        ("night_waking", p.night_waking_above, 0.7),
        ("activity_limited", p.activity_limited_above, 0.5),
    ):
        values, known = entry(name)
        yes = ndtr((felt - threshold) / spread_felt)
        add(known, np.where(values > 0, yes, 1 - yes))
    values, known = entry("reliever_puffs")
    wants = np.exp(f(p.reliever_log_puffs) + f(p.reliever_per_symptom) * felt) * people.reliever_habit
    wants = np.where(cloud.treatment.reliever_formoterol > 0, wants * f(p.formoterol_puffs_ratio), wants)
    likelihood = np.full(len(people), 3e-3)
    nodes, weights = np.polynomial.hermite_e.hermegauss(7)
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        wanted = np.minimum(wants * f(np.exp(p.reliever_noise_sd * node)), f(40))
        likelihood += weight * np.maximum(0, 1 - np.abs(wanted - values))
    add(known, likelihood)
    values, known = entry("trigger_count")
    # One more than the infection, by chance on a tenth of days.
    extra = values - day.infected
    add(known, np.where(extra == 0, 0.9, np.where(extra == 1, 0.1, LEAST_LIKELIHOOD)))
    return total


def _attack_log_likelihood(
    cloud: Particles, s: Latent, day: Day, severe: NDArray[np.bool_], onset: NDArray[np.bool_]
) -> Float32:
    """ln likelihood of an attack recorded or not; where one begins, every particle is put on its course, in `s`."""
    p, f = cloud.parameters, np.float32
    chance = attack_chance(s.load, cloud.people.severe_load, p)
    begins = onset & ~day.severe
    s.steroid_days_left = np.where(begins, f(p.steroid_days), s.steroid_days_left)
    s.quiet_days_left = np.where(begins, f(p.quiet_days_after_attack), s.quiet_days_left)
    unrecorded = np.where(day.severe & ~severe, f(np.log(1 - p.attack_recorded_share)), f(0))
    return np.asarray(np.where(onset, np.log(chance + f(1e-3)), unrecorded), dtype=np.float32)


def _resampled(log_weight: Float32, rng: np.random.Generator) -> NDArray[np.intp]:
    """Numbers of the particles that go on, by systematic resampling within each patient."""
    patients, particles = log_weight.shape
    weight = np.exp((log_weight - log_weight.max(axis=1, keepdims=True)).astype(np.float64))
    below = np.cumsum(weight, axis=1)
    below /= below[:, -1:]
    row = np.arange(patients)[:, None]
    position = (np.arange(particles) + rng.random((patients, 1))) / particles
    chosen = np.searchsorted((below + row).ravel(), (position + row).ravel())
    last = (row * particles + particles - 1).repeat(particles)
    return np.asarray(np.minimum(chosen, last), dtype=np.intp)
