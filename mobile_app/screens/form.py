"""What every form page does: save, say what is missing, correct, delete with undo."""

from mobile_app.data.journal import EntryChangedMeanwhile
from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.state.diary_form import DiaryForm, NotYet
from mobile_app.widgets.press import PushButton, RowLink
from mobile_app.widgets.surface import Page


class FormScreen(Page):
    """A page around one ``form``. Subclasses lay out the answers and show them in ``fill``."""

    def __init__(self, form: DiaryForm, wording: Wording, frame: Frame, title: str) -> None:
        super().__init__(title=title)
        self.form = form
        self.wording = wording
        self.frame = frame
        self.save_button = PushButton(label=wording.say("common.save"))
        self.save_button.bind(on_release=lambda _: self.submit())
        form.on_change = self.fill

    def shown(self) -> None:
        """Comes into view, perhaps back from choosing the time."""
        self.fill()

    def fill(self) -> None:
        """Shows the form's answers."""
        raise NotImplementedError

    def offer_time_and_save(self) -> RowLink:
        """Adds the line for the time, the way to delete when correcting, and save at the foot. Returns the line."""
        when = RowLink(icon="clock-outline", label=self.wording.say("form.when"))
        when.bind(on_release=lambda _: self.frame.go("when", form=self.form))
        self.add_widget(when)
        if self.form.correcting is not None:
            delete = PushButton(kind="quiet", icon="trash-can-outline", label=self.wording.say("form.delete"))
            delete.bind(on_release=lambda _: self._delete())
            self.add_widget(delete)
        self.put_at_foot(self.save_button)
        return when

    def submit(self) -> bool:
        """Keeps the entry and goes back; says what is missing instead. Whether it was kept."""
        try:
            self.form.submit()
        except NotYet as problem:
            self.frame.toast(self.wording.say(f"form.{problem}"))
            return False
        except EntryChangedMeanwhile:
            self.frame.back()
            self.frame.toast(self.wording.say("form.changed_meanwhile"))
            return False
        self.frame.back()
        self.frame.toast(self.wording.say("form.saved"))
        return True

    def _delete(self) -> None:
        try:
            undo = self.form.delete()
        except EntryChangedMeanwhile:
            self.frame.back()
            self.frame.toast(self.wording.say("form.changed_meanwhile"))
            return
        self.frame.back()
        page = self.frame.page

        def take_back() -> None:
            undo()
            page.shown()

        self.frame.toast(self.wording.say("form.deleted"), take_back)
