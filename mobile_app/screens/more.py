"""Everything that is not needed every day."""

from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.widgets.press import RowLink
from mobile_app.widgets.surface import Card, Page


class MoreScreen(Page):
    """Leads on; ``ways`` are (page, symbol) in groups."""

    def __init__(self, ways: list[list[tuple[str, str]]], wording: Wording, frame: Frame) -> None:
        super().__init__(title=wording.say("navigation.more"))
        for group in ways:
            card = Card(spacing="4dp", padding=("14dp", "8dp"))
            for name, icon in group:
                link = RowLink(icon=icon, label=wording.say(f"{name}.title"))
                link.bind(on_release=lambda _, name=name: frame.go(name))
                card.add_widget(link)
            self.add_widget(card)
