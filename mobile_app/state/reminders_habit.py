"""A person's own times for their doses, from when they took them: the rules of the clinic's model in plain Python.

The phone carries no numpy and no model; a test holds this equal to the published rule that was evaluated.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

MINUTES_A_DAY = 24 * 60
PROMPTS_A_DAY_AT_MOST = 2
SATURDAY = 5
HISTORY_DAYS = 42
_DOSES_NEEDED = 5
_SAME_DOSE_MINUTES = 90


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From ``from_minute`` up to ``until_minute`` of the wall clock nothing rings; it may pass midnight."""

    from_minute: int
    until_minute: int

    def hold(self, minute: int) -> bool:
        """Whether the minute of the day is quiet."""
        if self.from_minute <= self.until_minute:
            return self.from_minute <= minute < self.until_minute
        return minute >= self.from_minute or minute < self.until_minute

    def moved_out(self, minute: int) -> int:
        """The minute itself, or the nearer edge of the quiet hours: their last loud minute or their end."""
        if not self.hold(minute):
            return minute
        since = (minute - self.from_minute) % MINUTES_A_DAY
        until = (self.until_minute - minute) % MINUTES_A_DAY
        return (self.from_minute - 1) % MINUTES_A_DAY if since < until else self.until_minute


def is_weekend(day: date) -> bool:
    """Saturday and Sunday."""
    return day.weekday() >= SATURDAY


def own_minutes(
    doses: Sequence[datetime],
    as_of: date,
    *,
    weekend: bool,
    doses_a_day: int,
    quiet: QuietHours,
    default_minutes: Sequence[int],
) -> list[int]:
    """Minutes of the day at which to remind, sorted, at most two, never quiet.

    doses: wall times without a zone; those of the six weeks before ``as_of`` count. weekend: the kind of day to
    remind on. Without a habit the ``default_minutes`` stand.
    """
    prompts = min(doses_a_day, PROMPTS_A_DAY_AT_MOST)
    first = as_of - timedelta(days=HISTORY_DAYS)
    recent = [dose for dose in doses if first <= dose.date() < as_of]
    alike = [dose for dose in recent if is_weekend(dose) == weekend]
    found: list[int] = []
    for history in (alike, recent):
        if len(history) >= _DOSES_NEEDED * prompts:
            found = _habits(history, prompts)
            break
    spare = sorted(default_minutes, key=lambda minute: -min((_apart(minute, habit) for habit in found), default=0))
    return sorted({quiet.moved_out(minute) for minute in (found + spare)[:prompts]})


def _apart(one: int, other: int) -> int:
    """Minutes between two times on the clock's face, the shorter way."""
    return min((one - other) % MINUTES_A_DAY, (other - one) % MINUTES_A_DAY)


def _circular_median(minutes: Sequence[int]) -> int:
    counts = Counter(minutes)
    return min(
        sorted(counts), key=lambda candidate: sum(_apart(candidate, one) * often for one, often in counts.items())
    )


def _habits(doses: Sequence[datetime], doses_a_day: int) -> list[int]:
    minutes = sorted(dose.hour * 60 + dose.minute for dose in doses)
    if doses_a_day == 1:
        return [_circular_median(minutes)]
    # The clock's face is cut at its widest empty stretches, once for each dose of the day.
    places = range(len(minutes))
    widest = sorted(places, key=lambda i: (minutes[i] - minutes[i - 1]) % MINUTES_A_DAY, reverse=True)
    starts = sorted(widest[:doses_a_day])
    groups = [
        minutes[start:stop] if start < stop else minutes[start:] + minutes[:stop]
        for start, stop in zip(starts, [*starts[1:], starts[0]], strict=True)
    ]
    habits = [_circular_median(group) for group in groups if len(group) * doses_a_day * 3 >= len(minutes)]
    return sorted(
        habit
        for place, habit in enumerate(habits)
        if all((habit - other) % MINUTES_A_DAY >= _SAME_DOSE_MINUTES for other in habits[:place])
    )
