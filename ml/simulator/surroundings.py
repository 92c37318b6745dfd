"""What every patient of a hospital shares on a day: infections going round, and fine dust."""

import datetime
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.simulator.parameters import Parameters
from ml.simulator.people import SITES

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """Arrays (days, hospitals): chance of a new infection per day, PM2.5 in ug/m3 above its mean; and the weekday."""

    first_day: int
    infection_chance_adult: Float32
    infection_chance_child: Float32
    pm25_excess: Float32
    weekend: NDArray[np.bool_]


def _bump(day_of_year: NDArray[np.float64], centre: float, width: float) -> NDArray[np.float64]:
    distance = np.abs(day_of_year - centre)
    distance = np.minimum(distance, 365.25 - distance)
    return np.asarray(np.exp(-0.5 * (distance / width) ** 2))


def infection_wave(parameters: Parameters, days: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Relative frequency of infections in adults and in children on each day (mean about 1), northern hemisphere."""
    p = parameters
    day_of_year = np.array([datetime.date.fromordinal(int(day)).timetuple().tm_yday for day in days], float)
    winter = 1 + p.winter_swing * np.cos(2 * np.pi * (day_of_year - 15) / 365.25)
    # School returns about 5 September (day 248); peak 17.7 days later in children, 6.3 more in adults (Eggo 2016).
    child_peak = p.school_return_peak * _bump(day_of_year, 248 + 17.7, 9)
    adult_peak = 0.4 * p.school_return_peak * _bump(day_of_year, 248 + 24.0, 11)
    holiday = ((day_of_year > 182) & (day_of_year < 246)) | (day_of_year > 356) | (day_of_year < 5)
    damping = np.where(holiday, p.holiday_transmission, 1.0)
    return (winter + adult_peak) * (0.5 + 0.5 * damping), (winter + child_peak) * damping


def draw(parameters: Parameters, rng: np.random.Generator, first_day: int, days: int) -> Surroundings:
    """Surroundings for `days` days from the proleptic ordinal `first_day`."""
    p = parameters
    ordinals = np.arange(first_day, first_day + days)
    adult, child = infection_wave(p, ordinals)
    ratio = np.array([site.infection_ratio for site in SITES])
    noise = rng.standard_normal((days, len(SITES)))
    pm25 = np.empty_like(noise)
    level = noise[0]
    for day in range(days):
        level = 0.8 * level + 0.6 * noise[day]
        pm25[day] = np.exp(0.45 * level - 0.1)
    mean = p.pm25_mean * np.array([site.pm25_ratio for site in SITES])
    return Surroundings(
        first_day=first_day,
        infection_chance_adult=(p.infections_per_year_adult / 365 * adult[:, None] * ratio).astype(np.float32),
        infection_chance_child=(p.infections_per_year_child / 365 * child[:, None] * ratio).astype(np.float32),
        pm25_excess=((pm25 - 1) * mean).astype(np.float32),
        weekend=np.array([datetime.date.fromordinal(int(day)).weekday() >= 5 for day in ordinals]),
    )
