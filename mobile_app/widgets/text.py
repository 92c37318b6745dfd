"""Text and symbols."""

from kivy.properties import BooleanProperty, ListProperty, NumericProperty, StringProperty
from kivy.uix.label import Label
from kivymd.icon_definitions import md_icons

from mobile_app.widgets import load_rules


class Words(Label):
    """Text in a role of the type scale. It wraps to its width and is as high as its lines."""

    role = StringProperty("body")
    tone = StringProperty("ink")
    # Space around the text, for widgets that are a text on a ground.
    inset = NumericProperty(0)
    extra_height = NumericProperty(0)
    least_height = NumericProperty(0)
    # As wide as the words on one line, instead of wrapping.
    hugs = BooleanProperty(False)
    least_width = NumericProperty(0)

    def wanted_width(self, texture_width: float) -> float:
        """The width of a text that hugs its words."""
        return float(max(self.least_width, texture_width + 2 * self.inset))

    def on_texture_size(self, _: object, texture_size: tuple[float, float]) -> None:
        """Follows the words when hugging them."""
        if self.hugs:
            self.width = self.wanted_width(texture_size[0])

    def on_hugs(self, *_: object) -> None:
        """A text that hugs its words has a width of its own."""
        self.size_hint_x = None if self.hugs else 1


class ShortWords(Words):
    """Text on one line that is as wide as its words."""


class Symbol(Label):
    """One Material Design icon."""

    icon = StringProperty("")
    tone = StringProperty("ink")
    role = StringProperty("headline")
    tint = ListProperty(None, allownone=True)

    def glyph(self, icon: str) -> str:
        """The character of an icon by its Material Design name."""
        return md_icons[icon] if icon else ""


load_rules(__file__)
