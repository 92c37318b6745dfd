"""The visit report: one A4 page about a patient as PDF, of the same figures that the pages show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from fpdf import FPDF
from sqlmodel import Session

from backend.accounts.tables import Hospital
from backend.core.errors import SoomError
from backend.dashboard.patient_schemas import DiaryDay, PatientOut
from backend.dashboard.patient_view import local_today, patient_and_log
from backend.dashboard.report_chart import ChartFrame, draw_peak_flow, draw_puffs
from backend.dashboard.story import story
from backend.dashboard.templating import STATIC, full_years
from backend.dashboard.words import Words, words
from backend.patients.tables import Patient
from backend.recommendations.records import read_records
from backend.recommendations.schemas import PictureOut
from backend.recommendations.service import consider

CHART_DAYS = 90
TYPEFACES = {"": STATIC / "vendor" / "pretendard-regular.otf", "B": STATIC / "vendor" / "pretendard-semibold.otf"}
INK, SOFT, LINE = (23, 32, 42), (85, 96, 110), (205, 211, 219)
LEFT_MM, WIDTH_MM, GAP_MM = 14.0, 182.0, 8.0
Part = Callable[[float], None]
Rows = Sequence[tuple[str, str]]


class TypefaceMissing(SoomError):
    status = 503
    code = "typeface_missing"
    message = "The typeface of the report is not installed; ask the administrator to run `make assets` on the server."


@dataclass(frozen=True)
class VisitReport:
    """What is on the page. `days` are those of the last 90 with any entry; without a regimen there is no picture."""

    patient: PatientOut
    days: list[DiaryDay]
    picture: PictureOut | None
    hospital: str
    today: date
    now: datetime


def visit_report(session: Session, patient: Patient, *, now: datetime, language: str) -> VisitReport:
    shown, days = patient_and_log(session, patient, now=now, language=language, log_days=CHART_DAYS)
    today = local_today(patient, now)
    considered = consider(session, read_records(session, [patient.id], now)[patient.id], today)
    return VisitReport(
        patient=shown,
        days=days,
        picture=None if considered is None else considered.shown[0],
        hospital=session.get_one(Hospital, patient.hospital_id).name,
        today=today,
        now=now,
    )


def as_pdf(report: VisitReport, language: str) -> bytes:
    """One page. Raises TypefaceMissing where the assets were not put in place."""
    return bytes(laid_out(report, language).output())


def laid_out(report: VisitReport, language: str) -> FPDF:
    """The page before it becomes a file: to cut its typefaces down to the letters used takes most of the time."""
    page = _Page(report, words(language))
    page.draw()
    return page


class _Page(FPDF):
    """Writes the report from top to bottom; `y` of FPDF is where the next part begins."""

    def __init__(self, report: VisitReport, chosen: Words) -> None:
        super().__init__(unit="mm", format="A4")
        if not all(path.is_file() for path in TYPEFACES.values()):
            raise TypefaceMissing
        self.report, self.words, self.say = report, chosen, chosen.t
        self.set_creation_date(report.now)
        self.set_title(f"{self.say('report.title')}: {report.patient.display_name}")
        self.set_lang(chosen.language)
        self.set_auto_page_break(False)
        self.set_margins(LEFT_MM, 12, LEFT_MM)
        for style, path in TYPEFACES.items():
            self.add_font("Pretendard", style, path)
        self.add_page()

    def draw(self) -> None:
        self._head()
        self._two_columns(self._plan, self._forecast)
        self._charts()
        self._two_columns(self._control, self._treatment)
        self._foot()

    def _head(self) -> None:
        patient, t = self.report.patient, self.say
        who = []
        if patient.born_on:
            years = full_years(patient.born_on, self.report.today)
            who.append(f"{t('patient.age', years=years)} ({self.words.day(patient.born_on)})")
        if patient.sex.value != "unknown":
            who.append(t(f"sex.{patient.sex.value}"))
        if patient.height_cm:
            who.append(t("unit.cm", value=patient.height_cm))
        if patient.treatment_step:
            who.append(t("patient.step", step=patient.treatment_step))
        made = self.words.local(self.report.now, patient.time_zone)
        self._text(f"{t('report.title')} · {self.report.hospital} · {made}", 8, SOFT)
        self._text(patient.display_name, 18, bold=True, line_mm=8)
        if who:
            self._text(" · ".join(who), 9, SOFT)
        self.ln(1.5)
        self._text(story(patient, self.words, now=self.report.now, today=self.report.today), 10.5, line_mm=5.2)
        self.ln(1)

    def _plan(self, width: float) -> None:
        t, plan = self.say, self.report.patient.plan
        self._title(t("plan.title"), width)
        if plan is None:
            self._text(t("plan.none"), 9, SOFT, width=width)
            return
        yellow, red = plan.yellow_below_litres_per_min, plan.red_below_litres_per_min
        rows = (
            (t("plan.best"), t("unit.litres_per_min", value=plan.personal_best_litres_per_min)),
            (t("zone.green"), "≥ " + t("unit.litres_per_min", value=yellow)),
            (t("zone.yellow"), t("unit.litres_per_min", value=f"{red}–{yellow - 1}")),
            (t("zone.red"), "< " + t("unit.litres_per_min", value=red)),
        )
        self._rows(rows, width)
        when = self.words.near(plan.signed_at, self.report.patient.time_zone, self.report.now)
        said = [t("plan.version", version=plan.version), t(f"basis.{plan.personal_best_basis}"), plan.meter]
        signed = t("plan.signed", name=plan.signed_by, day=when)
        review = t("plan.review", day=self.words.day(plan.review_on)) if plan.review_on else ""
        self._source(f"{' · '.join(said)}. {signed} {review}", width)

    def _forecast(self, width: float) -> None:
        t, forecast, patient = self.say, self.report.patient.forecast, self.report.patient
        self._title(t("forecast.title"), width)
        if forecast is None or forecast.probability is None or forecast.level is None:
            status = forecast.status.value if forecast else "none"
            self._text(t(f"forecast.{status}_text", needed=7), 9, SOFT, width=width)
        else:
            level = t(f"level.{forecast.level.value}")
            self._text(f"{self.words.percent(forecast.probability)} · {level}", 13, bold=True, line_mm=6, width=width)
            self._text(t("forecast.meaning", days=forecast.horizon_days), 8.5, SOFT, width=width)
            for reason in forecast.reasons:
                self._text(f"• {reason.text}", 9, width=width)
        if forecast:
            made = self.words.near(forecast.made_at, patient.time_zone, self.report.now)
            said = [t("forecast.made", time=made, count=forecast.diary_days)]
            if forecast.model_id:
                said.append(t("forecast.model", id=forecast.model_id, version=forecast.model_version))
            self._source(" ".join(part.strip() for part in said), width)

    def _charts(self) -> None:
        t, report = self.say, self.report
        first_day = report.today - timedelta(days=CHART_DAYS - 1)
        dates = (self.words.short_day, first_day, report.today)
        self._title(f"{t('chart.peak_flow')}, {t('unit.litres_per_min_bare')}", WIDTH_MM)
        if not any(day.readings for day in report.days):
            self._text(t("report.no_reading", days=CHART_DAYS), 9, SOFT)
        else:
            frame = ChartFrame(LEFT_MM, self.get_y() + 1, WIDTH_MM, 62, *dates)
            names = {zone: t(f"zone.{zone}") for zone in ("green", "yellow", "red")}
            draw_peak_flow(self, frame, report.days, report.patient.plan, names)
            self._source(t("report.peak_flow_key"), WIDTH_MM)
        self._title(f"{t('chart.reliever')}, {t('unit.puffs_per_day')}", WIDTH_MM)
        if all(day.reliever_puffs is None for day in report.days):
            self._text(t("report.no_puffs", days=CHART_DAYS), 9, SOFT)
        else:
            draw_puffs(self, ChartFrame(LEFT_MM, self.get_y() + 1, WIDTH_MM, 26, *dates), report.days)
            self._source(t("report.puffs_key"), WIDTH_MM)

    def _control(self, width: float) -> None:
        t, picture = self.say, self.report.picture
        self._title(t("tr.control_title"), width)
        if picture is None:
            self._text(t("report.no_picture"), 9, SOFT, width=width)
            return
        control = picture.control
        self._text(t(f"tr.control.{control.control_class.value}"), 11, bold=True, line_mm=5.5, width=width)
        self._rows(
            [
                (
                    t(f"tr.criterion.{answer.criterion.value}"),
                    t("tr.days_of", yes=answer.days_yes, answered=answer.days_answered),
                )
                for answer in control.answers
            ],
            width,
        )
        self._source(f"{t('tr.four_weeks')} {control.source}.", width)

    def _treatment(self, width: float) -> None:
        t, patient, picture = self.say, self.report.patient, self.report.picture
        self._title(t("inhalers.title"), width)
        for inhaler in patient.inhalers:
            self._text(f"{inhaler.name}: {self.words.regimen(inhaler)}", 9, width=width)
        if not patient.inhalers:
            self._text(t("inhalers.none"), 9, SOFT, width=width)
        for add_on in picture.regimen.add_ons if picture is not None else []:
            self._text(t(f"tr.add_on.{add_on.value}"), 9, width=width)
        if picture is not None:
            followed = picture.adherence
            if followed.fraction_taken is None:
                said = t(f"tr.adherence.{followed.adherence_class.value}")
            else:
                share = self.words.number(100 * followed.fraction_taken)
                said = f"{t('unit.percent', value=share)} {t('tr.of_doses')}"
            self._rows([(t("tr.adherence_title"), said)], width)
            self._source(f"{followed.source}.", width)
        last = self.words.day(patient.last_attack_on) if patient.last_attack_on else "–"
        attacks = ((t("care.attacks"), str(patient.attacks_12_months)), (t("report.last_attack"), last))
        self._rows(attacks, width)
        self._source(t("report.attacks_source"), width)

    def _foot(self) -> None:
        zone = self.words.zone_name(self.report.patient.time_zone, self.report.now)
        self.set_y(279)
        self.set_draw_color(*LINE)
        self.line(LEFT_MM, 278, LEFT_MM + WIDTH_MM, 278)
        self._text(self.say("report.source", zone=zone), 7, SOFT, line_mm=3.2)
        self._text(self.say("footer.purpose"), 7, SOFT, line_mm=3.2)

    def _two_columns(self, left: Part, right: Part) -> None:
        top, width = self.get_y(), (WIDTH_MM - GAP_MM) / 2
        left(width)
        bottom = self.get_y()
        self.set_left_margin(LEFT_MM + width + GAP_MM)
        self.set_xy(LEFT_MM + width + GAP_MM, top)
        right(width)
        self.set_left_margin(LEFT_MM)
        self.set_xy(LEFT_MM, max(bottom, self.get_y()) + 1)

    def _title(self, text: str, width: float) -> None:
        self.ln(1.5)
        self._text(text, 10.5, bold=True, line_mm=5.5, width=width)

    def _source(self, text: str, width: float) -> None:
        self._text(text, 7.5, SOFT, line_mm=3.4, width=width)

    def _rows(self, rows: Rows, width: float) -> None:
        for name, value in rows:
            self.set_font("Pretendard", "", 9)
            self.set_text_color(*SOFT)
            value_mm = min(width / 2, self.get_string_width(value) + 2)
            top = self.get_y()
            self.multi_cell(width - value_mm, 4.6, name, align="L", new_x="RIGHT", new_y="NEXT")
            bottom = self.get_y()
            self.set_xy(self.l_margin + width - value_mm, top)
            self.set_text_color(*INK)
            self.multi_cell(value_mm, 4.6, value, align="R", new_x="LMARGIN", new_y="NEXT")
            self.set_xy(self.l_margin, max(bottom, self.get_y()))

    def _text(
        self,
        text: str,
        size: float,
        colour: tuple[int, int, int] = INK,
        *,
        bold: bool = False,
        line_mm: float = 4.4,
        width: float = WIDTH_MM,
    ) -> None:
        self.set_font("Pretendard", "B" if bold else "", size)
        self.set_text_color(*colour)
        self.multi_cell(width, line_mm, text, align="L", new_x="LMARGIN", new_y="NEXT")
