"""First run: the language, what Soom is and is not, what is sent, and then the clinic."""

from collections.abc import Callable

from mobile_app.data.consents import PURPOSES
from mobile_app.locales import LANGUAGES, Wording
from mobile_app.screens.frame import Frame
from mobile_app.theme import TEXT_SCALES, look
from mobile_app.widgets.breath_mark import BreathMark
from mobile_app.widgets.press import Choice, ChoiceGrid, ChoiceRow, PushButton
from mobile_app.widgets.surface import Card, Notice, Page
from mobile_app.widgets.text import Words

# From this size on four choices no longer stand side by side.
_WRAP_FROM = 1.5


class WelcomeScreen(Page):
    """Language and text size, and a first word."""

    def __init__(
        self,
        wording: Wording,
        frame: Frame,
        choose_language: Callable[[str], None],
        choose_size: Callable[[float], None],
    ) -> None:
        super().__init__()
        say = wording.say
        languages = ChoiceGrid(cols=len(LANGUAGES))
        for language, name in LANGUAGES.items():
            choice = Choice(label=name, chosen=language == wording.language, ticks=False)
            choice.bind(on_release=lambda _, language=language: choose_language(language))
            languages.add_widget(choice)
        self.add_widget(languages)
        self.add_widget(BreathMark(size_hint_y=None, height="168dp"))
        self.add_widget(Words(text=say("enrol.title"), role="headline", halign="center"))
        self.add_widget(Words(text=say("enrol.lead"), tone="soft", halign="center"))
        self.add_widget(Words(text=say("welcome.text_size"), role="label", tone="soft", halign="center"))
        sizes = ChoiceGrid(cols=len(TEXT_SCALES) if look.text_scale < _WRAP_FROM else 2)
        for scale in TEXT_SCALES:
            choice = Choice(label=f"{round(scale * 100)}%", chosen=scale == look.text_scale, ticks=False)
            choice.bind(on_release=lambda _, scale=scale: choose_size(scale))
            sizes.add_widget(choice)
        self.add_widget(sizes)
        onward = PushButton(label=say("welcome.onward"))
        onward.bind(on_release=lambda _: frame.go("intended_use"))
        self.put_at_foot(onward)


class IntendedUseScreen(Page):
    """What Soom is for and what it is not for."""

    def __init__(self, wording: Wording, understood: Callable[[], None]) -> None:
        super().__init__(title=wording.say("welcome.intended_title"))
        say = wording.say
        for key, icon, tone in (
            ("welcome.is_for", "notebook-heart-outline", "green"),
            ("welcome.is_not", "stethoscope", "yellow"),
            ("welcome.emergency", "alarm-light-outline", "red"),
        ):
            self.add_widget(Notice(text=say(key), icon=icon, tone=tone))
        onward = PushButton(label=say("welcome.understood"))
        onward.bind(on_release=lambda _: understood())
        self.put_at_foot(onward)


class ConsentScreen(Page):
    """What the patient agrees to, one by one: nothing is ticked beforehand."""

    def __init__(self, wording: Wording, agreed: Callable[[set[str]], None]) -> None:
        super().__init__(title=wording.say("welcome.consent_title"))
        say = wording.say
        self.add_widget(Words(text=say("welcome.consent_why"), tone="soft"))
        card = Card()
        rows = {}
        for purpose in PURPOSES:
            row = ChoiceRow(label=say(f"consents.{purpose}"), detail=say(f"consents.{purpose}_detail"))
            row.bind(on_release=lambda row: setattr(row, "chosen", not row.chosen))
            rows[purpose] = row
            card.add_widget(row)
        self.add_widget(card)
        self.add_widget(Notice(text=say("welcome.consent_free"), tone="primary", icon="lock-outline"))
        onward = PushButton(label=say("welcome.onward"))
        onward.bind(on_release=lambda _: agreed({purpose for purpose, row in rows.items() if row.chosen}))
        self.put_at_foot(onward)
