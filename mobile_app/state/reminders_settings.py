"""What the person chose about their reminders: times, quiet hours, the start of the day, a pause."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from mobile_app.data.credentials import Credentials
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.reminders_habit import QuietHours

KIND = "reminder_settings"
_KEPT_ALONE = "reminder_settings"
_USUAL_QUIET_HOURS = QuietHours(22 * 60, 7 * 60)


def minute_of(text: str) -> int:
    """The minute of the day of ``HH:MM``. Raises ValueError for anything else."""
    hours, separator, minutes = text.partition(":")
    if not (separator and len(hours) == len(minutes) == 2 and hours.isdigit() and minutes.isdigit()):
        raise ValueError(f"{text!r} is no time of day like 08:00")
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError(f"{text!r} is no time of day")
    return int(hours) * 60 + int(minutes)


def clock_text(minute: int) -> str:
    """``HH:MM`` of a minute of the day."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


@dataclass(frozen=True, slots=True)
class OwnTime:
    """The person's own time for one reminder, in minutes of the wall clock."""

    weekday: int
    weekend: int

    def on(self, weekend: bool) -> int:
        """The minute for that kind of day."""
        return self.weekend if weekend else self.weekday


@dataclass(frozen=True, slots=True)
class Opened:
    """A new inhaler: the day it was begun and the inhalations its label promises."""

    on: date
    inhalations: int


@dataclass(frozen=True, slots=True)
class Appointment:
    """A visit the person wants to be reminded of, in the time of their own wall clock."""

    id: str
    on: date
    minute: int


@dataclass(frozen=True, slots=True)
class ReminderSettings:
    """All minutes are of the wall clock. ``check_in_minute`` None: no daily question."""

    day_starts_minute: int = 4 * 60
    quiet: QuietHours = _USUAL_QUIET_HOURS
    times: Mapping[str, OwnTime] = field(default_factory=dict)
    follow_habit: bool = True
    check_in_minute: int | None = 20 * 60
    paused_until: date | None = None
    health_words_on_lock_screen: bool = False
    opened: Mapping[str, Opened] = field(default_factory=dict)
    appointments: tuple[Appointment, ...] = ()

    def with_time(self, key: str, time: OwnTime | None) -> "ReminderSettings":
        """The settings with another own time for a reminder; None gives it back to plan and habit."""
        times = {known: own for known, own in self.times.items() if known != key}
        return replace(self, times=times if time is None else {**times, key: time})

    def to_body(self) -> dict[str, Any]:
        """As the entry ``reminder_settings`` carries it."""
        return {
            "day_starts_at": clock_text(self.day_starts_minute),
            "quiet_from": clock_text(self.quiet.from_minute),
            "quiet_until": clock_text(self.quiet.until_minute),
            "times": {
                key: {"weekday": clock_text(own.weekday), "weekend": clock_text(own.weekend)}
                for key, own in sorted(self.times.items())
            },
            "follow_habit": self.follow_habit,
            "check_in_at": None if self.check_in_minute is None else clock_text(self.check_in_minute),
            "paused_until": None if self.paused_until is None else self.paused_until.isoformat(),
            "health_words_on_lock_screen": self.health_words_on_lock_screen,
            "opened": {
                inhaler_id: {"on": opened.on.isoformat(), "inhalations": opened.inhalations}
                for inhaler_id, opened in sorted(self.opened.items())
            },
            "appointments": [
                {"id": one.id, "on": one.on.isoformat(), "at": clock_text(one.minute)} for one in self.appointments
            ],
        }


def settings_from_body(body: Mapping[str, Any]) -> ReminderSettings:
    """Reads the body of an entry ``reminder_settings``. Raises KeyError or ValueError on anything else."""
    check_in_at, paused_until = body["check_in_at"], body["paused_until"]
    return ReminderSettings(
        day_starts_minute=minute_of(body["day_starts_at"]),
        quiet=QuietHours(minute_of(body["quiet_from"]), minute_of(body["quiet_until"])),
        times={
            key: OwnTime(minute_of(own["weekday"]), minute_of(own["weekend"])) for key, own in body["times"].items()
        },
        follow_habit=bool(body["follow_habit"]),
        check_in_minute=None if check_in_at is None else minute_of(check_in_at),
        paused_until=None if paused_until is None else date.fromisoformat(paused_until),
        health_words_on_lock_screen=bool(body["health_words_on_lock_screen"]),
        opened={
            inhaler_id: Opened(date.fromisoformat(opened["on"]), int(opened["inhalations"]))
            for inhaler_id, opened in body.get("opened", {}).items()
        },
        appointments=tuple(
            Appointment(one["id"], date.fromisoformat(one["on"]), minute_of(one["at"]))
            for one in body.get("appointments", [])
        ),
    )


