import pytest

from backend.clinical.red_flags import RedFlag
from backend.patients.tables import Language
from backend.risk.forecaster import REASON_CODES
from backend.risk.wording import Audience, number_text, reason_text


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("audience", ["patient", "clinician"])
def test_every_reason_is_a_sentence_in_every_language(language: Language, audience: Audience) -> None:
    sentences = [reason_text(code, 3.0, unit, language.value, audience) for code, unit in REASON_CODES.items()]
    sentences += [reason_text(flag.value, 240, "litres_per_min", language.value, audience) for flag in RedFlag]
    assert len(set(sentences)) == len(REASON_CODES) + len(RedFlag)
    assert not [sentence for sentence in sentences if "{" in sentence or not sentence]


def test_a_number_is_as_precise_as_its_unit_bears() -> None:
    assert number_text(14.37, "percent", "en") == "14"
    assert number_text(2.96, "puffs_per_day", "en") == "3"
    assert number_text(2.46, "puffs_per_day", "en") == "2.5"
    assert number_text(2.46, "puffs_per_day", "et") == "2,5"


def test_a_season_is_a_month_by_name() -> None:
    assert reason_text("season", 9.0, "month", "en", "clinician") == "Season: September"
    assert reason_text("season", 9.0, "month", "ko", "patient") == "계절: 9월"


def test_an_unknown_language_reads_english() -> None:
    assert reason_text("age", 40.0, "years", "fr", "clinician") == "Age 40 years"


def test_a_reason_without_a_text_is_an_error() -> None:
    with pytest.raises(KeyError):
        reason_text("moon_phase", 1.0, None, "en", "patient")


def test_one_of_a_thing_reads_as_one() -> None:
    assert reason_text("severe_attacks", 1, "per_year", "en", "clinician") == "1 severe attack within a year"
    assert reason_text("severe_attacks", 2, "per_year", "en", "clinician") == "2 severe attacks within a year"
    assert reason_text("diary_gap", 1, "days", "et", "clinician") == "Viimane päeviku sissekanne eile"
