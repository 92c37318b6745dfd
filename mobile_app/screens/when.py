"""Choosing when something happened: the day, then hour and minute, with large steps for one thumb."""

from datetime import timedelta

from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.state.when import When
from mobile_app.widgets import load_rules
from mobile_app.widgets.press import Choice, PushButton
from mobile_app.widgets.surface import Notice, Page


class WhenScreen(Page):
    """Shows ``state`` and hands it every step."""

    def __init__(self, state: When, wording: Wording, frame: Frame) -> None:
        super().__init__(title=wording.say("form.when"))
        self.state = state
        self.wording = wording
        self.frame = frame
        for text, minutes in (("-1 h", -60), ("-10 min", -10), ("+10 min", 10), ("+1 h", 60)):
            step = Choice(label=text)
            step.bind(on_release=lambda _, minutes=minutes: state.move(timedelta(minutes=minutes)))
            self.ids.steps.add_widget(step)
        self.ids.day_before.bind(on_release=lambda _: state.move_day(-1))
        self.ids.day_after.bind(on_release=lambda _: state.move_day(1))
        self.ids.now.bind(on_release=lambda _: state.now())
        self._take = PushButton(label=wording.say("common.done"))
        self._take.bind(on_release=lambda _: self._done())
        self.put_at_foot(self._take)
        state.on_change = self.fill
        self.fill()

    def fill(self) -> None:
        """Shows the chosen day and time."""
        self.ids.day.text = self.state.day_text
        self.ids.time.text = self.state.time_text
        self.ids.day_after.enabled = self.state.may_move_day(1)
        self.ids.problem.clear_widgets()
        if self.state.is_future:
            self.ids.problem.add_widget(Notice(text=self.wording.say("form.in_the_future"), tone="red"))
        self._take.enabled = not self.state.is_future

    def _done(self) -> None:
        self.state.take()
        self.frame.back()


load_rules(__file__)
