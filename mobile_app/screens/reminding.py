"""Reminders while Soom is in view: the ticking, the line of words when one comes, the way from a notification."""

from collections.abc import Callable
from pathlib import Path

from kivy.clock import Clock as KivyClock

from mobile_app.data.database import PhoneDatabase
from mobile_app.device.desktop import uptime_seconds
from mobile_app.device.kept_alarms import KeptAlarms
from mobile_app.device.machine import Device
from mobile_app.device.ports import Alarm
from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.reminders_keeper import ReminderKeeper
from mobile_app.state.reminders_watch import ReminderWatch
from mobile_app.state.reminders_words import reminder_in_words

_TICK_SECONDS = 15.0
_PAGES_WITH_REMINDERS = ("today", "reminders")


class Reminding:
    """Connects the watch over reminders with Kivy's clock and the frame.

    folder: where a desk keeps its alarms. on_push: called when a push has come.
    """

    def __init__(
        self,
        device: Device,
        phone: PhoneDatabase,
        folder: Path,
        wording: Wording,
        frame: Callable[[], Frame | None],
        on_push: Callable[[], None],
    ) -> None:
        self._on_push = on_push
        self._device = device
        self._wording = wording
        self._frame = frame
        alarms = device.alarms or KeptAlarms(device.clock, lambda _: False, uptime_seconds, folder / "alarms.json")
        self._watch = ReminderWatch(phone, alarms, device.notifier, device.reliability, self._banner)
        self._has_begun = False
        self._ticking = KivyClock.create_trigger(lambda _: self._tick(), _TICK_SECONDS, interval=True)
        self._soon = KivyClock.create_trigger(lambda _: self.look(), 0)

    @property
    def keeper(self) -> ReminderKeeper:
        """Of the diary that is open."""
        if self._watch.keeper is None:
            raise RuntimeError("reminders were asked for before a diary was open")
        return self._watch.keeper

    def push_token(self) -> str | None:
        """The address of this phone at the push service, as last seen; asked by the thread that syncs."""
        return self._watch.push_token

    def opened(self, diary_id: str, diary: OpenDiary) -> None:
        """Another diary is open. Its reminders follow each entry, after the entry is on disk and shown."""
        keeper = self._watch.opened(diary_id, diary)
        keeper.on_change = self._show
        diary.after_change.append(self._soon)
        if self._has_begun:
            self._soon()
            self._ticking()

    def begin(self, open_id: str, open_diary: Callable[[str], OpenDiary]) -> None:
        """Soom is built: what was tapped is shown, then alarms are looked at, and every quarter of a minute again."""
        self.come_back()
        self._watch.look_after_others(open_id, open_diary)
        self._has_begun = True
        self._ticking()

    def come_back(self) -> None:
        """In view again."""
        self._watch.start(self._wording)
        page, frame = self._watch.tapped(), self._frame()
        if page is not None and frame is not None and frame.page_name not in ("lock", "welcome", page):
            frame.go(page)

    def look(self) -> None:
        """After a sync, an entry, another language."""
        if self._watch.keeper is not None:
            self._watch.keeper.look()

    def first_run(self) -> None:
        """Asks for what Soom needs to be heard, and explains what stands in the way."""
        self._watch.ask_permission()
        frame = self._frame()
        if frame is not None and self._watch.stands_in_the_way:
            frame.go("reliability")

    def end(self) -> None:
        """No more ticking; the diary is about to be closed."""
        self._ticking.cancel()
        self._soon.cancel()
        self._watch.keeper = None

    def _tick(self) -> None:
        keeper = self._watch.keeper
        if keeper is not None and self._watch.tick((self._device.clock.time_zone(), keeper.day())):
            self._on_push()

    def _banner(self, alarm: Alarm) -> None:
        frame, keeper = self._frame(), self._watch.keeper
        if frame is None or keeper is None:
            return
        words = reminder_in_words(alarm.id.partition("@")[0], keeper.names(), self._wording)
        frame.toast(self._wording.say("reminders.banner", what=words, time=self._wording.time(alarm.due)))

    def _show(self) -> None:
        frame = self._frame()
        if frame is not None and frame.page_name in _PAGES_WITH_REMINDERS:
            frame.page.shown()
