"""The next peak flow of one patient: a robust local level with a passing deviation and a daily rhythm."""

from dataclasses import dataclass, field
from math import exp, log

# The level follows slowly, a deviation fades within days: the shape of a sum of a slow and a fast AR(1).
DEVIATION_HALF_LIFE_DAYS = 5.0
DEVIATION_GAIN = 0.35
DEVIATION_SHARE = 0.5
LEVEL_GAIN = 1.0 - 0.5 ** (1.0 / 60.0)
RHYTHM_GAIN = 0.01
# In ln(L/min): a coefficient of variation of 6 % to begin with (stable asthma, Thamrin 2011), learned from then on.
FIRST_SCALE = 0.08
SCALE_MEMORY = 0.97
# A blow this many scales off is an artefact or an attack: it moves the level no further than this.
CLIP_SCALES = 2.0


@dataclass(slots=True)
class PeakFlowForecast:
    """State after the readings so far. Feed readings in the order of time, `at_days` in days since any origin."""

    level: float | None = None
    deviation: float = 0.0
    rhythm: float = 0.0
    scale: float = FIRST_SCALE
    readings: int = 0
    last_at_days: float = field(default=0.0)

    def expected(self, at_days: float, morning: bool) -> float | None:
        """Expected peak flow in L/min at a time not before the last reading; None before the first."""
        if self.level is None:
            return None
        return exp(self.level + DEVIATION_SHARE * self._faded(at_days) + self._sign(morning) * self.rhythm)

    def observe(self, at_days: float, morning: bool, litres_per_min: float) -> None:
        """Learn from a reading. ValueError for one that is not positive or lies before the last."""
        if litres_per_min <= 0:
            raise ValueError(f"a peak flow of {litres_per_min:g} L/min is impossible")
        if self.level is None:
            self.level, self.readings, self.last_at_days = log(litres_per_min), 1, at_days
            return
        if at_days < self.last_at_days:
            raise ValueError("readings must come in the order of time")
        sign = self._sign(morning)
        faded = self._faded(at_days)
        surprise = log(litres_per_min) - self.level - sign * self.rhythm
        innovation = surprise - DEVIATION_SHARE * faded
        self.scale = SCALE_MEMORY * self.scale + (1 - SCALE_MEMORY) * min(1.25 * abs(innovation), 3 * self.scale)
        limit = CLIP_SCALES * self.scale
        step = max(-limit, min(limit, surprise))
        self.readings += 1
        self.level += max(1.0 / self.readings, LEVEL_GAIN) * step
        self.rhythm += max(0.5 / self.readings, RHYTHM_GAIN) * sign * step
        self.deviation = faded + DEVIATION_GAIN * (step - faded)
        self.last_at_days = at_days

    def _faded(self, at_days: float) -> float:
        return self.deviation * float(0.5 ** (max(at_days - self.last_at_days, 0.0) / DEVIATION_HALF_LIFE_DAYS))

    @staticmethod
    def _sign(morning: bool) -> float:
        return 1.0 if morning else -1.0
