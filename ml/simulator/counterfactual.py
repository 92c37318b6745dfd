"""What would happen to the same patients under each of several regimens: the evaluation's answer key for advice."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.simulator import surroundings
from ml.simulator.airways import Airways, Latent
from ml.simulator.cohort import START_ON
from ml.simulator.parameters import Parameters, frozen
from ml.simulator.people import People
from ml.simulator.regimens import Regimen
from ml.simulator.treatment import prescribe
from ml.simulator.truth import Oracle

Float32 = NDArray[np.float32]
SETTLING_DAYS = 60


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Expected values per patient under one regimen: severe attacks a year, share of days without symptoms or night
    waking, inhaled steroid delivered in budesonide-equivalent micrograms a day."""

    severe_attacks_per_year: Float32
    controlled_day_share: Float32
    ics_micrograms_per_day: Float32


def outcomes_under(
    people: People,
    regimens: Mapping[str, Regimen],
    seed: int,
    *,
    days: int = 365,
    replicates: int = 8,
    start_on: datetime.date = START_ON,
    parameters: Parameters | None = None,
) -> dict[str, Outcomes]:
    """Mean outcomes of every patient under every regimen, with the same chance events under each.

    Attacks are averaged as true daily chances rather than counted, over `replicates` courses after two months in which
    the regimen takes effect; more replicates give steadier answers. ValueError unless all numbers are positive.
    """
    if not regimens or days < 1 or replicates < 1:
        raise ValueError("outcomes need at least one regimen, one day and one replicate")
    p = parameters or frozen()
    air = surroundings.draw(p, np.random.default_rng([seed, 0]), start_on.toordinal(), SETTLING_DAYS + days)
    found: dict[str, Outcomes] = {}
    for name, regimen in regimens.items():
        found[name] = _outcomes(p, people, regimen, air, days, [seed], replicates)
    return found


def _outcomes(
    p: Parameters,
    people: People,
    regimen: Regimen,
    air: surroundings.Surroundings,
    days: int,
    seed: Sequence[int],
    replicates: int,
) -> Outcomes:
    n = len(people)
    airways = Airways(p, people)
    oracle = Oracle(airways)
    treatment = prescribe(p, people, [regimen], np.zeros(n, np.intp))
    chance, controlled, steroid = (np.zeros(n, np.float32) for _ in range(3))
    for replicate in range(replicates):
        rng = np.random.default_rng([*seed, 1, replicate])
        latent = Latent.at_rest(rng, n)
        for number in range(SETTLING_DAYS + days):
            tomorrow = oracle.chance_tomorrow(latent)
            day = airways.advance(latent, treatment, air, number, rng)
            if number >= SETTLING_DAYS:
                chance += tomorrow
                controlled += (day.symptoms == 0) & ~day.night_waking
                steroid += day.ics_micrograms
    total = np.float32(replicates * days)
    return Outcomes(chance * np.float32(365) / total, controlled / total, steroid / total)
