"""Puffs: which inhaler, how many, what for."""

from mobile_app.locales import Wording
from mobile_app.screens.form import FormScreen
from mobile_app.screens.frame import Frame
from mobile_app.state.diary_form import PuffsForm
from mobile_app.widgets import load_rules
from mobile_app.widgets.press import Choice, ChoiceRow, RowLink
from mobile_app.widgets.surface import Notice

PURPOSES = ("relief", "maintenance", "before_exercise")


class PuffsScreen(FormScreen):
    """Shows ``form`` and hands it every tap."""

    form: PuffsForm

    def __init__(self, form: PuffsForm, wording: Wording, frame: Frame) -> None:
        super().__init__(form, wording, frame, wording.say("puffs.title"))
        self._inhalers = {}
        for inhaler in form.inhalers:
            row = ChoiceRow(label=inhaler.name, detail=inhaler.drug)
            row.bind(on_release=lambda _, chosen=inhaler.id: form.choose(chosen))
            self._inhalers[inhaler.id] = row
            self.ids.inhalers.add_widget(row)
        self._purposes = {}
        for purpose in PURPOSES:
            choice = Choice(label=wording.say(f"puffs.{purpose}"))
            choice.bind(on_release=lambda _, purpose=purpose: form.took_for(purpose))
            self._purposes[purpose] = choice
            self.ids.purposes.add_widget(choice)
        self.ids.fewer.bind(on_release=lambda _: form.more(-1))
        self.ids.more.bind(on_release=lambda _: form.more(1))
        self._when: RowLink | None = None
        if form.inhalers:
            self._when = self.offer_time_and_save()
        else:
            self.ids.body.clear_widgets()
            self.ids.body.add_widget(Notice(text=wording.say("puffs.none"), tone="primary"))

    def fill(self) -> None:
        """Shows what is chosen."""
        for inhaler_id, row in self._inhalers.items():
            row.chosen = inhaler_id == self.form.inhaler_id
        for purpose, choice in self._purposes.items():
            choice.chosen = purpose == self.form.purpose
        self.ids.count.text = str(self.form.puffs)
        if self._when is not None:
            self._when.detail = self.form.when_text


load_rules(__file__)
