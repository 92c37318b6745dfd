"""Settings: language, look, meter, day start, the people to call."""

from mobile_app.locales import LANGUAGES, Wording
from mobile_app.screens.frame import Frame
from mobile_app.state.preferences import METER_SCALES, Preferences
from mobile_app.theme import TEXT_SCALES
from mobile_app.widgets import load_rules
from mobile_app.widgets.press import Choice, ChoiceRow, PushButton
from mobile_app.widgets.surface import Page


class PreferencesScreen(Page):
    """Shows ``state`` and hands it every choice."""

    def __init__(self, state: Preferences, wording: Wording, frame: Frame) -> None:
        super().__init__(title=wording.say("preferences.title"))
        self.state = state
        self.wording = wording
        self.frame = frame
        for language, name in LANGUAGES.items():
            choice = Choice(label=name, chosen=language == state.language, ticks=False)
            choice.bind(on_release=lambda _, language=language: state.choose_language(language))
            self.ids.languages.add_widget(choice)
        for scale in TEXT_SCALES:
            choice = Choice(label=f"{round(scale * 100)}%", chosen=scale == state.text_scale, ticks=False)
            choice.bind(on_release=lambda _, scale=scale: state.look("text_scale", scale))
            self.ids.text_scales.add_widget(choice)
        for name, chosen in (("dark", state.dark), ("reduced_motion", state.reduced_motion)):
            row = ChoiceRow(label=wording.say(f"preferences.{name}"), chosen=chosen)
            row.bind(on_release=lambda _, name=name, chosen=chosen: state.look(name, not chosen))
            self.ids.looks.add_widget(row)
        self.ids.meter.ids.input.text = state.meter
        self.ids.meter.ids.input.bind(text=lambda _, text: state.name_meter(text))
        self._scales = {}
        for scale_name in METER_SCALES:
            choice = Choice(label=wording.say(f"preferences.scale_{scale_name}"))
            choice.bind(on_release=lambda _, name=scale_name: state.choose_scale(name))
            self._scales[scale_name] = choice
            self.ids.scales.add_widget(choice)
        self.ids.earlier.bind(on_release=lambda _: state.move_day_start(-1))
        self.ids.later.bind(on_release=lambda _: state.move_day_start(1))
        self.ids.add_contact.bind(on_release=lambda _: self._add_contact())
        state.on_change = self.fill
        self.fill()

    def fill(self) -> None:
        """Shows what changes on this page."""
        for name, choice in self._scales.items():
            choice.chosen = name == self.state.meter_scale
        self.ids.day_start.text = f"{self.state.day_starts_at_hour:02d}:00"
        self.ids.contacts.clear_widgets()
        for place, contact in enumerate(self.state.contacts):
            label = self.wording.say("preferences.remove_contact", name=contact["name"], number=contact["number"])
            remove = PushButton(kind="soft", icon="close", label=label)
            remove.bind(on_release=lambda _, place=place: self.state.remove_contact(place))
            self.ids.contacts.add_widget(remove)

    def _add_contact(self) -> None:
        name, number = self.ids.contact_name.ids.input, self.ids.contact_number.ids.input
        if self.state.add_contact(name.text, number.text):
            name.text = number.text = ""
        else:
            self.frame.toast(self.wording.say("preferences.contact_incomplete"))


load_rules(__file__)
