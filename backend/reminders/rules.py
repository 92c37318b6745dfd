"""What a patient is to be reminded of on which diary day and when, and what the server does about silence.

Pure, and equal to what the phone computes for itself: identity (key, diary day) and due instant.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

MINUTES_A_DAY = 24 * 60
PROMPTS_A_DAY_AT_MOST = 2
SATURDAY = 5
# GINA asks for the four questions on the last four weeks; asked again weekly until they are answered.
CONTROL_CHECK_EVERY_DAYS, CONTROL_CHECK_AGAIN_DAYS = 28, 7
PLAN_REVIEW_DAYS_BEFORE = (7, 0)
REFILL_DAYS_BEFORE_EMPTY = (7, 1)
EVENING_MINUTE = 20 * 60

GRACE = timedelta(minutes=45)
# As long as a phone that was off may still ring: later a reminder is of no use.
PUSH_UNTIL = timedelta(minutes=120)
# Alarms need no network and tell of themselves later, so a phone heard of lately is taken at its word: for a day and a
# half, which is how far ahead phones tell of each alarm.
BELIEVED_FOR = timedelta(hours=36)
MISSED_AFTER = timedelta(hours=48)
SILENT_AFTER = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class OwnTime:
    """The patient's own time for one reminder, in minutes of the wall clock."""

    weekday: int
    weekend: int

    def on(self, weekend: bool) -> int:
        return self.weekend if weekend else self.weekday


@dataclass(frozen=True, slots=True)
class Opened:
    """A new inhaler: the day it was begun and the inhalations its label promises."""

    on: date
    inhalations: int


@dataclass(frozen=True, slots=True)
class Quiet:
    """From one minute of the wall clock up to another nothing rings; it may pass midnight."""

    from_minute: int = 22 * 60
    until_minute: int = 7 * 60

    def holds(self, minute: int) -> bool:
        if self.from_minute <= self.until_minute:
            return self.from_minute <= minute < self.until_minute
        return minute >= self.from_minute or minute < self.until_minute

    def moved_out(self, minute: int) -> int:
        """The minute itself, or the nearer edge: the last loud minute before, or the end."""
        if not self.holds(minute):
            return minute
        since, until = (minute - self.from_minute) % MINUTES_A_DAY, (self.until_minute - minute) % MINUTES_A_DAY
        return (self.from_minute - 1) % MINUTES_A_DAY if since < until else self.until_minute


@dataclass(frozen=True, slots=True)
class Settings:
    """What the patient chose; minutes are of the wall clock. `check_in_minute` None: no daily question."""

    day_starts_minute: int = 4 * 60
    quiet: Quiet = Quiet()
    times: Mapping[str, OwnTime] = field(default_factory=dict)
    follow_habit: bool = True
    check_in_minute: int | None = EVENING_MINUTE
    paused_until: date | None = None
    opened: Mapping[str, Opened] = field(default_factory=dict)
    # Id and day of each visit.
    appointments: Sequence[tuple[str, date]] = ()


