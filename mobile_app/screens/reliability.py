"""Whether warnings can reach the person on this phone, and how to let them."""

from mobile_app.device.ports import Reliability
from mobile_app.locales import Wording
from mobile_app.widgets.press import PushButton
from mobile_app.widgets.surface import Card, Notice, Page
from mobile_app.widgets.text import Words

# Manufacturers whose own battery saving comes on top of Android's, with the names that their phones give.
_MAKERS = {
    "samsung": ("samsung",),
    "xiaomi": ("xiaomi", "redmi", "poco"),
    "huawei": ("huawei", "honor"),
    "oppo": ("oppo", "oneplus", "realme"),
}


class ReliabilityScreen(Page):
    """One card a check; looked at anew each time the page comes into view."""

    def __init__(self, reliability: Reliability, maker: str, wording: Wording) -> None:
        super().__init__(title=wording.say("reliability.title"))
        self.reliability = reliability
        self.maker = maker
        self.wording = wording

    def shown(self) -> None:
        """Looks again, for instance after the settings were open."""
        say, body = self.wording.say, self.ids.body
        body.clear_widgets()
        body.add_widget(Words(text=say("reliability.lead"), tone="soft"))
        checks = self.reliability.checks()
        if not checks:
            body.add_widget(Notice(text=say("reliability.nothing"), tone="green", icon="check-circle-outline"))
        for check in checks:
            if check.is_fine:
                text = say(f"reliability.{check.code}_fine")
                body.add_widget(Notice(text=text, tone="green", icon="check-circle-outline"))
                continue
            card = Card(ground="yellow_soft")
            card.add_widget(Words(text=say(f"reliability.{check.code}"), tone="on_yellow_soft"))
            card.add_widget(Words(text=say("reliability.how"), role="label", tone="on_yellow_soft"))
            card.add_widget(Words(text=self._steps(check.code), role="label", tone="on_yellow_soft"))
            allow = PushButton(kind="soft", icon="cog-outline", label=say("reliability.open"))
            allow.bind(on_release=lambda _, code=check.code: self.reliability.open_settings(code))
            card.add_widget(allow)
            body.add_widget(card)

    def _steps(self, code: str) -> str:
        """The way through this manufacturer's settings, where it is another than Android's own."""
        brand = next((brand for brand, makers in _MAKERS.items() if self.maker in makers), "")
        key = f"reliability.{code}_steps_{brand}"
        return self.wording.say(key if self.wording.knows(key) else f"reliability.{code}_steps")
