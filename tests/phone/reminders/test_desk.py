"""A desk rings by itself while Soom runs, and knows afterwards what it missed; several people share one phone."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mobile_app.data.database import PhoneDatabase
from mobile_app.data.seal import Seal
from mobile_app.device.kept_alarms import KeptAlarms
from mobile_app.device.ports import Alarm
from mobile_app.locales import Wording
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.reminders_watch import CHANNELS, ReminderWatch
from tests.phone.reminders.conftest import MORNING, at, signed_papers
from tests.phone.reminders.simulated_phone import Android, Permissions, PhoneClock

DOSE = Alarm(
    "dose",
    datetime(2026, 3, 2, 8, 0),  # noqa: DTZ001 (wall time)
    120,
    "reminders",
    "약",
    "text",
    actions=(("taken", "Done"), ("snooze", "Later"), ("skip", "Skip")),
    reasons=(("ran_out", "Ran out"),),
)


@dataclass
class Desk:
    """A desk whose Soom is started again and again."""

    file: Path
    clock: PhoneClock = field(default_factory=lambda: PhoneClock(at("2026-03-02 07:00", "Asia/Seoul")))
    booted: datetime = datetime(2026, 3, 1, tzinfo=UTC)
    shown: list[Alarm] = field(default_factory=list)

    def start(self) -> KeptAlarms:
        return KeptAlarms(self.clock, self._show, self._uptime, self.file)

    def _show(self, alarm: Alarm) -> bool:
        self.shown.append(alarm)
        return True

    def _uptime(self) -> float:
        return (self.clock.true_now - self.booted).total_seconds()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "alarms.json")


def events(alarms: KeptAlarms) -> list[str]:
    return [note.event for note in alarms.notes()]


def test_an_alarm_outlives_the_window_being_closed(desk: Desk) -> None:
    desk.start().arm(DOSE)
    desk.clock.true_now += timedelta(hours=1, minutes=30)
    again = desk.start()
    again.rearm()
    again.ring_due()
    assert desk.shown == [DOSE]
    assert events(desk.start()) == ["shown"], "the note outlives the window, too"


def test_closed_for_too_long_is_told_from_a_desk_that_was_off(desk: Desk) -> None:
    desk.start().arm(DOSE)
    desk.clock.true_now += timedelta(hours=5)
    closed = desk.start()
    closed.rearm()
    assert events(closed) == ["missed_stopped"]
    closed.settle(closed.notes())
    closed.arm(DOSE)
    desk.booted = desk.clock.true_now
    off = desk.start()
    off.rearm()
    assert events(off) == ["missed_off"]
    assert desk.shown == []


def test_snoozed_across_a_restart_and_skipped_with_a_reason(desk: Desk) -> None:
    alarms = desk.start()
    alarms.arm(DOSE)
    desk.clock.true_now += timedelta(hours=1)
    alarms.ring_due()
    alarms.act("dose", "snooze")
    again = desk.start()
    desk.clock.true_now += timedelta(minutes=15)
    again.ring_due()
    assert len(desk.shown) == 2
    again.act("dose", "skip")
    again.act("dose", "skipped_ran_out")
    assert sorted(events(again)) == ["shown", "shown", "skipped", "skipped_ran_out", "snoozed_1"]
    assert desk.start().shown == {}


def test_an_alarm_with_a_zone_is_refused(desk: Desk) -> None:
    zoned = Alarm("a", datetime(2026, 3, 2, 8, 0, tzinfo=UTC), 120, "reminders", "a", "b")
    with pytest.raises(ValueError, match="without a zone"):
        desk.start().arm(zoned)


class Notices:
    """A notifier that remembers what it was asked."""

    def __init__(self) -> None:
        self.channels: dict[str, str] = {}
        self.asked = 0
        self.touched: list[str] = []

    def name_channels(self, names: dict[str, str]) -> None:
        self.channels = names

    def ask_permission(self) -> None:
        self.asked += 1

    def push_token(self) -> str | None:
        return "address"

    def tapped(self) -> str | None:
        return self.touched.pop() if self.touched else None


@dataclass
class Family:
    """One phone with the diaries of two children, the first of which is open."""

    clock: PhoneClock = field(default_factory=lambda: PhoneClock(at("2026-03-02 07:00", "Asia/Seoul")))
    permissions: Permissions = field(default_factory=Permissions)

    def __post_init__(self) -> None:
        self.phone = PhoneDatabase(Path(":memory:"), Seal(b"k" * 32))
        self.phone.keep_setting("people", {"first0000": "Min", "second000": "Jun"})
        self.android, self.notices = Android(self.clock, self.permissions), Notices()
        self.watch = ReminderWatch(self.phone, self.android, self.notices, self.permissions, lambda _: None)
        self.diaries = {one: self._diary() for one in ("first0000", "second000")}
        self.watch.opened("first0000", self.diaries["first0000"])
        self.watch.start(Wording("ko"))
        self.keeper_of_second = self.watch.keeper_of("second000", self.diaries["second000"])
        self.keeper_of_second.wake()

    def _diary(self) -> OpenDiary:
        diary = OpenDiary(PhoneDatabase(Path(":memory:"), Seal(b"k" * 32)), self.clock, Wording("en"))
        diary.clinic.absorb(signed_papers())
        return diary

    def end(self) -> None:
        for one in (self.phone, *(diary.database for diary in self.diaries.values())):
            one.close()


@pytest.fixture
def family() -> Family:
    return Family()


def test_two_children_are_reminded_each_of_their_own(family: Family) -> None:
    plain, marked = f"{MORNING}@2026-03-02", f"{MORNING}@2026-03-02~second00"
    assert {plain, marked} <= family.android.waiting()
    assert len(family.android.waiting()) <= 60
    family.clock.true_now += timedelta(hours=1)
    family.android.ring_due()
    family.android.act(marked, "taken")
    family.watch.tick(("Asia/Seoul",))
    day = family.keeper_of_second.day()
    assert family.diaries["first0000"].journal.between(day, day, ("inhaler_use",)) == []
    family.keeper_of_second.look()
    assert len(family.diaries["second000"].journal.between(day, day, ("inhaler_use",))) == 1
    assert family.android.notes() == []
    family.end()


def test_a_tap_leads_to_the_reminder_or_to_today_and_counts_as_seen(family: Family) -> None:
    assert family.watch.keeper is not None
    family.clock.true_now += timedelta(hours=1)
    family.android.ring_due()
    family.notices.touched = [f"{MORNING}@2026-03-02"]
    assert family.watch.tapped() == "reminders"
    row = family.watch.keeper.ledger.find(MORNING, family.watch.keeper.day())
    assert row is not None
    assert row.state == "shown"
    family.notices.touched = ["6b1f7d0e-0000-4000-8000-000000000009"]
    assert family.watch.tapped() == "today"
    assert [one.event for one in family.watch.keeper.ledger.push_receipts(5)] == ["opened"]
    assert family.watch.tapped() is None
    family.end()


def test_a_push_that_came_is_told_to_whoever_fetches(family: Family) -> None:
    assert not family.watch.tick(("Asia/Seoul",))
    family.android.receive_push("6b1f7d0e-0000-4000-8000-000000000009", f"{MORNING}@2026-03-02")
    assert family.watch.tick(("Asia/Seoul",))
    assert not family.watch.tick(("Asia/Seoul",))
    family.end()


def test_channels_speak_the_language_and_permission_is_asked_only_where_it_is_wanting(family: Family) -> None:
    assert family.notices.channels == {name: Wording("ko").say(f"channel.{name}") for name in CHANNELS}
    assert family.watch.push_token == "address"
    family.watch.ask_permission()
    family.permissions.notifications = False
    family.watch.ask_permission()
    assert family.notices.asked == 1
    family.end()