def settings_id(patient_id: str) -> str:
    """The id of the patient's one entry of settings, the same on every phone and on the server."""
    return str(uuid5(NAMESPACE_OID, f"{patient_id}:reminder_settings"))


class SettingsStore:
    """Keeps the settings as an entry of the diary, so that every phone of the patient and the clinic have them.

    A diary that no clinic knows yet keeps them on the phone alone until it is enrolled.
    """

    def __init__(self, diary: OpenDiary) -> None:
        self._diary = diary
        self._patient_id = Credentials(diary.database).patient_id

    def read(self) -> ReminderSettings | None:
        """What the person chose, or None before they chose anything."""
        body = self._body()
        return None if body is None else settings_from_body(body)

    def adopt(self) -> ReminderSettings | None:
        """What was chosen, here or on another phone of the patient; the diary's day begins by it, too."""
        chosen = self.read()
        if chosen is not None and self._diary.day_starts_at_hour != chosen.day_starts_minute // 60:
            self._diary.database.keep_setting("day_starts_at_hour", chosen.day_starts_minute // 60)
        return chosen

    def current(self) -> ReminderSettings:
        """What holds: chosen, or else what the plan and the diary begin with."""
        chosen = self.read()
        if chosen is not None:
            return chosen
        usual = ReminderSettings(day_starts_minute=self._diary.day_starts_at_hour * 60)
        plan = self._diary.clinic.plan()
        written = [minute_of(one.at) for one in plan.reminders if one.kind == "write_diary"] if plan else []
        return replace(usual, check_in_minute=written[0]) if written else usual

    def _body(self) -> Mapping[str, Any] | None:
        patient_id = self._enrolled_as()
        if patient_id is not None:
            kept = self._diary.journal.find(KIND, settings_id(patient_id))
            if kept is not None and not kept.entry.deleted:
                return kept.entry.value
        alone: Mapping[str, Any] | None = self._diary.database.setting(_KEPT_ALONE)
        return alone

    def _enrolled_as(self) -> str | None:
        if self._patient_id is None:
            self._patient_id = Credentials(self._diary.database).patient_id
        return self._patient_id

    def keep(self, settings: ReminderSettings) -> None:
        """Keeps the settings; they travel with the next sync."""
        self._diary.database.keep_setting("day_starts_at_hour", settings.day_starts_minute // 60)
        patient_id = self._enrolled_as()
        if patient_id is None:
            self._diary.database.keep_setting(_KEPT_ALONE, settings.to_body())
            self._diary.changed()
            return
        with self._diary.database.transaction():
            self._diary.database.keep_setting(_KEPT_ALONE, None)
            self._keep_entry(patient_id, settings.to_body())
        self._diary.changed()

    def _keep_entry(self, patient_id: str, body: dict[str, Any]) -> None:
        entry_id = settings_id(patient_id)
        kept = self._diary.journal.find(KIND, entry_id)
        if kept is None:
            self._diary.journal.record_once(KIND, entry_id, body, self._diary.moment())
        else:
            self._diary.journal.revise(kept.entry, body, self._diary.moment())

    def hand_over(self) -> None:
        """After enrolment: what was kept on the phone alone becomes the patient's, unless another phone was first."""
        alone: dict[str, Any] | None = self._diary.database.setting(_KEPT_ALONE)
        patient_id = self._enrolled_as()
        if alone is None or patient_id is None:
            return
        with self._diary.database.transaction():
            self._diary.journal.record_once(KIND, settings_id(patient_id), alone, self._diary.moment())
            self._diary.database.keep_setting(_KEPT_ALONE, None)
