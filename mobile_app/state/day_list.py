"""The diary as a list by the patient's own days, read a few days at a time so that ten years cost nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from mobile_app.data.entries import Entry
from mobile_app.data.journal import KeptEntry
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.today import symptoms_in_words

_DAYS_A_PAGE = 21

_ICONS = {
    "peak_flow": "gauge",
    "symptoms": "emoticon-outline",
    "inhaler_use": "weather-windy",
    "trigger": "flower-pollen-outline",
    "attack": "ambulance",
    "questionnaire": "clipboard-text-outline",
    "note": "note-text-outline",
    "plan_receipt": "file-check-outline",
}


@dataclass(frozen=True, slots=True)
class DayLine:
    """A day's heading (no entry), or one entry of it. ``status`` is sent, waiting or refused."""

    text: str
    detail: str = ""
    time: str = ""
    icon: str = ""
    zone: str = ""
    status: str = ""
    entry: Entry | None = None


class DayList:
    """Newest day first; ``more`` appends older days."""

    def __init__(self, diary: OpenDiary) -> None:
        self._diary = diary
        self.on_change: Callable[[], None] = lambda: None
        self.lines: list[DayLine] = []
        self._days_wanted = _DAYS_A_PAGE
        self.reached_the_end = False

    def refresh(self) -> None:
        """Reads again as many days as are shown."""
        after_tomorrow = self._diary.today() + timedelta(days=2)
        self.lines = []
        self._append(self._diary.journal.days_before(after_tomorrow, self._days_wanted), self._days_wanted)
        self.on_change()

    def more(self) -> None:
        """Appends a page of older days."""
        if self.reached_the_end or not self.lines:
            return
        self._days_wanted += _DAYS_A_PAGE
        self._append(self._diary.journal.days_before(self._oldest, _DAYS_A_PAGE), _DAYS_A_PAGE)
        self.on_change()

    def _append(self, days: list[date], asked: int) -> None:
        self.reached_the_end = len(days) < asked
        if not days:
            return
        self._oldest = days[-1]
        by_day: dict[date, list[KeptEntry]] = {day: [] for day in days}
        for kept in self._diary.journal.between(days[-1], days[0]):
            by_day[kept.entry.moment.local_date].append(kept)
        today = self._diary.today()
        for day, entries in by_day.items():
            self.lines.append(DayLine(self._diary.wording.day(day, today)))
            self.lines.extend(self._line(kept) for kept in reversed(entries))

    def _line(self, kept: KeptEntry) -> DayLine:
        entry = kept.entry
        text, detail = entry_in_words(entry, self._diary)
        say = self._diary.wording.say
        status = "refused" if kept.refusal else "sent" if kept.sent else "waiting"
        if status != "sent":
            detail = " · ".join(part for part in (detail, say(f"day_list.{status}")) if part)
        return DayLine(
            text=text,
            detail=detail,
            time=self._diary.wording.time(entry.moment.local),
            icon=_ICONS.get(entry.kind, "circle-medium"),
            zone=entry.value.get("action_zone") or "",
            status=status,
            entry=entry,
        )


def entry_in_words(entry: Entry, diary: OpenDiary) -> tuple[str, str]:
    """An entry's main words and its detail."""
    say, body = diary.wording.say, entry.value
    match entry.kind:
        case "peak_flow":
            blows = body["blows_litres_per_min"]
            zone = say(f"zone.{body['action_zone']}") if body.get("action_zone") else ""
            taken = body.get("bronchodilator")
            when = say(f"peak_flow.{taken}_reliever") if taken in ("before", "after") else ""
            return say("unit.litres_per_min", value=max(blows)), " · ".join(part for part in (zone, when) if part)
        case "symptoms":
            return symptoms_in_words(entry, diary), ""
        case "inhaler_use":
            name = diary.clinic.inhaler_name(body["inhaler_id"]) or ""
            puffs = say("puffs.puffs", count=body["puffs"]) if body.get("puffs") is not None else ""
            purpose = body.get("purpose", "unknown")
            detail = say(f"puffs.{purpose}") if diary.wording.knows(f"puffs.{purpose}") else ""
            return puffs or name, " · ".join(part for part in (name if puffs else "", detail) if part)
        case "trigger":
            return say(f"trigger.{body['trigger']}"), body.get("note") or ""
        case "attack":
            parts = ("systemic_steroids", "emergency_visit", "hospital_admission", "unscheduled_visit")
            return say("attack.title"), " · ".join(say(f"attack.{part}") for part in parts if body.get(part))
        case "note":
            return say("note.title"), body["text"]
        case "plan_receipt":
            return say("plan.read_line", version=body["plan_version"]), ""
        case "questionnaire":
            return say(f"questionnaire.{body['instrument']}"), ""
    return entry.kind, ""
