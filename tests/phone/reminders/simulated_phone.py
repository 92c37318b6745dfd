"""A phone with a walked clock and a system that behaves as Android does, around the real state and data code.

No Kivy, no thread, no sleep. Everything that can befall a phone is a method; `simulated_phone.py` says nothing about
what is right, so tests and the large simulation can both drive it.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from mobile_app.data.clinic import Clinic
from mobile_app.data.credentials import Credentials
from mobile_app.data.database import PhoneDatabase
from mobile_app.data.entries import Entry
from mobile_app.data.ledger import KeptOccurrence
from mobile_app.data.seal import Seal
from mobile_app.data.sync import Server, Synchroniser, SyncReport
from mobile_app.device.kept_alarms import KeptAlarm, KeptAlarms
from mobile_app.device.ports import Alarm, ReliabilityCheck
from mobile_app.locales import Wording
from mobile_app.state.diary_form import inhaler_use
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.reminders_keeper import ReminderKeeper

IN_MEMORY = Path(":memory:")
START = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)


@dataclass
class PhoneClock:
    """The phone's own clock: true time, plus what its owner turned it by, in the zone its settings name."""

    true_now: datetime = START
    zone: str = "Asia/Seoul"
    turned_by: timedelta = timedelta()

    def now(self) -> datetime:
        return self.true_now + self.turned_by

    def time_zone(self) -> str:
        return self.zone


@dataclass
class Permissions:
    """What the person allows Soom on this phone."""

    notifications: bool = True
    exact_alarms: bool = True
    battery: bool = True

    def checks(self) -> list[ReliabilityCheck]:
        return [
            ReliabilityCheck("notifications", self.notifications),
            ReliabilityCheck("exact_alarms", self.exact_alarms),
            ReliabilityCheck("battery", self.battery),
        ]

    def open_settings(self, code: str) -> None:
        """There is no page to open."""


class Android(KeptAlarms):
    """Soom's Java and Android's alarm manager. What Java keeps outlives everything; what the system keeps is lost at a
    reboot and a forced stop, after which no receiver runs until Soom is opened again."""

    def __init__(self, clock: PhoneClock, permissions: Permissions) -> None:
        self.clock = clock
        self.permissions = permissions
        self.in_system: set[str] = set()
        self.is_on = True
        self.is_stopped = False
        self.late_by = timedelta()
        self.booted_true = clock.true_now
        super().__init__(clock, self._draw, lambda: (clock.true_now - self.booted_true).total_seconds())

    def _draw(self, alarm: Alarm) -> bool:
        return self.permissions.notifications

    def arm(self, *alarms: Alarm) -> bool:
        self.in_system.update(alarm.id for alarm in alarms)
        super().arm(*alarms)
        return self.permissions.exact_alarms

    def cancel(self, alarm_id: str) -> None:
        self.in_system.discard(alarm_id)
        super().cancel(alarm_id)

    def act(self, alarm_id: str, code: str) -> None:
        super().act(alarm_id, code)
        if alarm_id in self.kept:
            self.in_system.add(alarm_id)

    def rearm(self) -> None:
        """Soom is opened: only now receivers of a stopped app run again."""
        booted_at = self.booted_at()
        self.is_stopped = False
        now = self.clock.now()
        for alarm_id, kept in list(self.kept.items()):
            ends_at = self.ends_at(kept)
            if ends_at >= now:
                continue
            lost = alarm_id not in self.in_system
            self._end(
                alarm_id, "missed_off" if booted_at > ends_at else "missed_stopped" if lost else "missed_late", now
            )
        self.in_system = set(self.kept)
        self.ring_due()

    def ring_due(self) -> None:
        if self.is_on and not self.is_stopped:
            super().ring_due()

    def is_due(self, alarm_id: str, kept: KeptAlarm, now: datetime) -> bool:
        return alarm_id in self.in_system and self.rings_at(kept) + self.late_by <= now

    def next_ring(self) -> datetime | None:
        """The phone's time at which the next alarm rings, if any will."""
        if not self.is_on or self.is_stopped:
            return None
        waiting = [self.rings_at(kept) for alarm_id, kept in self.kept.items() if alarm_id in self.in_system]
        return min(waiting) + self.late_by if waiting else None

    def force_stop(self) -> None:
        self.in_system.clear()
        self.shown.clear()
        self.is_stopped = True

    def power_off(self) -> None:
        self.is_on = False
        self.in_system.clear()
        self.shown.clear()

    def power_on(self) -> None:
        self.is_on = True
        self.booted_true = self.clock.true_now
        self._zone_seen, self._boot_seen = self.clock.zone, self.booted_at()
        if self.is_stopped:
            return
        self._end_what_is_over(lambda _: "missed_off")
        self.in_system = set(self.kept)
        self.ring_due()

    def receive_push(self, message_id: str, alarm_id: str | None) -> bool:
        """A push message arrives; with an occurrence it takes the place of its own alarm. False: it was not drawn."""
        if not self.is_on or self.is_stopped:
            return False
        now = self.clock.now()
        self.note(now, "received", message_id)
        if alarm_id is None or not self.permissions.notifications:
            return self.permissions.notifications
        kept = self.kept.pop(alarm_id, None)
        self.in_system.discard(alarm_id)
        if kept is None:
            # As in Alarms.pushed(): its own alarm has rung already, or there is none.
            return False
        self.shown[alarm_id] = kept
        self.note(now, "pushed", alarm_id)
        return True


