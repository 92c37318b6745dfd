import re
import string
from datetime import date
from pathlib import Path

import pytest

import mobile_app
from mobile_app.locales import LANGUAGES, Wording, catalogue

SOURCES = [
    file
    for pattern in ("*.py", "*.kv")
    for file in Path(mobile_app.__file__).parent.rglob(pattern)
    if "node_modules" not in file.parts
]
KEY = re.compile(r"""\b(?:say|_fail|knows)\(\s*(f?)(["'])([a-z0-9_.{}()\[\]'"| ]+?)\2""", re.IGNORECASE)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_text_exists_in_every_language_with_the_same_facts(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert sorted(english) == sorted(other)
    differing = [key for key in english if placeholders(english[key]) != placeholders(other[key])]
    assert differing == []


def test_every_text_that_a_screen_asks_for_exists() -> None:
    english = catalogue("en")
    asked = [(file.name, found) for file in SOURCES for found in KEY.findall(file.read_text(encoding="utf-8"))]
    plain = {key for _, (is_built, _, key) in asked if not is_built and "{" not in key}
    assert len(plain) > 60
    assert sorted(key for key in plain if key not in english) == []
    built = {key.split("{")[0] for _, (_, _, key) in asked if "{" in key}
    assert sorted(start for start in built if not any(key.startswith(start) for key in english)) == []


def test_no_text_is_left_that_nobody_asks_for() -> None:
    everything = "\n".join(file.read_text(encoding="utf-8") for file in SOURCES)
    starts = {found[2].split("{")[0] for found in KEY.findall(everything) if "{" in found[2]} - {""}
    unused = [
        key
        for key in catalogue("en")
        if key not in everything
        and key.removesuffix("_one") not in everything
        and not any(key.startswith(start) for start in starts)
        # Lists of ways (More, New entry) ask for the title of each page by its name.
        and not key.endswith(".title")
    ]
    assert unused == [], " ".join(unused)


def test_days_are_said_as_people_say_them() -> None:
    today = date(2026, 3, 2)
    assert Wording("en").day(today, today) == "Today"
    assert Wording("et").day(date(2026, 3, 1), today) == "Eile"
    assert Wording("ko").day(date(2025, 12, 31), today) == "2025년 12월 31일 수요일"


def test_one_is_said_as_one() -> None:
    assert Wording("en").say("puffs.puffs", count=1) == "1 puff"
    assert Wording("en").say("puffs.puffs", count=2) == "2 puffs"
