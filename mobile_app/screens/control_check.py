"""The monthly control check."""

from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.state.control_check import SCORES, AnswerMissing, ControlCheck
from mobile_app.theme import look
from mobile_app.widgets.field import Field
from mobile_app.widgets.press import Choice, ChoiceGrid, PushButton
from mobile_app.widgets.surface import Card, Column, Notice, Page
from mobile_app.widgets.text import Words

_TONE = {"well": "green", "partly": "yellow", "not": "red"}
_ICON = {"well": "check-circle-outline", "partly": "alert-outline", "not": "alert-circle-outline"}

# From this text size on three names no longer stand side by side.
_WRAP_FROM = 1.5


class ControlCheckScreen(Page):
    """Shows ``state`` and hands it every answer."""

    def __init__(self, state: ControlCheck, wording: Wording, frame: Frame) -> None:
        super().__init__(title=wording.say("control_check.title"))
        self.state = state
        self.wording = wording
        self.frame = frame
        say = wording.say
        self.add_widget(Words(text=say("control_check.lead"), tone="soft"))
        self._choices: dict[tuple[str, bool], Choice] = {}
        for question in state.answers:
            self.add_widget(self._question(question))
        if not state.counts_reliever:
            self.add_widget(Words(text=say("control_check.reliever_not_counted"), role="label", tone="soft"))
        self._result = Column()
        self.add_widget(self._result)
        attacks = state.attacks_last_year
        self.add_widget(Words(text=say("control_check.attacks_last_year", count=attacks), role="label", tone="soft"))
        self.add_widget(Words(text=say("control_check.source"), role="small", tone="soft"))
        self.add_widget(self._score())
        save = PushButton(label=say("common.save"))
        save.bind(on_release=lambda _: self._submit())
        self.put_at_foot(save)
        state.on_change = self.fill
        self.fill()

    def _question(self, question: str) -> Card:
        say = self.wording.say
        card = Card()
        card.add_widget(Words(text=say(f"control_check.{question}"), role="strong"))
        hint = self.state.diary_says(question)
        if hint is not None:
            answer = say("common.yes" if hint else "common.no")
            card.add_widget(Words(text=say("control_check.from_diary", answer=answer), role="small", tone="soft"))
        row = ChoiceGrid(cols=2)
        for given, word in ((False, "common.no"), (True, "common.yes")):
            choice = Choice(label=say(word))
            choice.bind(on_release=lambda _, given=given: self.state.answer(question, given))
            self._choices[question, given] = choice
            row.add_widget(choice)
        card.add_widget(row)
        return card

    def _score(self) -> Card:
        say = self.wording.say
        card = Card()
        card.add_widget(Words(text=say("control_check.score_title"), role="strong"))
        field = Field(label=say("control_check.score"), input_type="number")
        row = ChoiceGrid(cols=3 if look.text_scale < _WRAP_FROM else 2)
        for code, (name, _, _) in SCORES.items():
            keep = PushButton(kind="soft", role="label", label=name, inset=4)
            keep.bind(on_release=lambda _, code=code: self._keep_score(code, field))
            row.add_widget(keep)
        card.add_widget(field)
        card.add_widget(row)
        return card

    def fill(self) -> None:
        """Shows the answers and, once complete, the result."""
        for (question, given), choice in self._choices.items():
            choice.chosen = self.state.answers[question] is given
        self._result.clear_widgets()
        result = self.state.result
        if result is not None:
            text = self.wording.say(f"control_check.result_{result}")
            self._result.add_widget(Notice(text=text, tone=_TONE[result], icon=_ICON[result]))

    def _submit(self) -> None:
        try:
            self.state.submit()
        except AnswerMissing as missing:
            self.frame.toast(str(missing))
            return
        self.frame.back()
        self.frame.toast(self.wording.say("form.saved"))

    def _keep_score(self, code: str, field: Field) -> None:
        try:
            self.state.keep_score(code, field.ids.input.text)
        except AnswerMissing as missing:
            self.frame.toast(str(missing))
            return
        field.ids.input.text = ""
        self.frame.toast(self.wording.say("form.saved"))
