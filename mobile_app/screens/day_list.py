"""The diary as a list by day."""

from kivy.properties import ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.recycleview import RecycleView
from kivy.uix.recycleview.views import RecycleDataViewBehavior

from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.state.day_list import DayLine, DayList
from mobile_app.theme import look
from mobile_app.widgets import load_rules
from mobile_app.widgets.press import Pressable, PushButton
from mobile_app.widgets.surface import Card, Notice, Page
from mobile_app.widgets.text import Words

# How far from the end of the list older days are fetched, as a share of what is loaded.
_FETCH_BELOW = 0.25


class DayHeading(RecycleDataViewBehavior, BoxLayout):
    """A day's name."""

    text = StringProperty("")


class EntryLine(RecycleDataViewBehavior, Pressable, BoxLayout):
    """One entry; a tap opens it for correction."""

    text = StringProperty("")
    detail = StringProperty("")
    time = StringProperty("")
    icon = StringProperty("")
    zone = StringProperty("")
    status = StringProperty("")
    open = ObjectProperty(None, allownone=True)

    def on_release(self) -> None:
        """Opens the entry."""
        if self.open is not None:
            self.open()


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
            return {"viewclass": "DayHeading", "text": line.text, "height": look.size("label") * 1.2 + 28}
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
            "height": look.size("strong") * 1.3 + (look.size("small") * 2.6 if line.detail else 0) + 32,
        }

    def _scrolled(self, _: object, scroll_y: float) -> None:
        if scroll_y < _FETCH_BELOW:
            self.state.more()


class EntryScreen(Page):
    """An entry that is read and not corrected here, for instance answers to a control check."""

    def __init__(self, words: tuple[str, str], wording: Wording) -> None:
        super().__init__(title=wording.say("day_list.title"))
        card = Card()
        card.add_widget(Words(text=words[0], role="title"))
        if words[1]:
            card.add_widget(Words(text=words[1]))
        self.add_widget(card)


load_rules(__file__)
