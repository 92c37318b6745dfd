"""A QR code on the canvas: dark on white whatever the look, since cameras expect it so."""

from kivy.graphics import Color, RoundedRectangle
from kivy.metrics import dp
from kivy.properties import StringProperty
from kivy.uix.widget import Widget

from mobile_app.widgets.chart import draw_boxes

_QUIET_MODULES = 4


class QrCode(Widget):
    """Shows ``text`` as a QR code, as large as the widget is wide."""

    text = StringProperty("")

    def __init__(self, **properties: object) -> None:
        super().__init__(size_hint_y=None, **properties)
        self.bind(pos=self._draw, size=self._draw, text=self._draw)

    def on_width(self, _: object, width: float) -> None:
        """A square that leaves room on the page."""
        self.height = min(width, dp(260))

    def _draw(self, *_: object) -> None:
        # Loaded when a code is shown, not with the app.
        import segno

        self.canvas.clear()
        if not self.text or self.width < dp(60):
            return
        rows = [list(row) for row in segno.make(self.text, error="m", micro=False).matrix]
        side = self.height
        module = side / (len(rows) + 2 * _QUIET_MODULES)
        left, top = self.center_x - side / 2, self.top
        with self.canvas:
            Color(1, 1, 1, 1)
            RoundedRectangle(pos=(left, top - side), size=(side, side), radius=[dp(12)])
            Color(0, 0, 0, 1)
            draw_boxes(
                [
                    (
                        left + (column + _QUIET_MODULES) * module,
                        top - (row + _QUIET_MODULES + 1) * module,
                        module,
                        module,
                    )
                    for row, dark in enumerate(rows)
                    for column, is_dark in enumerate(dark)
                    if is_dark
                ]
            )
