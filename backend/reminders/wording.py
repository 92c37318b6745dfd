"""What the inbox says of a reminder that no phone has shown, and of a phone that went silent."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

DEFAULT_LANGUAGE = "en"


def reminder_words(key: str, language: str, *, name: str | None, at: str) -> tuple[str, str]:
    """Title and text for an occurrence. A kind or inhaler that is not known reads as something planned."""
    kind = key.split(":")[0]
    words = _words(language)
    if kind not in words["reminder"] or (name is None and kind in {"dose", "refill"}):
        kind = "other"
    said = words["reminder"][kind]
    return said["title"].format(name=name, at=at), said["text"].format(name=name, at=at)


def silence_words(language: str, *, since: str) -> tuple[str, str]:
    """Title and text for a phone that has not been heard of since a date."""
    said = _words(language)["silence"]
    return said["title"], said["text"].format(since=since)


def _words(language: str) -> dict[str, Any]:
    words = _all_words()
    chosen: dict[str, Any] = words.get(language, words[DEFAULT_LANGUAGE])
    return chosen


@cache
def _all_words() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "wording.toml").read_text(encoding="utf-8"))
