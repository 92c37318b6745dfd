"""From what happened to what is written down: diaries with gaps that are not random."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.contract import DIARY_RANGES, Diaries
from ml.simulator.airways import Day
from ml.simulator.parameters import Parameters
from ml.simulator.people import People

Float32 = NDArray[np.float32]
COLUMNS = tuple(DIARY_RANGES)


@dataclass(slots=True, eq=False)
class Notebook:
    """Collects (days, patients) of every diary column; NaN where nothing was written."""

    parameters: Parameters
    people: People
    first_day: int
    pages: dict[str, Float32]
    written: NDArray[np.bool_]

    @classmethod
    def empty(cls, parameters: Parameters, people: People, first_day: int, days: int) -> "Notebook":
        shape = (days, len(people))
        pages = {name: np.empty(shape, np.float32) for name in COLUMNS}
        return cls(parameters, people, first_day, pages, np.zeros(shape, bool))

    def write(self, number: int, day: Day, has_controller: NDArray[np.bool_], rng: np.random.Generator) -> None:
        """Day `number` of the diary, as each patient would have kept it."""
        p, people, f = self.parameters, self.people, np.float32
        n = len(people)
        u = rng.random((8, n), dtype=np.float32)
        logit = (
            people.diary_logit
            + f(p.diary_slope_per_year * number / 365)
            + f(p.diary_symptom_pull) * np.minimum(day.latent_symptoms, f(1.5))
            - f(p.diary_severe_push) * (day.latent_symptoms > f(2.8))
        )
        keeps = (u[0] < 1 / (1 + np.exp(-logit))) & (number < people.leaves_after_days)
        recorded = u[1] < f(p.attack_recorded_share)
        onset = day.severe & recorded
        course = day.on_steroids & (keeps | onset)

        def kept(values: NDArray[np.generic], where: NDArray[np.bool_]) -> Float32:
            return np.where(where, values.astype(np.float32), f(np.nan))

        # Meters are read to the nearest 5 L/min.
        morning, evening = (np.round(v / 5) * 5 for v in (day.morning_litres_per_min, day.evening_litres_per_min))
        page = self.pages
        page["morning_litres_per_min"][number] = kept(morning, keeps & (u[2] < 0.92))
        page["evening_litres_per_min"][number] = kept(evening, keeps & (u[3] < f(p.second_blow_share)))
        page["day_symptoms"][number] = kept(day.symptoms, keeps & (u[4] < 0.97))
        page["night_waking"][number] = kept(day.night_waking, keeps & (u[4] < 0.95))
        page["activity_limited"][number] = kept(day.activity_limited, keeps & (u[5] < 0.9))
        page["reliever_puffs"][number] = kept(day.reliever_puffs, keeps & (u[6] < 0.93))
        page["controller_fraction"][number] = kept(day.doses_taken, keeps & has_controller & (u[7] < 0.9))
        page["trigger_count"][number] = kept(day.infected.astype(np.float32) + (u[1] < 0.1), keeps)
        page["systemic_steroids"][number] = kept(course, keeps | onset)
        page["emergency_visit"][number] = kept(day.emergency, keeps | onset)
        page["hospital_admission"][number] = kept(day.admitted, keeps | onset)
        self.written[number] = keeps | onset

    def diaries(self, first_patient: int) -> Diaries:
        patient, number = np.nonzero(self.written.T)
        columns = {name: page[number, patient] for name, page in self.pages.items()}
        return Diaries(
            patient_index=(patient + first_patient).astype(np.int32),
            day=(number + self.first_day).astype(np.int32),
            **columns,
        )
