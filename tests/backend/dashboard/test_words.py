import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from backend.dashboard import templating
from backend.dashboard.translations import LANGUAGES, catalogue, preferred_language, translator
from backend.dashboard.words import puff_range, words

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def without_plural(key: str) -> str:
    """Some keys end in `other` by their meaning: those keep it, as they have no sibling for `count`."""
    return key if key in {"log.other", "trigger.other"} else key.removesuffix(".one").removesuffix(".other")


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_language_has_every_text_with_the_same_blanks(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert {without_plural(key) for key in other} == {without_plural(key) for key in english}
    for key, text in other.items():
        blanks = set(re.findall(r"{(\w+)}", text))
        original = english.get(key, english.get(f"{without_plural(key)}.other", ""))
        assert blanks <= set(re.findall(r"{(\w+)}", original)), key
        assert text.strip(), key
    same = [key for key, text in other.items() if text == english.get(key) and len(re.findall(r"[a-z]{3,}", text)) > 3]
    assert not same, f"left in English: {same}"


def test_every_text_that_a_template_asks_for_exists() -> None:
    known = {without_plural(key) for key in catalogue("en")}
    asked = set()
    for template in Path(templating.FOLDER, "templates").glob("*.html"):
        asked |= set(re.findall(r"""\bt\(["']([a-z_0-9.]+)["'][,)]""", template.read_text()))
    assert len(asked) > 150
    assert asked <= known


def test_one_and_many_are_told_apart() -> None:
    assert translator("en")("count.days", count=1) == "1 day"
    assert translator("en")("count.days", count=2) == "2 days"
    assert translator("ko")("count.days", count=1) == "1일"


def test_an_unknown_text_is_an_error_and_not_an_empty_place() -> None:
    with pytest.raises(KeyError):
        translator("en")("no.such.text")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("ko-KR,ko;q=0.9,en;q=0.8", "ko"), ("fr,et;q=0.5", "et"), ("fr", "en"), ("", "en"), ("*", "en")],
)
def test_the_browsers_first_known_language_is_taken(accepted: str, language: str) -> None:
    assert preferred_language(accepted) == language


def test_times_are_those_of_the_patients_clock() -> None:
    english = words("en")
    assert english.local(NOON, "Asia/Seoul") == "20 Nov 2026, 21:00"
    assert english.near(NOON, "Asia/Seoul", NOON) == "today 21:00"
    # 15:30 UTC is past midnight in Seoul: what was recorded at noon UTC is yesterday's there, and today's in London.
    later = NOON + timedelta(hours=3, minutes=30)
    assert english.near(NOON, "Asia/Seoul", later) == "yesterday 21:00"
    assert english.near(NOON, "Europe/London", later) == "today 12:00"
    assert english.near(NOON - timedelta(days=400), "Asia/Seoul", NOON) == "16 Oct 2025, 21:00"
    assert words("ko").day(date(2026, 11, 20)) == "2026년 11월 20일"
    assert words("et").day(date(2026, 3, 1)) == "1. märts 2026"


def test_the_zones_offset_is_that_of_the_day() -> None:
    english = words("en")
    assert english.zone_name("Europe/Tallinn", NOON) == "Europe/Tallinn (UTC+02:00)"
    assert english.zone_name("Europe/Tallinn", NOON - timedelta(days=120)) == "Europe/Tallinn (UTC+03:00)"
    assert english.zone_name("America/St_Johns", NOON) == "America/St_Johns (UTC-03:30)"


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(seconds=-30), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 min ago"),
        (timedelta(hours=47, minutes=59), "47 h ago"),
        (timedelta(hours=48), "2 days ago"),
    ],
)
def test_an_age_is_given_in_its_largest_whole_unit(ago: timedelta, said: str) -> None:
    assert words("en").age(NOON - ago, NOON) == said


def test_a_chance_near_zero_or_one_does_not_feign_certainty() -> None:
    english = words("en")
    assert [english.percent(share) for share in (0.001, 0.034, 0.995)] == ["<1 %", "3 %", ">99 %"]


def test_a_range_of_puffs_keeps_its_open_end() -> None:
    assert [puff_range(4, 4), puff_range(4, 6), puff_range(8, 99), puff_range(2, None)] == [4, "4–6", "8+", 2]
