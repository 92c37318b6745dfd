"""Numbers, times and entries written out in the reader's language, with the times of the patient's own zone."""

from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from backend.dashboard.patient_schemas import AttackOut, DiaryDay, InhalerOut
from backend.dashboard.translations import Translate, catalogue, translator
from backend.dashboard.visits import Since
from backend.medication.tables import MOST_PUFFS


class Words:
    """Numbers, days and times written out in one language. Passed to templates as `words`."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.t: Translate = translator(language)

    def number(self, value: float, digits: int = 0) -> str:
        text = f"{value:,.{digits}f}"
        if self.language == "et":
            return text.replace(",", "\N{NO-BREAK SPACE}").replace(".", ",")
        return text

    def percent(self, share: float) -> str:
        """A probability as a percentage, without pretending to know small chances exactly."""
        if share < 0.01:
            return self.t("unit.percent", value="<" + self.number(1))
        if share > 0.99:
            return self.t("unit.percent", value=">" + self.number(99))
        return self.t("unit.percent", value=self.number(100 * share))

    def day(self, day: date) -> str:
        return self.t("date.full", day=day.day, month=self.t(f"month.{day.month}"), year=day.year)

    def iso_day(self, written: str) -> str:
        """`2026-11-20` as a day in the reader's language."""
        return self.day(date.fromisoformat(written))

    def short_day(self, day: date) -> str:
        return self.t("date.short", day=day.day, month=self.t(f"month.{day.month}"))

    def local(self, instant: datetime, zone: str) -> str:
        """Day and clock time at the patient's place, e.g. `20 Nov 2026, 07:40`."""
        local = instant.astimezone(ZoneInfo(zone))
        return f"{self.day(local.date())}, {local:%H:%M}"

    def near(self, instant: datetime, zone: str, now: datetime) -> str:
        """Like `local`, shorter for today, yesterday and this year: `today 07:40`."""
        local, today = instant.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone)).date()
        if local.date() == today:
            return self.t("date.today_at", time=f"{local:%H:%M}")
        if local.date() == today - timedelta(days=1):
            return self.t("date.yesterday_at", time=f"{local:%H:%M}")
        day = self.short_day(local.date()) if local.year == today.year else self.day(local.date())
        return f"{day}, {local:%H:%M}"

    def zone_name(self, zone: str, now: datetime) -> str:
        """`Asia/Seoul (UTC+09:00)`, the offset being that of `now`."""
        offset = now.astimezone(ZoneInfo(zone)).strftime("%z")
        return f"{zone} (UTC{offset[:3]}:{offset[3:5]})"

    @staticmethod
    def city(zone: str) -> str:
        return zone.rsplit("/", 1)[-1].replace("_", " ")

    def age(self, since: datetime, now: datetime) -> str:
        """How long ago, in the largest whole unit. A phone's clock may run ahead: then it is `just now`."""
        minutes = int((now - since).total_seconds() // 60)
        if minutes < 1:
            return self.t("ago.now")
        if minutes < 60:
            return self.t("ago.minutes", count=minutes)
        if minutes < 48 * 60:
            return self.t("ago.hours", count=minutes // 60)
        return self.t("ago.days", count=minutes // (24 * 60))

    @staticmethod
    def local_day(instant: datetime, zone: str) -> date:
        return instant.astimezone(ZoneInfo(zone)).date()

    def symptoms(self, day: DiaryDay) -> str:
        """What was answered; an unanswered question is left out, and a day without any answer is a dash."""
        t, said = self.t, []
        if day.symptom_severity is not None:
            said.append(t(f"severity.{day.symptom_severity}"))
        elif day.daytime_symptoms is not None:
            said.append(t("symptom.day" if day.daytime_symptoms else "severity.0"))
        if day.night_waking:
            said.append(t("symptom.night"))
        if day.activity_limited:
            said.append(t("symptom.limited"))
        return ", ".join(said) or "–"

    def reliever(self, day: DiaryDay) -> str:
        range_of_day = None
        if day.reliever_puffs is not None:
            range_of_day = puff_range(day.reliever_puffs, day.reliever_puffs_at_most)
        return self._taken(range_of_day, day.reliever_amounts)

    def controller(self, day: DiaryDay) -> str:
        return self._taken(day.controller_puffs, day.controller_amounts)

    def _taken(self, puffs: int | str | None, amounts: list[str]) -> str:
        said = [] if puffs is None else [self.t("count.puffs", count=puffs)]
        return ", ".join([*said, *(self.t(f"amount.{amount}") for amount in amounts)]) or "–"

    def attack(self, attack: AttackOut) -> str:
        t = self.t
        said = [
            t(f"attack.{what}")
            for what in ("systemic_steroids", "emergency_visit", "hospital_admission", "unscheduled_visit")
            if getattr(attack, what)
        ]
        return t("attack.title", what=", ".join(said))

    def regimen(self, inhaler: InhalerOut) -> str:
        if not inhaler.doses_per_day:
            return self.t("inhaler.when_needed")
        puffs = self.t("count.puffs", count=inhaler.puffs_per_dose)
        return self.t("inhaler.regular", puffs=puffs, count=inhaler.doses_per_day)

    def news(self, since: Since) -> list[str]:
        """What is new, the gravest first; new entries last."""
        t, said = self.t, []
        if since.alerts:
            said.append(t("news.alerts", count=since.alerts))
        if since.attacks:
            said.append(t("news.attacks", count=since.attacks))
        if since.zone_changed and since.zone_now is not None:
            before = since.zone_before.value if since.zone_before else "none"
            said.append(t("news.zone", before=t(f"zone.{before}"), now=t(f"zone.{since.zone_now.value}")))
        if since.control_changed and since.control_before is not None and since.control_now is not None:
            before, now = t(f"tr.control.{since.control_before.value}"), t(f"tr.control.{since.control_now.value}")
            said.append(t("news.control", before=before, now=now))
        if since.recommendation:
            said.append(t("news.recommendation"))
        if since.plan_read is not None:
            said.append(t("news.plan_read", version=since.plan_read))
        if since.entries:
            said.append(t("news.entries", count=since.entries))
        return said

    def action(self, action: str) -> str:
        """An action of the audit trail; one without a text is shown by its code rather than hidden."""
        return self._known(f"action.{action}", action)

    def resource(self, resource_type: str) -> str:
        """A FHIR resource type; one without a text is shown by its name."""
        return self._known(f"foreign.resource.{resource_type}", resource_type)

    def resource_status(self, code: str | None) -> str:
        return "" if code is None else self._known(f"foreign.status_word.{code}", code)

    def _known(self, key: str, otherwise: str) -> str:
        return self.t(key) if key in catalogue(self.language) else otherwise

    def chart(self) -> dict[str, str]:
        """The texts that charts.js shows."""
        keys = (
            "empty",
            "failed",
            "best",
            "attack",
            "puffs",
            "symptoms",
            "night",
            "forecast",
            "nothing",
            "plan",
            "signed",
        )
        texts = {key: self.t(f"chart.say_{key}") for key in keys}
        zones = {zone: self.t(f"zone.{zone}") for zone in ("green", "yellow", "red")}
        return texts | zones | {"unit": self.t("unit.litres_per_min_bare")}


def puff_range(fewest: int, most: int | None) -> int | str:
    """`4`, `4–6` where the patient gave a range, `8+` where it has no upper end."""
    if most is None or most <= fewest:
        return fewest
    return f"{fewest}+" if most == MOST_PUFFS else f"{fewest}–{most}"


@cache
def words(language: str) -> Words:
    return Words(language)
