"""Everything that is not needed every day."""

from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.widgets.press import RowLink
from mobile_app.widgets.surface import Card, Page

_WAYS = [
    [
        ("medicines", "lungs"),
        ("reminders", "bell-outline"),
        ("control_check", "clipboard-text-clock-outline"),
    ],
    [
        ("my_data", "folder-account-outline"),
        ("people", "account-group-outline"),
        ("reliability", "bell-check-outline"),
        ("preferences", "cog-outline"),
    ],
]


class MoreScreen(Page):
    """Leads on."""

    def __init__(self, wording: Wording, frame: Frame) -> None:
        super().__init__(title=wording.say("navigation.more"))
        for group in _WAYS:
            card = Card(spacing="4dp", padding=("14dp", "8dp"))
            for name, icon in group:
                link = RowLink(icon=icon, label=wording.say(f"{name}.title"))
                link.bind(on_release=lambda _, name=name: frame.go(name))
                card.add_widget(link)
            self.add_widget(card)
