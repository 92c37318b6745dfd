"""Single values of a trial's description, each checked as it is read; a refusal names the key and what is allowed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self


class TrialSpecError(ValueError):
    """The description of a trial is wrong; the message names the key."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the file and its place in it; the place of the whole file is empty."""

    values: Mapping[str, Any]
    where: str

    @classmethod
    def of(cls, value: Any, where: str, allowed: Collection[str] | None = None) -> Self:
        """`allowed` None: the keys are names that the file chooses."""
        if not isinstance(value, Mapping):
            raise TrialSpecError(f"{where}: expected a table, found {value!r}")
        table = cls(value, where)
        unknown = [] if allowed is None else sorted(set(value) - set(allowed))
        if unknown:
            raise table.wrong(f"unknown key {', '.join(unknown)}; allowed are {', '.join(sorted(allowed or ()))}")
        return table

    def place(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def wrong(self, message: str, key: str | None = None) -> TrialSpecError:
        place = self.where if key is None else self.place(key)
        return TrialSpecError(f"{place}: {message}" if place else message)

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def required(self, key: str) -> Any:
        if key not in self.values:
            raise self.wrong(f"missing key {key}")
        return self.values[key]

    def table(self, key: str, allowed: Collection[str] | None = None) -> "Table":
        """The table under `key`; an empty one where it is missing."""
        return Table.of(self.values.get(key, {}), self.place(key), allowed)

    def tables(self, key: str, allowed: Collection[str]) -> list["Table"]:
        """The list of tables under `key`; an empty one where it is missing."""
        found = self.values.get(key, [])
        if not isinstance(found, list):
            raise self.wrong("expected a list of tables", key)
        return [Table.of(one, f"{self.place(key)}[{number}]", allowed) for number, one in enumerate(found)]

    def named_tables(self, key: str, allowed: Collection[str]) -> dict[str, "Table"]:
        """Tables by the names that the file gives them, at least one."""
        found = Table.of(self.required(key), self.place(key))
        if not found.values:
            raise self.wrong("is empty", key)
        return {name: Table.of(one, found.place(name), allowed) for name, one in found.values.items()}

    def text(self, key: str, default: str = "") -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(f"expected text, found {value!r}", key)
        return value

    def number(self, key: str, default: float | None = None, low: float | None = None) -> float:
        """`default` None: the key is required. `low` is inclusive."""
        value = self.required(key) if default is None else self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(f"expected a number, found {value!r}", key)
        if low is not None and value < low:
            raise self.wrong(f"{value:g} is below {low:g}", key)
        return float(value)

    def whole(self, key: str, default: int | None, low: int, high: int) -> int:
        """`default` None: the key is required. The bounds are inclusive."""
        value = self.required(key) if default is None else self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(f"expected a whole number, found {value!r}", key)
        if not low <= value <= high:
            raise self.wrong(f"{value} is not between {low} and {high}", key)
        return value

    def flag(self, key: str) -> bool:
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(f"expected true or false, found {value!r}", key)
        return value

    def one_of(self, key: str, allowed: Collection[str], default: str | None = None) -> str:
        """`default` None: the key is required."""
        value = self.required(key) if default is None else self.values.get(key, default)
        if value not in allowed:
            raise self.wrong(f"{value!r} is not one of {', '.join(sorted(allowed))}", key)
        return str(value)

    def names(self, key: str, allowed: Collection[str], default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """One name or a list of different ones. `default` None: the key is required, and must name something."""
        value = self.required(key) if default is None else self.values.get(key, default)
        found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else (value,)
        for one in found:
            if one not in allowed:
                raise self.wrong(f"{one!r} is not one of {', '.join(sorted(allowed))}", key)
        if len(set(found)) != len(found):
            raise self.wrong("names something twice", key)
        if default is None and not found:
            raise self.wrong("is empty", key)
        return found

    def range(self, key: str) -> tuple[float, float]:
        value = self.required(key)
        is_pair = isinstance(value, list) and len(value) == 2
        if not is_pair or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in value):
            raise self.wrong(f"expected [low, high], found {value!r}", key)
        low, high = float(value[0]), float(value[1])
        if low > high:
            raise self.wrong(f"low {low:g} exceeds high {high:g}", key)
        return low, high

    def ranges(self, key: str, allowed: Collection[str]) -> dict[str, tuple[float, float]]:
        limits = self.table(key, allowed)
        return {name: limits.range(name) for name in limits.values}
