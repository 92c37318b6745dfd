"""Text and symbols."""

import re
from functools import lru_cache
from typing import Any

from kivy.core.text import Label as TextMeasure
from kivy.properties import BooleanProperty, ListProperty, NumericProperty, StringProperty
from kivy.uix.label import Label
from kivy.uix.widget import Widget
from kivymd.icon_definitions import md_icons

from mobile_app.theme import look
from mobile_app.widgets import load_rules

_MARKUP = re.compile(r"\[font=Icons\].*?\[/font\]|\[/?[a-z]+[^\]]*\]")
_LEAST_ROOM = 20
_SMALLEST_SHRINK = 0.5
# In steps, since every size of a font takes most of a megabyte and Kivy keeps up to 64 of them.
_SHRINK_STEP = 0.025
_LAYOUT_TRIGGERS = ("_trigger_layout", "_trigger_update_from_scroll")


@lru_cache(maxsize=2048)
def _width_of(word: str, font_name: str, font_size: float) -> float:
    return float(TextMeasure(font_name=font_name, font_size=font_size).get_extents(word)[0])


def _shrunk(widest: float, room: float) -> float:
    """How much smaller something is written that would be wider than its room."""
    steps = int(0.98 * room / widest / _SHRINK_STEP) if widest > room else round(1 / _SHRINK_STEP)
    return max(_SMALLEST_SHRINK, steps * _SHRINK_STEP)


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
    # Below 1 when the longest word would not fit: it is written smaller rather than broken in two.
    shrink = NumericProperty(1.0)

    def texture_update(self, *arguments: object) -> None:
        """Writes the words once they have their place: each width on the way there would be written for nothing, and
        each size on the way is a font that Kivy keeps open."""
        if self._is_being_laid_out():
            self._trigger_texture()
            return
        self._fit_longest_word()
        super().texture_update(*arguments)

    def _is_being_laid_out(self) -> bool:
        around = self.parent
        while isinstance(around, Widget):
            triggers = (getattr(around, name, None) for name in _LAYOUT_TRIGGERS)
            if any(getattr(trigger, "is_triggered", False) for trigger in triggers):
                return True
            around = around.parent
        return False

    def _fit_longest_word(self) -> None:
        room = self.width - 2 * self.inset
        if self.hugs or room < _LEAST_ROOM:
            return
        full_size = look.size(self.role)
        words = _MARKUP.sub(" ", self.text).split() if self.markup else self.text.split()
        # Most words are short enough by any measure; only the others are measured.
        doubtful = [word for word in words if len(word) * full_size > room]
        widest = max((_width_of(word, self.font_name, full_size) for word in doubtful), default=0.0)
        self.shrink = _shrunk(widest, room)

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


def lines_of(words: str, role: str, width: float, max_lines: int) -> tuple[str, ...]:
    """The words as lines that are no wider than the width; what is more than max_lines is cut with …"""
    return _lines(words, look.font(role), look.size(role), width, max_lines)


@lru_cache(maxsize=1024)
def _lines(words: str, font_name: str, font_size: float, width: float, max_lines: int) -> tuple[str, ...]:
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and _width_of(longer, font_name, font_size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) > max_lines:
        last = lines[max_lines - 1]
        while last and _width_of(f"{last}…", font_name, font_size) > width:
            last = last[:-1]
        lines[max_lines - 1 :] = [f"{last}…"]
    return tuple(lines)


def written(words: str, role: str, width: float = 0.0, max_lines: int = 1) -> Any:
    """A texture of words in a role, white; kept, since lists repeat themselves. ``width`` 0: as wide as the words.

    One line is written smaller rather than cut; several are wrapped. Uploading a new texture makes the GPU finish what
    it has begun, and a list that scrolls shows many texts at once.
    """
    if role == "icon":
        return _texture(words, "Icons", look.size("headline"), 1.0)
    font_name, font_size = look.font(role), look.size(role)
    if max_lines > 1:
        words = "\n".join(lines_of(words, role, width, max_lines))
    elif width:
        font_size *= _shrunk(_width_of(words, font_name, font_size), width)
    return _texture(words, font_name, font_size, look.line_height(role))


# By the size itself and not by the role: when the person chooses larger text, nothing is left of the smaller one.
@lru_cache(maxsize=128)
def _texture(words: str, font_name: str, font_size: float, line_height: float) -> Any:
    label = TextMeasure(text=words, font_name=font_name, font_size=font_size, line_height=line_height)
    label.refresh()
    return label.texture


load_rules(__file__)
