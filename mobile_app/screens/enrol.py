"""Joining the clinic."""

from collections.abc import Callable

from kivy.properties import BooleanProperty

from mobile_app.locales import Wording
from mobile_app.state.enrolment import Enrolment
from mobile_app.widgets import load_rules
from mobile_app.widgets.surface import Notice, Page


class EnrolScreen(Page):
    """Shows ``state`` and hands it what is typed."""

    from_camera = BooleanProperty(False)

    def __init__(self, state: Enrolment, wording: Wording, skip: Callable[[], None]) -> None:
        super().__init__(title=wording.say("enrol.page_title"))
        self.state = state
        self.wording = wording
        self.from_camera = bool(state.code)
        self.ids.code.ids.input.text = state.code
        self.ids.address.ids.input.text = state.address
        self.ids.code.ids.input.bind(text=lambda _, text: self._typed(code=text))
        self.ids.address.ids.input.bind(text=lambda _, text: self._typed(address=text))
        self.ids.submit.bind(on_release=lambda _: state.submit())
        self.ids.later.bind(on_release=lambda _: skip())
        state.on_change = self.fill
        self.fill()

    def _typed(self, **parts: str) -> None:
        for name, text in parts.items():
            setattr(self.state, name, text)

    def fill(self) -> None:
        """Shows how the attempt went."""
        self.ids.problem.clear_widgets()
        if self.state.problem:
            self.ids.problem.add_widget(Notice(text=self.state.problem, icon="alert-circle-outline", tone="red"))
        self.ids.submit.enabled = not self.state.busy
        self.ids.submit.label = self.wording.say("enrol.busy" if self.state.busy else "enrol.submit")


load_rules(__file__)
