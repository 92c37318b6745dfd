"""What really drives the virtual patients, for evaluation only: no model may import this module.

`Truth` shares no memory with diaries or profiles (a test holds both).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ml.simulator.airways import LARGEST_LOAD, Airways, Latent, attack_chance
from ml.simulator.parameters import Parameters
from ml.simulator.people import SITES, People
from ml.simulator.surroundings import Surroundings

Float32 = NDArray[np.float32]
HORIZONS_DAYS = (3, 7, 14)
_LOG_TURN_GRID = np.linspace(np.log(0.02), np.log(3.0), 40)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Arrays (patients, days); day d is the proleptic ordinal `first_day + d`.

    `severe_onset`: a severe attack begins. `attack_chance_today`: its chance, given the state the evening before and
    today's infections. `chance_within[h]`: the chance, given the whole latent state at the end of the day, of an attack
    on one of the next h days (empty mapping unless asked for). `people` holds the traits.
    """

    first_day: int
    severe_onset: NDArray[np.bool_]
    attack_chance_today: Float32
    load: Float32
    chance_within: dict[int, Float32]
    people: People


@cache
def _chance_of_new_worsening(parameters_key: str, parameters: "_ByHash") -> NDArray[np.float64]:
    """(sites, days since start 0..14, turn rate grid): chance that a worsening has become severe by then."""
    p = parameters.parameters
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    weights = weights / weights.sum()
    growths = np.append(p.growth_per_day * np.exp(p.growth_sd * nodes), p.abrupt_growth_per_day)
    shares = np.append(weights * (1 - p.abrupt_share), p.abrupt_share)
    stays = np.exp(-np.exp(_LOG_TURN_GRID))
    table = np.zeros((len(SITES), HORIZONS_DAYS[-1] + 1, len(_LOG_TURN_GRID)))
    for site, hospital in enumerate(SITES):
        severe_load = np.float32(p.severe_load * hospital.steroid_threshold_ratio)
        for growth, share in zip(growths, shares, strict=True):
            alive, done = np.ones_like(stays), np.zeros_like(stays)
            load = p.first_load
            for day in range(1, HORIZONS_DAYS[-1] + 1):
                grown = min(load * np.exp(growth), LARGEST_LOAD)
                chance = float(attack_chance(np.array([grown], np.float32), severe_load, p)[0])
                fall = _chance_while_falling(np.array([load], np.float32), severe_load, p, 14)[0]
                done += alive * ((1 - stays) * fall + stays * chance)
                alive = alive * stays * (1 - chance)
                load = grown
                table[site, day] += share * done
    return table


@dataclass(frozen=True)
class _ByHash:
    """Parameters as a cache key: their values are a mapping and not hashable themselves."""

    parameters: Parameters

    def __hash__(self) -> int:
        return hash(self.parameters.sha256)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByHash) and other.parameters.sha256 == self.parameters.sha256


def _chance_while_falling(load: Float32, severe_load: Float32 | np.float32, p: Parameters, days: int) -> Float32:
    """Chance of an attack on one of the next days although the worsening has turned."""
    safe = np.ones_like(load)
    for day in range(1, min(days, 4) + 1):
        safe = safe * (1 - attack_chance(load * np.float32(np.exp(-p.recovery_per_day * day)), severe_load, p))
    return np.asarray(1 - safe)


class Oracle:
    """The chance of an attack within 3, 7 and 14 days, from the whole latent state.

    Levels of medicine are taken to stay as they are, infections to come at today's rate; everything else is the exact
    law of the process. Calibration against what happens is tested.
    """

    def __init__(self, airways: Airways) -> None:
        self.airways = airways
        self.table = _chance_of_new_worsening(airways.parameters.sha256, _ByHash(airways.parameters))

    def chance_within(self, s: Latent, air: Surroundings, day: int) -> dict[int, Float32]:
        """For each horizon, the chance for every patient at the end of `day`."""
        a, p, f = self.airways, self.airways.parameters, np.float32
        severe_load = a.people.severe_load
        never = np.zeros(len(s.load), bool)
        still_air = np.zeros(air.pm25_excess.shape[1], np.float32)
        base_start, base_turn = a.start_rate(s, never, still_air), a.turn_rate(s, never)
        catching = np.where(a.child, air.infection_chance_child[day][a.site], air.infection_chance_adult[day][a.site])
        worsening = s.worsening
        alive = worsening.astype(np.float32)
        safe = np.ones_like(s.load)
        grown_before, fallen = s.load, np.where(worsening, f(0), s.load)
        starts: list[Float32] = []
        turns: list[Float32] = []
        found: dict[int, Float32] = {}
        for ahead in range(1, HORIZONS_DAYS[-1] + 1):
            infected = np.where(
                s.infected_days_left > ahead, f(1), 1 - (1 - catching) ** f(min(ahead, int(p.infection_days)))
            )
            turn = base_turn * np.exp(-f(p.turn_infection) * infected)
            starts.append(base_start * (1 + infected * f(np.exp(p.start_infection) - 1)))
            turns.append(turn)
            at_risk = s.quiet_days_left < ahead
            stays = np.exp(-turn)
            grown = np.minimum(grown_before * np.exp(s.growth), f(LARGEST_LOAD))
            chance = np.where(at_risk, attack_chance(grown, severe_load, p), f(0))
            turned = _chance_while_falling(grown_before, severe_load, p, 1)
            fallen = fallen * f(np.exp(-p.recovery_per_day))
            today = np.where(
                worsening,
                alive * (stays * chance + (1 - stays) * np.where(at_risk, turned, f(0))),
                np.where(at_risk, attack_chance(fallen, severe_load, p), f(0)) * safe,
            )
            safe = safe - today
            alive = alive * stays * (1 - chance)
            free = np.where(worsening, 1 - alive, (fallen < f(0.3)).astype(np.float32))
            starts[-1] = starts[-1] * free * (s.quiet_days_left <= ahead)
            grown_before = grown
            if ahead in HORIZONS_DAYS:
                found[ahead] = 1 - np.maximum(safe, 0) * np.exp(-self._new(starts, turns, ahead))
        return found

    def _new(self, starts: list[Float32], turns: list[Float32], horizon: int) -> Float32:
        position = (np.log(np.mean(turns, axis=0)) - _LOG_TURN_GRID[0]) / (_LOG_TURN_GRID[1] - _LOG_TURN_GRID[0])
        position = np.clip(position, 0, len(_LOG_TURN_GRID) - 1.001)
        low = position.astype(np.intp)
        share = position - low
        total = np.zeros_like(starts[0])
        for begun in range(1, horizon):
            column = self.table[:, horizon - begun]
            site = self.airways.site
            chance = column[site, low] * (1 - share) + column[site, low + 1] * share
            total = total + starts[begun - 1] * chance
        return np.asarray(total, dtype=np.float32)
