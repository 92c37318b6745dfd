"""What Soom needs from the machine it runs on. One adapter a platform; tests bring their own."""

from dataclasses import dataclass
from datetime import datetime
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
