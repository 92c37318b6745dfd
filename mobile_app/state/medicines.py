"""Each inhaler: what it is for, how to use it, how much is left in it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from mobile_app.data.clinic import Inhaler
from mobile_app.locales import Wording
from mobile_app.state.doses import ceiling, puffs_on_day
from mobile_app.state.open_diary import OpenDiary

# Checklists are Soom's own words, one for each way an inhaler works.
TECHNIQUE_STEPS = {"pmdi": 7, "pmdi_spacer": 6, "dpi": 6, "soft_mist": 6}
FULL_INHALER_PUFFS = (30, 60, 120, 200)
_REFILL_BELOW_DAYS = 7
_WARN_BEFORE_EXPIRY_DAYS = 30
_MOST_MONTHS_AHEAD = 48
# What is loaded differently, by the inhaler's name; everything else about a powder inhaler is the same.
_LOADED_BY = {
    "turbuhaler": ("turbuhaler", "turbohaler"),
    "diskus": ("diskus", "accuhaler", "seretide"),
    "ellipta": ("ellipta", "nexthaler"),
    "capsule": ("breezhaler", "handihaler", "aerolizer", "zonda"),
}


@dataclass(frozen=True, slots=True)
class MedicineCard:
    """One inhaler in words."""

    inhaler: Inhaler
    purpose: str
    dose: str
    limit: str
    today: str
    ceiling: str | None
    left: str
    needs_refill: bool


class Medicines:
    """The inhalers in use; how full one is comes from the day it was started and the puffs logged since."""

    def __init__(self, diary: OpenDiary) -> None:
        self._diary = diary
        self.on_change: Callable[[], None] = lambda: None

    @property
    def cards(self) -> list[MedicineCard]:
        """All inhalers in use, relievers first."""
        today = self._diary.journal.between(self._diary.today(), self._diary.today(), ("inhaler_use",))
        say = self._diary.wording.say
        cards = []
        for inhaler in self._diary.clinic.inhalers():
            puffs = puffs_on_day(today, inhaler.id)
            left = self.puffs_left(inhaler)
            limit = inhaler.max_puffs_per_day
            cards.append(
                MedicineCard(
                    inhaler=inhaler,
                    purpose=say(f"medicines.role_{inhaler.role}"),
                    dose=self._dose(inhaler),
                    limit=say("medicines.limit", limit=limit) if limit else "",
                    today=say("today.puffs_today", count=puffs) if puffs else say("today.no_puffs_today"),
                    ceiling=ceiling(inhaler, puffs),
                    left=self._left(left, inhaler),
                    needs_refill=self._expires_soon(inhaler.id)
                    or (left is not None and left <= self._refill_below(inhaler)),
                )
            )
        return cards

    def _dose(self, inhaler: Inhaler) -> str:
        say = self._diary.wording.say
        puffs = say("puffs.puffs", count=inhaler.puffs_per_dose or 1)
        if inhaler.controls:
            return say("medicines.dose", puffs=puffs, count=inhaler.doses_per_day or 0)
        return say("medicines.as_needed", puffs=puffs)

    def _refill_below(self, inhaler: Inhaler) -> int:
        daily = (inhaler.puffs_per_dose or 1) * (inhaler.doses_per_day or 1)
        return max(daily * _REFILL_BELOW_DAYS, 10)

    def _left(self, left: int | None, inhaler: Inhaler) -> str:
        say = self._diary.wording.say
        if left is None:
            return say("medicines.left_unknown")
        key = "medicines.left_refill" if left <= self._refill_below(inhaler) else "medicines.left"
        return "\n".join(part for part in (say(key, count=left), self._expiry(inhaler.id)) if part)

    def expires_on(self, inhaler_id: str) -> date | None:
        """The last day on which the inhaler in use is good; None when that was never said."""
        kept = self._stock(inhaler_id).get("expires_on")
        return None if kept is None else date.fromisoformat(kept)

    def _expires_soon(self, inhaler_id: str) -> bool:
        last = self.expires_on(inhaler_id)
        return last is not None and last <= self._diary.today() + timedelta(days=_WARN_BEFORE_EXPIRY_DAYS)

    def _expiry(self, inhaler_id: str) -> str:
        last = self.expires_on(inhaler_id)
        if last is None:
            return ""
        if last < self._diary.today():
            return self._diary.wording.say("medicines.expired")
        key = "medicines.expires_soon" if self._expires_soon(inhaler_id) else "medicines.expires"
        return self._diary.wording.say(key, month=month_words(last, self._diary.wording))

    def _stock(self, inhaler_id: str) -> dict[str, str]:
        stocks: dict[str, dict[str, str]] = self._diary.database.setting("stocks", {})
        return stocks.get(inhaler_id, {})

    def puffs_left(self, inhaler: Inhaler) -> int | None:
        """Puffs left by what was logged since the inhaler was started; None when that was never said."""
        stock = self._stock(inhaler.id)
        if not stock:
            return None
        since = datetime.fromisoformat(stock["since"])
        entries = self._diary.journal.between(
            since.date() - timedelta(days=1), self._diary.today() + timedelta(days=1), ("inhaler_use",)
        )
        used = sum(
            int(kept.entry.value.get("puffs") or 0)
            for kept in entries
            if kept.entry.value["inhaler_id"] == inhaler.id and kept.entry.moment.taken_at >= since
        )
        return max(int(stock["puffs"]) - used, 0)

    def start_new(self, inhaler_id: str, puffs: int, expires_on: date | None) -> None:
        """Begins a full inhaler now."""
        stocks = self._diary.database.setting("stocks", {})
        stock = {"puffs": str(puffs), "since": self._diary.clock.now().isoformat()}
        if expires_on is not None:
            stock["expires_on"] = expires_on.isoformat()
        self._diary.database.keep_setting("stocks", {**stocks, inhaler_id: stock})
        self.on_change()

    def technique(self, inhaler: Inhaler) -> list[str]:
        """The steps for this kind of inhaler; for an unknown kind the words are an advice to ask."""
        say = self._diary.wording.say
        kind = technique_kind(inhaler.device)
        if kind is None:
            return [say("technique.unknown")]
        steps = [say(f"technique.{kind}_{step}") for step in range(1, TECHNIQUE_STEPS[kind] + 1)]
        name = f"{inhaler.name} {inhaler.device}".lower()
        loaded = next((how for how, names in _LOADED_BY.items() if any(one in name for one in names)), None)
        if kind == "dpi" and loaded is not None:
            steps[0] = say(f"technique.load_{loaded}")
        return steps


class NewInhaler:
    """A full inhaler that is about to be begun: its puffs, and the month printed on it."""

    def __init__(self, diary: OpenDiary, inhaler: Inhaler) -> None:
        self._diary = diary
        self.inhaler = inhaler
        self.puffs: int | None = None
        self.expires_on: date | None = None
        self.on_change: Callable[[], None] = lambda: None

    def choose(self, puffs: int) -> None:
        """One of FULL_INHALER_PUFFS."""
        self.puffs = puffs
        self.on_change()

    def move_expiry(self, months: int) -> None:
        """A month later or earlier; the first step begins a year from now. Never before this month."""
        today = self._diary.today()
        if self.expires_on is None:
            ahead = 12
        else:
            ahead = (self.expires_on.year - today.year) * 12 + self.expires_on.month - today.month + months
        self.expires_on = _last_day_of_month(today, min(max(ahead, 0), _MOST_MONTHS_AHEAD))
        self.on_change()

    @property
    def expiry_words(self) -> str:
        """The month, or that it was not said."""
        if self.expires_on is None:
            return self._diary.wording.say("medicines.no_expiry")
        return month_words(self.expires_on, self._diary.wording)

    def begin(self) -> bool:
        """Begins it now; False without its puffs."""
        if self.puffs is None:
            return False
        Medicines(self._diary).start_new(self.inhaler.id, self.puffs, self.expires_on)
        return True


def month_words(day: date, wording: Wording) -> str:
    """A month and its year."""
    return wording.say("medicines.month", month=wording.say(f"calendar.month_{day.month}"), year=day.year)


def _last_day_of_month(today: date, months_ahead: int) -> date:
    months = today.year * 12 + today.month - 1 + months_ahead + 1
    return date(months // 12, months % 12 + 1, 1) - timedelta(days=1)


def technique_kind(device: str) -> str | None:
    """Which checklist fits a device's name as the clinic wrote it."""
    name = device.lower().replace("-", "_").replace(" ", "_")
    if "spacer" in name:
        return "pmdi_spacer"
    if any(part in name for part in ("dpi", "dry_powder", "turbuhaler", "diskus", "ellipta", "accuhaler", "powder")):
        return "dpi"
    if any(part in name for part in ("soft_mist", "respimat", "smi")):
        return "soft_mist"
    if any(part in name for part in ("mdi", "metered", "evohaler", "aerosol")):
        return "pmdi"
    return None
