"""Which form and which page belong to a kind of entry."""

from collections.abc import Callable
from typing import Any

from mobile_app.locales import Wording
from mobile_app.screens.frame import Frame
from mobile_app.screens.happenings import AttackScreen, NoteScreen, TriggerScreen
from mobile_app.screens.peak_flow import PeakFlowScreen
from mobile_app.screens.puffs import PuffsScreen
from mobile_app.screens.symptoms import SymptomsScreen
from mobile_app.state.diary_form import DiaryForm, PeakFlowForm, PuffsForm, SymptomsForm
from mobile_app.state.happenings import AttackForm, NoteForm, TriggerForm
from mobile_app.state.open_diary import OpenDiary
from mobile_app.widgets.surface import Page

FORMS: dict[str, type[DiaryForm]] = {
    form.kind: form for form in (PeakFlowForm, SymptomsForm, PuffsForm, TriggerForm, AttackForm, NoteForm)
}
_SCREENS: dict[str, type[Any]] = {
    "peak_flow": PeakFlowScreen,
    "symptoms": SymptomsScreen,
    "inhaler_use": PuffsScreen,
    "trigger": TriggerScreen,
    "attack": AttackScreen,
    "note": NoteScreen,
}


def form_page(form: DiaryForm, wording: Wording, frame: Frame) -> Page:
    """The page of a form."""
    page: Page = _SCREENS[form.kind](form, wording, frame)
    return page


def form_pages(diary: OpenDiary, wording: Wording, frame: Callable[[], Frame]) -> dict[str, Callable[..., Page]]:
    """An empty form of each kind, by the name of its page."""
    names = {"inhaler_use": "puffs"}
    return {
        names.get(kind, kind): lambda form=form: form_page(form(diary), wording, frame())
        for kind, form in FORMS.items()
    }
