"""Alarms that live as long as this process and are kept on disk between: what Android's Java does, for a desk."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from mobile_app.device.ports import SNOOZE_MINUTES, SNOOZES_AT_MOST, Alarm, AlarmNote, Clock
from mobile_app.device.wall_clock import instant_of

# Reading two clocks one after the other, and small corrections from the network, are no change of clock.
_CLOCK_TOLERANCE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class KeptAlarm:
    """An alarm that waits, or that is shown and may be snoozed. ``again_at``: when a snoozed one comes back."""

    alarm: Alarm
    snoozed_times: int = 0
    again_at: datetime | None = None


class KeptAlarms:
    """Rings what is due whenever it is asked to, and notes every end.

    show: draws the notification, False when none is allowed. uptime_seconds: how long the system has been running,
    sleep included. file: where alarms and notes outlive the process; None keeps them in memory.
    """

    def __init__(
        self,
        clock: Clock,
        show: Callable[[Alarm], bool],
        uptime_seconds: Callable[[], float],
        file: Path | None = None,
    ) -> None:
        self._clock = clock
        self.show = show
        self._uptime_seconds = uptime_seconds
        self._file = file
        self.kept: dict[str, KeptAlarm] = {}
        self.shown: dict[str, KeptAlarm] = {}
        self._notes: list[AlarmNote] = []
        if file is not None and file.exists():
            self._read(json.loads(file.read_text(encoding="utf-8")))
        self._zone_seen = clock.time_zone()
        self._boot_seen = self.booted_at()

    # The port

    def arm(self, *alarms: Alarm) -> bool:
        """Keeps alarms, each in place of one with the same id. Raises ValueError for a due time that has a zone."""
        for alarm in alarms:
            if alarm.due.tzinfo is not None:
                raise ValueError(
                    f"alarm {alarm.id} is due at {alarm.due}; an alarm is due in local time without a zone"
                )
            self.kept[alarm.id] = KeptAlarm(alarm)
        self._write()
        return True

    def cancel(self, alarm_id: str) -> None:
        """Forgets the alarm and its notification."""
        if self.kept.pop(alarm_id, None) or self.shown.pop(alarm_id, None):
            self._write()

    def waiting(self) -> set[str]:
        """Ids of the alarms that are still to come."""
        return set(self.kept)

    def rearm(self) -> None:
        """The process starts: what passed meanwhile is missed, for the system was off or Soom was closed."""
        booted_at = self.booted_at()
        self._end_what_is_over(lambda ends_at: "missed_off" if booted_at > ends_at else "missed_stopped")

    def notes(self) -> list[AlarmNote]:
        """What happened and is not settled yet, oldest first."""
        return sorted(self._notes, key=lambda note: (note.at, note.id))

    def settle(self, notes: list[AlarmNote]) -> None:
        """Forgets the notes."""
        told = set(notes)
        self._notes = [note for note in self._notes if note not in told]
        self._write()

    def booted_at(self) -> datetime:
        """When the system was started, by its present clock."""
        return self._clock.now() - timedelta(seconds=self._uptime_seconds())

    # What time and the person do

    def ring_due(self) -> None:
        """Rings what has come due; to be called every few seconds. Late within the window still rings."""
        reason = self._what_moved_time()
        if reason is not None:
            self._end_what_is_over(lambda _: reason)
        now = self._clock.now()
        for alarm_id, kept in list(self.kept.items()):
            if self.is_due(alarm_id, kept, now):
                self._ring(alarm_id, kept, now)

    def act(self, alarm_id: str, code: str) -> None:
        """The person presses a button of a notification, or sweeps it away (``dismissed``)."""
        kept = self.shown.get(alarm_id)
        if kept is None:
            return
        now = self._clock.now()
        if code == "snooze":
            times = min(kept.snoozed_times + 1, SNOOZES_AT_MOST)
            self.note(now, f"snoozed_{times}", alarm_id)
            again_at = now + timedelta(minutes=SNOOZE_MINUTES)
            self.kept[alarm_id] = replace(kept, snoozed_times=times, again_at=again_at)
        else:
            self.note(now, "skipped" if code == "skip" else code, alarm_id)
        if code != "skip" or not kept.alarm.reasons:
            del self.shown[alarm_id]
        self._write()

    def is_due(self, alarm_id: str, kept: KeptAlarm, now: datetime) -> bool:
        """Whether the alarm rings now."""
        return self.rings_at(kept) <= now

    def rings_at(self, kept: KeptAlarm) -> datetime:
        """The instant at which the alarm rings where the phone is now."""
        if kept.again_at is not None:
            return kept.again_at
        return instant_of(kept.alarm.due, ZoneInfo(self._clock.time_zone()))

    def ends_at(self, kept: KeptAlarm) -> datetime:
        """After this it is too late to be of use."""
        return self.rings_at(kept) + timedelta(minutes=kept.alarm.window_minutes)

    def note(self, at: datetime, event: str, alarm_id: str) -> None:
        """Writes down what happened."""
        self._notes.append(AlarmNote(at, event, alarm_id))

    def _what_moved_time(self) -> str | None:
        zone, booted_at = self._clock.time_zone(), self.booted_at()
        flown, turned = zone != self._zone_seen, abs(booted_at - self._boot_seen) > _CLOCK_TOLERANCE
        self._zone_seen, self._boot_seen = zone, booted_at
        return "missed_zone" if flown else "missed_clock" if turned else None

    def _end_what_is_over(self, event: Callable[[datetime], str]) -> None:
        now = self._clock.now()
        for alarm_id, kept in list(self.kept.items()):
            if self.ends_at(kept) < now:
                self._end(alarm_id, event(self.ends_at(kept)), now)
        self._write()

    def _ring(self, alarm_id: str, kept: KeptAlarm, now: datetime) -> None:
        if self.ends_at(kept) < now:
            self._end(alarm_id, "missed_late", now)
        elif self.show(_without_snooze_when_used_up(kept)):
            self.shown[alarm_id] = kept
            self._end(alarm_id, "shown", now)
        else:
            self._end(alarm_id, "not_permitted", now)
        self._write()

    def _end(self, alarm_id: str, event: str, now: datetime) -> None:
        self.note(now, event, alarm_id)
        del self.kept[alarm_id]

    # On disk

    def _write(self) -> None:
        if self._file is None:
            return
        content = {
            "kept": [_to_json(one) for one in self.kept.values()],
            "shown": [_to_json(one) for one in self.shown.values()],
            "notes": [[note.at.isoformat(), note.event, note.id] for note in self._notes],
        }
        fresh = self._file.with_suffix(".new")
        fresh.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        fresh.replace(self._file)

    def _read(self, content: dict[str, Any]) -> None:
        self.kept = {one["alarm"]["id"]: _from_json(one) for one in content["kept"]}
        self.shown = {one["alarm"]["id"]: _from_json(one) for one in content["shown"]}
        self._notes = [AlarmNote(datetime.fromisoformat(at), event, one) for at, event, one in content["notes"]]


def _without_snooze_when_used_up(kept: KeptAlarm) -> Alarm:
    if kept.snoozed_times < SNOOZES_AT_MOST:
        return kept.alarm
    return replace(kept.alarm, actions=tuple(one for one in kept.alarm.actions if one[0] != "snooze"))


def _to_json(kept: KeptAlarm) -> dict[str, Any]:
    alarm = {**asdict(kept.alarm), "due": kept.alarm.due.isoformat()}
    again_at = None if kept.again_at is None else kept.again_at.isoformat()
    return {"alarm": alarm, "snoozed_times": kept.snoozed_times, "again_at": again_at}


def _from_json(content: dict[str, Any]) -> KeptAlarm:
    alarm = dict(content["alarm"])
    for name in ("actions", "reasons"):
        alarm[name] = tuple((code, label) for code, label in alarm[name])
    again_at = content["again_at"]
    return KeptAlarm(
        Alarm(**{**alarm, "due": datetime.fromisoformat(alarm["due"])}),
        int(content["snoozed_times"]),
        None if again_at is None else datetime.fromisoformat(again_at),
    )
