"""The diary as a list by day."""

from typing import Any

from kivy.clock import Clock
from kivy.core.window import Window
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
from mobile_app.widgets.text import Words, lines_of, written
from mobile_app.widgets.zone_mark import SIGN, draw_shape

# How far from the end of the list older days are fetched, as a share of what is loaded.
_FETCH_BELOW = 0.25
_WORDS_FROM_DP = 58
_PADDING_DP = 16
_MOST_DETAIL_LINES = 3
# What a line of words takes, as a multiple of its size.
LINE = 1.36
# From this text size on the time would leave too little room beside it.
_TIME_ABOVE_FROM = 1.4


def _time_is_above() -> bool:
    return look.text_scale >= _TIME_ABOVE_FROM


def _room_for_words(width: float) -> float:
    """How wide an entry's words may be in a line of the list."""
    beside = 0.0 if _time_is_above() else written("00:00", "small").width + dp(10)
    return float(width - dp(_WORDS_FROM_DP) - dp(4) - beside)


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
            self._words(middle)

    def _words(self, middle: float) -> None:
        """Time, title and detail one above the other; at ordinary text the time stands at the right instead."""
        left, room = self.x + dp(_WORDS_FROM_DP), _room_for_words(self.width)
        time, title = written(self.time, "small"), written(self.text, "strong", room)
        parts = [(title, "ink")]
        if self.detail:
            tone = "on_red_soft" if self.status == "refused" else "soft"
            parts.insert(0, (written(self.detail, "small", room, _MOST_DETAIL_LINES), tone))
        if _time_is_above():
            parts.append((time, "soft"))
        else:
            self._put(time, "soft", self.right - dp(4) - time.width, middle - time.height / 2)
        base = middle - sum(texture.height for texture, _ in parts) / 2
        for texture, tone in parts:
            self._put(texture, tone, left, base)
            base += texture.height

    def _write(self, words: str, role: str, tone: str, x: float, y: float, side: float = 0.0) -> None:
        texture = written(words, role)
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
        room = _room_for_words(Window.width - dp(2 * _PADDING_DP))
        details = len(lines_of(line.detail, "small", room, _MOST_DETAIL_LINES)) if line.detail else 0
        return {
            "viewclass": "EntryLine",
            "text": line.text,
            "detail": line.detail,
            "time": line.time,
            "icon": line.icon,
            "zone": line.zone,
            "status": line.status,
            "open": lambda: self.frame.go("entry", entry=entry),
            "height": LINE * (look.size("strong") + look.size("small") * (details + _time_is_above())) + dp(20),
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
