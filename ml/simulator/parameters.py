"""The frozen numbers of the virtual cohort: read, checked against their hash, and replaceable while fitting."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

PARAMETERS_FILE = Path(__file__).with_name("parameters.toml")

Value = float | tuple[float, ...]


class ParametersChanged(ValueError):
    """The values in the file are not those that were frozen."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """All numbers by name; units and sources stand beside them in parameters.toml."""

    values: Mapping[str, Value]

    def __getattr__(self, name: str) -> float:
        try:
            value = self.values[name]
        except KeyError:
            raise AttributeError(f"no parameter {name!r} in {PARAMETERS_FILE.name}") from None
        if isinstance(value, tuple):
            raise AttributeError(f"parameter {name!r} is a list; use several({name!r})")
        return value

    def several(self, name: str) -> tuple[float, ...]:
        value = self.values[name]
        if not isinstance(value, tuple):
            raise KeyError(f"parameter {name!r} is a single number")
        return value

    def with_values(self, **changed: Value) -> "Parameters":
        unknown = sorted(set(changed) - set(self.values))
        if unknown:
            raise KeyError(f"unknown parameters: {', '.join(unknown)}")
        return replace(self, values={**self.values, **changed})

    @property
    def sha256(self) -> str:
        """Hash of the names and values, independent of comments and layout."""
        return hashlib.sha256(json.dumps(dict(self.values), sort_keys=True).encode()).hexdigest()


def read(path: Path = PARAMETERS_FILE) -> tuple[Parameters, str | None]:
    """The values in a file and the hash it claims for them, unchecked."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    claimed = document.pop("sha256", None)
    values: dict[str, Value] = {}
    for section in document.values():
        for name, value in section.items():
            values[name] = tuple(float(v) for v in value) if isinstance(value, list) else float(value)
    return Parameters(values), claimed


@cache
def frozen() -> Parameters:
    """The values as frozen; raises ParametersChanged when the file was edited without freezing it anew."""
    parameters, claimed = read()
    if claimed != parameters.sha256:
        raise ParametersChanged(
            f"{PARAMETERS_FILE.name}: values hash to {parameters.sha256}, the file claims {claimed}"
        )
    return parameters


def freeze(path: Path = PARAMETERS_FILE) -> str:
    """Write the hash of the values into the file, as its first key, and return it."""
    parameters, _ = read(path)
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("sha256 = ")]
    first_section = next(number for number, line in enumerate(lines) if line.startswith("["))
    lines.insert(first_section, f'sha256 = "{parameters.sha256}"')
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return parameters.sha256


def write_values(values: Mapping[str, float], path: Path = PARAMETERS_FILE) -> None:
    """Replace single numbers in the file, comments kept; the file then needs freezing."""
    text = path.read_text(encoding="utf-8")
    for name, value in values.items():
        text, found = re.subn(rf"(?m)^{name} = [^ \n]+", f"{name} = {value:.4g}", text)
        if found != 1:
            raise KeyError(f"no single number {name!r} in {path.name}")
    path.write_text(text, encoding="utf-8")
