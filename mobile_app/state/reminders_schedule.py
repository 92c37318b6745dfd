"""What to remind of on which diary day and when, from plan, settings and diary: pure rules, equal to the clinic's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from mobile_app.data.clinic import Inhaler, Plan
from mobile_app.state.reminders_habit import PROMPTS_A_DAY_AT_MOST, QuietHours, is_weekend, own_minutes
from mobile_app.state.reminders_settings import ReminderSettings, minute_of

MINUTES_A_DAY = 24 * 60
HORIZON_DAYS = 14
PENDING_AT_MOST = 60
# A prompt that could not be shown for so long is of no more use; also how long a system may be late.
WINDOW_MINUTES = 120
# GINA asks for the four questions on the last four weeks; asked again weekly until answered.
_CONTROL_CHECK_EVERY_DAYS, _CONTROL_CHECK_AGAIN_DAYS = 28, 7
_PLAN_REVIEW_DAYS_BEFORE = (7, 0)
_REFILL_DAYS_BEFORE_EMPTY = (7, 1)
_EVENING_MINUTE = 20 * 60


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One prompt of one reminder on one diary day, due at a time on the wall of wherever the phone is then."""

    key: str
    local_date: date
    wall: datetime

    @property
    def id(self) -> str:
        """The identity as one text: the notification's tag. No time of day, so that moving it makes no second one."""
        return f"{self.key}@{self.local_date.isoformat()}"


@dataclass(frozen=True, slots=True)
class DailyDose:
    """One inhaler taken every day; ``minutes`` are the plan's times in the order of the diary day."""

    inhaler_id: str
    inhalations: int
    minutes: tuple[int, ...]

    def key(self, slot: int) -> str:
        """The reminder of one of the day's doses."""
        return f"dose:{self.inhaler_id}:{slot}"


@dataclass(frozen=True, slots=True)
class DoseUse:
    """Puffs of one inhaler as the daily dose. ``whole_day``: reported as "as usual" for the day."""

    inhaler_id: str
    taken_at: datetime
    wall: datetime
    puffs: int
    whole_day: bool = False
    entry_id: str = ""


