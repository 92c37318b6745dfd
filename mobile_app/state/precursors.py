"""What usually comes before a bad phase: this person's own days, compared with this person's other days.

A bad phase begins on a day with an attack, a red-zone reading or a warning sign after seven days without. The three
days before it are compared with all other spans of three days, which do not overlap each other, so that one bad week
is not counted seven times. How sure the comparison is comes from Fisher's exact test, one-sided, times the number of
signals that were looked at (Bonferroni): with few phases nearly everything may be chance, and it says so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import comb
from statistics import median

from mobile_app.data.clinic import Inhaler
from mobile_app.data.journal import KeptEntry
from mobile_app.state.doses import doses_taken, puffs_on_day
from mobile_app.state.open_diary import OpenDiary

LOOKED_AT_DAYS = 365
LEAST_PHASES = 3
LEAST_DIARY_DAYS = 28
_SPAN_DAYS = 3
_QUIET_DAYS = 7
# A day stands out when it is this far from the person's own median: twice the puffs, nine tenths of the peak flow.
_MORE_PUFFS = 2.0
_LOWER_PEAK_FLOW = 0.9
_HARDLY_CHANCE, _PERHAPS_CHANCE = 0.05, 0.4
_MOST_FINDINGS = 5


@dataclass(frozen=True, slots=True)
class DiaryDay:
    """One day that was written: what stood out on it (codes), and whether it was bad in itself."""

    day: date
    signals: frozenset[str]
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """A signal that was there before bad phases more often than at other times.

    ``chance``: the probability of a difference at least as large if there were none, corrected for how many signals
    were compared; at most 1.
    """

    signal: str
    before: int
    phases: int
    other: int
    others: int
    chance: float


def what_comes_before(days: Sequence[DiaryDay]) -> tuple[int, list[Finding]]:
    """How many bad phases have written days before them, and what stands out there, the surest first.

    days: in order, one for each day that was written. Nothing is found with fewer than LEAST_PHASES phases or
    LEAST_DIARY_DAYS days.
    """
    by_day = {one.day: one for one in days}
    begins = list(_beginnings(days))
    spans = (_span(by_day, first - timedelta(days=_SPAN_DAYS)) for first in begins)
    before = [span for span in spans if span is not None]
    if len(before) < LEAST_PHASES or len(days) < LEAST_DIARY_DAYS:
        return len(before), []
    others = list(_other_spans(by_day, begins))
    signals = sorted({signal for span in before for signal in span})
    findings = []
    for signal in signals:
        here = sum(signal in span for span in before)
        there = sum(signal in span for span in others)
        chance = min(fisher_one_sided(here, len(before), there, len(others)) * len(signals), 1.0)
        if chance < _PERHAPS_CHANCE and here >= 2:
            findings.append(Finding(signal, here, len(before), there, len(others), chance))
    return len(before), sorted(findings, key=lambda one: (one.chance, one.signal))[:_MOST_FINDINGS]


def fisher_one_sided(here: int, of_here: int, there: int, of_there: int) -> float:
    """Fisher's exact test: how probable ``here`` or more of ``of_here`` is, if it were as common there."""
    total, drawn = here + there, of_here
    everything = comb(of_here + of_there, drawn)
    return sum(comb(total, k) * comb(of_here + of_there - total, drawn - k) for k in _possible(here, total, drawn)) / (
        everything
    )


def _possible(least: int, total: int, drawn: int) -> range:
    return range(least, min(total, drawn) + 1)


def _beginnings(days: Sequence[DiaryDay]) -> Iterator[date]:
    last_bad: date | None = None
    for one in days:
        if one.is_bad:
            if last_bad is None or (one.day - last_bad).days > _QUIET_DAYS:
                yield one.day
            last_bad = one.day


def _span(by_day: Mapping[date, DiaryDay], first: date) -> frozenset[str] | None:
    """What stood out in the three days from the first on; None when none of them was written."""
    written = [by_day[day] for day in (first + timedelta(days=n) for n in range(_SPAN_DAYS)) if day in by_day]
    return frozenset().union(*(one.signals for one in written)) if written else None


def _other_spans(by_day: Mapping[date, DiaryDay], begins: Sequence[date]) -> Iterator[frozenset[str]]:
    """Spans that touch neither the days before a bad phase nor the phase itself and the week after."""
    taken = {first + timedelta(days=number) for first in begins for number in range(-_SPAN_DAYS, _QUIET_DAYS + 1)} | {
        one.day for one in by_day.values() if one.is_bad
    }
    first, last = min(by_day), max(by_day)
    while first + timedelta(days=_SPAN_DAYS - 1) <= last:
        span = None
        if not any(first + timedelta(days=number) in taken for number in range(_SPAN_DAYS)):
            span = _span(by_day, first)
        if span is not None:
            yield span
        first += timedelta(days=_SPAN_DAYS)


