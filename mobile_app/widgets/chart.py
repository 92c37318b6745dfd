"""Charts on our own canvas: peak flow over its zones, and one bar a day. A touch reads the nearest point."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kivy.clock import Clock
from kivy.core.text import Label as TextTexture
from kivy.graphics import Color, Ellipse, Line, Mesh, Point, Rectangle, RoundedRectangle, Triangle
from kivy.metrics import dp
from kivy.uix.widget import Widget

from mobile_app.state.trends import DayBar, PlanSpan, Reading, TriggerDay, TriggerRow
from mobile_app.theme import Colour, look

Box = tuple[float, float, float, float]
# Readings further apart than this are not joined: a line would claim days that nobody measured.
_JOIN_WITHIN_DAYS = 2.5
# Kivy's Point holds at most 16,383.
_POINTS_AN_INSTRUCTION = 16_000
# Over a longer time single shapes only blur; the line and small dots remain.
_SHAPES_UP_TO_DAYS = 31
_LINE_UP_TO_DAYS = 100


@dataclass(frozen=True, slots=True)
class AxisDay:
    """A day marked under the chart."""

    at_day: float
    words: str


class Chart(Widget):
    """What both charts share: the drawing area, the axis of days, and reading by touch."""

    def __init__(self, **properties: object) -> None:
        super().__init__(**properties)
        self.days = 1
        self.axis: Sequence[AxisDay] = ()
        self.on_read: Callable[[str], None] = lambda words: None
        self._touched: int | None = None
        # Once a frame, when position and size have both settled.
        self.redraw = Clock.create_trigger(self._redraw)
        self.bind(pos=self.redraw, size=self.redraw)

    @property
    def left(self) -> float:
        """Where the first day begins."""
        return float(self.x + dp(34) * min(look.text_scale, 1.4))

    @property
    def bottom(self) -> float:
        """Where the drawing begins above the axis."""
        return float(self.y + dp(24) * min(look.text_scale, 1.4))

    @property
    def text_size(self) -> float:
        """The size of the words on the canvas."""
        return look.size("caption")

    def x_of(self, at_day: float) -> float:
        """The place of a day on the axis."""
        return float(self.left + (self.right - dp(6) - self.left) * at_day / max(self.days, 1))

    def text(self, words: str, x: float, y: float, *, anchor: str = "centre", tone: str = "soft") -> None:
        """Writes small words on the canvas; x is their middle, left or right edge by the anchor."""
        texture = _written(words, self.text_size)
        shift = {"centre": texture.width / 2, "left": 0, "right": texture.width}[anchor]
        start = min(max(x - shift, self.x), self.right - texture.width)
        Color(*look.colour(tone))
        Rectangle(texture=texture, pos=(start, y - texture.height / 2), size=texture.size)

    def _redraw(self, *_: object) -> None:
        """Draws everything anew."""
        self.canvas.clear()
        if self.width < dp(60) or self.height < dp(40):
            return
        with self.canvas:
            self.draw()
            self._days_below()

    def _days_below(self) -> None:
        """The marked days, but for those that would be written over the one before."""
        written_to = self.x - dp(6)
        for mark in self.axis:
            width = _written(mark.words, self.text_size).width
            left = min(max(self.x_of(mark.at_day) - width / 2, self.x), self.right - width)
            if left >= written_to + dp(6):
                self.text(mark.words, self.x_of(mark.at_day), self.y + dp(9))
                written_to = left + width

    def draw(self) -> None:
        """Draws the series; called inside the canvas."""
        raise NotImplementedError

    def nearest(self, x: float) -> tuple[int, str] | None:
        """The index and the words of the point nearest to a place, or None without points."""
        raise NotImplementedError

    def on_touch_down(self, touch: Any) -> bool:
        """Reads the nearest point; the touch stays free for scrolling."""
        if self.collide_point(*touch.pos):
            found = self.nearest(touch.x)
            if found is not None:
                self._touched = found[0]
                self.redraw()
                self.on_read(found[1])
        return False


def _written(words: str, font_size: float) -> Any:
    label = TextTexture(text=words, font_size=font_size, font_name=look.font("caption"))
    label.refresh()
    return label.texture


class PeakFlowChart(Chart):
    """Readings over the zone bands of the plans that held."""

    def __init__(self, **properties: object) -> None:
        self.readings: Sequence[Reading] = ()
        self.spans: Sequence[PlanSpan] = ()
        self.best_text = ""
        self.version_text: Callable[[int], str] = str
        self.attacks: Sequence[float] = ()
        super().__init__(**properties)

    def show(
        self,
        readings: Sequence[Reading],
        spans: Sequence[PlanSpan],
        attacks: Sequence[float],
        days: int,
        axis: Sequence[AxisDay],
        best_text: str,
        version_text: Callable[[int], str],
    ) -> None:
        """Takes new series; ``version_text`` names a plan by its version."""
        self.version_text = version_text
        self.attacks = attacks
        self.readings, self.spans, self.days, self.axis, self.best_text = readings, spans, days, axis, best_text
        self._touched = None
        self.redraw()

    def _limits(self) -> tuple[float, float]:
        values: list[float] = [reading.litres_per_min for reading in self.readings]
        for span in self.spans:
            values += [span.red_below_litres_per_min * 0.85, span.personal_best_litres_per_min * 1.06]
        low, high = min(values, default=100.0), max(values, default=600.0)
        return max(0.0, (low - 15) // 50 * 50), (high + 20) // 50 * 50 + (50 if (high + 20) % 50 else 0)

    def draw(self) -> None:
        """Bands, grid, line, points, the touched reading."""
        low, high = self._limits()
        height = self.top - dp(8) - self.bottom

        def y_of(litres_per_min: float) -> float:
            inside = min(max(litres_per_min, low), high)
            return float(self.bottom + height * (inside - low) / max(high - low, 1))

        for span in self.spans:
            self._bands(span, y_of, low, high)
        for number, span in enumerate(self.spans):
            if span.signed_day is not None:
                self._new_plan(span.version, span.signed_day, height, number % 2)
        step = 100 if high - low > 250 else 50
        for value in range(int(low // step * step), int(high) + 1, step):
            if value < low:
                continue
            Color(*look.colour("ink")[:3], 0.07)
            Line(points=[self.left, y_of(value), self.right - dp(6), y_of(value)], width=1)
            self.text(str(value), self.left - dp(6), y_of(value), anchor="right")
        for at_day in self.attacks:
            x = self.x_of(at_day)
            Color(*look.colour("red"))
            Line(points=[x, self.bottom, x, self.bottom + height], width=dp(1), dash_length=3, dash_offset=3)
            top = self.bottom + height + dp(2)
            Triangle(points=[x - dp(5), top + dp(5), x + dp(5), top + dp(5), x, top - dp(4)])
        if self.days > _LINE_UP_TO_DAYS:
            self._day_ranges(y_of)
        else:
            self._line(y_of)
        self._points(y_of)

    def _day_ranges(self, y_of: Callable[[float], float]) -> None:
        """Over a year a line is a scribble: each day reaches from its lowest to its highest reading instead."""
        reach: dict[int, tuple[int, int]] = {}
        for reading in self.readings:
            low, high = reach.get(int(reading.at_day), (reading.litres_per_min, reading.litres_per_min))
            reach[int(reading.at_day)] = min(low, reading.litres_per_min), max(high, reading.litres_per_min)
        Color(*look.colour("ink")[:3], 0.28)
        width = max((self.x_of(1) - self.x_of(0)) * 0.7, 1.0)
        draw_boxes(
            [
                (self.x_of(day + 0.5) - width / 2, y_of(low), width, max(y_of(high) - y_of(low), 1.0))
                for day, (low, high) in reach.items()
            ]
        )

    def _bands(self, span: PlanSpan, y_of: Callable[[float], float], low: float, high: float) -> None:
        left, right = self.x_of(span.from_day), self.x_of(span.to_day)
        edges = [low, span.red_below_litres_per_min, span.yellow_below_litres_per_min, high]
        for zone, floor, roof in zip(("red", "yellow", "green"), edges, edges[1:], strict=False):
            Color(*look.colour(f"{zone}_soft"))
            Rectangle(pos=(left, y_of(floor)), size=(right - left, max(y_of(roof) - y_of(floor), 0)))
        Color(*look.colour("green"))
        best = y_of(span.personal_best_litres_per_min)
        Line(points=[left, best, right, best], width=1, dash_length=5, dash_offset=4)
        if span is self.spans[-1]:
            self.text(self.best_text, right - dp(4), best + dp(9), anchor="right", tone="on_green_soft")

    def _new_plan(self, version: int, signed_day: float, height: float, step: int) -> None:
        """The line of a new plan; ``step`` lifts every other name, since two plans may be days apart."""
        x = self.x_of(signed_day)
        lift = dp(9) + step * self.text_size * 1.3
        Color(*look.colour("primary"))
        Line(points=[x, self.bottom, x, self.bottom + height], width=dp(1.1))
        self.text(self.version_text(version), x + dp(4), self.bottom + lift, anchor="left", tone="primary")

    def _line(self, y_of: Callable[[float], float]) -> None:
        Color(*look.colour("ink")[:3], 0.55)
        stretch: list[float] = []
        before: float | None = None
        for reading in self.readings:
            if before is not None and reading.at_day - before > _JOIN_WITHIN_DAYS:
                _stroke(stretch)
                stretch = []
            stretch += [self.x_of(reading.at_day), y_of(reading.litres_per_min)]
            before = reading.at_day
        _stroke(stretch)

    def _points(self, y_of: Callable[[float], float]) -> None:
        if self.days <= _SHAPES_UP_TO_DAYS:
            for reading in self.readings:
                x, y = self.x_of(reading.at_day), y_of(reading.litres_per_min)
                _shape(reading.zone, x, y, dp(10), look.colour(reading.zone or "primary"))
        else:
            self._dots(y_of)
        if self._touched is not None and self._touched < len(self.readings):
            reading = self.readings[self._touched]
            x, y = self.x_of(reading.at_day), y_of(reading.litres_per_min)
            Color(*look.colour("ink"))
            Line(points=[x, self.bottom, x, self.top], width=1)
            Line(circle=(x, y, dp(8)), width=dp(1.4))

    def _dots(self, y_of: Callable[[float], float]) -> None:
        """Thousands of readings: one instruction for all of a zone, since each alone would cost a second and memory."""
        by_zone: dict[str, list[float]] = {}
        shown = self.readings if self.days <= _LINE_UP_TO_DAYS else _lowest_of_each_day(self.readings)
        for reading in shown:
            places = by_zone.setdefault(reading.zone or "primary", [])
            places += [self.x_of(reading.at_day), y_of(reading.litres_per_min)]
        for zone, places in by_zone.items():
            Color(*look.colour(zone))
            for start in range(0, len(places), 2 * _POINTS_AN_INSTRUCTION):
                part = places[start : start + 2 * _POINTS_AN_INSTRUCTION]
                Point(points=part, pointsize=dp(2.2) if self.days <= 100 else dp(1.4))

    def nearest(self, x: float) -> tuple[int, str] | None:
        """The reading nearest in time."""
        if not self.readings:
            return None
        index = min(range(len(self.readings)), key=lambda one: abs(self.x_of(self.readings[one].at_day) - x))
        return index, self.readings[index].words


def _lowest_of_each_day(readings: Sequence[Reading]) -> list[Reading]:
    lowest: dict[int, Reading] = {}
    for reading in readings:
        known = lowest.setdefault(int(reading.at_day), reading)
        if reading.litres_per_min < known.litres_per_min:
            lowest[int(reading.at_day)] = reading
    return list(lowest.values())


def draw_boxes(boxes: Sequence[Box]) -> None:
    """Many plain boxes as one instruction: a year of single ones takes tens of megabytes."""
    vertices: list[float] = []
    indices: list[int] = []
    for x, y, width, height in boxes:
        first = len(vertices) // 4
        for corner_x, corner_y in ((x, y), (x + width, y), (x + width, y + height), (x, y + height)):
            vertices += [corner_x, corner_y, 0.0, 0.0]
        indices += [first, first + 1, first + 2, first, first + 2, first + 3]
    if boxes:
        Mesh(vertices=vertices, indices=indices, mode="triangles")


def _stroke(points: list[float]) -> None:
    if len(points) >= 4:
        # Without joints: round ones would make thousands of readings into a hundred thousand triangles.
        Line(points=points, width=dp(1.1), joint="none", cap="none")


def _shape(zone: str | None, x: float, y: float, size: float, colour: Colour) -> None:
    """A reading as its zone's shape: circle, triangle, square; a halo lifts it off the line."""
    half = size / 2
    Color(*look.colour("surface"))
    Ellipse(pos=(x - half - dp(1.5), y - half - dp(1.5)), size=(size + dp(3), size + dp(3)), segments=24)
    Color(*colour)
    if zone == "yellow":
        Triangle(points=[x - half, y - half, x + half, y - half, x, y + half * 1.1])
    elif zone == "red":
        Rectangle(pos=(x - half, y - half), size=(size, size))
    else:
        Ellipse(pos=(x - half, y - half), size=(size, size), segments=24)


