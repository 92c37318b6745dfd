"""Reads single values of the wire strictly: text that cannot be meant is refused, never guessed at."""

from datetime import date, datetime
from zoneinfo import available_timezones

from pydantic_core import PydanticCustomError

from backend.diary.tables import HIGHEST_LITRES_PER_MIN, LOWEST_LITRES_PER_MIN

TIME_ZONES = frozenset(available_timezones())
# Far above every answer and score; NaN, infinities and integers too long for a float are not below it.
LARGEST_NUMBER = 1_000_000


def instant_of(given: object) -> datetime:
    """An ISO 8601 instant with its offset from UTC."""
    if isinstance(given, str):
        try:
            instant = datetime.fromisoformat(given)
        except ValueError:
            instant = None
        if instant is not None and instant.tzinfo is not None:
            return instant
    raise PydanticCustomError("invalid_field", "Give an ISO 8601 instant with its offset, as 2026-11-20T07:10:00Z.")


def date_of(given: object) -> date:
    """A calendar date, YYYY-MM-DD and nothing else of ISO 8601."""
    if isinstance(given, str) and len(given) == 10 and given[4] == given[7] == "-":
        try:
            return date.fromisoformat(given)
        except ValueError:
            pass
    raise PydanticCustomError("invalid_field", "Give a date as YYYY-MM-DD.")


def known_time_zone(name: str) -> str:
    if name not in TIME_ZONES:
        raise PydanticCustomError("unknown_time_zone", "This is no IANA time zone; one is Asia/Seoul.")
    return name


def storable_text(text: str) -> str:
    """PostgreSQL keeps every character but NUL, and UTF-8 has no half of a surrogate pair."""
    if "\x00" in text or (not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)):
        raise PydanticCustomError("invalid_field", "The text holds a character that cannot be kept.")
    return text


def finite_number(given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not -LARGEST_NUMBER <= given <= LARGEST_NUMBER:
        raise PydanticCustomError("invalid_field", "Give a number.")
    return float(given)


def blows_in_litres_per_min(given: object) -> object:
    """Blows as whole L/min. A best under 30 is most likely in L/s (7.5 is 450 L/min), and only its owner knows."""
    if not isinstance(given, list) or not 1 <= len(given) <= 3:
        raise PydanticCustomError("invalid_field", "Give one to three blows.")
    if any(isinstance(blow, bool) or not isinstance(blow, int | float) for blow in given):
        raise PydanticCustomError("invalid_field", "Each blow is a number in L/min.")
    if 0 < max(given) < LOWEST_LITRES_PER_MIN:
        raise PydanticCustomError(
            "looks_like_litres_per_second",
            "This looks like litres per second. Enter litres per minute: 60 times as much.",
        )
    if not all(LOWEST_LITRES_PER_MIN <= blow <= HIGHEST_LITRES_PER_MIN for blow in given):
        raise PydanticCustomError(
            "peak_flow_out_of_range",
            "Peak flow lies between {lowest} and {highest} L/min.",
            {"lowest": LOWEST_LITRES_PER_MIN, "highest": HIGHEST_LITRES_PER_MIN},
        )
    if any(blow != int(blow) for blow in given):
        raise PydanticCustomError("invalid_field", "Each blow is a whole number in L/min.")
    return [int(blow) for blow in given]
