"""What really drives the virtual patients, for evaluation only: no model may import this module.

`Truth` shares no memory with diaries or profiles (a test holds both).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.simulator.airways import LARGEST_LOAD, SMALLEST_LOAD, Airways, Latent, attack_chance
from ml.simulator.parameters import Parameters
from ml.simulator.people import SITES, People
from ml.simulator.surroundings import Surroundings

Float32 = NDArray[np.float32]
HORIZONS_DAYS = (3, 7, 14)
_LOG_LOAD_GRID = np.linspace(np.log(SMALLEST_LOAD), np.log(LARGEST_LOAD), 64)
_LOG_TURN_GRID = np.linspace(np.log(0.03), np.log(3.0), 24)
FALLING, SLOW, RAPID = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Arrays (patients, days); day d is the proleptic ordinal `first_day + d`.

    `severe_onset`: a severe attack begins. `chance_today`: its chance, given the whole latent state the evening before.
    `chance_within[h]`: the chance, given the latent state at the end of the day, of an attack on one of the next h days
    (empty unless asked for). `people` holds the traits.
    """

    first_day: int
    severe_onset: NDArray[np.bool_]
    chance_today: Float32
    load: Float32
    chance_within: dict[int, Float32]
    people: People


def _interpolating(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of linear weights on the load grid for log loads; values beyond the grid stick to its ends."""
    position = (values - _LOG_LOAD_GRID[0]) / (_LOG_LOAD_GRID[1] - _LOG_LOAD_GRID[0])
    position = np.clip(position, 0, len(_LOG_LOAD_GRID) - 1.000001)
    low = position.astype(int)
    weights = np.zeros((len(values), len(_LOG_LOAD_GRID)))
    rows = np.arange(len(values))
    weights[rows, low] = 1 - (position - low)
    weights[rows, low + 1] = position - low
    return weights


def _chance_tables(p: Parameters) -> Float32:
    """(sites, days ahead 0..14, phase, turn rate, load): chance of an attack from the worsening now under way.

    Backward recursion over the exact daily law; the day's jump of the growth by Gauss-Hermite quadrature.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    weights = weights / weights.sum()
    stays = np.exp(-np.exp(_LOG_TURN_GRID))[:, None]
    fallen_load = np.log(np.maximum(np.exp(_LOG_LOAD_GRID - p.recovery) - p.recovery_per_day, SMALLEST_LOAD))
    falling = _interpolating(fallen_load)
    days = HORIZONS_DAYS[-1]
    table = np.zeros((len(SITES), days + 1, 3, len(_LOG_TURN_GRID), len(_LOG_LOAD_GRID)))

    def chance_at(log_load: NDArray[np.float64], severe_load: float) -> NDArray[np.float64]:
        loads = np.exp(np.minimum(log_load, _LOG_LOAD_GRID[-1])).astype(np.float32)
        return attack_chance(loads, np.float32(severe_load), p).astype(np.float64)

    for site, hospital in enumerate(SITES):
        severe_load = p.severe_load * hospital.steroid_threshold_ratio
        chance_fallen = chance_at(fallen_load, severe_load)
        for ahead in range(1, days + 1):
            before = table[site, ahead - 1]
            after_fall = chance_fallen + (1 - chance_fallen) * (before[FALLING] @ falling.T)
            after_growth = {}
            for phase, growth in ((SLOW, p.slow_growth_per_day), (RAPID, p.rapid_growth_per_day)):
                total = np.zeros_like(after_fall)
                for node, weight in zip(nodes, weights, strict=True):
                    grown_load = _LOG_LOAD_GRID + growth + p.growth_jump * node
                    chance = chance_at(grown_load, severe_load)
                    total += weight * (chance + (1 - chance) * (before[phase] @ _interpolating(grown_load).T))
                after_growth[phase] = total
            mixed = p.rapid_chance * after_growth[RAPID] + (1 - p.rapid_chance) * after_growth[SLOW]
            table[site, ahead, FALLING] = after_fall
            table[site, ahead, SLOW] = (1 - stays) * after_fall + stays * mixed
            table[site, ahead, RAPID] = (1 - stays) * after_fall + stays * after_growth[RAPID]
    return table.astype(np.float32)


class Oracle:
    """The chance of an attack within 3, 7 and 14 days, from the whole latent state.

    Levels of medicine are taken to stay as they are and infections to come at today's rate; everything else is the
    exact law of the process. Its calibration against what then happens is tested.
    """

    def __init__(self, airways: Airways) -> None:
        self.airways = airways
        self.table = _chance_tables(airways.parameters)
        first = np.interp(np.log(airways.parameters.first_load), _LOG_LOAD_GRID, np.arange(len(_LOG_LOAD_GRID)))
        low, share = int(first), first - int(first)
        at_start = self.table[..., low] * (1 - share) + self.table[..., low + 1] * share
        abrupt = airways.parameters.abrupt_share
        # (sites, days ahead, turn rate): chance that a worsening that starts becomes severe within the days ahead.
        self.new = ((1 - abrupt) * at_start[:, :, SLOW] + abrupt * at_start[:, :, RAPID]).astype(np.float32)

    def chance_tomorrow(self, s: Latent) -> Float32:
        """The chance of an attack on the next day."""
        current = self._current(s, np.log(self.airways.turn_rate(s, s.infected_days_left > 1)), 1)
        return np.where(s.quiet_days_left > 0, np.float32(0), current)

    def chance_within(self, s: Latent, air: Surroundings, day: int) -> dict[int, Float32]:
        """For each horizon, the chance for every patient at the end of `day`."""
        a, p, f = self.airways, self.airways.parameters, np.float32
        calm = np.zeros(len(s.load), bool)
        still_air = np.zeros(air.pm25_excess.shape[1], np.float32)
        base_start = a.start_rate(s, calm, still_air)
        log_turn = np.log(a.turn_rate(s, calm))
        catching = np.where(a.child, air.infection_chance_child[day][a.site], air.infection_chance_adult[day][a.site])
        stays = np.exp(-np.exp(log_turn))
        occupied_for = np.maximum(
            np.log(np.maximum(s.load, f(0.3)) / f(0.3)) / f(p.recovery + 2 * p.recovery_per_day), 1
        )
        busy = np.zeros_like(s.load)
        shorter = np.zeros_like(s.load)
        infected_share: list[Float32] = []
        started: list[Float32] = []
        found: dict[int, Float32] = {}
        for ahead in range(1, HORIZONS_DAYS[-1] + 1):
            infected = np.where(
                s.infected_days_left > ahead, f(1), 1 - (1 - catching) ** f(min(ahead, int(p.infection_days)))
            )
            infected_share.append(infected)
            # A worsening under way gives way to the next one only after it has turned and mostly faded.
            free = np.where(s.worsening, 1 - stays**ahead, (occupied_for <= ahead).astype(np.float32))
            rate = base_start * (1 + infected * f(np.exp(p.start_infection) - 1))
            # One worsening at a time: who is in a new one cannot start another.
            begun = (1 - np.exp(-rate)) * np.maximum(free - busy, 0)
            busy = busy * stays + begun
            started.append(begun)
            if ahead in HORIZONS_DAYS:
                turn = log_turn - f(p.turn_infection) * np.mean(infected_share, axis=0)
                current = np.where(s.quiet_days_left > 0, f(0), self._current(s, turn, ahead))
                chance = 1 - (1 - current) * np.exp(-self._new(s, started, turn, ahead))
                found[ahead] = np.maximum(chance, shorter)
                shorter = found[ahead]
        return found

    def _turn_position(self, log_turn: Float32) -> tuple[NDArray[np.intp], Float32]:
        position = (log_turn - np.float32(_LOG_TURN_GRID[0])) / np.float32(_LOG_TURN_GRID[1] - _LOG_TURN_GRID[0])
        position = np.clip(position, 0, len(_LOG_TURN_GRID) - 1.001)
        low = position.astype(np.intp)
        return low, position - low

    def _current(self, s: Latent, log_turn: Float32, ahead: int) -> Float32:
        turn, turn_share = self._turn_position(log_turn)
        load = (np.log(np.maximum(s.load, SMALLEST_LOAD)) - _LOG_LOAD_GRID[0]) / (_LOG_LOAD_GRID[1] - _LOG_LOAD_GRID[0])
        load = np.clip(load, 0, len(_LOG_LOAD_GRID) - 1.001)
        low = load.astype(np.intp)
        share = load - low
        phase = np.where(s.worsening, np.where(s.rapid, RAPID, SLOW), FALLING)
        table, site = self.table[:, ahead], self.airways.site
        below = table[site, phase, turn, low] * (1 - share) + table[site, phase, turn, low + 1] * share
        above = table[site, phase, turn + 1, low] * (1 - share) + table[site, phase, turn + 1, low + 1] * share
        chance = below * (1 - turn_share) + above * turn_share
        return np.where(s.load > 0, chance, 0).astype(np.float32)

    def _new(self, s: Latent, started: list[Float32], log_turn: Float32, horizon: int) -> Float32:
        low, share = self._turn_position(log_turn)
        site = self.airways.site
        total = np.zeros_like(started[0])
        for begun in range(1, horizon):
            column = self.new[:, horizon - begun]
            chance = column[site, low] * (1 - share) + column[site, low + 1] * share
            # While quiet after an attack nothing counts as a new one, and nothing starts on steroids.
            total = total + started[begun - 1] * chance * (s.quiet_days_left <= begun)
        return np.asarray(total, dtype=np.float32)
