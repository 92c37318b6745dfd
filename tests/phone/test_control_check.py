"""The monthly check asks what GINA counts for this patient's reliever."""

from dataclasses import asdict, replace

import pytest

from mobile_app.state.control_check import QUESTIONS, AnswerMissing, ControlCheck
from mobile_app.state.open_diary import OpenDiary


def prescribe(diary: OpenDiary, *relievers: tuple[str, str]) -> None:
    """Relieving inhalers as (role, drug), beside nothing else."""
    one = next(inhaler for inhaler in diary.clinic.inhalers() if inhaler.relieves)
    diary.clinic.absorb(
        {
            "inhalers": [
                asdict(replace(one, id=one.id[:-1] + str(number), role=role, drug=drug))
                for number, (role, drug) in enumerate(relievers)
            ]
        }
    )


def test_use_of_a_salbutamol_reliever_is_asked_for(diary: OpenDiary) -> None:
    assert tuple(ControlCheck(diary).answers) == QUESTIONS


@pytest.mark.parametrize("role", ["both", "reliever"])
def test_use_of_an_ics_formoterol_reliever_is_not_counted_against_the_patient(diary: OpenDiary, role: str) -> None:
    prescribe(diary, (role, "budesonide-formoterol"))
    check = ControlCheck(diary)
    assert "reliever_use" not in check.answers
    for question in list(check.answers):
        check.answer(question, False)
    assert check.result == "well"
    check.submit()
    kept = diary.journal.latest("questionnaire")
    assert kept is not None
    assert kept.entry.value["answers"] == {"daytime_symptoms": 0, "night_waking": 0, "activity_limited": 0}


def test_with_salbutamol_beside_it_the_question_stays(diary: OpenDiary) -> None:
    prescribe(diary, ("both", "budesonide-formoterol"), ("reliever", "salbutamol"))
    assert "reliever_use" in ControlCheck(diary).answers


def test_a_check_with_a_question_left_open_is_not_kept(diary: OpenDiary) -> None:
    check = ControlCheck(diary)
    check.answer("daytime_symptoms", True)
    with pytest.raises(AnswerMissing, match="every question"):
        check.submit()


def test_a_childs_score_goes_up_to_27(diary: OpenDiary) -> None:
    check = ControlCheck(diary)
    check.keep_score("c_act", "27")
    with pytest.raises(AnswerMissing, match="C-ACT goes from 0 to 27"):
        check.keep_score("c_act", "28")
