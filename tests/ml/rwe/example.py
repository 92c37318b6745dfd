"""The example protocol, and copies of it with something changed."""

from pathlib import Path

import ml.rwe

EXAMPLE = Path(ml.rwe.__file__).parent / "example_study.toml"


def changed(*changes: tuple[str, str]) -> bytes:
    text = EXAMPLE.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text.encode()
