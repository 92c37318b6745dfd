"""The diaries on this phone, for a parent and children, and the PIN that keeps others out."""

import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from mobile_app.data.database import PhoneDatabase
from mobile_app.device.ports import Clock

# OWASP password storage, 2023: PBKDF2-HMAC-SHA256 with 600,000 rounds. A PIN is short, so wrong tries also cost time.
_ROUNDS = 600_000
_FREE_TRIES = 5
_PAUSE = timedelta(seconds=30)
PIN_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Person:
    """Whose diary it is, in the phone owner's words."""

    id: str
    name: str
    is_open: bool


class People:
    """Lists, adds and opens the diaries; ``open_diary`` shows another one."""

    def __init__(self, phone: PhoneDatabase, open_diary: Callable[[str], None]) -> None:
        self._phone = phone
        self._open_diary = open_diary
        self.on_change: Callable[[], None] = lambda: None

    @property
    def everyone(self) -> list[Person]:
        """All diaries in the order they were added."""
        current = self._phone.setting("current_diary")
        names: dict[str, str] = self._phone.setting("people", {})
        known = names if current in names else {str(current): "", **names}
        return [Person(one, name, one == current) for one, name in known.items()]

    def name_current(self, name: str) -> None:
        """Names the diary that is open."""
        self._keep_name(str(self._phone.setting("current_diary")), name)

    def _keep_name(self, diary_id: str, name: str) -> None:
        names = {person.id: person.name for person in self.everyone}
        self._phone.keep_setting("people", {**names, diary_id: name.strip()[:40]})

    def add(self, name: str) -> None:
        """Begins an empty diary for another person and opens it."""
        fresh = uuid4().hex
        self._keep_name(fresh, name)
        self.open(fresh)

    def open(self, diary_id: str) -> None:
        """Opens another diary."""
        self._phone.keep_setting("current_diary", diary_id)
        self._open_diary(diary_id)


class Lock:
    """The PIN of this phone's Soom. Help in an emergency never asks for it."""

    def __init__(self, phone: PhoneDatabase, clock: Clock) -> None:
        self._phone = phone
        self._clock = clock

    @property
    def is_set(self) -> bool:
        """Whether a PIN is asked for."""
        return self._phone.setting("pin") is not None

    def set_pin(self, pin: str) -> bool:
        """Keeps a PIN of four digits; False for anything else."""
        if len(pin) != PIN_DIGITS or not pin.isdigit():
            return False
        salt = os.urandom(16)
        self._phone.keep_setting("pin", {"salt": salt.hex(), "hash": _hash(pin, salt)})
        return True

    def remove(self) -> None:
        """No PIN is asked for any more."""
        self._phone.keep_setting("pin", None)

    @property
    def waits_until(self) -> datetime | None:
        """Until when tries are refused after too many wrong ones."""
        text = self._phone.setting("pin_waits_until")
        until = None if text is None else datetime.fromisoformat(text)
        return until if until is not None and until > self._clock.now() else None

    def opens(self, pin: str) -> bool:
        """Whether the PIN is right; wrong ones make the next tries wait, each time twice as long."""
        kept = self._phone.setting("pin")
        if kept is None:
            return True
        if self.waits_until is not None:
            return False
        if hmac.compare_digest(_hash(pin, bytes.fromhex(kept["salt"])), kept["hash"]):
            self._phone.keep_setting("pin_wrong_tries", 0)
            return True
        wrong = int(self._phone.setting("pin_wrong_tries", 0)) + 1
        self._phone.keep_setting("pin_wrong_tries", wrong)
        if wrong >= _FREE_TRIES:
            until = self._clock.now() + _PAUSE * 2 ** (wrong - _FREE_TRIES)
            self._phone.keep_setting("pin_waits_until", until.isoformat())
        return False


def _hash(pin: str, salt: bytes) -> str:
    return hashlib.pbkdf2_hmac("sha256", pin.encode(), salt, _ROUNDS).hex()