@dataclass(frozen=True, slots=True)
class DailyDose:
    """One inhaler taken every day, and the plan's minutes for it in the order of the diary day."""

    inhaler_id: str
    inhalations: int
    minutes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that reminders derive from, except the habit."""

    settings: Settings
    doses: Sequence[DailyDose] = ()
    check_in_minute: int | None = None
    peak_flow_minute: int | None = None
    control_check_from: date | None = None
    review_on: date | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    key: str
    local_date: date
    due_at: datetime


# (the dose, whether for a weekend) -> minutes of the wall clock, from when the patient took it; fewer if there is none.
Habit = Callable[[DailyDose, bool], Sequence[int]]


def minute_of(text: str) -> int:
    """The minute of the day of HH:MM."""
    hours, minutes = text[:5].split(":")
    return int(hours) * 60 + int(minutes)


def position(minute: int, day_starts_minute: int) -> int:
    """Minutes from the start of the diary day."""
    return (minute - day_starts_minute) % MINUTES_A_DAY


def daily_dose(
    inhaler_id: str, inhalations: int, times_a_day: int, planned: Iterable[int], day_starts_minute: int
) -> DailyDose:
    """`planned`: minutes that the plan names; they count when there are as many as doses, else even times do."""
    at = sorted(set(planned))
    minutes = at if len(at) == times_a_day else _even_minutes(times_a_day)
    in_order = sorted(minutes, key=lambda minute: position(minute, day_starts_minute))
    return DailyDose(inhaler_id.lower(), inhalations, tuple(in_order))


def _even_minutes(doses_a_day: int) -> list[int]:
    """Of a waking day, from 08:00 to 20:00."""
    if doses_a_day == 1:
        return [8 * 60]
    return [8 * 60 + round(place * 12 * 60 / (doses_a_day - 1)) for place in range(doses_a_day)]


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant of a wall time. One that a change of clock skips is the first instant after the gap; of one that
    comes twice it is the first."""
    before = wall.replace(tzinfo=zone, fold=0)
    offset_before, offset_after = before.utcoffset(), before.replace(fold=1).utcoffset()
    if offset_before is None or offset_after is None or offset_before >= offset_after:
        return before.astimezone(UTC)
    # The change lies between the two readings of the wall time.
    early, late = (wall - offset_after).replace(tzinfo=UTC), (wall - offset_before).replace(tzinfo=UTC)
    while late - early > timedelta(seconds=1):
        middle = (early + (late - early) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset_before:
            early = middle
        else:
            late = middle
    return late


def diary_day(instant: datetime, zone: ZoneInfo, day_starts_minute: int) -> date:
    return (instant.astimezone(zone).replace(tzinfo=None) - timedelta(minutes=day_starts_minute)).date()


def occurrences(sources: Sources, days: Iterable[date], zone: ZoneInfo, habit: Habit) -> list[Occurrence]:
    """What is due on these diary days, by due instant; a pause leaves its days out."""
    settings = sources.settings
    dose_minutes: dict[bool, dict[str, int]] = {}
    found = []
    for day in days:
        if settings.paused_until is not None and day < settings.paused_until:
            continue
        weekend = day.weekday() >= SATURDAY
        if weekend not in dose_minutes:
            dose_minutes[weekend] = _dose_minutes(sources, weekend, habit)
        doses = dose_minutes[weekend]
        for key, minute in {**doses, **_other_minutes(sources, day, weekend, set(doses.values()))}.items():
            midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 (wall time)
            late = MINUTES_A_DAY if minute < settings.day_starts_minute else 0
            found.append(Occurrence(key, day, instant_of(midnight + timedelta(minutes=minute + late), zone)))
    return sorted(found, key=lambda one: (one.due_at, one.key))


def _dose_minutes(sources: Sources, weekend: bool, habit: Habit) -> dict[str, int]:
    """The patient's own fixed times, else the habit, else the plan's outside the quiet hours."""
    settings, found = sources.settings, {}
    for dose in sources.doses:
        minutes = [settings.quiet.moved_out(minute) for minute in dose.minutes]
        if settings.follow_habit and len(dose.minutes) <= PROMPTS_A_DAY_AT_MOST:
            own = habit(dose, weekend)
            if len(own) == len(minutes):
                minutes = sorted(own, key=lambda minute: position(minute, settings.day_starts_minute))
        for slot, minute in enumerate(minutes):
            key = f"dose:{dose.inhaler_id}:{slot}"
            fixed = settings.times.get(key)
            found[key] = minute if fixed is None else fixed.on(weekend)
    return found


def _other_minutes(sources: Sources, day: date, weekend: bool, moments: set[int]) -> dict[str, int]:
    """Joined to a dose's moment where a third prompt a day would come."""
    settings = sources.settings
    wanted = _others_due(sources, day)
    found = {key: settings.times[key].on(weekend) for key in wanted if key in settings.times}
    moments = moments | set(found.values())
    for key, usual in wanted.items():
        if key in found:
            continue
        minute = settings.quiet.moved_out(usual)
        if minute not in moments and len(moments) >= PROMPTS_A_DAY_AT_MOST:
            place = position(minute, settings.day_starts_minute)
            places = {one: position(one, settings.day_starts_minute) for one in moments}
            minute = min(moments, key=lambda one: (abs(places[one] - place), -places[one]))
        moments.add(minute)
        found[key] = minute
    return found


def _others_due(sources: Sources, day: date) -> dict[str, int]:
    """Key and usual minute of all but doses, in the order in which they choose their moment."""
    settings = sources.settings
    evening = EVENING_MINUTE if settings.check_in_minute is None else settings.check_in_minute
    wanted: dict[str, int] = {}
    if sources.check_in_minute is not None:
        wanted["check_in"] = sources.check_in_minute
    if sources.peak_flow_minute is not None:
        wanted["peak_flow"] = sources.peak_flow_minute
    for appointment_id, on in sorted(settings.appointments):
        if (on - day).days == 1:
            wanted[f"appointment:{appointment_id}"] = evening
    if sources.control_check_from is not None:
        late = (day - sources.control_check_from).days - CONTROL_CHECK_EVERY_DAYS
        if late >= 0 and late % CONTROL_CHECK_AGAIN_DAYS == 0:
            wanted["control_check"] = evening
    if sources.review_on is not None and (sources.review_on - day).days in PLAN_REVIEW_DAYS_BEFORE:
        wanted["plan_review"] = evening
    for dose in sorted(sources.doses, key=lambda one: one.inhaler_id):
        opened = settings.opened.get(dose.inhaler_id)
        if opened is None:
            continue
        lasts_days = opened.inhalations // (dose.inhalations * len(dose.minutes))
        if lasts_days - (day - opened.on).days in REFILL_DAYS_BEFORE_EMPTY:
            wanted[f"refill:{dose.inhaler_id}"] = evening
    return wanted


class Verdict(StrEnum):
    """What the server does about an occurrence that no phone has spoken of."""

    PUSH = "push"
    WAIT = "wait"
    ALREADY_LOGGED = "already_logged"
    PUSHED = "pushed"
    CANCELLED = "cancelled"
    NOT_PERMITTED = "not_permitted"
    PHONE_SILENT = "phone_silent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Silence:
    """An occurrence of which no phone says that it rang, and what is known around it.

    `permitted`: False only if every phone of the patient says that it may not notify. `wanted`: consent is given and
    nothing is paused. `handed_over`: the server's push, if there was one, reached the push service.
    """

    due_at: datetime
    expected: bool
    armed: bool
    pushed: bool
    heard_at: datetime | None
    permitted: bool
    wanted: bool
    logged: bool
    quiet_now: bool
    handed_over: bool


def verdict(silence: Silence, now: datetime) -> Verdict:
    """Judged for the first time after GRACE, for the last time after MISSED_AFTER."""
    if now >= silence.due_at + MISSED_AFTER:
        return _last_verdict(silence)
    if silence.logged and not silence.pushed:
        return Verdict.ALREADY_LOGGED
    believed = silence.armed and silence.heard_at is not None and now - silence.heard_at < BELIEVED_FOR
    useful = silence.due_at + GRACE <= now <= silence.due_at + PUSH_UNTIL
    may_push = silence.expected and silence.wanted and silence.permitted and not silence.quiet_now
    if useful and may_push and not silence.pushed and not believed:
        return Verdict.PUSH
    return Verdict.WAIT


def _last_verdict(silence: Silence) -> Verdict:
    if silence.pushed and silence.handed_over:
        return Verdict.PUSHED
    if silence.logged:
        return Verdict.ALREADY_LOGGED
    if not (silence.expected and silence.wanted):
        return Verdict.CANCELLED
    if not silence.permitted:
        return Verdict.NOT_PERMITTED
    if silence.heard_at is None or silence.heard_at < silence.due_at:
        return Verdict.PHONE_SILENT
    return Verdict.UNKNOWN
