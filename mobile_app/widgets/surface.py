"""Cards, pages, notices and the line of words that appears after a tap."""

from collections.abc import Callable

from kivy.animation import Animation
from kivy.clock import Clock
from kivy.properties import BooleanProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from mobile_app.theme import look
from mobile_app.widgets import load_rules
from mobile_app.widgets.press import PushButton


class Column(BoxLayout):
    """Children one under the other, as high as they need."""


class Row(BoxLayout):
    """Children side by side, as high as the highest."""


class Card(Column):
    """A rounded ground for what belongs together. ``ground`` is a colour of the palette."""

    ground = StringProperty("surface")


class Notice(BoxLayout):
    """A sentence that matters, with its symbol. ``tone`` is warm, primary, green, yellow, red or none."""

    text = StringProperty("")
    icon = StringProperty("information-outline")
    tone = StringProperty("warm")


_FRAME_PARTS = 3


class HelpButton(PushButton):
    """The way to the emergency page, on every page."""


class Page(BoxLayout):
    """A screen's frame: a head with title and the way to help, a body that scrolls, a foot for the thumb."""

    title = StringProperty("")
    can_go_back = BooleanProperty(False)
    has_help = BooleanProperty(True)
    on_back = ObjectProperty(None, allownone=True)
    on_help = ObjectProperty(None, allownone=True)

    def add_widget(self, widget: object, *arguments: object, **keywords: object) -> None:
        """The first three children are the frame itself; everything later goes into the body."""
        if len(self.children) >= _FRAME_PARTS:
            self.ids.body.add_widget(widget)
        else:
            super().add_widget(widget, *arguments, **keywords)

    def place_in_frame(self, widget: object, index: int) -> None:
        """Puts a widget into the frame itself, for instance a list that scrolls by its own."""
        super().add_widget(widget, index=index)

    def put_at_foot(self, widget: object) -> None:
        """Adds to the foot, which stays in reach while the body scrolls."""
        self.ids.foot.add_widget(widget)

    def shown(self) -> None:
        """Called each time the page comes into view; pages with state read it anew."""

    def help_pressed(self) -> None:
        """The way to the emergency page."""
        if self.on_help is not None:
            self.on_help()

    def back_pressed(self) -> None:
        """The way back."""
        if self.on_back is not None:
            self.on_back()


class Toast(BoxLayout):
    """What was just done, with a way to take it back, for a few seconds."""

    text = StringProperty("")
    undo_text = StringProperty("")
    STAYS_SECONDS = 8.0

    def __init__(self, undo: Callable[[], None] | None, **properties: object) -> None:
        super().__init__(**properties)
        self._undo = undo
        if undo is None:
            self.remove_widget(self.ids.undo)
        self.opacity = 0
        Animation(opacity=1, duration=look.seconds).start(self)
        self._leaving = Clock.schedule_once(lambda _: self.leave(), self.STAYS_SECONDS)

    def leave(self) -> None:
        """Goes away."""
        self._leaving.cancel()
        if self.parent is not None:
            self.parent.remove_widget(self)

    def take_back(self) -> None:
        """Undoes and goes away."""
        if self._undo is not None:
            self._undo()
        self.leave()


load_rules(__file__)