class DayBars(Chart):
    """One bar a day; a day without an entry has a faint dot, a zero has a flat line."""

    def __init__(self, **properties: object) -> None:
        self.bars: Sequence[DayBar] = ()
        self.highest = 1.0
        self.tone = "primary"
        super().__init__(**properties)

    def show(self, bars: Sequence[DayBar], axis: Sequence[AxisDay], highest: float, tone: str) -> None:
        """Takes a new series; the scale reaches at least to ``highest``."""
        self.bars, self.axis, self.tone, self.days = bars, axis, tone, max(len(bars), 1)
        self.highest = max([highest, *(bar.value for bar in bars if bar.value is not None)])
        self._touched = None
        self.redraw()

    def draw(self) -> None:
        """Ground line, highest value, bars."""
        height = self.top - dp(10) - self.bottom
        width = (self.x_of(1) - self.x_of(0)) * 0.66
        Color(*look.colour("line"))
        Line(points=[self.left, self.bottom, self.right - dp(6), self.bottom], width=1)
        self.text(f"{self.highest:g}", self.left - dp(6), self.bottom + height, anchor="right")
        self.text("0", self.left - dp(6), self.bottom, anchor="right")
        boxes: list[Box] = []
        for number, bar in enumerate(self.bars):
            middle = self.x_of(bar.at_day + 0.5)
            if bar.value is None:
                if self.days <= _SHAPES_UP_TO_DAYS:
                    Color(*look.colour("line"))
                    Ellipse(pos=(middle - dp(1.5), self.bottom + dp(4)), size=(dp(3), dp(3)))
                continue
            box = (middle - width / 2, self.bottom, width, max(height * bar.value / self.highest, dp(2)))
            if number == self._touched or self.days <= _SHAPES_UP_TO_DAYS:
                Color(*look.colour("ink" if number == self._touched else self.tone))
                RoundedRectangle(pos=box[:2], size=box[2:], radius=[min(width / 2, dp(4), box[3] / 2)])
            else:
                boxes.append(box)
        Color(*look.colour(self.tone))
        draw_boxes(boxes)

    def nearest(self, x: float) -> tuple[int, str] | None:
        """The day at that place."""
        if not self.bars:
            return None
        index = min(range(len(self.bars)), key=lambda one: abs(self.x_of(self.bars[one].at_day + 0.5) - x))
        return index, self.bars[index].words


