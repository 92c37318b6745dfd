"""A hand and an eye for the app: touches what a person would touch, waits for what they would wait for, photographs."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kivy.base import EventLoop
from kivy.clock import Clock
from kivy.graphics import ClearBuffers, ClearColor, Fbo, Scale, Translate
from kivy.lang import Builder
from kivy.tests.common import UnitTestTouch
from kivy.uix.recycleview import RecycleView
from kivy.uix.scrollview import ScrollView
from kivy.uix.widget import Widget

from mobile_app.app import SoomApp
from mobile_app.theme import look

# SOOM_PHOTOS=1 fills tests/output/phone.
WANTS_PHOTOS = os.environ.get("SOOM_PHOTOS") == "1"
PHOTOS = Path(__file__).parents[2] / "output" / "phone"


class NotInView(AssertionError):
    """Nothing in view shows those words."""


class Hand:
    """Drives one running app."""

    def __init__(self, app: SoomApp) -> None:
        self.app = app

    def show(self, name: str) -> None:
        """Goes to a page by its name, where the way there is not what is tested."""
        assert self.app.frame is not None
        self.app.frame.go(name)
        self.frames(4)

    def frames(self, count: int = 3) -> None:
        """Lets so many frames pass."""
        for _ in range(count):
            _pass_a_frame()

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
        """Lets frames pass until the condition holds."""
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, f"never happened: {what}"
            _pass_a_frame()
            # Drawing holds the interpreter for most of a frame; a server in this process needs its turn.
            time.sleep(0.05)
        self.frames()

    def everything(self) -> Iterator[Widget]:
        """Every widget on the screen, topmost last."""
        yield from _walk(self.app.place)

    def words(self) -> list[str]:
        """Everything that can be read."""
        return [w.text for w in self.everything() if getattr(w, "text", "") and is_seen(w)]

    def sees(self, words: str) -> bool:
        """Whether those words stand somewhere on the page, scrolled to or not."""
        return any(words in text for text in self.words())

    def find(self, words: str) -> Any:
        """The widget with that label or text. Raises NotInView."""
        exact, partial = [], []
        for widget in self.everything():
            if not is_seen(widget):
                continue
            for text in (getattr(widget, "label", ""), getattr(widget, "text", "")):
                if text == words:
                    exact.append(widget)
                elif isinstance(text, str) and words in text:
                    partial.append(widget)
        found = exact or partial
        if not found:
            raise NotInView(f"{words!r} is not among {self.words()}")
        return found[0]

    def tap(self, words: str) -> None:
        """Scrolls to the words and touches them."""
        self.tap_widget(self.find(words))

    def tap_widget(self, widget: Any) -> None:
        """Scrolls to a widget and touches its middle."""
        self.scroll_to(widget)
        x, y = widget.to_window(*widget.center)
        self.touch(x, y)

    def touch(self, x: float, y: float) -> None:
        """One short touch."""
        touch = UnitTestTouch(x, y)
        touch.touch_down()
        _pass_a_frame()
        touch.touch_up()
        self.frames(4)

    def scroll_to(self, widget: Any) -> None:
        """Brings a widget into view as a scroll would."""
        above = widget.parent
        while above is not None and above is not above.parent:
            if isinstance(above, RecycleView):
                return
            if isinstance(above, ScrollView):
                if above.children[0].height <= above.height:
                    return
                above.scroll_to(widget, padding=20, animate=False)
                self.frames(3)
                return
            above = above.parent

    def type(self, field_label: str, text: str) -> None:
        """Types into the field with that label."""
        field = next(w for w in self.everything() if getattr(w, "label", None) == field_label and "input" in w.ids)
        self.tap_widget(field.ids.input)
        field.ids.input.insert_text(text)
        field.ids.input.focus = False
        self.frames()

    def photo(self, name: str) -> None:
        """Photographs the window, when photographs are wanted: Mesa needs a fifth of a second for each."""
        if not WANTS_PHOTOS:
            return
        self.wait_for(lambda: self.app.frame is not None and self.app.frame.page.opacity == 1, "the page is in view")
        file = PHOTOS / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        self.frames(8)
        _draw_on_paper(self.app.place, file)

    def tall_photo(self, name: str) -> None:
        """Photographs the page as far as it scrolls, one window at a time."""
        self.photo(name)
        if not WANTS_PHOTOS:
            return
        scrolls = [w for w in self.everything() if isinstance(w, ScrollView)]
        if not scrolls:
            return
        scroll = scrolls[0]
        content = scroll.children[0].height
        number = 2
        position = 0.0
        while position + scroll.height < content - 4 and number < 6:
            position = min(position + scroll.height * 0.9, content - scroll.height)
            scroll.scroll_y = 1 - position / (content - scroll.height)
            self.photo(f"{name}_{number}")
            number += 1
        scroll.scroll_y = 1
        self.frames()


def _draw_on_paper(place: Any, file: Path) -> None:
    """What Widget.export_to_png does, but on the window's own colour: on nothing, every blend would come out wrong."""
    above = place.parent.canvas if place.parent is not None else None
    position = above.indexof(place.canvas) if above is not None else -1
    if above is not None:
        above.remove(place.canvas)
    paper = Fbo(size=place.size, with_stencilbuffer=True)
    with paper:
        ClearColor(*look.colour("paper"))
        ClearBuffers()
        Scale(1, -1, 1)
        Translate(-place.x, -place.y - place.height, 0)
    paper.add(place.canvas)
    paper.draw()
    paper.texture.save(str(file), flipped=False)
    paper.remove(place.canvas)
    if above is not None:
        above.insert(position, place.canvas)


def _pass_a_frame() -> None:
    """What EventLoop.idle does, but for drawing: photographs draw for themselves, and Mesa draws slowly."""
    Clock.tick()
    EventLoop.dispatch_input()
    Builder.sync()
    Clock.tick_draw()
    Builder.sync()


def _walk(widget: Widget) -> Iterator[Widget]:
    yield widget
    for child in reversed(widget.children):
        yield from _walk(child)


def is_seen(widget: Any) -> bool:
    """Whether neither it nor anything around it is hidden or switched off."""
    above = widget
    while above is not None and above is not above.parent:
        if above.opacity == 0 or getattr(above, "disabled", False):
            return False
        above = above.parent
    return True
