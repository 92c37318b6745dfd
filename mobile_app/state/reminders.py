"""The Reminders screen: what comes today, when it comes, what came and what did not."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from mobile_app.data.ledger import KeptOccurrence
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.reminders_habit import MINUTES_A_DAY, QuietHours, is_weekend
from mobile_app.state.reminders_keeper import ReminderKeeper
from mobile_app.state.reminders_schedule import Occurrence
from mobile_app.state.reminders_settings import OwnTime, ReminderSettings, clock_text
from mobile_app.state.reminders_words import is_dose, reminder_in_words

ACCOUNT_DAYS = 14
_SILENCE_DAYS = 60
STEP_MINUTES = 15
_ANSWERED_ON = {"check_in": "symptoms", "peak_flow": "peak_flow", "control_check": "control_check"}
_TONES = {"acted": "green", "missed": "yellow", "fired": "primary", "shown": "primary"}
_ICONS = {"acted": "check-circle-outline", "missed": "bell-off-outline", "fired": "bell-ring-outline"}


@dataclass(frozen=True, slots=True)
class ReminderLine:
    """One reminder of a day in words. ``page``: where it is answered, for those that are no dose."""

    key: str
    local_date: date
    time: str
    text: str
    state: str
    tone: str
    icon: str
    is_dose: bool
    is_open: bool
    page: str | None


@dataclass(frozen=True, slots=True)
class TimeLine:
    """When one reminder comes on weekdays and at weekends, and whether the person chose that."""

    key: str
    text: str
    weekday: str
    weekend: str
    is_own: bool


class Reminders:
    """Reads the account and the settings, and does what a tap asks for."""

    def __init__(self, diary: OpenDiary, keeper: ReminderKeeper) -> None:
        self._diary = diary
        self._keeper = keeper
        self.on_change: Callable[[], None] = lambda: None

    # Days

    @property
    def today(self) -> list[ReminderLine]:
        """What came and comes today."""
        return self._day(self._keeper.day())

    @property
    def tomorrow(self) -> list[ReminderLine]:
        """What comes tomorrow."""
        return self._day(self._keeper.day() + timedelta(days=1))

    def _day(self, day: date) -> list[ReminderLine]:
        rows = [row for row in self._keeper.ledger.since(day, day) if row.state != "cancelled"]
        return [self._line(row) for row in sorted(rows, key=lambda row: (row.wall, row.key))]

    def _line(self, row: KeptOccurrence) -> ReminderLine:
        wording = self._diary.wording
        kind = row.key.partition(":")[0]
        return ReminderLine(
            key=row.key,
            local_date=row.local_date,
            time=wording.time(row.wall),
            text=reminder_in_words(row.key, self._keeper.names(), wording),
            state=self._state(row),
            tone=_TONES.get(row.state, "none"),
            icon=_ICONS.get(row.state, "bell-outline" if row.state == "armed" else "bell-ring-outline"),
            is_dose=is_dose(row.key),
            is_open=row.state != "acted",
            page=_ANSWERED_ON.get(kind),
        )

    def _state(self, row: KeptOccurrence) -> str:
        say, zone = self._diary.wording.say, ZoneInfo(self._diary.clock.time_zone())
        at = self._diary.wording.time(row.at.astimezone(zone))
        match row.state:
            case "acted" if row.action == "skipped":
                return say(f"reminders.skipped_{row.skip_reason}" if row.skip_reason else "reminders.skipped")
            case "acted":
                return say(f"reminders.acted_{row.action}", time=at)
            case "missed":
                return say("reminders.missed", why=say(f"reminders.cause_{row.cause}"))
            case "armed":
                return say("reminders.armed")
        return say("reminders.came", time=self._diary.wording.time((row.fired_at or row.at).astimezone(zone)))

    def take(self, line: ReminderLine) -> Callable[[], None]:
        """The dose is taken now; the answer takes that back."""
        entry = self._keeper.take(line.key, line.local_date)
        self.on_change()

        def undo() -> None:
            if entry is not None:
                self._diary.delete(entry)
                self._keeper.look()
                self.on_change()

        return undo

    def skip(self, line: ReminderLine, reason: str) -> Callable[[], None]:
        """The dose is left out for a reason; the answer takes that back."""
        return self._undoable(self._keeper.skip(line.key, line.local_date, reason))

    def done(self, line: ReminderLine) -> Callable[[], None]:
        """What was asked for is done; the answer takes that back."""
        return self._undoable(self._keeper.done(line.key, line.local_date))

    def _undoable(self, take_back: Callable[[], None]) -> Callable[[], None]:
        self.on_change()

        def undo() -> None:
            take_back()
            self.on_change()

        return undo

    # The account

    @property
    def account(self) -> list[str]:
        """The last fourteen days in words: how many came, how many did not and why."""
        say, today = self._diary.wording.say, self._keeper.day()
        ended = [
            row
            for row in self._keeper.ledger.since(today - timedelta(days=ACCOUNT_DAYS - 1), today)
            if row.state in ("fired", "shown", "missed", "acted") and row.due_at <= self._diary.clock.now()
        ]
        needed = [row for row in ended if row.action != "already_logged"]
        missed = [row for row in needed if row.state == "missed"]
        lines = []
        if needed:
            lines.append(say("reminders.account", came=len(needed) - len(missed), count=len(needed)))
        for cause in sorted({str(row.cause) for row in missed}):
            number = sum(row.cause == cause for row in missed)
            lines.append(say("reminders.account_missed", count=number, why=say(f"reminders.cause_{cause}")))
        if len(ended) > len(needed):
            lines.append(say("reminders.account_not_needed", count=len(ended) - len(needed)))
        return lines or [say("reminders.account_empty")]

    @property
    def silences(self) -> list[str]:
        """When the phone was silent, newest first: reminders missed one after the other for the same cause."""
        today = self._keeper.day()
        runs: list[list[KeptOccurrence]] = []
        for row in self._keeper.ledger.since(today - timedelta(days=_SILENCE_DAYS), today):
            if row.state == "missed" and runs and runs[-1] and runs[-1][-1].cause == row.cause:
                runs[-1].append(row)
            elif row.state == "missed":
                runs.append([row])
            elif row.state in ("fired", "shown", "acted"):
                runs.append([])
        return [self._silence(run) for run in reversed(runs) if run]

    def _silence(self, run: list[KeptOccurrence]) -> str:
        wording = self._diary.wording

        def moment(wall: datetime) -> str:
            return f"{wording.full_date(wall.date())} {wording.time(wall)}"

        why = wording.say(f"reminders.cause_{run[0].cause}")
        if len(run) == 1:
            return wording.say("reminders.silence_one", first=moment(run[0].wall), why=why)
        return wording.say(
            "reminders.silence", first=moment(run[0].wall), last=moment(run[-1].wall), count=len(run), why=why
        )

    # Settings

    @property
    def settings(self) -> ReminderSettings:
        """What holds now."""
        return self._keeper.settings.current()

    @property
    def times(self) -> list[TimeLine]:
        """When each daily reminder comes in the coming week."""
        first = self._keeper.day() + timedelta(days=1)
        coming = self._keeper.planned([first + timedelta(days=number) for number in range(7)], unpaused=True)
        own, names = self.settings.times, self._keeper.names()
        daily = [one for one in coming if one.key.startswith("dose:") or one.key in ("check_in", "peak_flow")]
        lines = []
        keys = list(dict.fromkeys(one.key for one in daily))
        for key in keys:
            minutes = {is_weekend(one.local_date): _minute(one) for one in daily if one.key == key}
            text = reminder_in_words(key, names, self._diary.wording)
            if sum(is_dose(one) and _inhaler(one) == _inhaler(key) for one in keys) > 1:
                text = f"{text} · {int(key.rpartition(':')[2]) + 1}"
            lines.append(TimeLine(key, text, clock_text(minutes[False]), clock_text(minutes[True]), key in own))
        return lines

    def move(self, line: TimeLine, by_minutes: int, *, weekend: bool) -> None:
        """Another time for a reminder on weekdays or at weekends."""
        weekday_minute, weekend_minute = _read(line.weekday), _read(line.weekend)
        if weekend:
            weekend_minute = (weekend_minute + by_minutes) % MINUTES_A_DAY
        else:
            weekday_minute = (weekday_minute + by_minutes) % MINUTES_A_DAY
        self._keep(self.settings.with_time(line.key, OwnTime(weekday_minute, weekend_minute)))

    def give_back(self, line: TimeLine) -> None:
        """The time of plan and habit again."""
        self._keep(self.settings.with_time(line.key, None))

    def follow_habit(self, follow: bool) -> None:
        """Whether doses are reminded of when they are usually taken."""
        self._keep(replace(self.settings, follow_habit=follow))

    def show_health_words(self, show: bool) -> None:
        """Whether a locked screen may say what a reminder is for."""
        self._keep(replace(self.settings, health_words_on_lock_screen=show))

    def ask_daily(self, ask: bool) -> None:
        """Whether the daily question comes."""
        self._keep(replace(self.settings, check_in_minute=20 * 60 if ask else None))

    def move_quiet(self, by_minutes: int, *, start: bool) -> None:
        """Another beginning or end of the quiet hours."""
        quiet = self.settings.quiet
        moved = QuietHours(
            (quiet.from_minute + (by_minutes if start else 0)) % MINUTES_A_DAY,
            (quiet.until_minute + (0 if start else by_minutes)) % MINUTES_A_DAY,
        )
        self._keep(replace(self.settings, quiet=moved))

    def move_day_start(self, by_hours: int) -> None:
        """Another beginning of the diary day, from midnight to noon."""
        hour = min(max(self.settings.day_starts_minute // 60 + by_hours, 0), 12)
        self._keep(replace(self.settings, day_starts_minute=hour * 60))

    def pause(self, days: int) -> None:
        """Nothing reminds for so many days from today; 0 ends a pause."""
        until = self._keeper.day() + timedelta(days=days) if days else None
        self._keep(replace(self.settings, paused_until=until))

    @property
    def paused_line(self) -> str:
        """Until when nothing reminds, or an empty text."""
        until = self.settings.paused_until
        if until is None or until <= self._keeper.day():
            return ""
        return self._diary.wording.say("reminders.paused", day=self._diary.wording.full_date(until))

    def _keep(self, settings: ReminderSettings) -> None:
        self._keeper.settings.keep(settings)
        self._keeper.look()
        self.on_change()


def _minute(occurrence: Occurrence) -> int:
    return occurrence.wall.hour * 60 + occurrence.wall.minute


def _inhaler(key: str) -> str:
    return key.rpartition(":")[0]


def _read(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])
