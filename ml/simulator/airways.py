"""The latent course of asthma, one day at a time for many patients at once.

A worsening starts at a small load and grows slowly; each day it may turn by itself or become rapid, and two or three
rapid days make a severe attack. Treatment makes fewer worsenings start and more of them turn. Load 1 is where an attack
is typically called severe.
Nothing that lies ahead is drawn in advance, so that the chance of an attack given today's state is well defined.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ml.simulator.parameters import Parameters
from ml.simulator.people import People
from ml.simulator.surroundings import Surroundings
from ml.simulator.treatment import Treatment

Float32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
STATE_DAYS = (1.5, 7.0, 40.0)
STATE_WEIGHTS = (0.55, 0.55, 0.63)
LARGEST_LOAD = 2.0
SMALLEST_LOAD = 0.03
UNIFORMS_PER_DAY = 16
NORMALS_PER_DAY = 13


@dataclass(slots=True, eq=False)
class Latent:
    """The state at the end of a day; one entry per patient. Nothing outside the simulator sees it."""

    state_fast: Float32
    state_weekly: Float32
    state_slow: Float32
    infected_days_left: Float32
    load: Float32
    worsening: Mask
    rapid: Mask
    abrupt: Mask
    days_worse: Float32
    steroid_days_left: Float32
    quiet_days_left: Float32
    aftermath: Float32
    ics_slow: Float32
    ics_fast: Float32
    laba_level: Float32
    lama_level: Float32
    biologic_level: Float32
    formoterol_level: Float32
    adherence_state: Float32
    usual_symptoms: Float32
    latest_symptoms: Float32
    onset_days_left: Float32
    symptom_noise: Float32

    @classmethod
    def at_rest(cls, rng: np.random.Generator, patients: int) -> Self:
        masks = ("worsening", "rapid", "abrupt")
        at_rest = {field.name: np.zeros(patients, bool if field.name in masks else np.float32) for field in fields(cls)}
        latent = cls(**at_rest)
        latent.state_fast = rng.standard_normal(patients).astype(np.float32)
        latent.state_weekly = rng.standard_normal(patients).astype(np.float32)
        latent.state_slow = rng.standard_normal(patients).astype(np.float32)
        return latent

    def take(self, chosen: NDArray[np.intp] | Mask) -> Self:
        return type(self)(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    def copy(self) -> Self:
        return self.take(np.arange(len(self.load)))


@dataclass(slots=True, eq=False)
class Day:
    """What happened on one day, per patient: true readings before anybody writes (or forgets to write) them down."""

    severe: Mask
    emergency: Mask
    admitted: Mask
    unscheduled_visit: Mask
    on_steroids: Mask
    start_rate: Float32
    turn_rate: Float32
    infected: Mask
    morning_litres_per_min: Float32
    evening_litres_per_min: Float32
    fev1_ratio: Float32
    symptoms: Float32
    night_waking: Mask
    activity_limited: Mask
    reliever_puffs: Float32
    doses_taken: Float32
    ics_micrograms: Float32
    latent_symptoms: Float32


def attack_chance(load: Float32, severe_load: Float32 | np.float32, parameters: Parameters) -> Float32:
    """Chance that a day at this load becomes a severe attack."""
    with np.errstate(divide="ignore"):
        distance = (np.log(load) - np.log(severe_load)) / np.float32(parameters.severe_spread)
    chance = np.float32(parameters.severe_chance) / (1 + np.exp(-np.maximum(distance, -60)))
    return np.where(load > 0.3, chance, np.float32(0))


class Airways:
    """Moves patients from day to day. Draws the same numbers whatever the treatment, so arms can be compared."""

    def __init__(self, parameters: Parameters, people: People) -> None:
        p = parameters
        self.parameters = p
        self.people = people
        f = np.float32
        self.log_start = (
            f(np.log(p.start_rate))
            + f(p.start_severity) * people.severity
            + np.log(people.frailty + f(1e-6))
            + f(p.start_log10_eosinophils) * (np.log10(people.eosinophils_per_microlitre) - f(p.log10_eosinophils_mean))
            + f(p.start_log10_feno) * (np.log10(people.feno_ppb) - f(p.log10_feno_mean))
        )
        self.log_turn = f(np.log(p.turn_rate)) - f(p.turn_severity) * people.severity
        self.pm25_log_risk = np.where(people.child, f(p.pm25_log_risk_child), f(p.pm25_log_risk_adult))
        self.site = people.hospital.astype(np.intp)
        self.child = people.child
        self.best = people.predicted_litres_per_min * people.lung_size_ratio
        self.decay = [f(np.exp(-1 / days)) for days in STATE_DAYS]
        self.kick = [f(np.sqrt(1 - d**2)) for d in self.decay]

    def steroid_effect(self, level: Float32, half_effect_micrograms: float) -> Float32:
        half = np.float32(half_effect_micrograms)
        return np.asarray(level / (level + half) * self.people.steroid_response)

    def start_rate(self, s: Latent, infected: Mask, pm25_excess: Float32) -> Float32:
        p, f = self.parameters, np.float32
        log_rate = (
            self.log_start
            + f(p.start_airway_state) * s.state_slow
            + f(p.start_infection) * infected
            + self.pm25_log_risk * pm25_excess[self.site]
            - f(p.ics_start_effect) * self.steroid_effect(s.ics_slow, p.ics_half_effect_micrograms)
            - f(p.laba_start_effect) * s.laba_level
            - f(p.lama_start_effect) * s.lama_level
            - s.biologic_level
        )
        return np.asarray(np.exp(log_rate))

    def turn_rate(self, s: Latent, infected: Mask) -> Float32:
        p, f = self.parameters, np.float32
        log_rate = (
            self.log_turn
            - f(p.turn_infection) * infected
            + f(p.ics_turn_effect) * self.steroid_effect(s.ics_fast, p.ics_fast_half_effect_micrograms)
            + f(p.laba_turn_effect) * s.laba_level
            + (f(p.lama_turn_effect) + f(p.lama_turn_effect_infected) * infected) * s.lama_level
            + f(p.formoterol_relief_turn_effect) * s.formoterol_level
        )
        on_steroids = np.where(s.steroid_days_left > 0, f(p.steroid_turn_rate), f(0))
        return np.asarray(np.exp(log_rate) + on_steroids)

    def advance(self, s: Latent, treatment: Treatment, air: Surroundings, day: int, rng: np.random.Generator) -> Day:
        """Carry `s` through day number `day` of `air`, in place."""
        p, people, f = self.parameters, self.people, np.float32
        n = len(people)
        u = rng.random((UNIFORMS_PER_DAY, n), dtype=np.float32)
        e = rng.standard_normal((NORMALS_PER_DAY, n), dtype=np.float32)

        s.state_fast = self.decay[0] * s.state_fast + self.kick[0] * e[0]
        s.state_weekly = self.decay[1] * s.state_weekly + self.kick[1] * e[1]
        s.state_slow = self.decay[2] * s.state_slow + self.kick[2] * e[2]
        state = f(STATE_WEIGHTS[0]) * s.state_fast + f(STATE_WEIGHTS[1]) * s.state_weekly
        state += f(STATE_WEIGHTS[2]) * s.state_slow

        catching = np.where(
            self.child, air.infection_chance_child[day][self.site], air.infection_chance_adult[day][self.site]
        )
        s.infected_days_left = np.where(u[0] < catching, f(p.infection_days), np.maximum(s.infected_days_left - 1, 0))
        infected = s.infected_days_left > 0

        # --- the worsening -------------------------------------------------------------------------------------
        start_rate = self.start_rate(s, infected, air.pm25_excess[day])
        turn_rate = self.turn_rate(s, infected)
        turn_chance = 1 - np.exp(-turn_rate)
        becomes_rapid = s.rapid | (u[3] < f(p.rapid_chance))
        growth = np.where(becomes_rapid, f(p.rapid_growth_per_day), f(p.slow_growth_per_day)) + f(p.growth_jump) * e[3]
        grown = np.minimum(s.load * np.exp(growth), f(LARGEST_LOAD))
        falling = np.where(s.steroid_days_left > 0, f(p.recovery_on_steroids), f(p.recovery))
        fallen = np.maximum(s.load * np.exp(-falling) - f(p.recovery_per_day), 0)
        worse_before = s.worsening
        keeps_growing = worse_before & (u[1] >= turn_chance)
        at_risk = s.quiet_days_left <= 0
        chance_grown = attack_chance(grown, people.severe_load, p)
        chance_fallen = attack_chance(fallen, people.severe_load, p)

        s.load = np.where(keeps_growing, grown, fallen)
        s.load = np.where(s.load < SMALLEST_LOAD, f(0), s.load)
        begins = ~keeps_growing & (s.load < f(0.3)) & (s.steroid_days_left <= 0) & (u[2] < 1 - np.exp(-start_rate))
        abrupt = begins & (u[14] < f(p.abrupt_share))
        s.rapid = (keeps_growing & becomes_rapid) | abrupt
        s.abrupt = np.where(begins, abrupt, s.abrupt & keeps_growing)
        s.load = np.where(begins, np.maximum(s.load, f(p.first_load)), s.load)
        s.worsening = keeps_growing | begins

        severe = at_risk & (u[4] < np.where(keeps_growing, chance_grown, chance_fallen)) & (s.load > 0.3)
        # Attacks without warning are those that end in the emergency department.
        sudden = np.where(s.abrupt, f(p.sudden_emergency_ratio), f(1))
        emergency = severe & (u[5] < f(p.emergency_share) * sudden)
        admitted = severe & (u[5] < f(p.admission_share) * sudden)
        # Care is also sought for worsenings that last, although they need no systemic steroid.
        s.days_worse = np.where(s.worsening, s.days_worse + 1, f(0))
        lasting = s.days_worse >= f(p.visit_after_days)
        visit = severe | (lasting & (u[15] < f(p.visit_chance) * people.symptom_sensitivity))
        course = np.floor(f(p.steroid_days) - 1 + 3 * u[6])
        s.steroid_days_left = np.where(severe, course, np.maximum(s.steroid_days_left - 1, 0))
        s.quiet_days_left = np.where(severe, f(p.quiet_days_after_attack), np.maximum(s.quiet_days_left - 1, 0))

        # --- medicine taken --------------------------------------------------------------------------------------
        decay = f(np.exp(-1 / p.adherence_state_days))
        s.adherence_state = decay * s.adherence_state + f(p.adherence_state_sd) * np.sqrt(1 - decay**2) * e[5]
        feels_worse = (s.latest_symptoms - s.usual_symptoms) > f(0.9)
        take_logit = treatment.adherence_logit + s.adherence_state + f(p.adherence_when_worse) * feels_worse
        if air.weekend[day]:
            take_logit = take_logit + f(p.adherence_weekend)
        take_chance = 1 / (1 + np.exp(-take_logit))
        first, second = u[7] < take_chance, u[8] < take_chance
        taken = np.where(treatment.two_doses, (first + second.astype(np.float32)) * f(0.5), first).astype(np.float32)
        taken = np.where(treatment.has_controller, taken, f(0))

        # The patient's own plan: a clear change of symptoms, acted on by those who usually take their medicine.
        acts = (
            (s.latest_symptoms - s.usual_symptoms > f(p.plan_threshold))
            & (s.onset_days_left <= 0)
            & (treatment.onset_multiplier > 1)
        )
        s.onset_days_left = np.where(acts, treatment.onset_days, np.maximum(s.onset_days_left - 1, 0))
        multiplier = np.where(s.onset_days_left > 0, treatment.onset_multiplier, f(1))

        # --- what it feels like ------------------------------------------------------------------------------------
        steroid = self.steroid_effect(s.ics_slow, p.ics_half_effect_micrograms)
        impact = s.load ** f(p.load_impact_power)
        # After a real attack the airways stay narrow for a while although the worsening itself is over.
        s.aftermath = np.maximum(s.aftermath * f(p.aftermath_kept_per_day), np.where(s.load > f(0.7), impact, f(0)))
        impact = np.maximum(impact, s.aftermath)
        s.symptom_noise = f(0.35) * s.symptom_noise + f(np.sqrt(1 - 0.35**2)) * e[6]
        felt = (
            people.symptom_offset
            + f(p.symptom_state) * state
            + f(p.symptom_noise_sd) * s.symptom_noise
            + f(p.symptom_load) * people.symptom_sensitivity * impact
            + f(p.symptom_infection) * infected
            - f(p.ics_to_symptoms) * steroid
            - f(p.laba_to_symptoms) * s.laba_level
            - f(p.lama_to_symptoms) * s.lama_level
            - f(p.biologic_to_symptoms) * s.biologic_level
        )
        symptoms = (
            (felt > 0).astype(np.float32) + (felt > f(p.moderate_symptoms_above)) + (felt > f(p.severe_symptoms_above))
        ).astype(np.float32)
        wants = np.exp(f(p.reliever_log_puffs) + f(p.reliever_per_symptom) * felt + f(p.reliever_noise_sd) * e[7])
        wants = wants * people.reliever_habit
        wants = np.where(treatment.reliever_formoterol > 0, wants * f(p.formoterol_puffs_ratio), wants)
        puffs = np.floor(np.minimum(wants, f(40)) + u[9])
        night_waking = felt + f(0.7) * e[8] > f(p.night_waking_above)
        activity_limited = felt + f(0.5) * e[9] > f(p.activity_limited_above)

        # --- peak flow ----------------------------------------------------------------------------------------------
        narrowing = (
            people.obstruction
            + f(p.state_to_peak_flow) * state
            + f(p.load_to_peak_flow) * people.peak_flow_sensitivity * np.minimum(impact, f(1.4))
        )
        opening = (
            f(p.ics_to_peak_flow) * steroid
            + f(p.laba_to_peak_flow) * s.laba_level
            + f(p.lama_to_peak_flow) * s.lama_level
            + f(p.biologic_to_peak_flow) * s.biologic_level
        )
        calibre = np.exp(opening - narrowing)
        dip = people.morning_dip * (1 + s.load)
        morning = self.best * calibre * (1 - dip) * np.exp(people.blow_noise_sd * e[10])
        evening = self.best * calibre * np.exp(people.blow_noise_sd * e[11])
        morning = np.where(u[10] < f(p.poor_blow_share), morning * (f(0.5) + f(0.35) * u[11]), morning)
        evening = np.where(u[12] < f(p.poor_blow_share), evening * (f(0.5) + f(0.35) * u[13]), evening)

        # --- levels at the end of the day -----------------------------------------------------------------------------
        scheduled = treatment.ics_micrograms_per_day * taken * multiplier
        inhaled = (scheduled + treatment.reliever_ics_micrograms * puffs) * treatment.technique
        slow, quick = f(1 - np.exp(-1 / p.ics_slow_days)), f(1 - np.exp(-1 / p.ics_fast_days))
        s.ics_slow += (inhaled - s.ics_slow) * slow
        s.ics_fast += (inhaled - s.ics_fast) * quick
        s.laba_level += (treatment.laba * taken - s.laba_level) * f(0.6)
        s.lama_level += (treatment.lama * taken - s.lama_level) * f(0.5)
        s.biologic_level += (treatment.biologic - s.biologic_level) * f(0.06)
        s.formoterol_level = treatment.reliever_formoterol * (1 - np.exp(-puffs / f(p.formoterol_relief_puffs)))
        s.usual_symptoms += (felt - s.usual_symptoms) * f(1 / 30)
        s.latest_symptoms = f(0.5) * s.latest_symptoms + f(0.5) * felt

        return Day(
            severe=severe,
            emergency=emergency,
            admitted=admitted,
            unscheduled_visit=visit,
            on_steroids=s.steroid_days_left > 0,
            start_rate=start_rate,
            turn_rate=turn_rate,
            infected=infected,
            morning_litres_per_min=np.clip(morning, 40, 890),
            evening_litres_per_min=np.clip(evening, 40, 890),
            fev1_ratio=calibre ** f(p.fev1_per_predicted),
            symptoms=symptoms,
            night_waking=night_waking,
            activity_limited=activity_limited,
            reliever_puffs=puffs,
            doses_taken=taken,
            ics_micrograms=inhaled,
            latent_symptoms=felt,
        )
