"""Everything that is pressed. Targets are at least 48 dp high and wide."""

from kivy.clock import Clock
from kivy.metrics import dp
from kivy.properties import BooleanProperty, StringProperty
from kivy.uix.anchorlayout import AnchorLayout
from kivy.uix.behaviors import ButtonBehavior
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.gridlayout import GridLayout
from kivy.utils import escape_markup
from kivymd.icon_definitions import md_icons

from mobile_app.widgets import load_rules
from mobile_app.widgets.text import Words


class Pressable(ButtonBehavior):
    """A press is seen at once: the ground darkens while the finger is down."""

    enabled = BooleanProperty(True)
    is_shown = BooleanProperty(True)

    def on_touch_down(self, touch: object) -> bool:
        """Ignores touches while switched off or not shown."""
        return bool(self.enabled and self.is_shown and super().on_touch_down(touch))


class PushButton(Pressable, Words):
    """A button with words, and a symbol if there is one. ``kind`` is a key of GROUND."""

    label = StringProperty("")
    icon = StringProperty("")
    kind = StringProperty("main")

    GROUND = {  # noqa: RUF012
        "main": "primary",
        "soft": "primary_soft",
        "quiet": None,
        "danger": "red",
        "danger_soft": "red_soft",
        "warm": "warm_soft",
    }
    TONE = {  # noqa: RUF012
        "main": "on_primary",
        "soft": "on_primary_soft",
        "quiet": "primary",
        "danger": "on_red",
        "danger_soft": "on_red_soft",
        "warm": "on_warm_soft",
    }

    def with_icon(self, icon: str, label: str) -> str:
        """The markup of symbol and words in one line, so that both wrap and centre together."""
        words: str = escape_markup(label)
        if not icon:
            return words
        symbol = f"[font=Icons]{md_icons[icon]}[/font]"
        return f"{symbol}  {words}" if words else symbol


class IconButton(Pressable, AnchorLayout):
    """A symbol to press; ``label`` says what it does."""

    icon = StringProperty("")
    label = StringProperty("")
    tone = StringProperty("ink")
    ground = StringProperty("")


class Choice(Pressable, Words):
    """One of several answers side by side; the chosen one has a tick as well as a colour."""

    label = StringProperty("")
    chosen = BooleanProperty(False)
    # Off where space is short and dark on light tells enough.
    ticks = BooleanProperty(True)

    def marked(self, label: str, ticked: bool) -> str:
        """The words, with a tick when chosen."""
        words: str = escape_markup(label)
        return f"[font=Icons]{md_icons['check']}[/font] {words}" if ticked else words


class ChoiceGrid(GridLayout):
    """Choices side by side. Those of one row are equally high, however many lines the longest needs."""

    def __init__(self, **properties: object) -> None:
        super().__init__(**properties)
        # Once a frame, when all texts have settled.
        self._level = Clock.create_trigger(self._level_rows)
        self.bind(cols=self._level)

    def add_widget(self, widget: Words, *arguments: object, **keywords: object) -> None:
        """Adds a choice."""
        super().add_widget(widget, *arguments, **keywords)
        widget.bind(texture_size=self._level)
        self._level()

    def _level_rows(self, *_: object) -> None:
        choices = self.children[::-1]
        for start in range(0, len(choices), self.cols or 1):
            row = choices[start : start + (self.cols or 1)]
            highest = max(dp(48), *(choice.texture_size[1] + choice.extra_height for choice in row))
            for choice in row:
                choice.least_height = highest


class ChoiceRow(Pressable, BoxLayout):
    """One answer over the whole width, with a box that is ticked."""

    label = StringProperty("")
    detail = StringProperty("")
    chosen = BooleanProperty(False)
    is_danger = BooleanProperty(False)


class Tile(Pressable, BoxLayout):
    """A large way to something that is done often."""

    label = StringProperty("")
    icon = StringProperty("")
    ground = StringProperty("primary_soft")
    tone = StringProperty("on_primary_soft")


class RowLink(Pressable, BoxLayout):
    """A line that leads somewhere, with a chevron."""

    label = StringProperty("")
    detail = StringProperty("")
    icon = StringProperty("")


class Digit(Pressable, Words):
    """One key of the number pad."""

    label = StringProperty("")
    icon = StringProperty("")


load_rules(__file__)
