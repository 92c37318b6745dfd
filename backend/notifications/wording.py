"""What a message says: fully in the app, without a word of health on a locked screen."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from backend.notifications.tables import MessageKind, MessageLevel

DEFAULT_LANGUAGE = "en"


# Fewer alerts than this say too little of how often one comes true.
ALERTS_NEEDED_TO_SAY = 20


@dataclass(frozen=True)
class TrackRecord:
    """How many alerts of one sort this hospital had, and after how many a severe attack followed within their days."""

    alerts: int
    came_true: int

    @property
    def one_in(self) -> int | None:
        """`7` for "about 1 in 7"; None where there are too few alerts, or none came true."""
        if self.alerts < ALERTS_NEEDED_TO_SAY or self.came_true == 0:
            return None
        return max(1, round(self.alerts / self.came_true))


def inbox_words(kind: MessageKind, language: str, emergency_number: str) -> tuple[str, str]:
    """Title and text. An unknown language reads English."""
    words = _words()["inbox"]
    chosen = words.get(language, words[DEFAULT_LANGUAGE])[kind.value]
    return chosen["title"], chosen["text"].format(emergency_number=emergency_number)


def push_words(kind: MessageKind, level: MessageLevel, language: str) -> tuple[str, str]:
    """Title and body of the push. An unknown language reads English."""
    words = _words()["push"]
    chosen = words.get(language, words[DEFAULT_LANGUAGE])
    return chosen["title"], chosen["reminder" if kind is MessageKind.REMINDER else level.value]


def mail_words(language: str, link: str) -> tuple[str, str]:
    """Subject and body of the e-mail to a clinician. An unknown language reads English."""
    words = _words()["mail"]
    chosen = words.get(language, words[DEFAULT_LANGUAGE])
    return chosen["subject"], chosen["body"].format(link=link)


def track_record_words(record: TrackRecord | None, language: str) -> str:
    """How often such a message came true here, or that it is too early to say."""
    words = _words()["track_record"]
    chosen = words.get(language, words[DEFAULT_LANGUAGE])
    if record is None or record.alerts < ALERTS_NEEDED_TO_SAY:
        return str(chosen["too_few"])
    if record.one_in is None:
        return str(chosen["none"]).format(alerts=record.alerts)
    return str(chosen["one_in"]).format(one_in=record.one_in)


@cache
def _words() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "wording.toml").read_text(encoding="utf-8"))