def diary_day(wall: datetime, day_starts_minute: int) -> date:
    """The diary day of a wall time."""
    return (wall - timedelta(minutes=day_starts_minute)).date()


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything that occurrences derive from, except the habit."""

    settings: ReminderSettings
    doses: tuple[DailyDose, ...] = ()
    check_in_minute: int | None = None
    peak_flow_minute: int | None = None
    control_check_from: date | None = None
    review_on: date | None = None

    def wall(self, day: date, minute: int) -> datetime:
        """When a minute of the clock comes on a diary day; one before the start of days comes after midnight."""
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 (wall time)
        return midnight + timedelta(
            minutes=minute if minute >= self.settings.day_starts_minute else minute + MINUTES_A_DAY
        )

    def of_day(self, day: date, taken: Mapping[str, Sequence[datetime]], as_of: date) -> list[Occurrence]:
        """The day's occurrences by due time.

        taken: wall times of own doses by inhaler; those before ``as_of`` make the habit.
        """
        return self.of_days([day], taken, as_of)

    def of_days(self, days: Iterable[date], taken: Mapping[str, Sequence[datetime]], as_of: date) -> list[Occurrence]:
        """The occurrences of several days by due time; all are computed with the habit known on the day ``as_of``."""
        settings = self.settings
        dose_minutes: dict[bool, dict[str, int]] = {}
        found = []
        for day in days:
            if settings.paused_until is not None and day < settings.paused_until:
                continue
            weekend = is_weekend(day)
            if weekend not in dose_minutes:
                dose_minutes[weekend] = self._dose_minutes(weekend, taken, as_of)
            minutes = {
                **dose_minutes[weekend],
                **self._other_minutes(day, weekend, set(dose_minutes[weekend].values())),
            }
            found += [Occurrence(key, day, self.wall(day, minute)) for key, minute in minutes.items()]
        return sorted(found, key=lambda one: (one.wall, one.key))

    def _position(self, minute: int) -> int:
        return (minute - self.settings.day_starts_minute) % MINUTES_A_DAY

    def _dose_minutes(self, weekend: bool, taken: Mapping[str, Sequence[datetime]], as_of: date) -> dict[str, int]:
        quiet: QuietHours = self.settings.quiet
        found = {}
        for dose in self.doses:
            minutes = [quiet.moved_out(minute) for minute in dose.minutes]
            if self.settings.follow_habit and len(dose.minutes) <= PROMPTS_A_DAY_AT_MOST:
                own = own_minutes(
                    taken.get(dose.inhaler_id, ()),
                    as_of,
                    weekend=weekend,
                    doses_a_day=len(dose.minutes),
                    quiet=quiet,
                    default_minutes=dose.minutes,
                )
                if len(own) == len(dose.minutes):
                    minutes = sorted(own, key=self._position)
            for slot, minute in enumerate(minutes):
                key = dose.key(slot)
                chosen = self.settings.times.get(key)
                found[key] = minute if chosen is None else chosen.on(weekend)
        return found

    def _other_minutes(self, day: date, weekend: bool, moments: set[int]) -> dict[str, int]:
        """Joined to a dose's moment where a third prompt a day would come: two are enough for anyone."""
        due = self._others_due(day)
        own = {key: self.settings.times[key].on(weekend) for key in due if key in self.settings.times}
        moments = moments | set(own.values())
        found = dict(own)
        for key, usual in due.items():
            if key in own:
                continue
            minute = self.settings.quiet.moved_out(usual)
            if minute not in moments and len(moments) >= PROMPTS_A_DAY_AT_MOST:
                place = self._position(minute)
                minute = min(moments, key=lambda one: (abs(self._position(one) - place), -self._position(one)))
            moments.add(minute)
            found[key] = minute
        return found

    def _others_due(self, day: date) -> dict[str, int]:
        """Key and usual minute of all but doses, in the order in which they choose their moment."""
        settings = self.settings
        evening = _EVENING_MINUTE if settings.check_in_minute is None else settings.check_in_minute
        due = {}
        if self.check_in_minute is not None:
            due["check_in"] = self.check_in_minute
        if self.peak_flow_minute is not None:
            due["peak_flow"] = self.peak_flow_minute
        for one in sorted(settings.appointments, key=lambda one: one.id):
            if (one.on - day).days == 1:
                due[f"appointment:{one.id}"] = evening
        if self.control_check_from is not None:
            late = (day - self.control_check_from).days - _CONTROL_CHECK_EVERY_DAYS
            if late >= 0 and late % _CONTROL_CHECK_AGAIN_DAYS == 0:
                due["control_check"] = evening
        if self.review_on is not None and (self.review_on - day).days in _PLAN_REVIEW_DAYS_BEFORE:
            due["plan_review"] = evening
        for dose in sorted(self.doses, key=lambda one: one.inhaler_id):
            opened = settings.opened.get(dose.inhaler_id)
            if opened is None:
                continue
            lasts_days = opened.inhalations // (dose.inhalations * len(dose.minutes))
            if lasts_days - (day - opened.on).days in _REFILL_DAYS_BEFORE_EMPTY:
                due[f"refill:{dose.inhaler_id}"] = evening
        return due

    def slots_taken(
        self, dose: DailyDose, walls: Sequence[datetime], uses: Iterable[DoseUse], told: Mapping[int, DoseUse]
    ) -> dict[int, DoseUse]:
        """Which of a day's doses were taken, by slot: each use goes to the nearest dose that is still open.

        walls: when each slot is due. uses: the inhaler's uses of that diary day, without those ``told``: taken in
        answer to a slot's own reminder.
        """
        filled = dict(told)
        for use in sorted(uses, key=lambda one: one.taken_at):
            doses = len(walls) if use.whole_day else max(use.puffs // max(dose.inhalations, 1), 1)
            for _ in range(doses):
                still_open = [slot for slot in range(len(walls)) if slot not in filled]
                if not still_open:
                    return filled
                filled[min(still_open, key=lambda slot: abs(walls[slot] - use.wall))] = use
        return filled


def schedule_from(
    plan: Plan | None,
    inhalers: Iterable[Inhaler],
    chosen: ReminderSettings | None,
    *,
    last_control_check: date | None,
    zone: ZoneInfo,
) -> Schedule:
    """The schedule of one patient. ``chosen`` None: nothing was chosen yet, so the plan's times stand."""
    settings = chosen or ReminderSettings()
    reminders = plan.reminders if plan else ()
    written = [minute_of(one.at) for one in reminders if one.kind == "write_diary"]
    check_in = settings.check_in_minute if chosen is not None or not written else written[0]
    measured = [minute_of(one.at) for one in reminders if one.kind == "measure_peak_flow"]
    signed_on = plan.signed_at.astimezone(zone).date() if plan else None
    return Schedule(
        settings=settings,
        doses=tuple(_daily_doses(plan, inhalers, settings.day_starts_minute)),
        check_in_minute=check_in,
        peak_flow_minute=measured[0] if measured else None,
        control_check_from=last_control_check or signed_on,
        review_on=plan.review_on if plan else None,
    )


def _daily_doses(plan: Plan | None, inhalers: Iterable[Inhaler], day_starts_minute: int) -> list[DailyDose]:
    if plan is not None and plan.prescriptions:
        prescribed = [(one.inhaler_id, one.inhalations, one.times_a_day) for one in plan.prescriptions]
    else:
        prescribed = [
            (one.id, one.puffs_per_dose or 1, one.doses_per_day or 0) for one in inhalers if one.active and one.controls
        ]
    doses = []
    for inhaler_id, inhalations, times_a_day in prescribed:
        if times_a_day < 1:
            continue
        at = sorted({minute_of(one.at) for one in plan.reminders if one.inhaler_id == inhaler_id}) if plan else []
        minutes = at if len(at) == times_a_day else spread_minutes(times_a_day)
        minutes.sort(key=lambda minute: (minute - day_starts_minute) % MINUTES_A_DAY)
        doses.append(DailyDose(inhaler_id.lower(), inhalations, tuple(minutes)))
    return doses


def spread_minutes(doses_a_day: int) -> list[int]:
    """Even times of a waking day for that many doses, from 08:00 to 20:00."""
    if doses_a_day == 1:
        return [8 * 60]
    return [8 * 60 + round(place * 12 * 60 / (doses_a_day - 1)) for place in range(doses_a_day)]
