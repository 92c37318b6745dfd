"""The Trends screen: the diary over a week to a year, as series that a canvas can draw."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from mobile_app.data.clinic import Plan
from mobile_app.data.entries import Moment
from mobile_app.data.journal import KeptEntry
from mobile_app.state.doses import doses_taken, puffs_on_day
from mobile_app.state.open_diary import OpenDiary

RANGES_DAYS = (7, 30, 90, 365)
_DAYS_AT_ONCE = 31
_KINDS = ("peak_flow", "symptoms", "inhaler_use", "attack", "trigger")
_MOST_TRIGGER_ROWS = 5


@dataclass(frozen=True, slots=True)
class Reading:
    """One peak flow reading on the chart; ``at_day`` counts diary days (with fraction) from the first day shown."""

    at_day: float
    litres_per_min: int
    zone: str | None
    moment: Moment
    tell: Callable[["Reading"], str]

    @property
    def words(self) -> str:
        """The reading in words, made when it is touched: a year has thousands."""
        return self.tell(self)


@dataclass(frozen=True, slots=True)
class PlanSpan:
    """The days over which one plan's thresholds hold."""

    version: int
    from_day: float
    to_day: float
    signed_day: float | None
    """When it was signed, if that lies within the time shown."""
    personal_best_litres_per_min: int
    yellow_below_litres_per_min: int
    red_below_litres_per_min: int


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day's number; None means that nothing was written, which is not zero."""

    at_day: int
    value: float | None
    tell: Callable[[], str]

    @property
    def words(self) -> str:
        """The day in words, made when it is touched."""
        return self.tell()


@dataclass(frozen=True, slots=True)
class TriggerRow:
    """The days on which one trigger was written."""

    words: str
    days: list[float]


@dataclass(frozen=True, slots=True)
class TriggerDay:
    """All triggers of one day, for reading by touch."""

    at_day: float
    tell: Callable[[], str]

    @property
    def words(self) -> str:
        """The day in words, made when it is touched."""
        return self.tell()


