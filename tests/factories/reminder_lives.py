"""Seeded lives of simulated patients: habits, and everything that befalls a phone.

The rates are chosen to be far worse than life, so that each fault meets each other one many times over.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from random import Random
from zoneinfo import ZoneInfo

from sqlmodel import Session

from backend.medication.tables import Inhaler
from backend.patients.store import next_changes
from backend.patients.tables import Patient
from mobile_app.state.diary_form import inhaler_use
from mobile_app.state.reminders_settings import OwnTime, ReminderSettings
from tests.factories import reminders as made
from tests.factories.reminder_world import Resident, World

# Both directions of the change of clock fall into March and April 2026: 8 March (New York, Los Angeles), 29 March
# (London, Tallinn), 5 April back (Sydney, Auckland). Seoul has none.
START = datetime(2026, 3, 1, tzinfo=UTC)
ZONES = (
    "Asia/Seoul",
    "Europe/Tallinn",
    "Europe/London",
    "America/New_York",
    "America/Los_Angeles",
    "Australia/Sydney",
    "Pacific/Auckland",
)
TIMES = (
    ("08:00",),
    ("21:00",),
    ("07:30", "19:30"),
    ("08:00", "20:00"),
    ("02:30", "14:30"),
    ("06:00", "12:00", "18:00", "23:30"),
)


@dataclass
class Epoch:
    """From this diary day on the doctor's plan asked for these keys daily; `pause`: days the patient left out."""

    since: date
    keys: frozenset[str]


@dataclass
class Life:
    """What the referee may know: when what was asked for, and what befell the phone. `home`: the zone it lives in."""

    resident: Resident
    home: str
    epochs: list[Epoch] = field(default_factory=list)
    paused: list[tuple[date, date]] = field(default_factory=list)
    fates: list[str] = field(default_factory=list)
    gone_at: datetime | None = None


