"""From the time on the wall to the instant, with the two days a year stated."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo


@lru_cache(maxsize=4096)
def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant of a wall time. One that a change of clock skips is the first instant after the gap; of one that
    comes twice it is the first."""
    before = wall.replace(tzinfo=zone, fold=0)
    after = before.replace(fold=1)
    offset_before, offset_after = before.utcoffset() or timedelta(), after.utcoffset() or timedelta()
    if offset_before >= offset_after:
        return before.astimezone(UTC)
    early, late = (wall - offset_after).replace(tzinfo=UTC), (wall - offset_before).replace(tzinfo=UTC)
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) // 2
        if middle.astimezone(zone).utcoffset() == offset_before:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)
