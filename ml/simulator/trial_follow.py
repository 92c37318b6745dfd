"""Follows simulated trial participants day by day and keeps only what the analyses need."""

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from ml.simulator.airways import Airways, Day, Latent
from ml.simulator.parameters import Parameters
from ml.simulator.people import People, predicted_fev1_litres
from ml.simulator.regimens import USUAL_CARE_BY_STEP, Regimen
from ml.simulator.surroundings import Surroundings
from ml.simulator.treatment import Treatment, prescribe
from ml.simulator.trial_spec import Arm, DiaryCriterion, Outcome

Float32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
CONTROL_DAYS = 28
YEAR_DAYS = 365


def prescribed(parameters: Parameters, people: People, regimen: Regimen | str) -> Treatment:
    """The same regimen for all, or usual care by treatment step."""
    if isinstance(regimen, Regimen):
        return prescribe(parameters, people, [regimen], np.zeros(len(people), np.intp))
    steps = sorted(USUAL_CARE_BY_STEP)
    which = np.searchsorted(np.array(steps), people.treatment_step).astype(np.intp)
    return prescribe(parameters, people, [USUAL_CARE_BY_STEP[step] for step in steps], which)


@dataclass(slots=True, eq=False)
class Means:
    """Running sums of diary levels over days, per patient."""

    days: int = 0
    sums: dict[str, Float32] = field(default_factory=dict)

    def add(self, day: Day) -> None:
        self.days += 1
        awake = day.night_waking.astype(np.float32)
        values = {
            "morning_litres_per_min": day.morning_litres_per_min,
            "evening_litres_per_min": day.evening_litres_per_min,
            "fev1_ratio": day.fev1_ratio,
            "reliever_puffs_per_day": day.reliever_puffs,
            "reliever_day_share": (day.reliever_puffs > 0).astype(np.float32),
            "night_waking_share": awake,
            "symptom_day_share": (day.symptoms > 0).astype(np.float32),
            "symptoms": day.symptoms,
            "symptom_free_share": ((day.symptoms == 0) & ~day.night_waking).astype(np.float32),
            "ics_micrograms_per_day": day.ics_micrograms,
            "adherence": day.doses_taken,
            "attacks": day.severe.astype(np.float32),
        }
        for name, value in values.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value.astype(np.float32)

    def mean(self, name: str) -> Float32:
        return self.sums[name] / np.float32(self.days)

    def take(self, chosen: Mask) -> "Means":
        return Means(self.days, {name: total[chosen] for name, total in self.sums.items()})


class OutcomeCounter:
    """Counts one outcome per patient and remembers the day of the first."""

    def __init__(self, outcome: Outcome, run_in: Means) -> None:
        patients = len(run_in.sums["symptoms"])
        self.outcome = outcome
        self.run_in = run_in
        self.streaks = [np.zeros(patients, np.int16) for _ in outcome.criteria]
        self.quiet_left = np.zeros(patients, np.int16)
        self.count = np.zeros(patients, np.float32)
        self.first_day = np.full(patients, -1, np.int32)

    def _beyond(self, criterion: DiaryCriterion, day: Day) -> Mask:
        values, usual = {
            "morning_peak_flow": (day.morning_litres_per_min, "morning_litres_per_min"),
            "evening_peak_flow": (day.evening_litres_per_min, "evening_litres_per_min"),
            "reliever_puffs": (day.reliever_puffs, "reliever_puffs_per_day"),
            "symptoms": (day.symptoms, "symptoms"),
            "night_waking": (day.night_waking.astype(np.float32), "night_waking_share"),
        }[criterion.signal]
        if criterion.at_least is not None:
            return np.asarray(values >= criterion.at_least)
        mean = self.run_in.mean(usual)
        if criterion.fall_share is not None:
            return np.asarray(values <= mean * np.float32(1 - criterion.fall_share))
        return np.asarray(values >= mean + np.float32(criterion.rise or 0))

    def add(self, number: int, day: Day) -> None:
        happens = np.zeros(len(self.count), bool)
        events = {
            "severe_attack": day.severe,
            "unscheduled_visit": day.unscheduled_visit,
            "emergency_visit": day.emergency,
            "hospital_admission": day.admitted,
        }
        for event in self.outcome.events:
            happens |= events[event]
        for index, criterion in enumerate(self.outcome.criteria):
            self.streaks[index] = np.where(self._beyond(criterion, day), self.streaks[index] + 1, 0).astype(np.int16)
            happens |= self.streaks[index] >= criterion.days
        new = happens & (self.quiet_left <= 0)
        self.count += new
        self.first_day = np.where(new & (self.first_day < 0), number, self.first_day)
        # The clock restarts while the episode lasts: two runs with a short pause are one event.
        self.quiet_left = np.where(happens, self.outcome.gap_days, np.maximum(self.quiet_left - 1, 0)).astype(np.int16)


