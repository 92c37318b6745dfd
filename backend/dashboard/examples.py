"""Examples of the larger answers for OpenAPI: shortened answers of a clinic of invented patients, kept in a file."""

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "examples.json"


@cache
def examples() -> dict[str, Any]:
    """By the name of the model."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def example(name: str) -> dict[str, Any]:
    """For a model's `json_schema_extra`."""
    return {"examples": [examples()[name]]}
