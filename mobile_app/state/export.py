"""The diary in the patient's own hands: a table for machines and one page for a doctor."""

import csv
import io
import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from mobile_app.state.control_check import ControlCheck
from mobile_app.state.doses import puffs_on_day
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.trends import Trends

_FIRST_DAY = date(1900, 1, 1)
_COLUMNS = ("kind", "local_date", "local_time", "time_zone", "taken_at_utc", "id", "revision", "body")


@dataclass(frozen=True, slots=True)
class Report:
    """What the one page says; ``trends`` draws its curve."""

    title: str
    lines: list[str]
    trends: Trends


class Export:
    """Makes files of the open diary."""

    def __init__(self, diary: OpenDiary, folder: Path) -> None:
        self._diary = diary
        self._folder = folder

    def table(self) -> str:
        """Every entry as CSV, one row each, with the body as JSON: nothing is lost on the way out."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(_COLUMNS)
        for kept in self._diary.journal.between(_FIRST_DAY, self._diary.today() + timedelta(days=2)):
            moment = kept.entry.moment
            writer.writerow(
                (
                    kept.entry.kind,
                    moment.local_date.isoformat(),
                    f"{moment.local:%H:%M}",
                    moment.time_zone,
                    moment.taken_at.isoformat(),
                    kept.entry.id,
                    kept.entry.revision,
                    json.dumps(kept.entry.body, ensure_ascii=False),
                )
            )
        return text.getvalue()

    def write_table(self) -> Path:
        """Writes the CSV beside the diary and says where. The byte-order mark lets spreadsheets read Hangul."""
        file = self._file("csv")
        file.write_text(self.table(), encoding="utf-8-sig", newline="")
        return file

    def report(self) -> Report:
        """The last three months in a few lines."""
        diary, say = self._diary, self._diary.wording.say
        trends = Trends(diary)
        trends.show(90)
        profile, plan = diary.clinic.profile(), diary.clinic.plan()
        name = profile.display_name if profile else ""
        born = profile.born_on.isoformat() if profile and profile.born_on else ""
        lines = [part for part in (name, born) if part]
        lines.append(trends.summary)
        if plan is not None:
            lines.append(say("plan.best", best=plan.personal_best_litres_per_min))
        if trends.readings:
            values = [reading.litres_per_min for reading in trends.readings]
            counts = {zone: sum(one.zone == zone for one in trends.readings) for zone in ("green", "yellow", "red")}
            lines.append(say("my_data.readings", count=len(values), low=min(values), high=max(values), **counts))
        lines.append(say("my_data.relief", puffs=self._relief_puffs(trends), days=trends.days_written))
        taken = [bar.value for bar in trends.adherence if bar.value is not None]
        if taken:
            lines.append(say("my_data.doses", percent=round(sum(taken) / len(taken))))
        lines.append(say("control_check.attacks_last_year", count=ControlCheck(diary).attacks_last_year))
        title = say("my_data.report_title", first=trends.first_day.isoformat(), last=trends.last_day.isoformat())
        return Report(title, lines, trends)

    def _relief_puffs(self, trends: Trends) -> int:
        entries = self._diary.journal.between(trends.first_day, trends.last_day, ("inhaler_use",))
        days = {kept.entry.moment.local_date for kept in entries}
        relievers = [inhaler.id for inhaler in self._diary.clinic.inhalers() if inhaler.relieves]
        by_day = {day: [kept for kept in entries if kept.entry.moment.local_date == day] for day in days}
        return sum(puffs_on_day(by_day[day], one) for day in days for one in relievers)

    def report_file(self) -> Path:
        """Where the one page goes."""
        return self._file("pdf")

    def _file(self, ending: str) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"soom-{self._diary.today().isoformat()}.{ending}"
