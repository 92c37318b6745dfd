"""The zone as a shape: circle, triangle, octagon, each with its own sign, so that colour is never needed."""

from math import cos, pi, sin

from kivy.clock import Clock
from kivy.graphics import Color, Ellipse, Line, Mesh
from kivy.properties import StringProperty
from kivy.uix.anchorlayout import AnchorLayout

from mobile_app.theme import look
from mobile_app.widgets.text import Symbol

SIGN = {"green": "check-bold", "yellow": "exclamation-thick", "red": "hand-back-left", "none": "help"}
# Angles of the corners from the centre, in turns of a circle.
_CORNERS = {"yellow": [(1 / 4 + number / 3) for number in range(3)], "red": [(1 / 16 + n / 8) for n in range(8)]}


class ZoneMark(AnchorLayout):
    """The shape of a zone: green, yellow, red, or none for not known."""

    zone = StringProperty("none")

    def __init__(self, **properties: object) -> None:
        super().__init__(**properties)
        self._symbol = Symbol(tone="on_none")
        self.add_widget(self._symbol)
        draw = Clock.create_trigger(self._draw)
        self.bind(pos=draw, size=draw, zone=draw)
        draw()

    def _draw(self, *_: object) -> None:
        side = min(self.width, self.height)
        middle_x, middle_y = self.center
        self._symbol.icon = SIGN[self.zone]
        self._symbol.tint = look.colour("soft" if self.zone == "none" else f"on_{self.zone}")
        # In a triangle the middle of the area lies below the middle of the box.
        self.padding = [0, side * 0.22, 0, 0] if self.zone == "yellow" else [0, 0, 0, 0]
        self._symbol.font_size = side * (0.46 if self.zone == "yellow" else 0.5)
        self.canvas.before.clear()
        with self.canvas.before:
            draw_shape(self.zone, middle_x, middle_y, side)


def draw_shape(zone: str, middle_x: float, middle_y: float, side: float) -> None:
    """Draws a zone's shape into the canvas that is open."""
    if zone == "none":
        Color(*look.colour("none"))
        Line(circle=(middle_x, middle_y, side * 0.46), width=1.4, dash_offset=4, dash_length=5)
    elif zone == "green":
        Color(*look.colour("green"))
        Ellipse(pos=(middle_x - side / 2, middle_y - side / 2), size=(side, side), segments=96 if side > 60 else 36)
    else:
        Color(*look.colour(zone))
        radius = side * (0.60 if zone == "yellow" else 0.53)
        lift = -side * 0.12 if zone == "yellow" else 0
        _polygon(middle_x, middle_y + lift, radius, _CORNERS[zone])


def _polygon(middle_x: float, middle_y: float, radius: float, corners: list[float]) -> None:
    points = [(middle_x + radius * cos(2 * pi * turn), middle_y + radius * sin(2 * pi * turn)) for turn in corners]
    vertices = [value for x, y in points for value in (x, y, 0, 0)]
    Mesh(vertices=vertices, indices=list(range(len(points))), mode="triangle_fan")
    outline = [value for point in points for value in point]
    # A stroke of the same colour rounds the corners and smooths the edge.
    Line(points=outline, width=radius * 0.07, close=True, joint="round")
