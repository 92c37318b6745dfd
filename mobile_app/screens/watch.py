"""Who gets the warnings: every phone of this diary, and the watch handed from one to another."""

from collections.abc import Callable

from mobile_app.locales import Wording
from mobile_app.screens.asked import AskedScreen
from mobile_app.screens.frame import Frame
from mobile_app.state.watch import WATCH_HOURS, WatchLine, WatchPage
from mobile_app.widgets.press import Choice, ChoiceGrid, PushButton
from mobile_app.widgets.surface import Card, Column, Notice, Row
from mobile_app.widgets.text import Symbol, Words


class WatchLineView(Row):
    """One phone: a bell that rings or sleeps, its name, and in words what rings on it."""

    def __init__(self, line: WatchLine) -> None:
        super().__init__(spacing="12dp")
        icon = "bell-sleep-outline" if line.rests else "bell-ring-outline"
        self.add_widget(Symbol(icon=icon, tone="soft" if line.rests else "primary", pos_hint={"top": 1}))
        words = Column(spacing="2dp", pos_hint={"top": 1})
        words.add_widget(Words(text=line.name, role="strong"))
        words.add_widget(Words(text=line.text, role="label", tone="soft"))
        self.add_widget(words)


class WatchScreen(AskedScreen):
    """Shows ``state`` and hands it every tap."""

    state: WatchPage

    def __init__(self, state: WatchPage, wording: Wording, frame: Frame) -> None:
        super().__init__(state, wording, frame, "watch.title")

    def shown(self) -> None:
        """Asks anew who is on watch."""
        self.state.refresh()

    def lay_out(self, body: Column) -> None:
        """Every phone, then what this one may do."""
        say, state = self.wording.say, self.state
        body.add_widget(Words(text=say("watch.lead"), tone="soft"))
        lines = state.lines
        if not lines:
            return
        card = Card(spacing="14dp")
        for line in lines:
            card.add_widget(WatchLineView(line))
        body.add_widget(card)
        if state.rests:
            self._at_foot("bell-ring-outline", say("watch.take_back"), state.take_back)
        elif state.others:
            self._hand_over(body)
        else:
            body.add_widget(Notice(text=say("watch.nobody_else"), tone="primary", icon="cellphone"))

    def _at_foot(self, icon: str, label: str, press: Callable[[], None]) -> None:
        button = PushButton(icon=icon, label=label, enabled=not self.state.busy)
        button.bind(on_release=lambda _: press())
        self.put_at_foot(button)

    def _hand_over(self, body: Column) -> None:
        say, state = self.wording.say, self.state
        card = Card()
        card.add_widget(Words(text=say("watch.to_whom"), role="label", tone="soft"))
        phones = ChoiceGrid(cols=1)
        for phone in state.others:
            choice = Choice(label=state.name(phone), chosen=phone.id == state.chosen)
            choice.bind(on_release=lambda _, phone=phone: state.choose_phone(phone.id))
            phones.add_widget(choice)
        card.add_widget(phones)
        card.add_widget(Words(text=say("watch.how_long"), role="label", tone="soft"))
        times = ChoiceGrid(cols=2)
        for hours in WATCH_HOURS:
            label = say("watch.days", count=hours // 24) if hours >= 24 else say("alert_snooze.hours", count=hours)
            choice = Choice(label=label, chosen=hours == state.hours)
            choice.bind(on_release=lambda _, hours=hours: state.choose_hours(hours))
            times.add_widget(choice)
        card.add_widget(times)
        body.add_widget(card)
        self._at_foot(
            "account-arrow-right-outline", say("watch.hand_over", until=state.until_in_words), state.hand_over
        )
