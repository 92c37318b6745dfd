"""The frame around all screens: what is shown, the way back, the tabs, and the line of words after a tap."""

from collections.abc import Callable, Mapping
from typing import Any

from kivy.animation import Animation
from kivy.metrics import dp
from kivy.properties import BooleanProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.floatlayout import FloatLayout

from mobile_app.locales import Wording
from mobile_app.theme import look
from mobile_app.widgets import load_rules
from mobile_app.widgets.press import Pressable
from mobile_app.widgets.surface import Page, Toast

TABS = {
    "today": "home-heart",
    "diary": "notebook-outline",
    "trends": "chart-line",
    "plan": "clipboard-check-outline",
    "more": "dots-horizontal",
}


class Tab(Pressable, BoxLayout):
    """One way in the bar at the foot."""

    label = StringProperty("")
    icon = StringProperty("")
    chosen = BooleanProperty(False)


class Frame(FloatLayout):
    """Shows one page at a time. ``routes`` builds a page by name; pages reach everything through this frame."""

    def __init__(self, wording: Wording, routes: Mapping[str, Callable[..., Page]]) -> None:
        super().__init__()
        self._wording = wording
        self._routes = routes
        self._stack: list[tuple[str, Page, dict[str, Any]]] = []
        self._toast: Toast | None = None
        for name, icon in TABS.items():
            tab = Tab(label=wording.say(f"navigation.{name}"), icon=icon)
            tab.bind(on_release=lambda _, name=name: self.go(name))
            self.ids.tabs.add_widget(tab)

    @property
    def page(self) -> Page:
        """The page in view."""
        return self._stack[-1][1]

    @property
    def page_name(self) -> str:
        """The name of the page in view."""
        return self._stack[-1][0]

    @property
    def page_arguments(self) -> dict[str, Any]:
        """What the page in view was asked for with."""
        return self._stack[-1][2]

    @property
    def depth(self) -> int:
        """How many pages lie on each other; 1 means that back leaves the app."""
        return len(self._stack)

    def go(self, name: str, **arguments: Any) -> None:
        """Shows a page; a tab begins anew, anything else lies on top."""
        if name in TABS:
            if self._stack and self.page_name == name:
                return
            self._stack.clear()
        page = self._routes[name](**arguments)
        page.on_back = self.back
        page.on_help = lambda: self.go("emergency")
        self._stack.append((name, page, arguments))
        self._show()

    def back(self) -> bool:
        """Shows the page below; False when there is none."""
        if len(self._stack) < 2:
            if self._stack and self.page_name not in TABS and self.page.can_go_back:
                self.go("today")
                return True
            return False
        self._stack.pop()
        self._show()
        return True

    def start_at(self, name: str, **arguments: Any) -> None:
        """Forgets the way here and shows a page."""
        self._stack.clear()
        self.go(name, **arguments)

    def _show(self) -> None:
        name, page, _ = self._stack[-1]
        page.can_go_back = len(self._stack) > 1
        place = self.ids.place
        place.clear_widgets()
        place.add_widget(page)
        is_tab = name in TABS
        self.ids.tabs.height = dp(64) if is_tab else 0
        self.ids.tabs.opacity = 1 if is_tab else 0
        self.ids.tabs.disabled = not is_tab
        for tab, tab_name in zip(reversed(self.ids.tabs.children), TABS, strict=True):
            tab.chosen = tab_name == name
        page.shown()
        page.opacity = 0 if look.seconds else 1
        Animation(opacity=1, duration=look.seconds).start(page)

    def toast(self, text: str, undo: Callable[[], None] | None = None) -> None:
        """Says what was done, with a way to take it back."""
        if self._toast is not None:
            self._toast.leave()
        self._toast = Toast(undo, text=text, undo_text=self._wording.say("common.undo") if undo else "")
        self.add_widget(self._toast)
        self._place_toast()

    def _place_toast(self) -> None:
        if self._toast is not None:
            self._toast.x = dp(12)
            self._toast.y = self.ids.tabs.height + self.page.ids.foot.height + dp(12)


load_rules(__file__)
