"""What else goes into the diary: triggers, attacks and the care they needed, notes."""

from mobile_app.data.entries import Entry
from mobile_app.state.diary_form import DiaryForm, NotYet
from mobile_app.state.open_diary import OpenDiary

TRIGGERS = (
    "infection",
    "pollen",
    "house_dust",
    "pets",
    "mould",
    "smoke",
    "air_pollution",
    "cold_air",
    "weather_change",
    "exercise",
    "stress",
    "strong_smells",
    "medicine",
    "food",
    "work",
    "menstruation",
    "other",
)
MOST_NOTE_CHARACTERS, MOST_TRIGGER_NOTE_CHARACTERS = 2000, 200


class TriggerForm(DiaryForm):
    """What may have set the asthma off."""

    kind = "trigger"

    def __init__(self, diary: OpenDiary, correcting: Entry | None = None) -> None:
        super().__init__(diary, correcting)
        body = correcting.value if correcting else {}
        self.trigger: str | None = body.get("trigger")
        self.note = str(body.get("note") or "")

    def choose(self, trigger: str) -> None:
        """One of TRIGGERS."""
        self.trigger = trigger
        self.on_change()

    def submit(self) -> Entry:
        """Keeps the trigger. Raises NotYet without one."""
        if self.trigger is None:
            raise NotYet("no_trigger")
        note = self.note.strip()[:MOST_TRIGGER_NOTE_CHARACTERS]
        return self._keep({"trigger": self.trigger, "note": note or None})


class AttackForm(DiaryForm):
    """An attack and the care it needed; the time is when it began."""

    kind = "attack"
    CARE = ("systemic_steroids", "emergency_visit", "hospital_admission", "unscheduled_visit")
    MOST_STEROID_DAYS = 90

    def __init__(self, diary: OpenDiary, correcting: Entry | None = None) -> None:
        super().__init__(diary, correcting)
        body = correcting.value if correcting else {}
        self.care: set[str] = {one for one in self.CARE if body.get(one)}
        self.steroid_days: int | None = body.get("systemic_steroid_days")
        self._source = str(body.get("source", "self"))

    def toggle(self, care: str) -> None:
        """Marks or unmarks one of CARE."""
        self.care ^= {care}
        if "systemic_steroids" not in self.care:
            self.steroid_days = None
        self.on_change()

    def more_steroid_days(self, by: int) -> None:
        """Changes the days of steroid tablets; below one means not known."""
        days = (self.steroid_days or 0) + by
        self.steroid_days = min(days, self.MOST_STEROID_DAYS) if days >= 1 else None
        self.on_change()

    def submit(self) -> Entry:
        """Keeps the attack. Raises NotYet when nothing is marked."""
        if not self.care:
            raise NotYet("no_care")
        marked = {one: (True if one in self.care else None) for one in self.CARE}
        return self._keep({**marked, "systemic_steroid_days": self.steroid_days, "source": self._source})


class NoteForm(DiaryForm):
    """Free words."""

    kind = "note"

    def __init__(self, diary: OpenDiary, correcting: Entry | None = None) -> None:
        super().__init__(diary, correcting)
        self.text = str(correcting.value["text"]) if correcting else ""

    def submit(self) -> Entry:
        """Keeps the note. Raises NotYet when it is empty."""
        text = self.text.strip()
        if not text:
            raise NotYet("no_text")
        return self._keep({"text": text[:MOST_NOTE_CHARACTERS]})
