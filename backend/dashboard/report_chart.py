"""Charts of the visit report as vector drawing: a column a day of the patient's own calendar."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from fpdf import FPDF

from backend.dashboard.patient_schemas import DiaryDay
from backend.dashboard.roster_schemas import PlanLines

INK, SOFT, GRID, WHITE = (23, 32, 42), (85, 96, 110), (205, 211, 219), (255, 255, 255)
BANDS = {"green": (226, 243, 232), "yellow": (253, 243, 205), "red": (251, 224, 220)}
PUFFS, ATTACK = (70, 110, 170), (176, 32, 32)
AXIS_MM, FOOT_MM = 11.0, 5.0


@dataclass(frozen=True)
class ChartFrame:
    """Where a chart is, in mm, and which days it shows, both included."""

    x: float
    y: float
    width: float
    height: float
    day_name: Callable[[date], str]
    first_day: date
    last_day: date

    @property
    def floor(self) -> float:
        return self.y + self.height - FOOT_MM

    def across(self, day: date) -> float:
        """The middle of the day's column."""
        days = (self.last_day - self.first_day).days + 1
        return self.x + AXIS_MM + (self.width - AXIS_MM) * ((day - self.first_day).days + 0.5) / days

    def up(self, value: float, low: float, high: float) -> float:
        return self.floor - (self.floor - self.y) * (value - low) / (high - low)


def draw_peak_flow(
    pdf: FPDF, frame: ChartFrame, days: Sequence[DiaryDay], plan: PlanLines | None, zone_names: Mapping[str, str]
) -> None:
    """Best reading of each half of a day (morning filled, evening hollow), the zones of the plan in force, attacks."""
    values = [reading.litres_per_min for day in days for reading in day.readings]
    edges = [plan.red_below_litres_per_min, plan.personal_best_litres_per_min] if plan else []
    low = max(0, 50 * math.floor((min(values + edges) - 20) / 50))
    high = 50 * math.ceil((max(values + edges) + 10) / 50)
    if plan:
        _bands(pdf, frame, plan, low, high, zone_names)
    step = 50 if high - low <= 300 else 100
    _axes(pdf, frame, range(low, high + 1, step), low, high)
    for day in days:
        if day.attacks:
            _attack(pdf, frame, day.day)
    for morning in (True, False):
        previous: tuple[date, float] | None = None
        for day in days:
            found = [reading.litres_per_min for reading in day.readings if reading.morning is morning]
            if not found:
                continue
            x, y = frame.across(day.day), frame.up(max(found), low, high)
            pdf.set_draw_color(*(INK if morning else SOFT))
            pdf.set_line_width(0.25)
            if morning and previous and (day.day - previous[0]).days <= 2:
                pdf.line(frame.across(previous[0]), previous[1], x, y)
            pdf.set_fill_color(*(INK if morning else WHITE))
            pdf.ellipse(x - 0.55, y - 0.55, 1.1, 1.1, style="DF")
            previous = day.day, y
    pdf.set_xy(frame.x, frame.y + frame.height)


def draw_puffs(pdf: FPDF, frame: ChartFrame, days: Sequence[DiaryDay]) -> None:
    """A bar a day; a day on which none were taken is a short tick, one without a record is empty."""
    most = max(day.reliever_puffs or 0 for day in days)
    high = max(4, 2 * math.ceil(most / 2))
    _axes(pdf, frame, (0, high // 2, high), 0, high)
    pdf.set_fill_color(*PUFFS)
    for day in days:
        if day.reliever_puffs is not None:
            top = frame.up(day.reliever_puffs, 0, high) if day.reliever_puffs else frame.floor - 0.3
            pdf.rect(frame.across(day.day) - 0.65, top, 1.3, frame.floor - top, style="F")
    pdf.set_xy(frame.x, frame.y + frame.height)


def _bands(
    pdf: FPDF, frame: ChartFrame, plan: PlanLines, low: float, high: float, zone_names: Mapping[str, str]
) -> None:
    pdf.set_font("Pretendard", "", 7)
    pdf.set_text_color(*SOFT)
    yellow, red = plan.yellow_below_litres_per_min, plan.red_below_litres_per_min
    for zone, top, bottom in (("green", high, yellow), ("yellow", yellow, red), ("red", red, low)):
        y = frame.up(min(top, high), low, high)
        pdf.set_fill_color(*BANDS[zone])
        height = frame.up(bottom, low, high) - y
        pdf.rect(frame.x + AXIS_MM, y, frame.width - AXIS_MM, height, style="F")
        if height > 4:
            pdf.set_xy(frame.x + AXIS_MM + 0.5, y + height - 3.8)
            pdf.cell(30, 3.5, zone_names[zone])


def _axes(pdf: FPDF, frame: ChartFrame, ticks: Sequence[int], low: float, high: float) -> None:
    pdf.set_font("Pretendard", "", 7)
    pdf.set_text_color(*SOFT)
    pdf.set_draw_color(*GRID)
    pdf.set_line_width(0.15)
    for tick in ticks:
        y = frame.up(tick, low, high)
        pdf.line(frame.x + AXIS_MM, y, frame.x + frame.width, y)
        pdf.set_xy(frame.x, y - 1.75)
        pdf.cell(AXIS_MM - 1.5, 3.5, str(tick), align="R")
    day = frame.first_day
    while day <= frame.last_day:
        x = frame.across(day)
        pdf.line(x, frame.floor, x, frame.floor + 1)
        pdf.set_xy(x - 10, frame.floor + 1)
        pdf.cell(20, 3.5, frame.day_name(day), align="C")
        day += timedelta(days=14)


def _attack(pdf: FPDF, frame: ChartFrame, day: date) -> None:
    x = frame.across(day)
    pdf.set_draw_color(*ATTACK)
    pdf.set_line_width(0.4)
    with pdf.local_context():
        pdf.set_dash_pattern(dash=1, gap=0.8)
        pdf.line(x, frame.y, x, frame.floor)
    pdf.set_fill_color(*ATTACK)
    pdf.polygon([(x - 1.2, frame.y), (x + 1.2, frame.y), (x, frame.y + 2)], style="F")
