"""The last page of the first run: the peak flow meter, and whether warnings come through."""

from collections.abc import Callable

from mobile_app.device.ports import Reliability
from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.state.preferences import METER_SCALES, Preferences
from mobile_app.widgets.field import Field
from mobile_app.widgets.press import Choice, PushButton, RowLink
from mobile_app.widgets.surface import Card, Notice, Page
from mobile_app.widgets.text import Words


class FirstStepsScreen(Page):
    """Everything on it can be left for later, under More."""

    def __init__(
        self,
        state: Preferences,
        reliability: Reliability,
        wording: Wording,
        frame: Frame,
        done: Callable[[], None],
    ) -> None:
        super().__init__(title=wording.say("first_steps.title"))
        self.state = state
        self.reliability = reliability
        self.wording = wording
        self.frame = frame
        say = wording.say
        self.add_widget(Words(text=say("first_steps.lead"), tone="soft"))
        self.add_widget(self._meter())
        self._warnings = Card(spacing="4dp")
        self.add_widget(self._warnings)
        to_diary = PushButton(label=say("first_steps.done"))
        to_diary.bind(on_release=lambda _: done())
        self.put_at_foot(to_diary)
        state.on_change = self.fill

    def _meter(self) -> Card:
        say = self.wording.say
        card = Card()
        card.add_widget(Words(text=say("preferences.meter_title"), role="strong"))
        name = Field(label=say("preferences.meter"), hint=say("preferences.meter_hint"))
        name.ids.input.text = self.state.meter
        name.ids.input.bind(text=lambda _, text: self.state.name_meter(text))
        card.add_widget(name)
        card.add_widget(Words(text=say("preferences.scale"), role="label", tone="soft"))
        self._scales = {}
        for scale in METER_SCALES:
            choice = Choice(label=say(f"preferences.scale_{scale}"))
            choice.bind(on_release=lambda _, scale=scale: self.state.choose_scale(scale))
            self._scales[scale] = choice
            card.add_widget(choice)
        return card

    def shown(self) -> None:
        """Comes into view, perhaps back from the phone's settings."""
        self.fill()

    def fill(self) -> None:
        """Shows the chosen scale, and whether anything stands in the way of warnings."""
        say = self.wording.say
        for scale, choice in self._scales.items():
            choice.chosen = scale == self.state.meter_scale
        self._warnings.clear_widgets()
        self._warnings.add_widget(Words(text=say("reliability.title"), role="strong"))
        in_the_way = sum(not check.is_fine for check in self.reliability.checks())
        if not in_the_way:
            self._warnings.add_widget(
                Notice(text=say("first_steps.warnings_fine"), tone="green", icon="check-circle-outline")
            )
            return
        link = RowLink(icon="bell-alert-outline", label=say("first_steps.warnings", count=in_the_way))
        link.bind(on_release=lambda _: self.frame.go("reliability"))
        self._warnings.add_widget(link)