class Lives:
    """Makes residents and plans their days."""

    def __init__(self, world: World, *, days: int, seed: int) -> None:
        self.world, self.days, self._seed = world, days, seed
        self.until = world.now + timedelta(days=days)
        self.lives: list[Life] = []

    def add(self, count: int) -> None:
        with self.world.new_session() as session:
            for number in range(count):
                self._settle(session, Random(f"{self._seed}-{len(self.lives)}-{number}"))
            session.commit()
        for life in self.lives:
            self.world.at(self.world.now + timedelta(minutes=5), life.resident, _open)

    def _settle(self, session: Session, random: Random) -> None:
        world = self.world
        home = random.choice(ZONES)
        resident = world.move_in(session, home, random)
        life = Life(resident, home)
        self.lives.append(life)
        self._sign(session, life, 1, random.choice(TIMES))
        resident.answers = partial(self._answer, random.choice((0.05, 0.4, 0.8)))
        self._plan_days(life, random)
        self._plan_fates(life, random)

    # The doctor

    def _sign(self, session: Session, life: Life, version: int, at: tuple[str, ...]) -> None:
        resident = life.resident
        patient, now = session.get_one(Patient, resident.patient_id), resident.phone.clock.true_now
        inhaler = made.plan_that_reminds(session, patient, self.world.doctor.id, signed_at=now, version=version, at=at)
        for old in resident.inhaler_ids:
            row = session.get_one(Inhaler, old)
            row.active, row.stopped_at, row.change = False, now, next_changes(session, patient.id)
        resident.inhaler_ids = [str(inhaler.id)]
        keys = {f"dose:{inhaler.id}:{slot}" for slot in range(len(at))} | {"check_in"}
        today = now.astimezone(ZoneInfo(resident.phone.clock.zone)).date()
        life.epochs.append(Epoch(today, frozenset(keys)))

    def _sign_anew(self, life: Life, at: tuple[str, ...], _: Resident) -> None:
        with self.world.new_session() as session:
            self._sign(session, life, len(life.epochs) + 1, at)
            session.commit()

    # Days

    def _plan_days(self, life: Life, random: Random) -> None:
        """Some open Soom daily, some weekly; most log a dose when they do, around their own hour."""
        opens_a_day = random.choice((0.2, 0.8, 0.9, 0.95, 0.97, 0.98))
        hour, spread = random.uniform(7, 22), random.uniform(5, 60)
        for day in range(self.days):
            if random.random() < opens_a_day:
                minutes = hour * 60 + random.gauss(0, spread)
                when = self.world.now + timedelta(days=day, minutes=max(minutes, 10))
                dose, check_in = random.random() < 0.5, random.random() < 0.4
                self.world.at(when, life.resident, partial(_use, dose=dose, check_in=check_in))

    def _answer(self, diligence: float, resident: Resident, alarm_id: str) -> None:
        random = resident.random
        when = resident.phone.clock.true_now + timedelta(minutes=random.uniform(0.5, 60))
        drawn = random.random()
        if drawn < diligence * 0.7:
            button = "taken" if alarm_id.startswith("dose") else "opened"
        elif drawn < diligence * 0.8:
            button = "skip"
        elif drawn < diligence:
            button = "snooze"
        elif drawn < diligence + (1 - diligence) * 0.5:
            button = "dismissed"
        else:
            return
        self.world.at(when, resident, lambda one: one.press(alarm_id, button))

    # Fates

    def _plan_fates(self, life: Life, random: Random) -> None:
        """Each with its rate in sixty days."""
        share = self.days / 60
        for name, often in (
            ("reboot", 3.0),
            ("flat_battery", 2.0),
            ("force_stop", 0.6),
            ("update", 2.0),
            ("no_network", 2.0),
            ("flight", 0.8),
            ("clock_turned", 0.5),
            ("denied", 0.2),
            ("late_alarms", 0.3),
            ("new_plan", 0.3),
            ("own_times", 0.4),
            ("pause", 0.15),
            ("gone", 0.03),
        ):
            while random.random() < often * share / (1 + often * share):
                life.fates.append(name)
        for name in life.fates:
            when = self.world.now + timedelta(days=random.uniform(0.5, self.days - 1))
            befall: Callable[[Life, Random, datetime], None] = getattr(self, f"_{name}")
            befall(life, random, when)

    def _at(self, when: datetime, life: Life, action: Callable[[Resident], None]) -> None:
        if when < self.until:
            self.world.at(when, life.resident, action)

    def _reboot(self, life: Life, _: Random, when: datetime) -> None:
        self._at(when, life, _unless_gone(lambda one: one.phone.reboot() if one.android.is_on else None))

    def _flat_battery(self, life: Life, random: Random, when: datetime) -> None:
        self._at(when, life, _unless_gone(lambda one: one.phone.power_off()))
        self._at(when + timedelta(hours=random.choice((0.5, 3, 9, 30, 80))), life, _unless_gone(_switch_on))

    def _force_stop(self, life: Life, _: Random, when: datetime) -> None:
        self._at(when, life, _unless_gone(lambda one: one.phone.force_stop() if one.android.is_on else None))

    def _update(self, life: Life, _: Random, when: datetime) -> None:
        self._at(when, life, _unless_gone(_update))

    def _no_network(self, life: Life, random: Random, when: datetime) -> None:
        def cut(one: Resident) -> None:
            one.phone.is_online = False

        self._at(when, life, cut)
        self._at(when + timedelta(hours=random.choice((1, 8, 40, 120, 240))), life, _online)

    def _flight(self, life: Life, random: Random, when: datetime) -> None:
        home, there = life.resident.phone.clock.zone, random.choice(ZONES)
        hours = random.uniform(2, 14)

        def depart(one: Resident) -> None:
            one.phone.is_online = False

        for start, zone in ((when, there), (when + timedelta(days=random.uniform(1, 12)), home)):
            self._at(start, life, depart)
            self._at(start + timedelta(hours=hours), life, partial(_land, zone=zone))

    def _clock_turned(self, life: Life, random: Random, when: datetime) -> None:
        by = timedelta(minutes=random.choice((-1500, -180, -60, -10, 10, 60, 180, 1500)))
        self._at(when, life, lambda one: one.phone.turn_clock(by))
        self._at(when + timedelta(hours=random.uniform(1, 60)), life, _right_clock)

    def _denied(self, life: Life, random: Random, when: datetime) -> None:
        def allow(one: Resident, *, allowed: bool) -> None:
            one.phone.permissions.notifications = allowed

        self._at(when, life, partial(allow, allowed=False))
        if random.random() < 0.5:
            self._at(when + timedelta(days=random.uniform(1, 15)), life, partial(allow, allowed=True))

    def _late_alarms(self, life: Life, random: Random, when: datetime) -> None:
        late = timedelta(minutes=random.choice((5, 20, 50)))

        def delay(one: Resident) -> None:
            one.phone.permissions.exact_alarms = False
            one.android.late_by = late

        self._at(when, life, delay)

    def _new_plan(self, life: Life, random: Random, when: datetime) -> None:
        self._at(when, life, partial(self._sign_anew, life, random.choice(TIMES)))

    def _own_times(self, life: Life, random: Random, when: datetime) -> None:
        weekday, weekend = random.randrange(0, 1440, 15), random.randrange(0, 1440, 15)

        def choose(one: Resident) -> None:
            key = f"dose:{one.inhaler_ids[0]}:0"
            settings = one.phone.keeper.settings.read() or ReminderSettings()
            one.phone.keeper.settings.keep(settings.with_time(key, OwnTime(weekday, weekend)))

        self._at(when, life, _while_open(choose))

    def _pause(self, life: Life, random: Random, when: datetime) -> None:
        days = random.randrange(2, 7)

        def pause(one: Resident) -> None:
            today = one.phone.keeper.day()
            life.paused.append((today, today + timedelta(days=days)))
            settings = one.phone.keeper.settings.read() or ReminderSettings()
            one.phone.keeper.settings.keep(_paused(settings, today + timedelta(days=days)))

        self._at(when, life, _while_open(pause))

    def _gone(self, life: Life, _: Random, when: datetime) -> None:
        """Lost, broken or sold: nothing is heard of this phone again."""

        def lose(one: Resident) -> None:
            life.gone_at = one.phone.clock.true_now
            one.phone.power_off()
            one.is_gone = True

        self._at(when, life, lose)

    def bring_home(self) -> None:
        """Whoever still has a phone charges it, finds a network, and opens Soom."""

        def open_at_last(one: Resident) -> None:
            if one.is_gone:
                return
            _switch_on(one)
            _online(one)
            _right_clock(one)
            _open(one)
            one.phone.sync()

        for life in self.lives:
            self.world.at(self.world.now + timedelta(minutes=1), life.resident, open_at_last)


