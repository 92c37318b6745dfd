"""Whatever changes in whatever order, each dose rings at most once a day, and none is left without an account."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from mobile_app.state.reminders_settings import OwnTime
from tests.phone.conftest import CONTROLLER_ID
from tests.phone.reminders.conftest import EVENING, MORNING, at, phone_in, signed_papers

ENDS = {"fired", "shown", "acted", "missed", "cancelled"}
ZONES = ["Asia/Seoul", "Europe/Tallinn", "America/Los_Angeles", "Pacific/Kiritimati"]
times = st.sampled_from(["06:30", "08:00", "12:00", "20:00", "23:30"])


class AnyOrder(RuleBasedStateMachine):
    """A phone over days in March with a change of clocks, and everything that may happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.phone = phone_in("Europe/Tallinn", "2026-03-27 07:00")
        self.version = 1

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        self.phone.walk(hours=hours)

    @rule()
    def opened(self) -> None:
        self.phone.open()

    @rule()
    def killed(self) -> None:
        self.phone.kill()

    @rule(zone=st.sampled_from(ZONES))
    def flown(self, zone: str) -> None:
        self.phone.fly(zone)

    @rule(hours=st.sampled_from([-30, -3, 3, 30]))
    def clock_turned(self, hours: int) -> None:
        self.phone.turn_clock(timedelta(hours=hours))

    @rule(first=times, second=times)
    def plan_signed(self, first: str, second: str) -> None:
        self.version += 1
        chosen = sorted({first, second})
        self.phone.receive(signed_papers(times=tuple(chosen), version=self.version))

    @rule(key=st.sampled_from([MORNING, EVENING]), minute=st.integers(0, 1439), follow=st.booleans())
    def settings_changed(self, key: str, minute: int, follow: bool) -> None:
        chosen = self.phone.keeper.settings.read()
        assert chosen is not None
        self.phone.open()
        moved = replace(chosen, follow_habit=follow).with_time(key, OwnTime(minute, minute))
        self.phone.keeper.settings.keep(moved)

    @rule()
    def dose_logged(self) -> None:
        self.phone.log_dose(CONTROLLER_ID)

    @rule()
    def pressed(self) -> None:
        for alarm_id in list(self.phone.android.shown)[:1]:
            self.phone.press(alarm_id, "taken")

    @rule()
    def stopped(self) -> None:
        self.phone.force_stop()

    @rule(hours=st.sampled_from([1, 40]))
    def switched_off(self, hours: int) -> None:
        self.phone.power_off()
        self.phone.walk(hours=hours)
        self.phone.power_on()

    @rule(allowed=st.booleans())
    def permission(self, allowed: bool) -> None:
        self.phone.permissions.notifications = allowed

    def teardown(self) -> None:
        phone = self.phone
        phone.permissions.notifications = True
        phone.open()
        assert len(phone.android.waiting()) <= 60
        shown = [note for note in phone.android.notes() if note.event == "shown"]
        assert not shown, "a note was not written down"
        now = phone.clock.now()
        for row in phone.account():
            if row.due_at + timedelta(hours=3) < now:
                assert row.state in ENDS, row
            if row.state == "missed":
                assert row.cause, row
            if row.state == "acted":
                assert row.action, row
        phone.end()


AnyOrder.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
test_any_order_leaves_nothing_out: Any = AnyOrder.TestCase


def test_the_same_day_never_rings_twice_however_the_times_are_moved() -> None:
    phone = phone_in("Asia/Seoul", "2026-03-02 07:00")
    rung: list[str] = []
    for version in range(2, 12):
        phone.walk(minutes=45)
        rung += [note.id for note in phone.android.notes() if note.event == "shown"]
        phone.open()
        hour = 7 + version % 5
        phone.receive(signed_papers(times=(f"{hour:02d}:30", "20:00"), version=version))
        phone.close()
    phone.walk_to(at("2026-03-02 23:00", "Asia/Seoul"))
    rung += [note.id for note in phone.android.notes() if note.event == "shown"]
    assert len(rung) == len(set(rung))
    assert date(2026, 3, 2).isoformat() in rung[0]