def diary_days(entries_by_day: Mapping[date, Sequence[KeptEntry]], inhalers: Sequence[Inhaler]) -> list[DiaryDay]:
    """Each written day with what stood out on it, against the person's own usual."""
    relievers = [one.id for one in inhalers if one.relieves]
    controllers = [one for one in inhalers if one.controls]
    puffs = {day: sum(puffs_on_day(entries, one) for one in relievers) for day, entries in entries_by_day.items()}
    flows = {day: value for day, entries in entries_by_day.items() if (value := _best_of(entries)) is not None}
    usual_puffs = median(puffs.values()) if puffs else 0.0
    usual_flow = median(flows.values()) if flows else None
    found = []
    for day, entries in sorted(entries_by_day.items()):
        signals = set(_answered(entries)) | set(_triggers(entries))
        if puffs[day] >= usual_puffs + _MORE_PUFFS:
            signals.add("more_reliever")
        if usual_flow is not None and flows.get(day, usual_flow) < _LOWER_PEAK_FLOW * usual_flow:
            signals.add("lower_peak_flow")
        if any(doses_taken(entries, one) < (one.doses_per_day or 0) for one in controllers):
            signals.add("missed_doses")
        found.append(DiaryDay(day, frozenset(signals), _is_bad(entries)))
    return found


def _best_of(entries: Iterable[KeptEntry]) -> int | None:
    blows = [max(one.entry.value["blows_litres_per_min"]) for one in entries if one.entry.kind == "peak_flow"]
    return max(blows, default=None)


def _answered(entries: Iterable[KeptEntry]) -> Iterator[str]:
    for kept in entries:
        if kept.entry.kind == "symptoms":
            for name, signal in (
                ("daytime", "day_symptoms"),
                ("night_waking", "night_waking"),
                ("activity_limited", "activity_limited"),
            ):
                if kept.entry.value.get(name):
                    yield signal


def _triggers(entries: Iterable[KeptEntry]) -> Iterator[str]:
    for kept in entries:
        if kept.entry.kind == "trigger" and kept.entry.value["trigger"] != "none":
            yield f"trigger.{kept.entry.value['trigger']}"


def _is_bad(entries: Iterable[KeptEntry]) -> bool:
    return any(
        kept.entry.kind == "attack"
        or (kept.entry.kind == "peak_flow" and kept.entry.value.get("action_zone") == "red")
        or (kept.entry.kind == "symptoms" and bool(kept.entry.value.get("red_flags")))
        for kept in entries
    )


@dataclass(frozen=True, slots=True)
class FindingLine:
    """A finding in words."""

    title: str
    counts: str
    certainty: str


class Precursors:
    """The page: reads the last year when it is opened."""

    def __init__(self, diary: OpenDiary) -> None:
        self._diary = diary
        last = diary.today()
        by_day: dict[date, list[KeptEntry]] = {}
        kinds = ("peak_flow", "symptoms", "inhaler_use", "trigger", "attack")
        for kept in diary.journal.between(last - timedelta(days=LOOKED_AT_DAYS - 1), last, kinds):
            by_day.setdefault(kept.entry.moment.local_date, []).append(kept)
        days = diary_days(by_day, diary.clinic.inhalers())
        self._days = len(days)
        self._phases, self._findings = what_comes_before(days)

    @property
    def summary(self) -> str:
        """What was looked at, and whether it was enough."""
        say = self._diary.wording.say
        if self._phases < LEAST_PHASES or self._days < LEAST_DIARY_DAYS:
            return say(
                "precursors.not_enough",
                phases=LEAST_PHASES,
                days=LEAST_DIARY_DAYS,
                phases_so_far=self._phases,
                days_so_far=self._days,
            )
        return "" if self._findings else say("precursors.nothing", count=self._phases)

    @property
    def lines(self) -> list[FindingLine]:
        """What stands out, the surest first."""
        say = self._diary.wording.say
        return [
            FindingLine(
                title=say(one.signal) if one.signal.startswith("trigger.") else say(f"precursors.{one.signal}"),
                counts=say(
                    "precursors.finding", before=one.before, phases=one.phases, other=one.other, others=one.others
                ),
                certainty=say(f"precursors.{_certainty(one.chance)}"),
            )
            for one in self._findings
        ]


def _certainty(chance: float) -> str:
    return "hardly_chance" if chance < _HARDLY_CHANCE else "perhaps_chance"
