"""What Soom needs from the machine it runs on. One adapter a platform; tests bring their own."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """The only source of time on the phone, so that every rule can be walked through any day."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...

    def time_zone(self) -> str:
        """The IANA name of the zone the phone is in, for instance ``Asia/Seoul``."""
        ...


class KeyStore(Protocol):
    """Small secrets (the journal's key, the tokens) in the platform's protected storage."""

    def read(self, name: str) -> bytes | None:
        """The secret of that name, or None if there is none."""
        ...

    def write(self, name: str, secret: bytes) -> None:
        """Keeps the secret durably before returning."""
        ...

    def forget(self, name: str) -> None:
        """Removes the secret; removing what is not there is no error."""
        ...


class Telephone(Protocol):
    """Opens the phone's dialler."""

    def dial(self, number: str) -> bool:
        """Shows the number ready to call; False where there is no telephone."""
        ...


@dataclass(frozen=True, slots=True)
class ReliabilityCheck:
    """One thing the phone must allow so that a warning arrives: notifications, exact_alarms or battery."""

    code: str
    is_fine: bool


class Reliability(Protocol):
    """Whether the phone lets warnings and reminders through."""

    def checks(self) -> list[ReliabilityCheck]:
        """What was looked at; empty where nothing can stand in the way."""
        ...

    def open_settings(self, code: str) -> None:
        """Opens the system's page where the person can change it."""
        ...


@dataclass(frozen=True, slots=True)
class Alarm:
    """A notification at a time on the wall of wherever the phone is then; after the window it is of no use."""

    id: str
    due: datetime
    """Local time without a zone."""
    window_minutes: int
    channel: str
    title: str
    text: str
    actions: tuple[tuple[str, str], ...] = ()
    """Code and label of at most three buttons; ``snooze`` comes back by itself, ``skip`` asks for a reason."""
    reasons: tuple[tuple[str, str], ...] = ()
    """Code and label of at most three reasons for skipping."""
    why: str = ""
    """The question for the reason."""
    open_on_lock_screen: bool = False
    """Whether a locked screen may show the words."""


SNOOZE_MINUTES = 15
SNOOZES_AT_MOST = 3


@dataclass(frozen=True, slots=True)
class AlarmNote:
    """What happened while Soom was closed.

    Of an alarm: ``shown``; ``not_permitted``; ``missed_off`` (the phone was off past the window), ``missed_stopped``
    (the system had been told to forget Soom's alarms), ``missed_late``, ``missed_clock``, ``missed_zone``; what the
    person did with it: ``taken``, ``snoozed_1`` to ``snoozed_3``, ``skipped``, ``skipped_<reason>``, ``dismissed``,
    ``opened``; ``pushed``: a push message took its place. Of an inbox message: ``received``.
    """

    at: datetime
    """Aware, in UTC."""
    event: str
    id: str
    """Of the alarm; of the inbox message when a push was received."""


class Alarms(Protocol):
    """Alarms that the system keeps and shows with Soom closed, and the account of what became of each."""

    def arm(self, *alarms: Alarm) -> bool:
        """Keeps alarms, each in place of one with the same id. False: the system may be late by minutes."""
        ...

    def cancel(self, alarm_id: str) -> None:
        """Forgets the alarm, and takes its notification away if it is shown."""
        ...

    def waiting(self) -> set[str]:
        """Ids of the alarms that are still to come."""
        ...

    def rearm(self) -> None:
        """To be called when Soom starts: a forced stop makes the system forget every alarm."""
        ...

    def notes(self) -> list[AlarmNote]:
        """What happened and is not settled yet, oldest first."""
        ...

    def settle(self, notes: list[AlarmNote]) -> None:
        """These are written down for good and need not be told again."""
        ...

    def booted_at(self) -> datetime | None:
        """When the system was started, by its present clock; None where that is not known."""
        ...


class Notifier(Protocol):
    """The ways in which notifications reach the person: channels, the push service, a tap."""

    def name_channels(self, names: dict[str, str]) -> None:
        """Makes the channels ``urgent``, ``messages`` and ``reminders``, or renames them for another language."""
        ...

    def ask_permission(self) -> None:
        """Shows the system's question; once it was refused, only the settings help (see Reliability)."""
        ...

    def push_token(self) -> str | None:
        """The address of this phone at the push service, or None."""
        ...

    def tapped(self) -> str | None:
        """The inbox message or alarm whose notification opened Soom, once; then None."""
        ...


class Owner(Protocol):
    """The phone's own check, by finger or face, of who holds it."""

    def can_be_asked(self) -> bool:
        """False where there is no such check; a PIN is always another way."""
        ...

    def ask(self, title: str, other_way: str, answer: Callable[[bool], None]) -> None:
        """Shows the system's dialogue. The answer may come on another thread than the UI's."""
        ...


class Links(Protocol):
    """Links that open Soom, for instance a QR code that the phone's own camera read."""

    def opened(self) -> str | None:
        """The link that brought us here, once; then None."""
        ...


class Shelf(Protocol):
    """Where files go that the person takes along."""

    def put(self, file: Path, kind: str) -> str:
        """Puts a file of a MIME type where other apps find it, and says where that is."""
        ...