@dataclass(slots=True, eq=False)
class Followed:
    """One arm's participants after treatment: counts and first days by outcome, mean levels, control at the end."""

    count: dict[str, Float32]
    first_day: dict[str, NDArray[np.int32]]
    levels: dict[str, Float32]


@dataclass(slots=True, eq=False)
class Enrolled:
    """Participants at randomisation."""

    people: People
    latent: Latent
    attacks_last_year: Float32
    run_in: Means

    def columns(self) -> dict[str, Float32]:
        """Everything known before randomisation, by the names that specifications use."""
        known = {f.name: getattr(self.people, f.name) for f in fields(People)}
        known["severe_attacks_last_year"] = self.attacks_last_year
        for name, column in (
            ("run_in_reliever_puffs", "reliever_puffs_per_day"),
            ("run_in_reliever_day_share", "reliever_day_share"),
            ("run_in_symptom_free_share", "symptom_free_share"),
            ("run_in_symptom_day_share", "symptom_day_share"),
            ("run_in_night_waking_share", "night_waking_share"),
            ("run_in_litres_per_min", "morning_litres_per_min"),
        ):
            known[name] = self.run_in.mean(column)
        known["run_in_peak_flow_share"] = known["run_in_litres_per_min"] / self.people.predicted_litres_per_min
        known["run_in_attacks"] = self.run_in.sums["attacks"]
        return known

    def take(self, chosen: Mask) -> "Enrolled":
        return Enrolled(
            self.people.take(chosen), self.latent.take(chosen), self.attacks_last_year[chosen], self.run_in.take(chosen)
        )


def run_in(
    parameters: Parameters,
    people: People,
    air: Surroundings,
    before: tuple[Regimen | str, int],
    during: tuple[Regimen | str, int],
    rng: np.random.Generator,
) -> Enrolled:
    """Candidates carried through the time before the trial and its run-in; (regimen, days) each."""
    airways = Airways(parameters, people)
    latent = Latent.at_rest(rng, len(people))
    attacks = np.zeros(len(people), np.float32)
    treatment = prescribed(parameters, people, before[0])
    for number in range(before[1]):
        severe = airways.advance(latent, treatment, air, number, rng).severe
        attacks += severe & (number >= before[1] - YEAR_DAYS)
    treatment = prescribed(parameters, people, during[0])
    means = Means()
    for number in range(before[1], before[1] + during[1]):
        means.add(airways.advance(latent, treatment, air, number, rng))
    return Enrolled(people, latent, attacks, means)


def follow_arm(
    parameters: Parameters,
    enrolled: Enrolled,
    air: Surroundings,
    first_number: int,
    days: int,
    arm: Arm,
    outcomes: tuple[Outcome, ...],
    rng: np.random.Generator,
) -> Followed:
    """Treat copies of the participants; the same generator state gives every arm the same chance events."""
    people, latent = enrolled.people, enrolled.latent.copy()
    airways = Airways(parameters, people)
    counters = [OutcomeCounter(outcome, enrolled.run_in) for outcome in outcomes]
    means, last_weeks = Means(), Means()
    planned = treatment = prescribed(parameters, people, arm.regimen)
    rescue = prescribed(parameters, people, arm.rescue) if arm.rescue else planned
    rescued = np.zeros(len(people), bool)
    changes = dict(arm.changes)
    for number in range(days):
        if number in changes:
            planned = prescribed(parameters, people, changes[number])
            treatment = planned.where(rescued, rescue) if arm.rescue else planned
        day = airways.advance(latent, treatment, air, first_number + number, rng)
        if arm.rescue and day.severe.any():
            rescued |= day.severe
            treatment = planned.where(rescued, rescue)
        means.add(day)
        if number >= days - CONTROL_DAYS:
            last_weeks.add(day)
        for counter in counters:
            counter.add(number, day)
    levels = {name: means.mean(name) for name in means.sums}
    litres = predicted_fev1_litres(people.age_years, people.female, people.height_cm) * people.lung_size_ratio
    levels["fev1_litres"] = levels.pop("fev1_ratio") * litres
    # GINA: three or four of day symptoms > 2 a week, any night waking, reliever > 2 a week, limitation (taken here as
    # symptoms on most days) over four weeks.
    signs = (
        (last_weeks.mean("symptom_day_share") > 2 / 7).astype(np.float32)
        + (last_weeks.mean("night_waking_share") > 0)
        + (last_weeks.mean("reliever_day_share") > 2 / 7)
        + (last_weeks.mean("symptom_day_share") > 4 / 7)
    )
    levels["uncontrolled_share"] = (signs >= 3).astype(np.float32)
    return Followed(
        count={counter.outcome.name: counter.count for counter in counters},
        first_day={counter.outcome.name: counter.first_day for counter in counters},
        levels=levels,
    )