class TriggerChart(Chart):
    """One row a trigger, one mark a day; the trigger's name stands above its row."""

    ROW_HEIGHT_DP = 40

    def __init__(self, **properties: object) -> None:
        self.rows: Sequence[TriggerRow] = ()
        self.marks: Sequence[TriggerDay] = ()
        super().__init__(size_hint_y=None, **properties)

    def show(self, rows: Sequence[TriggerRow], marks: Sequence[TriggerDay], days: int, axis: Sequence[AxisDay]) -> None:
        """Takes new rows; the height follows their number."""
        self.rows, self.marks, self.days, self.axis = rows, marks, days, axis
        scale = min(look.text_scale, 1.4)
        self.height = dp(self.ROW_HEIGHT_DP) * scale * len(rows) + dp(30) * scale if rows else 0
        self._touched = None
        self.redraw()

    def draw(self) -> None:
        """The rows from the top, each with a thin line and its marks."""
        row_height = dp(self.ROW_HEIGHT_DP) * min(look.text_scale, 1.4)
        width = min(max((self.x_of(1) - self.x_of(0)) * 0.7, dp(3)), dp(9))
        for number, row in enumerate(self.rows):
            base = self.top - (number + 1) * row_height + dp(8)
            self.text(row.words, self.left, base + row_height * 0.55, anchor="left", tone="ink")
            Color(*look.colour("line"))
            Line(points=[self.left, base, self.right - dp(6), base], width=1)
            Color(*look.colour("on_warm_soft"))
            draw_boxes([(self.x_of(day + 0.5) - width / 2, base, width, dp(11)) for day in row.days])
        if self._touched is not None and self._touched < len(self.marks):
            x = self.x_of(self.marks[self._touched].at_day + 0.5)
            Color(*look.colour("ink"))
            Line(points=[x, self.bottom, x, self.top], width=1)

    def nearest(self, x: float) -> tuple[int, str] | None:
        """The nearest day with a trigger."""
        if not self.marks:
            return None
        index = min(range(len(self.marks)), key=lambda one: abs(self.x_of(self.marks[one].at_day + 0.5) - x))
        return index, self.marks[index].words
