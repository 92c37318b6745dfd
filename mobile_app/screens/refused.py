"""Why entries were not accepted."""

from mobile_app.locales import Wording
from mobile_app.state.sync_truth import SyncTruth
from mobile_app.widgets.surface import Card, Notice, Page
from mobile_app.widgets.text import Words


class RefusedScreen(Page):
    """Lists the refused entries with their reasons."""

    def __init__(self, truth: SyncTruth, wording: Wording) -> None:
        super().__init__(title=wording.say("sync.reasons_title"))
        self.add_widget(Notice(text=wording.say("sync.reasons_help"), tone="warm"))
        for line in truth.reasons():
            card = Card()
            card.add_widget(Words(text=line))
            self.add_widget(card)
