"""Help now: one hand, huge words, the number first."""

from kivy.clock import Clock

from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.state.emergency import Emergency
from mobile_app.widgets import load_rules
from mobile_app.widgets.press import PushButton
from mobile_app.widgets.surface import Page, Row
from mobile_app.widgets.text import Words


class EmergencyScreen(Page):
    """Shows ``state``; the timer ticks while the page is in view."""

    def __init__(self, state: Emergency, wording: Wording, frame: Frame) -> None:
        super().__init__(title=wording.say("emergency.title"), has_help=False)
        self.state = state
        self.wording = wording
        self.frame = frame
        self.ids.call.label = wording.say("emergency.call", number=state.number)
        self.ids.call.bind(on_release=lambda _: self._call())
        self.ids.steps_title.text = state.steps_title
        steps = state.steps
        for number, step in enumerate(steps, start=1):
            line = Row(spacing="14dp")
            line.add_widget(Words(text=str(number), role="headline", tone="red", size_hint_x=None, width="34dp"))
            line.add_widget(Words(text=step, role="title"))
            for part in line.children:
                part.pos_hint = {"top": 1}
            self.ids.steps.add_widget(line)
        for name, phone in state.contacts:
            button = PushButton(kind="soft", icon="phone", label=f"{name} · {phone}")
            button.bind(on_release=lambda _, phone=phone: self._call_contact(phone))
            self.ids.contacts.add_widget(button)
        self._puff = PushButton(kind="danger", icon="weather-windy", label=wording.say("emergency.took_puff"))
        self._puff.bind(on_release=lambda _: state.took_puff())
        self.put_at_foot(self._puff)
        state.on_change = self.fill
        self._tick = Clock.schedule_interval(lambda _: self.fill(), 1)
        self.bind(parent=self._leave)
        self.fill()

    def _leave(self, _: object, parent: object) -> None:
        if parent is None:
            self._tick.cancel()

    def shown(self) -> None:
        """Lets the timer tick again."""
        self._tick()

    def fill(self) -> None:
        """Shows the timer."""
        self.ids.timer.text = self.state.timer_text

    def _call(self) -> None:
        if not self.state.call():
            self.frame.toast(self.wording.say("emergency.dial_yourself", number=self.state.number))

    def _call_contact(self, number: str) -> None:
        if not self.state.call_contact(number):
            self.frame.toast(self.wording.say("emergency.dial_yourself", number=number))


load_rules(__file__)
