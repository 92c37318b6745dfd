"""Pages for triggers, attacks and notes."""

from mobile_app.locales import Wording
from mobile_app.screens.form import FormScreen
from mobile_app.screens.frame import Frame
from mobile_app.state.happenings import TRIGGERS, AttackForm, NoteForm, TriggerForm
from mobile_app.widgets import load_rules
from mobile_app.widgets.field import Field
from mobile_app.widgets.press import Choice, ChoiceRow


class TriggerScreen(FormScreen):
    """Shows ``form``: one trigger, and a few words if wanted."""

    form: TriggerForm

    def __init__(self, form: TriggerForm, wording: Wording, frame: Frame) -> None:
        super().__init__(form, wording, frame, wording.say("trigger.title"))
        self._choices = {}
        for trigger in TRIGGERS:
            choice = Choice(label=wording.say(f"trigger.{trigger}"))
            choice.bind(on_release=lambda _, trigger=trigger: form.choose(trigger))
            self._choices[trigger] = choice
            self.ids.choices.add_widget(choice)
        note = Field(label=wording.say("trigger.note"))
        note.ids.input.text = form.note
        note.ids.input.bind(text=lambda _, text: setattr(form, "note", text))
        self.add_widget(note)
        self._when = self.offer_time_and_save()

    def fill(self) -> None:
        """Shows what is chosen."""
        for trigger, choice in self._choices.items():
            choice.chosen = trigger == self.form.trigger
        self._when.detail = self.form.when_text


class AttackScreen(FormScreen):
    """Shows ``form``: the care an attack needed."""

    form: AttackForm

    def __init__(self, form: AttackForm, wording: Wording, frame: Frame) -> None:
        super().__init__(form, wording, frame, wording.say("attack.title"))
        self._rows = {}
        for care in AttackForm.CARE:
            row = ChoiceRow(label=wording.say(f"attack.{care}_long"))
            row.bind(on_release=lambda _, care=care: form.toggle(care))
            self._rows[care] = row
            self.ids.care.add_widget(row)
        self.ids.fewer.bind(on_release=lambda _: form.more_steroid_days(-1))
        self.ids.more.bind(on_release=lambda _: form.more_steroid_days(1))
        self._days = self.ids.days
        self._when = self.offer_time_and_save()
        self._when.label = wording.say("attack.began")

    def fill(self) -> None:
        """Shows what is marked; the days only with steroids."""
        for care, row in self._rows.items():
            row.chosen = care in self.form.care
        if "systemic_steroids" not in self.form.care:
            self.ids.days_place.clear_widgets()
        elif self._days.parent is None:
            self.ids.days_place.add_widget(self._days)
        days = self.form.steroid_days
        self.ids.count.text = "–" if days is None else str(days)
        self._when.detail = self.form.when_text


class NoteScreen(FormScreen):
    """Shows ``form``: free words."""

    form: NoteForm

    def __init__(self, form: NoteForm, wording: Wording, frame: Frame) -> None:
        super().__init__(form, wording, frame, wording.say("note.title"))
        field = Field(label=wording.say("note.hint"), is_long=True)
        field.ids.input.text = form.text
        field.ids.input.bind(text=lambda _, text: setattr(form, "text", text))
        self.add_widget(field)
        self._when = self.offer_time_and_save()

    def fill(self) -> None:
        """Shows the time."""
        self._when.detail = self.form.when_text


load_rules(__file__)
