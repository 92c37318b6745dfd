"""What can be written into the diary, one line each."""

from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.widgets.press import RowLink
from mobile_app.widgets.surface import Card, Page

KINDS = {
    "peak_flow": "gauge",
    "symptoms": "emoticon-outline",
    "puffs": "weather-windy",
    "trigger": "flower-pollen-outline",
    "attack": "ambulance",
    "note": "note-text-outline",
}


class AddScreen(Page):
    """Leads to the form of each kind of entry."""

    def __init__(self, wording: Wording, frame: Frame) -> None:
        super().__init__(title=wording.say("day_list.add"))
        card = Card()
        for name, icon in KINDS.items():
            link = RowLink(icon=icon, label=wording.say(f"{name}.title"))
            link.bind(on_release=lambda _, name=name: frame.go(name))
            card.add_widget(link)
        self.add_widget(card)
