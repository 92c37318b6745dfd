"""The numbers in assumptions.toml, by section and name; units and sources stand beside them in the file."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
ASSUMPTIONS_FILE = FOLDER / "assumptions.toml"

Assumptions = Mapping[str, Mapping[str, Any]]


@cache
def shipped() -> Assumptions:
    return tomllib.loads(ASSUMPTIONS_FILE.read_text(encoding="utf-8"))
