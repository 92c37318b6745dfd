"""The Today screen: where I stand, what to do now, what is still open today."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from mobile_app.data.clinic import Forecast, Inhaler
from mobile_app.data.entries import Entry
from mobile_app.data.journal import KeptEntry
from mobile_app.data.sharing import SharingPapers
from mobile_app.device.ports import Reliability
from mobile_app.state.diary_form import inhaler_use
from mobile_app.state.doses import ceiling, doses_taken, puffs_on_day
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.plan import PlanPage
from mobile_app.state.warning_signs import standing_warning

# A forecast older than this says nothing about the coming week.
_FORECAST_GOOD_FOR = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class ZoneCard:
    """The zone with its words. ``zone`` is green, yellow, red or none."""

    zone: str
    word: str
    headline: str
    detail: str
    steps: list[str]
    is_emergency: bool


@dataclass(frozen=True, slots=True)
class News:
    """Something from the clinic that wants to be read; ``page`` is where it leads, if anywhere.

    A warning has ``alert_id`` and ``title``, which stays in view while the warning rests.
    """

    text: str
    tone: str
    icon: str
    page: str | None
    alert_id: str | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class RelieverCard:
    """A reliever and today's puffs. ``ceiling`` is None, near or reached."""

    inhaler: Inhaler
    puffs_today: int
    text: str
    ceiling: str | None
    ceiling_text: str


@dataclass(frozen=True, slots=True)
class DoseCard:
    """A daily inhaler and how many of today's doses are taken."""

    inhaler: Inhaler
    taken: int
    expected: int
    text: str

    @property
    def complete(self) -> bool:
        """Whether nothing is left to take today."""
        return self.taken >= self.expected


@dataclass(frozen=True, slots=True)
class ForecastCard:
    """The forecast in words. ``level`` is usual, raised, high, or None without a forecast."""

    level: str | None
    headline: str
    detail: str
    reasons: list[str]
    source: str


