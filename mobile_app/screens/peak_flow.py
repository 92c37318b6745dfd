"""Peak flow: three blows on large keys, the best one marked, the zone at once."""

from kivy.properties import BooleanProperty, StringProperty

from mobile_app.locales import Wording
from mobile_app.screens.form import FormScreen
from mobile_app.screens.frame import Frame
from mobile_app.state.diary_form import PeakFlowForm
from mobile_app.widgets import load_rules
from mobile_app.widgets.press import Digit, Pressable, PushButton
from mobile_app.widgets.surface import Column, Notice


class Blow(Pressable, Column):
    """One blow's number."""

    label = StringProperty("")
    number = StringProperty("")
    best = StringProperty("")
    is_chosen = BooleanProperty(False)
    is_best = BooleanProperty(False)


class PeakFlowScreen(FormScreen):
    """Shows ``form`` and hands it every key."""

    form: PeakFlowForm

    def __init__(self, form: PeakFlowForm, wording: Wording, frame: Frame) -> None:
        super().__init__(form, wording, frame, wording.say("peak_flow.title"))
        self._blows = []
        for number in range(3):
            blow = Blow(label=wording.say("peak_flow.blow", number=number + 1), best=wording.say("peak_flow.best"))
            blow.bind(on_release=lambda _, number=number: form.choose(number))
            self._blows.append(blow)
            self.ids.blows.add_widget(blow)
        for key in "123456789":
            self._key(label=key)
        self.ids.pad.add_widget(Column())
        self._key(label="0")
        self._key(icon="backspace-outline")
        for when in ("before", "after"):
            self.ids[when].bind(on_release=lambda _, when=when: self._reliever(when))
        self._when = self.offer_time_and_save()

    def _key(self, label: str = "", icon: str = "") -> None:
        digit = Digit(label=label, icon=icon)
        digit.bind(on_press=lambda _: self.form.press(label) if label else self.form.erase())
        self.ids.pad.add_widget(digit)

    def _reliever(self, when: str) -> None:
        self.form.took_reliever("unknown" if self.form.bronchodilator == when else when)

    def fill(self) -> None:
        """Shows the blows, the zone and what looks odd."""
        form, say = self.form, self.wording.say
        for number, blow in enumerate(self._blows):
            blow.number = form.blows[number]
            blow.is_chosen = number == form.chosen
            blow.is_best = number == form.best_blow
        verdict = self.ids.verdict
        verdict.clear_widgets()
        share = form.percent_of_personal_best
        if form.zone is not None and share is not None:
            words = say(f"zone.{form.zone}"), say("peak_flow.percent_of_best", percent=share)
            verdict.add_widget(Verdict(zone=form.zone, word=words[0], detail=words[1]))
        if form.zone == "red":
            danger = PushButton(kind="danger", icon="alarm-light", label=say("peak_flow.open_emergency"))
            danger.bind(on_release=lambda _: self.submit())
            verdict.add_widget(danger)
        for question in form.questions:
            verdict.add_widget(Notice(text=say(f"peak_flow.{question}"), icon="help-circle-outline", tone="warm"))
        self.ids.before.chosen = form.bronchodilator == "before"
        self.ids.after.chosen = form.bronchodilator == "after"
        self._when.detail = form.when_text
        self.save_button.enabled = bool(form.litres_per_min)

    def submit(self) -> bool:
        """Keeps the reading; the red zone leads straight to help."""
        is_red = self.form.zone == "red" and self.form.happened_at is None
        kept = super().submit()
        if kept and is_red:
            self.frame.go("emergency")
        return kept


class Verdict(Column):
    """The zone of the best blow."""

    zone = StringProperty("none")
    word = StringProperty("")
    detail = StringProperty("")


load_rules(__file__)
