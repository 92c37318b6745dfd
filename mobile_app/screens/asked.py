"""A page whose answers come from the clinic."""

from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.state.sharing import AskedPage
from mobile_app.widgets.surface import Column, Notice, Page
from mobile_app.widgets.text import Words


class AskedScreen(Page):
    """What a page shows whose answers come from the clinic: the last one, and why there is no newer."""

    state: AskedPage

    def __init__(self, state: AskedPage, wording: Wording, frame: Frame, title: str) -> None:
        super().__init__(title=wording.say(title))
        self.state = state
        self.wording = wording
        self.frame = frame
        state.on_change = self.fill

    def fill(self) -> None:
        """Builds the page from the state."""
        body, say = self.ids.body, self.wording.say
        body.clear_widgets()
        self.ids.foot.clear_widgets()
        self.lay_out(body)
        if self.state.busy:
            body.add_widget(Words(text=say("sharing.busy"), role="label", tone="soft"))
        elif self.state.problem:
            body.add_widget(Notice(text=self.state.problem, tone="yellow", icon="cloud-off-outline"))

    def lay_out(self, body: Column) -> None:
        """Adds what is known."""
        raise NotImplementedError