class Today:
    """Reads the day and does what a tap asks for; every tap can be undone."""

    def __init__(self, diary: OpenDiary, reliability: Reliability) -> None:
        self._diary = diary
        self._reliability = reliability
        self._undoable: Entry | None = None
        self.on_change: Callable[[], None] = lambda: None
        self._entries: list[KeptEntry] = []
        self.refresh()

    def refresh(self) -> None:
        """Reads the day anew."""
        today = self._diary.today()
        since = today - timedelta(days=2)
        self._recent = self._diary.journal.between(since, today + timedelta(days=1))
        self._entries = [kept for kept in self._recent if kept.entry.moment.local_date == today]
        self.on_change()

    # What to show

    @property
    def greeting(self) -> str:
        """A greeting by the hour, with the name when it is known."""
        hour = self._diary.moment().local.hour
        part = "night" if hour < 5 else "morning" if hour < 11 else "day" if hour < 18 else "evening"
        profile = self._diary.clinic.profile()
        say = self._diary.wording.say
        if profile is None or not profile.display_name:
            return say(f"today.good_{part}")
        return say(f"today.good_{part}_name", name=profile.display_name)

    @property
    def date_line(self) -> str:
        """Weekday and date."""
        return self._diary.wording.full_date(self._diary.today())

    @property
    def zone_card(self) -> ZoneCard:
        """The zone now: a warning sign first, then today's last reading, else what is missing."""
        say = self._diary.wording.say
        plan = self._diary.clinic.plan()
        instructions = plan.instructions if plan else {}
        warning = standing_warning(self._recent, self._diary.clock.now())
        if warning is not None:
            time = self._diary.wording.time(warning.local_time)
            why = ", ".join(say(f"red_flag.{one}_short") for one in warning.because)
            steps = instructions.get("red") or [say("today.red_without_plan")]
            return ZoneCard(
                "red", say("zone.red"), say("today.red_headline"), say("today.since", what=why, time=time), steps, True
            )
        reading = next((kept.entry for kept in reversed(self._entries) if kept.entry.kind == "peak_flow"), None)
        if reading is None:
            return self._card_without_reading()
        best = max(reading.value["blows_litres_per_min"])
        zone = reading.value.get("action_zone")
        time = self._diary.wording.time(reading.moment.local)
        headline = say("unit.litres_per_min", value=best)
        if zone is None or plan is None:
            return ZoneCard("none", say("zone.none"), headline, say("today.no_plan", time=time), [], False)
        share = round(100 * best / plan.personal_best_litres_per_min)
        return ZoneCard(
            zone,
            say(f"zone.{zone}"),
            headline,
            say("today.reading_detail", time=time, percent=share),
            instructions.get(zone, []),
            False,
        )

    @property
    def news(self) -> list[News]:
        """Whom a carer helps, a watch handed over, an unread plan, and open messages, the most serious first."""
        news = []
        if self._diary.is_carers:
            text = self._diary.wording.say("carers.this_phone", name=self._diary.patient_name)
            news.append(News(text, "primary", "account-heart-outline", None))
        if SharingPapers(self._diary.database).rests_here(self._diary.clock.now()):
            news.append(News(self._diary.wording.say("watch.rests_here"), "primary", "bell-sleep-outline", "watch"))
        plan_page = PlanPage(self._diary)
        if plan_page.plan is not None and plan_page.is_unread:
            text = self._diary.wording.say("plan.new_short", doctor=plan_page.plan.signed_by)
            news.append(News(text, "warm", "file-document-edit-outline", "plan"))
        if any(not check.is_fine for check in self._reliability.checks()):
            text = self._diary.wording.say("reliability.news")
            news.append(News(text, "yellow", "bell-alert-outline", "reliability"))
        tones = {"red": ("red", "alert-circle-outline"), "amber": ("yellow", "alert-outline")}
        # A reminder that the clinic's server pushed has its place among the reminders.
        items = [one for one in self._diary.clinic.inbox() if one.resolved_at is None and one.kind != "reminder"]
        for item in sorted(items, key=lambda one: one.level != "red"):
            tone, icon = tones.get(item.level, ("primary", "message-text-outline"))
            page = "reminders" if item.kind == "phone_silent" else None
            text = "\n".join(part for part in (item.title, item.text) if part)
            # What is neither amber nor red is no warning and needs no answer.
            alert_id = item.alert_id if item.level in tones else None
            news.append(News(text, tone, icon, page, alert_id, item.title))
        return news

    def _card_without_reading(self) -> ZoneCard:
        say = self._diary.wording.say
        latest = self._diary.journal.latest("peak_flow")
        if latest is None:
            return ZoneCard("none", say("zone.unknown"), say("today.first_reading"), say("today.first_why"), [], False)
        entry = latest.entry
        detail = say(
            "today.last_reading",
            value=max(entry.value["blows_litres_per_min"]),
            day=self._diary.wording.day(entry.moment.local_date, self._diary.today()),
            zone=say(f"zone.{entry.value.get('action_zone') or 'none'}"),
        )
        return ZoneCard("none", say("zone.unknown"), say("today.no_reading"), detail, [], False)

    @property
    def relievers(self) -> list[RelieverCard]:
        """Each reliever with today's puffs and its ceiling."""
        say = self._diary.wording.say
        cards = []
        for inhaler in self._diary.clinic.inhalers():
            if not inhaler.relieves:
                continue
            puffs = puffs_on_day(self._entries, inhaler.id)
            level = ceiling(inhaler, puffs)
            words = say(f"today.ceiling_{level}", limit=inhaler.max_puffs_per_day or 0) if level else ""
            text = say("today.puffs_today", count=puffs) if puffs else say("today.no_puffs_today")
            cards.append(RelieverCard(inhaler, puffs, text, level, words))
        return cards

    @property
    def doses(self) -> list[DoseCard]:
        """Each daily inhaler with what is taken."""
        say = self._diary.wording.say
        cards = []
        for inhaler in self._diary.clinic.inhalers():
            if not inhaler.controls:
                continue
            taken, expected = doses_taken(self._entries, inhaler), inhaler.doses_per_day or 0
            text = say("today.doses_taken", taken=taken, expected=expected, puffs=inhaler.puffs_per_dose or 1)
            cards.append(DoseCard(inhaler, taken, expected, text))
        return cards

    @property
    def checked_in(self) -> bool:
        """Whether symptoms were already answered today."""
        return any(kept.entry.kind == "symptoms" for kept in self._entries)

    @property
    def check_in_text(self) -> str:
        """What was answered today, in words."""
        latest = next((kept.entry for kept in reversed(self._entries) if kept.entry.kind == "symptoms"), None)
        return "" if latest is None else symptoms_in_words(latest, self._diary)

    @property
    def forecast_card(self) -> ForecastCard:
        """The forecast with its reasons and age, or what is missing for one."""
        say = self._diary.wording.say
        forecast = self._diary.clinic.forecast()
        if forecast is None or forecast.status != "ready" or forecast.level is None or forecast.as_of is None:
            days = forecast.diary_days if forecast else 0
            detail = say("forecast.days_so_far", count=days) if days else say("forecast.needs_days")
            return ForecastCard(None, say("forecast.learning"), detail, [], "")
        age = self._diary.today() - forecast.as_of
        if age > _FORECAST_GOOD_FOR:
            return ForecastCard(None, say("forecast.too_old"), say("forecast.too_old_detail", days=age.days), [], "")
        return ForecastCard(
            forecast.level,
            say(f"forecast.{forecast.level}"),
            self._chance(forecast),
            [reason.text for reason in forecast.reasons],
            self._forecast_source(forecast, forecast.as_of),
        )

    def _chance(self, forecast: Forecast) -> str:
        if forecast.probability is None:
            return ""
        days = forecast.horizon_days
        of_hundred = round(100 * forecast.probability)
        say = self._diary.wording.say
        if of_hundred < 1:
            return say("forecast.chance_below_one", days=days)
        return say("forecast.chance", of_hundred=of_hundred, days=days)

    def _forecast_source(self, forecast: Forecast, as_of: date) -> str:
        return self._diary.wording.say(
            "forecast.source",
            day=self._diary.wording.day(as_of, self._diary.today()),
            model=f"{forecast.model_id} {forecast.model_version}",
        )

    # What a tap does

    def log_puff(self, inhaler_id: str) -> str:
        """One puff for relief, now. Returns what was kept, in words."""
        self._undoable = self._diary.record("inhaler_use", inhaler_use(inhaler_id, 1, "relief"))
        self.refresh()
        name = self._diary.clinic.inhaler_name(inhaler_id) or ""
        return self._diary.wording.say("today.puff_kept", name=name)

    def take_dose(self, inhaler: Inhaler) -> str:
        """One whole dose of a daily inhaler, now. Returns what was kept, in words."""
        body = inhaler_use(inhaler.id, inhaler.puffs_per_dose or 1, "maintenance")
        self._undoable = self._diary.record("inhaler_use", body)
        self.refresh()
        return self._diary.wording.say("today.dose_kept", name=inhaler.name)

    def feel_fine(self) -> str:
        """The ten-second check-in: nothing since yesterday."""
        body = {"daytime": False, "night_waking": False, "activity_limited": False, "severity": 0, "red_flags": []}
        self._undoable = self._diary.record("symptoms", body)
        self.refresh()
        return self._diary.wording.say("today.check_in_kept")

    @property
    def take_back(self) -> Callable[[], None] | None:
        """The way to take the last tap back; a carer's phone has none."""
        return None if self._diary.is_carers else self.undo

    def undo(self) -> None:
        """Takes the last tap back."""
        if self._undoable is not None:
            self._diary.delete(self._undoable)
            self._undoable = None
            self.refresh()


def symptoms_in_words(entry: Entry, diary: OpenDiary) -> str:
    """One line for a symptoms entry."""
    say = diary.wording.say
    body = entry.value
    parts = [say(f"red_flag.{flag}_short") for flag in body.get("red_flags", [])]
    parts += [
        say(f"symptoms.{name}_short") for name in ("daytime", "night_waking", "activity_limited") if body.get(name)
    ]
    if not parts and body.get("severity") in (0, None):
        return say("symptoms.nothing")
    if body.get("severity"):
        parts.append(say(f"symptoms.severity_{body['severity']}"))
    return " · ".join(parts)
