"""How Soom looks and behaves on this phone, and what the patient's own clock and meter are."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mobile_app.data.database import PhoneDatabase
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.reminders_settings import SettingsStore

METER_SCALES = ("eu", "wright", "unknown")
LATEST_DAY_START_HOUR = 12


class Preferences:
    """Reads and keeps the settings; ``apply`` makes a changed look or language visible."""

    def __init__(self, phone: PhoneDatabase, diary: OpenDiary, apply: Callable[[], None]) -> None:
        self._phone = phone
        self._diary = diary
        self._apply = apply
        self.on_change: Callable[[], None] = lambda: None

    @property
    def language(self) -> str:
        """The language in force."""
        return self._diary.wording.language

    def choose_language(self, language: str) -> None:
        """Keeps the language and shows everything in it."""
        self._phone.keep_setting("language", language)
        self._diary.wording.language = language
        self._apply()

    @property
    def text_scale(self) -> float:
        """How much larger text is."""
        return float(self._phone.setting("text_scale", 1.0))

    @property
    def dark(self) -> bool:
        """Light letters on a dark ground."""
        return bool(self._phone.setting("dark", False))

    @property
    def reduced_motion(self) -> bool:
        """Nothing slides or fades."""
        return bool(self._phone.setting("reduced_motion", False))

    def look(self, name: str, content: Any) -> None:
        """Keeps text_scale, dark or reduced_motion and shows it."""
        self._phone.keep_setting(name, content)
        self._apply()

    @property
    def meter(self) -> str:
        """The peak flow meter in use."""
        return self._diary.meter

    def name_meter(self, name: str) -> None:
        """Keeps the meter's name; empty means the plan's meter."""
        self._diary.database.keep_setting("meter", name.strip()[:60] or None)

    @property
    def meter_scale(self) -> str:
        """One of METER_SCALES."""
        return self._diary.meter_scale

    def choose_scale(self, scale: str) -> None:
        """Keeps the scale that is printed on the meter."""
        self._diary.database.keep_setting("meter_scale", scale)
        self.on_change()

    @property
    def day_starts_at_hour(self) -> int:
        """When the diary day begins."""
        return self._diary.day_starts_at_hour

    def move_day_start(self, by_hours: int) -> None:
        """Moves the beginning of the day, between midnight and noon."""
        hour = min(max(self.day_starts_at_hour + by_hours, 0), LATEST_DAY_START_HOUR)
        store = SettingsStore(self._diary)
        store.keep(replace(store.current(), day_starts_minute=hour * 60))
        self.on_change()

    @property
    def contacts(self) -> list[dict[str, str]]:
        """The people on the emergency page."""
        return list(self._diary.database.setting("contacts", []))

    def add_contact(self, name: str, number: str) -> bool:
        """Adds a person; False when the name or the number is missing."""
        name, number = name.strip(), "".join(sign for sign in number if sign in "+0123456789 -").strip()
        if not name or not any(sign.isdigit() for sign in number):
            return False
        self._diary.database.keep_setting("contacts", [*self.contacts, {"name": name, "number": number}])
        self.on_change()
        return True

    def remove_contact(self, place: int) -> None:
        """Removes the person at that place of the list."""
        left = [one for index, one in enumerate(self.contacts) if index != place]
        self._diary.database.keep_setting("contacts", left)
        self.on_change()