class Trends:
    """Series for the chosen range, and the point that was touched. Empty until it is refreshed or shown."""

    def __init__(self, diary: OpenDiary) -> None:
        self._diary = diary
        self.range_days = 30
        self.touched: str | None = None
        self.on_change: Callable[[], None] = lambda: None
        self.plan_spans: list[PlanSpan] = []
        self._begin()

    def show(self, range_days: int) -> None:
        """Chooses one of RANGES_DAYS."""
        self.range_days = range_days
        self.touched = None
        self.refresh()

    def touch(self, words: str | None) -> None:
        """Shows the words of a touched point."""
        self.touched = words
        self.on_change()

    def refresh(self) -> None:
        """Reads the range anew."""
        self._begin()
        start = self.first_day
        # A month at a time: a whole year of entries at once is more memory than the charts themselves.
        while start <= self.last_day:
            end = min(start + timedelta(days=_DAYS_AT_ONCE - 1), self.last_day)
            self._read(start, end)
            start = end + timedelta(days=1)
        self.plan_spans = self._plan_spans()
        self.on_change()

    def _begin(self) -> None:
        self.last_day = self._diary.today()
        self.first_day = self.last_day - timedelta(days=self.range_days - 1)
        self._day_starts_at_hour = self._diary.day_starts_at_hour
        inhalers = self._diary.clinic.inhalers()
        self._relievers = [inhaler.id for inhaler in inhalers if inhaler.relieves]
        self._controllers = [inhaler for inhaler in inhalers if inhaler.controls]
        self._doses_expected = sum(inhaler.doses_per_day or 0 for inhaler in self._controllers)
        self.days_written = 0
        self.readings: list[Reading] = []
        self.attacks: list[float] = []
        self._triggers: dict[str, set[date]] = {}
        self.puffs: list[DayBar] = []
        self.symptoms: list[DayBar] = []
        self.adherence: list[DayBar] = []

    def _read(self, first: date, last: date) -> None:
        by_day: dict[date, list[KeptEntry]] = {}
        for kept in self._diary.journal.between(first, last, _KINDS):
            by_day.setdefault(kept.entry.moment.local_date, []).append(kept)
            if kept.entry.kind == "peak_flow":
                self.readings.append(self._reading(kept))
            elif kept.entry.kind == "attack":
                self.attacks.append(self._position(kept.entry.moment.local_date, kept.entry.moment.local))
            elif kept.entry.kind == "trigger" and kept.entry.value["trigger"] != "none":
                self._triggers.setdefault(kept.entry.value["trigger"], set()).add(kept.entry.moment.local_date)
        self.days_written += len(by_day)
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            entries = by_day.get(day, [])
            puffs = float(sum(puffs_on_day(entries, one) for one in self._relievers)) if entries else None
            self.puffs.append(self._bar(day, puffs, "trends.puffs_on"))
            self.symptoms.append(self._bar(day, _symptom_load(entries), "trends.symptoms_on"))
            self.adherence.append(self._bar(day, self._share_of_doses(entries), "trends.doses_on"))

    def _share_of_doses(self, entries: list[KeptEntry]) -> float | None:
        if not entries or not self._doses_expected:
            return None
        return 100 * sum(doses_taken(entries, inhaler) for inhaler in self._controllers) / self._doses_expected

    @property
    def trigger_rows(self) -> list[TriggerRow]:
        """The triggers written most often, at most five, the most frequent first."""
        often = sorted(self._triggers.items(), key=lambda item: (-len(item[1]), item[0]))[:_MOST_TRIGGER_ROWS]
        say = self._diary.wording.say
        return [
            TriggerRow(say(f"trigger.{trigger}"), sorted(self._position(day) for day in days))
            for trigger, days in often
        ]

    @property
    def trigger_days(self) -> list[TriggerDay]:
        """Each day with any trigger."""
        days = sorted({day for one in self._triggers.values() for day in one})
        return [TriggerDay(self._position(day), partial(self._tell_triggers, day)) for day in days]

    def _tell_triggers(self, day: date) -> str:
        wording = self._diary.wording
        names = [wording.say(f"trigger.{trigger}") for trigger, days in sorted(self._triggers.items()) if day in days]
        return wording.say("trends.trigger_on", day=wording.day(day, self.last_day), names=", ".join(names))

    @property
    def new_plans(self) -> int:
        """How many plans were signed within the time shown."""
        return sum(span.signed_day is not None for span in self.plan_spans)

    @property
    def is_empty(self) -> bool:
        """Whether the range has nothing to show."""
        return self.days_written == 0

    @property
    def summary(self) -> str:
        """The range in words, with its gaps."""
        say = self._diary.wording.say
        if self.is_empty:
            return say("trends.empty")
        return say("trends.days_written", written=self.days_written, days=self.range_days)

    def _position(self, day: date, local: datetime | None = None) -> float:
        whole = float((day - self.first_day).days)
        if local is None:
            return whole
        # Three in the morning is the end of the diary day before, and stands there on the chart.
        minutes = (local.hour - self._day_starts_at_hour) * 60 + local.minute
        return whole + minutes % 1440 / 1440

    def _reading(self, kept: KeptEntry) -> Reading:
        moment = kept.entry.moment
        best = max(kept.entry.value["blows_litres_per_min"])
        zone = kept.entry.value.get("action_zone")
        at_day = self._position(moment.local_date, moment.local)
        return Reading(at_day, best, zone, moment, self._tell_reading)

    def _tell_reading(self, reading: Reading) -> str:
        wording = self._diary.wording
        return wording.say(
            "trends.reading",
            day=wording.day(reading.moment.local_date, self.last_day),
            time=wording.time(reading.moment.local),
            value=reading.litres_per_min,
            zone=wording.say(f"zone.{reading.zone or 'none'}"),
        )

    def _plan_spans(self) -> list[PlanSpan]:
        newest_first = self._diary.clinic.plans(limit=20)
        spans: list[PlanSpan] = []
        end = float(self.range_days)
        for plan in newest_first:
            signed = self._signed_position(plan)
            start = max(signed, 0.0)
            # The oldest plan this phone knows also stands for the days before it: better than a chart without zones.
            if plan is newest_first[-1]:
                start = 0.0
            if start < end:
                spans.append(
                    PlanSpan(
                        plan.version,
                        start,
                        end,
                        signed if 0.0 < signed <= self.range_days else None,
                        plan.personal_best_litres_per_min,
                        plan.yellow_below_litres_per_min,
                        plan.red_below_litres_per_min,
                    )
                )
            end = min(end, start)
            if end <= 0:
                break
        return list(reversed(spans))

    def _signed_position(self, plan: Plan) -> float:
        start = datetime.combine(self.first_day, time(), UTC)
        return (plan.signed_at - start).total_seconds() / 86_400

    def _bar(self, day: date, value: float | None, key: str) -> DayBar:
        return DayBar((day - self.first_day).days, value, partial(self._tell_bar, day, value, key))

    def _tell_bar(self, day: date, value: float | None, key: str) -> str:
        day_words = self._diary.wording.day(day, self.last_day)
        if value is None:
            return self._diary.wording.say("trends.nothing_on", day=day_words)
        return self._diary.wording.say(key, day=day_words, count=round(value), level=round(value))


def _symptom_load(entries: list[KeptEntry]) -> float | None:
    """0 to 3 for a day: the severity, or how many of the three questions were answered with yes; None unanswered."""
    answered = [kept.entry.value for kept in entries if kept.entry.kind == "symptoms"]
    if not answered:
        return None
    loads = []
    for body in answered:
        yes = sum(bool(body.get(name)) for name in ("daytime", "night_waking", "activity_limited"))
        loads.append(3 if body.get("red_flags") else max(body.get("severity") or 0, yes))
    return float(max(loads))
