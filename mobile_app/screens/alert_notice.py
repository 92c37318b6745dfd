"""A warning on Today: an amber one can rest for some hours, a red one says why it cannot."""

from collections.abc import Callable

from mobile_app.locales import Wording
from mobile_app.state.snoozing import SNOOZE_HOURS, Snoozing
from mobile_app.state.today import News
from mobile_app.widgets.press import Choice, ChoiceGrid, PushButton
from mobile_app.widgets.surface import Column, Notice
from mobile_app.widgets.text import Words


class AlertNotice(Column):
    """``news`` with an alert. What was put off says so in the same place, with the way to take it back."""

    def __init__(self, news: News, alert_id: str, state: Snoozing, wording: Wording) -> None:
        super().__init__(spacing="8dp")
        self._alert_id = alert_id
        self._state = state
        self._wording = wording
        say = wording.say
        if news.tone == "red":
            text = f"{news.text}\n{say('alert_snooze.red_stays')}"
            self.add_widget(Notice(text=text, tone=news.tone, icon=news.icon))
            return
        until = state.rests_until(alert_id)
        if until is not None:
            text = f"{news.title}\n{say('alert_snooze.rests', until=until)}"
            self.add_widget(Notice(text=text, tone="primary", icon="bell-sleep-outline"))
            self._button("bell-ring-outline", say("alert_snooze.wake"), lambda: state.wake(alert_id))
        else:
            self.add_widget(Notice(text=news.text, tone=news.tone, icon=news.icon))
            if state.choosing == alert_id:
                self._choices()
            else:
                self._button("bell-sleep-outline", say("alert_snooze.later"), lambda: state.choose(alert_id))
        if state.asked_about == alert_id and state.busy:
            self.add_widget(Words(text=say("sharing.busy"), role="label", tone="soft"))
        elif state.asked_about == alert_id and state.problem:
            self.add_widget(Notice(text=state.problem, tone="yellow", icon="cloud-off-outline"))

    def _button(self, icon: str, label: str, press: Callable[[], None], kind: str = "soft") -> None:
        button = PushButton(kind=kind, icon=icon, label=label, enabled=not self._state.busy)
        button.bind(on_release=lambda _: press())
        self.add_widget(button)

    def _choices(self) -> None:
        say = self._wording.say
        self.add_widget(Words(text=say("alert_snooze.how_long"), role="label", tone="soft"))
        grid = ChoiceGrid(cols=2)
        for hours in SNOOZE_HOURS:
            choice = Choice(label=say("alert_snooze.hours", count=hours))
            choice.bind(on_release=lambda _, hours=hours: self._state.snooze(self._alert_id, hours))
            grid.add_widget(choice)
        self.add_widget(grid)
        self._button("", say("common.cancel"), lambda: self._state.choose(None), kind="quiet")