@dataclass
class SimulatedPhone:
    """One phone of one patient. `server`: anything with SoomServer's push, pull, ask and close, or None."""

    clock: PhoneClock = field(default_factory=PhoneClock)
    permissions: Permissions = field(default_factory=Permissions)
    path: Path = IN_MEMORY
    key: bytes = b"k" * 32
    server: Server | None = None
    language: str = "en"
    is_online: bool = True

    def __post_init__(self) -> None:
        self.android = Android(self.clock, self.permissions)
        self.database = PhoneDatabase(self.path, Seal(self.key))
        self.clinic = Clinic(self.database)
        self._start_process()

    def _start_process(self) -> None:
        """A new process knows only what is on disk."""
        self.diary = OpenDiary(self.database, self.clock, Wording(self.language))
        self.journal = self.diary.journal
        self.keeper = ReminderKeeper(self.diary, self.android, self.permissions)
        self.ledger = self.keeper.ledger
        self.diary.after_change.append(self.keeper.look)
        self.is_open = False

    # The person and Soom

    def receive(self, papers: dict[str, Any]) -> None:
        """What a sync would bring from the clinic."""
        self.clinic.absorb(papers)
        if self.is_open:
            self.keeper.look()

    def enrolled_as(self, patient_id: str) -> None:
        """This diary belongs to a patient of a clinic."""
        self.database.keep_setting("patient_id", patient_id)

    def open(self) -> None:
        """The person opens Soom (or the system starts it for them to see): alarms are looked at, then synced."""
        if not self.android.is_on:
            return
        self.is_open = True
        self.keeper.wake()
        self.sync()

    def close(self) -> None:
        """Soom leaves the view; Android may kill the process at any time."""
        self._start_process()

    def sync(self, push_token: str | None = None) -> SyncReport | None:
        """One exchange, if there is a server and a network; then reminders are looked at again."""
        if self.server is None or not self.is_online or not self.android.is_on:
            return None
        report = Synchroniser(self.database, self.server, self.clock.now).run(push_token)
        if report.fetched or report.problem is None:
            self.keeper.look()
        return report

    def log_dose(self, inhaler_id: str, puffs: int = 2, at: datetime | None = None) -> Entry:
        """A daily dose written into the diary by hand."""
        moment = self.diary.moment(at) if at else None
        return self.diary.record("inhaler_use", inhaler_use(inhaler_id, puffs, "maintenance"), moment)

    def press(self, alarm_id: str, button: str) -> None:
        """A button of a notification that is shown, with Soom dead or alive."""
        self.android.act(alarm_id, button)
        if self.is_open:
            self.keeper.look()

    # Time and fate

    def walk_to(self, true_instant: datetime) -> None:
        """Time passes up to a true instant; every alarm rings at its own minute."""
        while True:
            due = self.android.next_ring()
            if due is None or due - self.clock.turned_by > true_instant:
                break
            self.clock.true_now = max(self.clock.true_now, due - self.clock.turned_by)
            before = len(self.android.kept)
            self.android.ring_due()
            if self.is_open:
                self.keeper.look()
            if len(self.android.kept) == before and self.android.next_ring() == due:
                raise AssertionError(f"an alarm due at {due} neither rang nor ended")
        self.clock.true_now = true_instant

    def walk(self, **by: float) -> None:
        """Time passes."""
        self.walk_to(self.clock.true_now + timedelta(**by))

    def kill(self) -> None:
        """The system ends the process; alarms stay."""
        self.close()

    def force_stop(self) -> None:
        """The person stops Soom in the settings."""
        self.close()
        self.android.force_stop()

    def power_off(self) -> None:
        """Switched off, or the battery is flat."""
        self.close()
        self.android.power_off()

    def power_on(self) -> None:
        """Switched on; the boot receiver runs."""
        self.android.power_on()

    def reboot(self) -> None:
        """Off and on at once."""
        self.power_off()
        self.power_on()

    def fly(self, zone: str) -> None:
        """The phone is in another zone now; a running phone hears it at once."""
        self.clock.zone = zone
        self.android.ring_due()
        if self.is_open:
            self.keeper.look()

    def turn_clock(self, by: timedelta) -> None:
        """The person sets the phone's clock."""
        self.clock.turned_by += by
        self.android.ring_due()
        if self.is_open:
            self.keeper.look()

    # What became of it

    def account(self, first: date = date(2000, 1, 1)) -> list[KeptOccurrence]:
        """Every occurrence of the ledger from a diary day on, by due time."""
        return self.ledger.since(first)

    def states(self, first: date = date(2000, 1, 1)) -> dict[str, str]:
        """What became of each, by identity."""
        return {row.id: row.state for row in self.account(first)}

    def end(self) -> None:
        """Closes the file."""
        self.database.close()

    @property
    def credentials(self) -> Credentials:
        """The enrolment of this diary."""
        return Credentials(self.database)
