"""Symptoms: the warning signs first in effect, last in line; the rest in a few taps."""

from kivy.properties import StringProperty

from mobile_app.locales import Wording
from mobile_app.screens.form import FormScreen
from mobile_app.screens.frame import Frame
from mobile_app.state.diary_form import SymptomsForm
from mobile_app.state.warning_signs import RED_FLAGS
from mobile_app.widgets import load_rules
from mobile_app.widgets.press import Choice, ChoiceRow, PushButton
from mobile_app.widgets.surface import Card


class Question(Card):
    """A question with yes and no."""

    text = StringProperty("")


class SymptomsScreen(FormScreen):
    """Shows ``form`` and hands it every answer."""

    form: SymptomsForm

    def __init__(self, form: SymptomsForm, wording: Wording, frame: Frame) -> None:
        super().__init__(form, wording, frame, wording.say("symptoms.title"))
        self._answers: dict[tuple[str, bool], Choice] = {}
        for name in SymptomsForm.QUESTIONS:
            question = Question(text=wording.say(f"symptoms.{name}"))
            for given, word in ((False, "common.no"), (True, "common.yes")):
                choice = Choice(label=wording.say(word))
                choice.bind(on_release=lambda _, name=name, given=given: self._answer(name, given))
                self._answers[name, given] = choice
                question.ids.answers.add_widget(choice)
            self.ids.questions.add_widget(question)
        self._severities = []
        for severity in range(4):
            choice = Choice(label=wording.say(f"symptoms.severity_{severity}"))
            choice.bind(on_release=lambda _, severity=severity: self._felt(severity))
            self._severities.append(choice)
            self.ids.severities.add_widget(choice)
        self._flags = {}
        for flag in RED_FLAGS:
            row = ChoiceRow(label=wording.say(f"red_flag.{flag}"), is_danger=True)
            row.bind(on_release=lambda _, flag=flag: form.toggle_red_flag(flag))
            self._flags[flag] = row
            self.ids.flags.add_widget(row)
        self._danger = PushButton(kind="danger", icon="alarm-light", label=wording.say("symptoms.emergency"))
        self._danger.bind(on_release=lambda _: self.submit())
        self._when = self.offer_time_and_save()

    def _answer(self, name: str, given: bool) -> None:
        self.form.answer(name, None if self.form.answers[name] is given else given)

    def _felt(self, severity: int) -> None:
        self.form.felt(None if self.form.severity == severity else severity)

    def fill(self) -> None:
        """Shows the answers; a warning sign turns the foot red at once."""
        form = self.form
        for (name, given), choice in self._answers.items():
            choice.chosen = form.answers[name] is given
        for severity, choice in enumerate(self._severities):
            choice.chosen = form.severity == severity
        for flag, row in self._flags.items():
            row.chosen = flag in form.red_flags
        self._when.detail = form.when_text
        self.ids.foot.clear_widgets()
        self.put_at_foot(self._danger if form.is_emergency else self.save_button)

    def submit(self) -> bool:
        """Keeps the answers; a warning sign leads straight to help."""
        is_emergency = self.form.is_emergency
        kept = super().submit()
        if kept and is_emergency:
            self.frame.go("emergency")
        return kept


load_rules(__file__)
