"""The diary as a list by day."""

from typing import Any

from kivy.clock import Clock
from kivy.graphics import Color, Line, Rectangle, RoundedRectangle
from kivy.metrics import dp
from kivy.properties import ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.recycleview import RecycleView
from kivy.uix.recycleview.views import RecycleDataViewBehavior
from kivy.uix.widget import Widget
from kivymd.icon_definitions import md_icons

from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.state.day_list import DayLine, DayList
from mobile_app.theme import look
from mobile_app.widgets import load_rules
from mobile_app.widgets.press import Pressable, PushButton
from mobile_app.widgets.surface import Card, Notice, Page
from mobile_app.widgets.text import Words, written
from mobile_app.widgets.zone_mark import SIGN, draw_shape

# How far from the end of the list older days are fetched, as a share of what is loaded.
_FETCH_BELOW = 0.25


class DayHeading(RecycleDataViewBehavior, BoxLayout):
    """A day's name."""

    text = StringProperty("")


class EntryLine(RecycleDataViewBehavior, Pressable, Widget):
    """One entry; a tap opens it for correction.

    It draws itself, because ten years of entries must scroll: one canvas instead of a dozen widgets.
    """

    text = StringProperty("")
    detail = StringProperty("")
    time = StringProperty("")
    icon = StringProperty("")
    zone = StringProperty("")
    status = StringProperty("")
    open = ObjectProperty(None, allownone=True)

    def __init__(self, **properties: object) -> None:
        super().__init__(**properties)
        draw = Clock.create_trigger(self._draw)
        self.bind(pos=draw, size=draw, text=draw, detail=draw, time=draw, icon=draw, zone=draw, state=draw)

    def on_release(self) -> None:
        """Opens the entry."""
        if self.open is not None:
            self.open()

    def _draw(self, *_: object) -> None:
        middle = self.y + self.height / 2
        self.canvas.clear()
        with self.canvas:
            if self.state == "down":
                Color(*look.colour("sunken"))
                RoundedRectangle(pos=self.pos, size=self.size, radius=[dp(16)])
            # A hairline, not a card: a filled ground for every row triples what a frame has to paint.
            Color(*look.colour("line"))
            Line(points=[self.x + dp(58), self.y, self.x + self.width, self.y], width=1)
            if self.zone:
                draw_shape(self.zone, self.x + dp(25), middle, dp(28))
                self._write(md_icons[SIGN[self.zone]], "icon", f"on_{self.zone}", self.x + dp(25), middle, side=dp(15))
            else:
                self._write(md_icons[self.icon or "circle-medium"], "icon", "primary", self.x + dp(25), middle)
            time = written(self.time, "small", 0.0)
            right = self.x + self.width - dp(4)
            self._put(time, "soft", right - time.width, middle - time.height / 2)
            self._words(right - time.width - dp(10), middle)

    def _words(self, right: float, middle: float) -> None:
        left = self.x + dp(58)
        title = written(self.text, "strong", right - left)
        if not self.detail:
            self._put(title, "ink", left, middle - title.height / 2)
            return
        detail = written(self.detail, "small", right - left, 2)
        base = middle - (title.height + detail.height) / 2
        self._put(detail, "on_red_soft" if self.status == "refused" else "soft", left, base)
        self._put(title, "ink", left, base + detail.height)

    def _write(self, words: str, role: str, tone: str, x: float, y: float, side: float = 0.0) -> None:
        texture = written(words, role, 0.0)
        width, height = (side, side) if side else texture.size
        Color(*look.colour(tone))
        Rectangle(texture=texture, pos=(x - width / 2, y - height / 2), size=(width, height))

    def _put(self, texture: Any, tone: str, x: float, y: float) -> None:
        Color(*look.colour(tone))
        Rectangle(texture=texture, pos=(x, y), size=texture.size)


class DayListView(RecycleView):
    """The recycled list."""


class DayListScreen(Page):
    """Shows ``state`` in a recycled list."""

    def __init__(self, state: DayList, wording: Wording, frame: Frame) -> None:
        super().__init__(title=wording.say("day_list.title"))
        self.state = state
        self.wording = wording
        self.frame = frame
        self._list = DayListView()
        self._list.bind(scroll_y=self._scrolled)
        self._empty = Notice(text=wording.say("day_list.empty"), tone="primary", icon="notebook-outline")
        self.ids.body.add_widget(self._empty)
        add = PushButton(icon="plus", label=wording.say("day_list.add"))
        add.bind(on_release=lambda _: frame.go("add"))
        self.put_at_foot(add)
        state.on_change = self.fill

    def shown(self) -> None:
        """Reads the list anew."""
        self.state.refresh()

    def fill(self) -> None:
        """Hands the lines to the list."""
        if self.state.lines and self._list.parent is None:
            place = self.children.index(self.ids.scroll)
            self.remove_widget(self.ids.scroll)
            self.place_in_frame(self._list, place)
        self._list.data = [self._row(line) for line in self.state.lines]

    def _row(self, line: DayLine) -> dict[str, object]:
        if line.entry is None:
            return {"viewclass": "DayHeading", "text": line.text, "height": look.size("label") * 1.2 + dp(30)}
        entry = line.entry
        return {
            "viewclass": "EntryLine",
            "text": line.text,
            "detail": line.detail,
            "time": line.time,
            "icon": line.icon,
            "zone": line.zone,
            "status": line.status,
            "open": lambda: self.frame.go("entry", entry=entry),
            "height": look.size("strong") * 1.3 + (look.size("small") * 2.6 if line.detail else 0) + dp(22),
        }

    def _scrolled(self, _: object, scroll_y: float) -> None:
        if scroll_y < _FETCH_BELOW:
            self.state.more()


class EntryScreen(Page):
    """An entry that is read and not corrected here, for instance answers to a control check."""

    def __init__(self, words: tuple[str, str], why_not: str, wording: Wording) -> None:
        super().__init__(title=wording.say("day_list.title"))
        card = Card()
        card.add_widget(Words(text=words[0], role="title"))
        if words[1]:
            card.add_widget(Words(text=words[1]))
        self.add_widget(card)
        if why_not:
            self.add_widget(Notice(text=why_not, tone="primary", icon="account-heart-outline"))


load_rules(__file__)
