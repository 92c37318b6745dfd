from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobile_app.state.diary_form import NotYet, PeakFlowForm, PuffsForm, SymptomsForm
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.when import When
from tests.phone.conftest import CONTROLLER_ID, Phone, plan_wire


def typed(diary: OpenDiary, digits: str) -> PeakFlowForm:
    form = PeakFlowForm(diary)
    for digit in digits:
        form.press(digit)
    return form


def test_nine_digits_are_three_blows_and_the_best_is_marked(diary: OpenDiary) -> None:
    form = typed(diary, "310430395")
    assert form.litres_per_min == [310, 430, 395]
    assert form.best_litres_per_min == 430
    assert form.best_blow == 1
    assert form.zone == "green"
    assert form.percent_of_personal_best == 86


def test_the_zone_is_frozen_in_the_entry(diary: OpenDiary) -> None:
    entry = typed(diary, "240").submit()
    diary.clinic.absorb({"plan": plan_wire(2, red_below_litres_per_min=100, yellow_below_litres_per_min=200)})
    kept = diary.journal.find("peak_flow", entry.id)
    assert kept is not None
    assert kept.entry.value["action_zone"] == "red"
    assert kept.entry.value["plan_version"] == 1


def test_an_artefact_blow_is_questioned_and_kept(diary: OpenDiary) -> None:
    form = typed(diary, "430180425")
    assert form.questions == ["blow_far_below_best"]
    assert form.submit().value["blows_litres_per_min"] == [430, 180, 425]


def test_a_typing_slip_is_questioned(diary: OpenDiary) -> None:
    assert typed(diary, "810").questions == ["far_above_personal_best"]


@pytest.mark.parametrize(
    ("digits", "problem"), [("", "no_blow"), ("7", "blow_out_of_range"), ("950", "blow_out_of_range")]
)
def test_an_impossible_reading_is_not_kept(diary: OpenDiary, digits: str, problem: str) -> None:
    with pytest.raises(NotYet, match=problem):
        typed(diary, digits).submit()
    assert diary.journal.latest("peak_flow") is None


def test_erasing_goes_back_through_the_blows(diary: OpenDiary) -> None:
    form = typed(diary, "3104")
    form.erase()
    assert form.blows == ["310", "", ""]
    form.erase()
    assert form.blows == ["31", "", ""]


def test_a_correction_keeps_the_time_and_raises_the_revision(diary: OpenDiary, phone: Phone) -> None:
    entry = typed(diary, "410").submit()
    phone.clock.walk(hours=5)
    form = PeakFlowForm(diary, entry)
    form.choose(1)
    for digit in "455":
        form.press(digit)
    corrected = form.submit()
    assert corrected.id == entry.id
    assert corrected.revision == 2
    assert corrected.moment == entry.moment
    assert corrected.value["blows_litres_per_min"] == [410, 455]


def test_deleting_can_be_taken_back(diary: OpenDiary) -> None:
    entry = typed(diary, "410").submit()
    undo = PeakFlowForm(diary, entry).delete()
    assert diary.journal.latest("peak_flow") is None
    undo()
    back = diary.journal.latest("peak_flow")
    assert back is not None
    assert back.entry.body == entry.body


def test_a_back_dated_entry_lies_on_the_day_it_happened(diary: OpenDiary, phone: Phone) -> None:
    form = typed(diary, "410")
    when = When(diary, form)
    when.move_day(-2)
    when.take()
    assert form.submit().moment.local_date == date(2026, 2, 28)
    assert when.day_text == "Saturday 28 February"


def test_the_future_cannot_be_chosen(diary: OpenDiary) -> None:
    form = typed(diary, "410")
    when = When(diary, form)
    when.move(timedelta(hours=2))
    assert when.is_future
    with pytest.raises(NotYet, match="in_the_future"):
        when.take()


def test_symptoms_need_one_answer(diary: OpenDiary) -> None:
    form = SymptomsForm(diary)
    with pytest.raises(NotYet, match="no_answer"):
        form.submit()
    form.answer("night_waking", False)
    assert form.submit().value == {
        "daytime": None,
        "night_waking": False,
        "activity_limited": None,
        "severity": None,
        "red_flags": [],
    }


def test_a_warning_sign_is_an_emergency_before_anything_is_kept(diary: OpenDiary) -> None:
    form = SymptomsForm(diary)
    form.toggle_red_flag("blue_lips")
    assert form.is_emergency
    form.toggle_red_flag("blue_lips")
    assert not form.is_emergency


def test_choosing_an_inhaler_brings_its_dose_and_purpose(diary: OpenDiary) -> None:
    form = PuffsForm(diary)
    assert form.purpose == "relief"
    form.choose(CONTROLLER_ID)
    assert (form.puffs, form.purpose) == (2, "maintenance")


@given(st.lists(st.sampled_from("0123456789<"), max_size=30))
def test_no_typing_makes_a_reading_outside_the_range(keys: list[str]) -> None:
    form = PeakFlowForm.__new__(PeakFlowForm)
    form.blows, form.chosen, form.plan, form.on_change = ["", "", ""], 0, None, lambda: None
    for key in keys:
        if key == "<":
            form.erase()
        else:
            form.press(key)
    assert all(len(text) <= 3 and not text.startswith("0") for text in form.blows)
    assert form.best_litres_per_min is None or 30 <= form.best_litres_per_min <= 900
