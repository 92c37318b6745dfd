"""What a message says: fully in the app, without a word of health on a locked screen."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from backend.notifications.tables import MessageKind, MessageLevel

DEFAULT_LANGUAGE = "en"


def inbox_words(kind: MessageKind, language: str, emergency_number: str) -> tuple[str, str]:
    """Title and text. An unknown language reads English."""
    words = _words()["inbox"]
    chosen = words.get(language, words[DEFAULT_LANGUAGE])[kind.value]
    return chosen["title"], chosen["text"].format(emergency_number=emergency_number)


def push_words(level: MessageLevel, language: str) -> tuple[str, str]:
    """Title and body of the push. An unknown language reads English."""
    words = _words()["push"]
    chosen = words.get(language, words[DEFAULT_LANGUAGE])
    return chosen["title"], chosen[level.value]


@cache
def _words() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "wording.toml").read_text(encoding="utf-8"))
