"""What usually comes before a bad phase, in words with how sure that is."""

from mobile_app.locales import Wording
from mobile_app.state.precursors import Precursors
from mobile_app.widgets.surface import Card, Notice, Page
from mobile_app.widgets.text import Words


class PrecursorsScreen(Page):
    """Shows ``state``, which was read when the page was opened."""

    def __init__(self, state: Precursors, wording: Wording) -> None:
        say = wording.say
        super().__init__(title=say("precursors.title"))
        self.add_widget(Words(text=say("precursors.lead"), tone="soft"))
        if state.summary:
            self.add_widget(Notice(text=state.summary, tone="primary", icon="chart-timeline-variant"))
        for line in state.lines:
            card = Card(spacing="6dp")
            card.add_widget(Words(text=line.title, role="strong"))
            card.add_widget(Words(text=line.counts, role="label"))
            card.add_widget(Words(text=line.certainty, role="label", tone="soft"))
            self.add_widget(card)
        self.add_widget(Words(text=say("precursors.not_a_cause"), role="small", tone="soft"))
