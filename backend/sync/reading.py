"""Reads single values of the wire strictly: text that cannot be meant is refused, never guessed at."""

from datetime import date, datetime
from zoneinfo import available_timezones

from backend.diary.tables import HIGHEST_LITRES_PER_MIN, LOWEST_LITRES_PER_MIN

TIME_ZONES = frozenset(available_timezones())


def instant_of(given: str) -> datetime | None:
    """An ISO 8601 instant with its offset from UTC, else None."""
    try:
        instant = datetime.fromisoformat(given)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None


def date_of(given: str) -> date | None:
    """A date of the calendar, else None."""
    try:
        return date.fromisoformat(given)
    except ValueError:
        return None


def problem_with_blows(given: object) -> tuple[str, str] | None:
    """Code and sentence for blows that cannot be peak flow in whole L/min.

    A best blow under 30 is most likely in L/s (7.5 is 450 L/min), and only its owner knows.
    """
    if not isinstance(given, list) or not 1 <= len(given) <= 3:
        return "invalid_field", "Give one to three blows."
    if any(isinstance(blow, bool) or not isinstance(blow, int | float) for blow in given):
        return "invalid_field", "Each blow is a number in L/min."
    if 0 < max(given) < LOWEST_LITRES_PER_MIN:
        return (
            "looks_like_litres_per_second",
            "This looks like litres per second. Enter litres per minute: 60 times as much.",
        )
    if not all(LOWEST_LITRES_PER_MIN <= blow <= HIGHEST_LITRES_PER_MIN for blow in given):
        return (
            "peak_flow_out_of_range",
            f"Peak flow lies between {LOWEST_LITRES_PER_MIN} and {HIGHEST_LITRES_PER_MIN} L/min.",
        )
    if any(isinstance(blow, float) for blow in given):
        return "invalid_field", "Each blow is a whole number in L/min."
    return None
