"""Every text that a person reads, in their language."""

import tomllib
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = {"en": "English", "ko": "한국어", "et": "Eesti"}


@cache
def catalogue(language: str) -> dict[str, str]:
    """All texts of a language by dotted key. Raises FileNotFoundError for a language without a file."""
    with (Path(__file__).parent / f"{language}.toml").open("rb") as file:
        return dict(_flatten(tomllib.load(file)))


def _flatten(table: dict[str, Any], above: str = "") -> list[tuple[str, str]]:
    flat: list[tuple[str, str]] = []
    for name, content in table.items():
        key = f"{above}.{name}" if above else name
        flat.extend(_flatten(content, key) if isinstance(content, dict) else [(key, content)])
    return flat


class Wording:
    """The texts of the language in force. Changing ``language`` changes every later answer."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else "en"

    def say(self, key: str, **facts: object) -> str:
        """The text of a key with its facts; a ``count`` of 1 prefers ``key_one``. KeyError for an unknown key."""
        texts = catalogue(self.language)
        if facts.get("count") == 1 and f"{key}_one" in texts:
            key = f"{key}_one"
        return texts[key].format(**facts) if facts else texts[key]

    def knows(self, key: str) -> bool:
        """Whether there is a text of that key."""
        return key in catalogue(self.language)

    def time(self, local: datetime) -> str:
        """A wall-clock time, 24 hours."""
        return f"{local:%H:%M}"

    def day(self, day: date, today: date) -> str:
        """A day as people say it: today, yesterday, else weekday and date, with the year when it is another."""
        if day == today:
            return self.say("calendar.today")
        if (today - day).days == 1:
            return self.say("calendar.yesterday")
        return self.full_date(day, with_year=day.year != today.year)

    def full_date(self, day: date, *, with_year: bool = False) -> str:
        """Weekday, day and month, and the year if wanted."""
        return self.say(
            "calendar.with_year" if with_year else "calendar.without_year",
            weekday=self.say(f"calendar.weekday_{day.isoweekday()}"),
            day=day.day,
            month=self.say(f"calendar.month_{day.month}"),
            year=day.year,
        )

    def short_date(self, day: date) -> str:
        """Day and month for a chart's axis."""
        return self.say("calendar.short", day=day.day, month=self.say(f"calendar.short_month_{day.month}"))
