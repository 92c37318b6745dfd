"""The reason behind a forecast or an alert as a sentence, for the patient or for the clinician."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal

Audience = Literal["patient", "clinician"]
DEFAULT_LANGUAGE = "en"

# Tenths matter where a whole unit is already much; elsewhere they only feign precision.
_WITH_TENTHS = frozenset({"puffs_per_day", "points_0_to_3", "nights_per_week", "days_per_week", "per_day"})


def reason_text(code: str, value: float | None, unit: str | None, language: str, audience: Audience) -> str:
    """Raises KeyError for a code without a text. An unknown language reads English."""
    texts = _texts()
    language = language if language in texts["months"] else DEFAULT_LANGUAGE
    if unit == "month" and value is not None:
        shown = texts["months"][language][round(value) - 1]
    else:
        shown = "" if value is None else number_text(value, unit, language)
    known = texts[audience][language]
    # "1 day ago" where "{value} days ago" would be wrong.
    text = known.get(f"{code}_one", known[code]) if shown == "1" else known[code]
    return str(text).format(value=shown)


def number_text(value: float, unit: str | None, language: str) -> str:
    """The number as shown: rounded to what its unit can bear, a decimal comma in Estonian."""
    text = f"{value:.1f}".removesuffix(".0") if unit in _WITH_TENTHS else f"{value:.0f}"
    return text.replace(".", ",") if language == "et" else text


@cache
def _texts() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "wording.toml").read_text(encoding="utf-8"))