def _paused(settings: ReminderSettings, until: date) -> ReminderSettings:
    return replace(settings, paused_until=until)


def _unless_gone(action: Callable[[Resident], object]) -> Callable[[Resident], None]:
    def act(one: Resident) -> None:
        if not one.is_gone:
            action(one)

    return act


def _while_open(action: Callable[[Resident], None]) -> Callable[[Resident], None]:
    """Soom comes into view, something is done in it, it syncs, and it is put away. One exchange for the two that a
    person in a hurry gets as well."""

    def act(one: Resident) -> None:
        if one.is_gone or not one.android.is_on:
            return
        one.phone.is_open = True
        one.phone.keeper.wake()
        action(one)
        one.phone.sync()
        one.phone.close()
        one.take_waiting_pushes()

    return act


def _open(one: Resident) -> None:
    _while_open(lambda _: None)(one)


def _use(one: Resident, *, dose: bool, check_in: bool) -> None:
    """Opens Soom and writes what there is to write."""

    def write(resident: Resident) -> None:
        phone = resident.phone
        if dose:
            phone.diary.record("inhaler_use", inhaler_use(resident.inhaler_ids[0], 1, "maintenance"))
        if check_in:
            phone.diary.record("symptoms", {"daytime": False, "night_waking": False, "red_flags": []})

    _while_open(write)(one)


def _switch_on(one: Resident) -> None:
    if not one.android.is_on:
        one.phone.power_on()
    if one.in_reach:
        one.take_waiting_pushes()


def _online(one: Resident) -> None:
    one.phone.is_online = True
    if one.in_reach:
        one.take_waiting_pushes()


def _update(one: Resident) -> None:
    """Android forgets a package's alarms when it is replaced, and then runs Soom's receiver."""
    if not one.android.is_on:
        return
    one.phone.close()
    one.android.in_system.clear()
    if not one.android.is_stopped:
        one.android.in_system = set(one.android.kept)
        one.android.ring_due()


def _land(one: Resident, *, zone: str) -> None:
    if one.is_gone:
        return
    one.phone.fly(zone)
    _online(one)


def _right_clock(one: Resident) -> None:
    if one.phone.clock.turned_by:
        one.phone.turn_clock(-one.phone.clock.turned_by)
