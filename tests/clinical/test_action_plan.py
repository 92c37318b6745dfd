import string
import tomllib
from pathlib import Path

import pytest

from backend.clinical import action_plan
from backend.clinical.action_plan import (
    LANGUAGES,
    InstructionCode,
    OralSteroid,
    check_oral_steroid,
    check_thresholds,
    draft_action_plan,
    render,
    suggested_oral_steroid,
)
from backend.clinical.guideline import GuidelineError, edition
from backend.clinical.medicines import Prescription, Regimen, Use
from backend.clinical.peak_flow import Zone, ZoneThresholds
from tests.clinical.vignettes import read_regimen, vignettes

MART = Regimen((Prescription("budesonide_formoterol_200_6_dpi", Use.MAINTENANCE_AND_RELIEVER, 1, 2),))
SABA = read_regimen("budesonide_200_dpi daily 1x2 + salbutamol_100_pmdi needed 2")


def codes(zone: Zone, **change: object) -> list[InstructionCode]:
    regimen = change.pop("regimen", MART)
    assert isinstance(regimen, Regimen)
    return [each.code for each in draft_action_plan(450, regimen, 40, **change).instructions[zone]]  # type: ignore[arg-type]


def test_the_draft_carries_thresholds_in_litres_per_minute_and_its_sources() -> None:
    draft = draft_action_plan(450, MART, 40)
    assert draft.thresholds == ZoneThresholds(360, 225, 270)
    assert draft.edition == "gina_2025"
    assert len(draft.sources) == 3
    assert draft_action_plan(
        450, MART, 40, guideline=edition("gina_2025_uk_action_points")
    ).thresholds == ZoneThresholds(360, 180, 270)


def test_the_red_zone_first_calls_for_help_in_the_patients_country() -> None:
    first = draft_action_plan(450, MART, 40, country="EE").instructions[Zone.RED][0]
    assert (first.code, first.values["number"]) == (InstructionCode.CALL_EMERGENCY, "112")


def test_rescue_fits_the_reliever_that_the_patient_has() -> None:
    assert InstructionCode.TAKE_RESCUE_ICS_FORMOTEROL in codes(Zone.RED)
    assert InstructionCode.TAKE_RESCUE_SABA in codes(Zone.RED, regimen=SABA)


def test_steroid_tablets_appear_only_when_the_clinician_allows_them() -> None:
    assert InstructionCode.START_ORAL_STEROID not in codes(Zone.RED)
    assert InstructionCode.START_ORAL_STEROID in codes(Zone.RED, oral_steroid=OralSteroid(40, 5))
    assert InstructionCode.START_ORAL_STEROID_BELOW in codes(Zone.YELLOW, oral_steroid=OralSteroid(40, 5))


def test_a_suggested_course_follows_age_and_weight_and_is_silent_for_children() -> None:
    assert suggested_oral_steroid(40, None) == OralSteroid(37.5, 5)
    assert suggested_oral_steroid(15, 45) == OralSteroid(45, 3)
    assert suggested_oral_steroid(15, 80) == OralSteroid(50, 3)
    assert suggested_oral_steroid(15, None) is None
    assert suggested_oral_steroid(9, 30) is None


def test_a_course_outside_the_edition_is_questioned() -> None:
    assert check_oral_steroid(OralSteroid(50, 10), 40, None) == []
    assert check_oral_steroid(OralSteroid(51, 11), 40, None) == [
        "oral_steroid_dose_differs_from_the_edition",
        "oral_steroid_days_differ_from_the_edition",
    ]
    assert check_oral_steroid(OralSteroid(45, 3), 15, 45) == []
    assert check_oral_steroid(OralSteroid(30, 3), 9, 30) == ["oral_steroid_dose_cannot_be_checked"]


def test_the_yellow_zone_asks_to_call_after_two_days() -> None:
    call = draft_action_plan(450, MART, 40).instructions[Zone.YELLOW][-1]
    assert (call.code, call.values) == (InstructionCode.CALL_CLINIC_IF_NO_BETTER, {"days": 2})


def test_a_dose_of_tablets_beyond_any_course_is_refused() -> None:
    with pytest.raises(ValueError, match="60 mg"):
        OralSteroid(400, 5)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_instruction_of_every_vignettes_regimen_can_be_read(language: str) -> None:
    for vignette in vignettes():
        if "regimen" not in vignette.raw or vignette.expect.get("problems"):
            continue
        regimen = read_regimen(vignette.raw["regimen"])
        draft = draft_action_plan(400, regimen, vignette.raw["age"], oral_steroid=OralSteroid(40, 5))
        for sentences in ([render(one, language) for one in listed] for listed in draft.instructions.values()):
            assert sentences
            assert all(sentence.endswith(".") and "$" not in sentence for sentence in sentences), sentences


def test_every_language_has_every_sentence_with_the_same_numbers_in_it() -> None:
    path = Path(action_plan.__file__).parent / "action_plan_wording.toml"
    wording = tomllib.loads(path.read_text(encoding="utf-8"))
    assert set(wording) == set(InstructionCode)
    for sentences in wording.values():
        assert set(sentences) == set(LANGUAGES)
        names = {frozenset(string.Template(sentence).get_identifiers()) for sentence in sentences.values()}
        assert len(names) == 1, sentences


def test_a_language_without_wording_is_refused() -> None:
    with pytest.raises(GuidelineError, match="known: en, ko, et"):
        render(draft_action_plan(400, MART, 40).instructions[Zone.RED][0], "fi")


def test_thresholds_that_would_warn_late_are_questioned() -> None:
    assert check_thresholds(ZoneThresholds(400, 250), 500) == []
    assert check_thresholds(ZoneThresholds(380, 150), 500) == [
        "red_threshold_below_a_third_of_personal_best",
        "yellow_threshold_below_the_edition",
        "red_threshold_below_the_edition",
    ]
    assert check_thresholds(ZoneThresholds(520, 250), 500) == ["yellow_threshold_above_personal_best"]
