"""What the diary was used for."""

from mobile_app.locales import Wording
from mobile_app.screens.asked import AskedScreen
from mobile_app.screens.frame import Frame
from mobile_app.state.research_uses import ResearchUses
from mobile_app.widgets.press import RowLink
from mobile_app.widgets.surface import Card, Column, Notice
from mobile_app.widgets.text import Words


class ResearchUsesScreen(AskedScreen):
    """A card for each study or round, then what may follow and where to change it."""

    state: ResearchUses

    def __init__(self, state: ResearchUses, wording: Wording, frame: Frame) -> None:
        super().__init__(state, wording, frame, "research_uses.title")

    def shown(self) -> None:
        """Asks anew; what is known stays in view meanwhile."""
        self.state.refresh()

    def lay_out(self, body: Column) -> None:
        """The uses, newest first."""
        say, lines = self.wording.say, self.state.lines
        body.add_widget(Words(text=say("research_uses.lead"), tone="soft"))
        if lines == []:
            body.add_widget(Notice(text=say("research_uses.none"), tone="primary", icon="flask-empty-off-outline"))
        for line in lines or []:
            card = Card(spacing="6dp")
            card.add_widget(Words(text=line.when, role="label", tone="soft"))
            card.add_widget(Words(text=line.what))
            if line.agreed:
                card.add_widget(Words(text=line.agreed, role="small", tone="soft"))
            body.add_widget(card)
        body.add_widget(self._from_now_on())

    def _from_now_on(self) -> Card:
        say = self.wording.say
        card = Card()
        card.add_widget(Words(text=say("research_uses.from_now_on"), role="strong"))
        for sentence in self.state.from_now_on:
            card.add_widget(Words(text=sentence))
        way = RowLink(icon="handshake-outline", label=say("consents.title"))
        way.bind(on_release=lambda _: self.frame.go("consents"))
        card.add_widget(way)
        return card
