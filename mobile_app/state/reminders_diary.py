"""What the diary says to a reminder: which doses of a day are taken, which questions are answered."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import NAMESPACE_OID, uuid5

from mobile_app.data.journal import KeptEntry
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.reminders_habit import HISTORY_DAYS
from mobile_app.state.reminders_schedule import DoseUse, Occurrence, Schedule, diary_day

# What is logged for an older day no longer changes what became of its reminders.
LOOKED_BACK_DAYS = 2
_ANSWERED_BY = {"check_in": "symptoms", "peak_flow": "peak_flow"}
_KINDS = ("inhaler_use", "symptoms", "peak_flow", "questionnaire")


@dataclass(slots=True)
class DiaryDay:
    """What was written on one diary day."""

    uses: list[DoseUse] = field(default_factory=list)
    answered_at: dict[str, datetime] = field(default_factory=dict)


class RemindedDiary:
    """Reads the diary for reminders: the last days at each look, six weeks of doses once a day."""

    def __init__(self, diary: OpenDiary) -> None:
        self._diary = diary
        self._history: dict[str, list[datetime]] = {}
        self._history_as_of: date | None = None

    def habits(self, as_of: date) -> Mapping[str, list[datetime]]:
        """Wall times of own doses by inhaler in the six weeks before a day."""
        if self._history_as_of != as_of:
            first = as_of - timedelta(days=HISTORY_DAYS + 1)
            self._history = {}
            for kept in self._diary.journal.between(first, as_of, ("inhaler_use",)):
                if kept.entry.value.get("source") == "day_recall":
                    continue
                use = _dose_use(kept)
                if use is not None:
                    self._history.setdefault(use.inhaler_id, []).append(use.wall)
            self._history_as_of = as_of
        return self._history

    def days(self, today: date, day_starts_minute: int) -> dict[date, DiaryDay]:
        """The diary of today and the days just before, by the day that reminders go by."""
        entries = self._diary.journal.between(
            today - timedelta(days=LOOKED_BACK_DAYS + 1), today + timedelta(days=1), _KINDS
        )
        return days_of(entries, day_starts_minute)

    def is_withdrawn(self, answer: str, key: str, schedule: Schedule) -> bool:
        """Whether a dose that counted as taken is no longer in the diary. ``answer``: the id of the entry that a
        reminder's button makes; it stands though a flight or a late hour put it on another day, or though a new plan
        has another inhaler."""
        kept = self._diary.journal.find("inhaler_use", answer)
        if kept is not None:
            return kept.entry.deleted
        return any(key == dose.key(slot) for dose in schedule.doses for slot in range(len(dose.minutes)))

    def last_control_check(self) -> date | None:
        """When the four questions were answered last."""
        latest = self._diary.journal.latest("questionnaire")
        if latest is None:
            return None
        if latest.entry.value["instrument"] == "control_check":
            return latest.entry.moment.local_date
        today = self._diary.today()
        checks = [
            kept.entry.moment.local_date
            for kept in self._diary.journal.between(today - timedelta(days=400), today, ("questionnaire",))
            if kept.entry.value["instrument"] == "control_check"
        ]
        return checks[-1] if checks else None


def days_of(entries: Iterable[KeptEntry], day_starts_minute: int) -> dict[date, DiaryDay]:
    """Entries by the diary day in which they happened."""
    days: dict[date, DiaryDay] = {}
    for kept in entries:
        entry = kept.entry
        day = days.setdefault(diary_day(entry.moment.local.replace(tzinfo=None), day_starts_minute), DiaryDay())
        for key, kind in _ANSWERED_BY.items():
            if entry.kind == kind:
                day.answered_at.setdefault(key, entry.moment.taken_at)
        if entry.kind == "questionnaire" and entry.value["instrument"] == "control_check":
            day.answered_at.setdefault("control_check", entry.moment.taken_at)
        use = _dose_use(kept) if entry.kind == "inhaler_use" else None
        if use is not None:
            day.uses.append(use)
    return days


def _dose_use(kept: KeptEntry) -> DoseUse | None:
    """A use as the daily dose; relief is none."""
    body, moment = kept.entry.value, kept.entry.moment
    whole_day = body.get("amount") in ("as_usual", "more")
    if not whole_day and (body.get("purpose") != "maintenance" or not body.get("puffs")):
        return None
    wall = moment.local.replace(tzinfo=None)
    inhaler_id, puffs = str(body["inhaler_id"]).lower(), int(body.get("puffs") or 0)
    return DoseUse(inhaler_id, moment.taken_at, wall, puffs, whole_day, kept.entry.id)


def answer_id(whose: str, occurrence_id: str) -> str:
    """The id of the entry that "taken" makes: the same however often and on however many phones it is told."""
    return str(uuid5(NAMESPACE_OID, f"{whose}:{occurrence_id}:taken"))


def done_at(
    schedule: Schedule, days: Mapping[date, DiaryDay], walls: Mapping[tuple[str, date], datetime], whose: str
) -> dict[tuple[str, date], datetime]:
    """Which reminders of these days need no asking, and since when.

    walls: when each of their doses is due. whose: as in ``answer_id``.
    """
    done: dict[tuple[str, date], datetime] = {}
    for day, written in days.items():
        for key, at in written.answered_at.items():
            done[key, day] = at
        for dose in schedule.doses:
            uses = [use for use in written.uses if use.inhaler_id == dose.inhaler_id]
            if not uses:
                continue
            slots = range(len(dose.minutes))
            planned = [walls.get((dose.key(slot), day)) or schedule.wall(day, dose.minutes[slot]) for slot in slots]
            by_id = {use.entry_id: use for use in uses}
            answers = [answer_id(whose, Occurrence(dose.key(slot), day, planned[slot]).id) for slot in slots]
            told = {slot: by_id[answer] for slot, answer in enumerate(answers) if answer in by_id}
            spare = [use for use in uses if use.entry_id not in answers]
            for slot, use in schedule.slots_taken(dose, planned, spare, told).items():
                done[dose.key(slot), day] = use.taken_at
    return done
