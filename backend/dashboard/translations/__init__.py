"""The dashboard's words in English, Korean and Estonian: TOML files a language, the same keys in each language."""

import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
LANGUAGES = {"en": "English", "ko": "한국어", "et": "Eesti"}
DEFAULT_LANGUAGE = "en"

Translate = Callable[..., str]


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Every text of a language by its dotted key, e.g. `roster.title`."""
    texts: dict[str, str] = {}
    for path in sorted(FOLDER.glob(f"{language}*.toml")):
        texts |= _flat(tomllib.loads(path.read_text(encoding="utf-8")), "")
    return texts


def _flat(tree: Mapping[str, object], prefix: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in tree.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{prefix}{key}.")
        else:
            pairs.append((prefix + key, str(value)))
    return pairs


def translator(language: str) -> Translate:
    """A function from a key and its values to a text.

    With `count`, `key.one` is taken for 1 and `key.other` for the rest, where the language has them. An unknown key
    raises KeyError: a test renders every page in every language.
    """
    texts = catalogue(language)

    def translate(key: str, **values: object) -> str:
        if "count" in values and f"{key}.other" in texts:
            key = f"{key}.one" if values["count"] == 1 and f"{key}.one" in texts else f"{key}.other"
        return texts[key].format(**values) if values else texts[key]

    return translate


def preferred_language(accept_language: str) -> str:
    """The first of our languages that the browser names, else English. Weights are ignored: browsers send an order."""
    for part in accept_language.split(","):
        language = part.split(";")[0].strip().lower().split("-")[0]
        if language in LANGUAGES:
            return language
    return DEFAULT_LANGUAGE
