"""Reading a TOML table field by field: every problem is noted with its place, and what nobody asked for is refused."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """`field` as a dotted path into the file; `message` goes on from it."""

    field: str
    message: str


@dataclass(slots=True)
class Problems:
    found: list[FieldProblem] = field(default_factory=list)

    def add(self, place: str, message: str) -> None:
        """What is wrong with a field is told once: a second problem may be of the value that stands in for it."""
        if all(one.field != place for one in self.found):
            self.found.append(FieldProblem(place, message))


class Fields:
    """One table of the file. Each method returns a harmless value where it noted a problem, so that reading goes on."""

    def __init__(self, raw: Any, path: str, problems: Problems) -> None:
        self._path, self._problems = path, problems
        self._asked: set[str] = set()
        self._children: list[Fields] = []
        self._raw: dict[str, Any] = raw if isinstance(raw, dict) else {}
        if not isinstance(raw, dict):
            problems.add(path, "must be a table")

    def _place(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def _problem(self, name: str, message: str) -> None:
        self._problems.add(self._place(name), message)

    def _value(self, name: str, default: Any) -> Any:
        self._asked.add(name)
        if name not in self._raw and default is None:
            self._problem(name, "is missing")
        return self._raw.get(name, default)

    def _child(self, raw: Any, path: str) -> "Fields":
        child = Fields(raw, path, self._problems)
        self._children.append(child)
        return child

    def table(self, name: str, *, optional: bool = False) -> "Fields":
        raw = self._value(name, {} if optional else None)
        return self._child({} if raw is None else raw, self._place(name))

    def tables(self, name: str) -> dict[str, "Fields"]:
        raw = self._value(name, None)
        if not isinstance(raw, dict):
            return {}
        return {key: self._child(value, f"{self._place(name)}.{key}") for key, value in raw.items()}

    def list_of_tables(self, name: str, *, least: int = 0) -> list["Fields"]:
        raw = self._value(name, [])
        if not isinstance(raw, list) or len(raw) < least:
            self._problem(name, f"must be a list of at least {least} tables")
            return []
        return [self._child(value, f"{self._place(name)}[{place}]") for place, value in enumerate(raw)]

    def text(self, name: str) -> str:
        value = self._value(name, None)
        if isinstance(value, str) and value.strip():
            return value.strip()
        if value is not None:
            self._problem(name, "must be a text that is not empty")
        return ""

    def identifier(self, name: str) -> str:
        value = self.text(name)
        if value and not IDENTIFIER.fullmatch(value):
            self._problem(name, "must be small letters, digits, - and _, at most 63")
        return value

    def whole(self, name: str, least: int, most: int, *, default: int | None = None) -> int:
        value = self._value(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        if value is not None:
            self._problem(name, f"is {value!r}; it must be a whole number from {least} to {most}")
        return least

    def number(self, name: str, least: float, most: float, *, default: float) -> float:
        value = self._value(name, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most:
            return float(value)
        self._problem(name, f"is {value!r}; it must be a number from {least:g} to {most:g}")
        return default

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._value(name, default)
        if not isinstance(value, bool):
            self._problem(name, "must be true or false")
            return default
        return value

    def choice(self, name: str, allowed: Sequence[str], *, default: str | None = None) -> Any:
        value = self._value(name, default)
        if value in allowed:
            return value
        if value is not None:
            self._problem(name, f"is {value!r}; known are: {', '.join(allowed)}")
        return allowed[0]

    def names(self, name: str, *, least: int = 0) -> tuple[str, ...]:
        value = self._value(name, None if least else [])
        if isinstance(value, list) and len(value) >= least and all(isinstance(one, str) for one in value):
            return tuple(value)
        if value is not None:
            self._problem(name, f"must be a list of at least {least} names")
        return ()

    def whole_numbers(self, name: str, *, least: int) -> tuple[int, ...]:
        value = self._value(name, None)
        whole = isinstance(value, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in value)
        if value is not None and whole and len(value) >= least:
            if 0 in value:
                self._problem(
                    name, "holds 0, which is OMOP's “no matching concept”: it would take in whatever is unmapped"
                )
            return tuple(dict.fromkeys(value))
        if value is not None:
            self._problem(name, f"must be a list of at least {least} concept ids")
        return ()

    def refuse_the_rest(self) -> None:
        """A misspelt field would silently mean its default."""
        for name in sorted(set(self._raw) - self._asked):
            self._problem(name, "is not a field of a protocol; is it misspelt?")
        for child in self._children:
            child.refuse_the_rest()
