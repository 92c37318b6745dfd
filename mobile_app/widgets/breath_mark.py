"""Soom's mark: three soft rings like a breath going out."""

from kivy.graphics import Color, Ellipse
from kivy.uix.widget import Widget

from mobile_app.theme import look


class BreathMark(Widget):
    """Drawn in the middle of its box."""

    def __init__(self, **properties: object) -> None:
        super().__init__(**properties)
        self.bind(pos=self._draw, size=self._draw)

    def _draw(self, *_: object) -> None:
        side = min(self.width, self.height)
        x, y = self.center
        self.canvas.clear()
        with self.canvas:
            for share, tone in ((1.0, "warm_soft"), (0.72, "primary_soft"), (0.42, "primary")):
                Color(*look.colour(tone))
                Ellipse(
                    pos=(x - side * share / 2, y - side * share / 2), size=(side * share, side * share), segments=96
                )
