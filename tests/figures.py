"""Prints every figure as one JSON line: `python -m tests.figures benchmarks|evidence [--only prefix]`.

A module in tests/benchmarks or tests/evidence has `figures()`, which yields what `figure()` makes; all its names begin
with the module's name up to the first underscore (`ml_scoring.py` gives `ml.…`). A module's own name as the prefix
(`ml_scoring`) runs that module alone.
"""

import argparse
import importlib
import json
import os
import pkgutil
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any

# Before NumPy is loaded: figures are of one core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
Figure = dict[str, Any]


def figure(
    name: str,
    value: float | None,
    unit: str,
    *,
    baseline: float | None = None,
    goal: str | None = None,
    met: bool | None = None,
) -> Figure:
    """`baseline` is measured in the same run, in the same unit; `goal` is in words, `met` whether it was reached."""
    ratio = None if baseline in (None, 0) or value is None else value / baseline
    return {
        "name": name,
        "value": _rounded(value),
        "unit": unit,
        "baseline": _rounded(baseline),
        "ratio": _rounded(ratio),
        "goal": goal,
        "met": met,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def modules(package_name: str, only: str) -> Iterator[Any]:
    package = importlib.import_module(f"tests.{package_name}")
    for found in pkgutil.iter_modules(package.__path__):
        prefix = found.name.split("_")[0]
        if prefix.startswith(only) or only.startswith(f"{prefix}.") or only in (prefix, found.name):
            module = importlib.import_module(f"tests.{package_name}.{found.name}")
            if hasattr(module, "figures"):
                yield module


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("package", choices=["benchmarks", "evidence"])
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    failed = False
    for module in modules(arguments.package, arguments.only):
        started = time.perf_counter()
        try:
            for line in module.figures():
                if line["name"].startswith(arguments.only) or module.__name__.endswith(f".{arguments.only}"):
                    sys.stdout.write(json.dumps(line) + "\n")
                    sys.stdout.flush()
        except Exception:
            failed = True
            traceback.print_exc()
        sys.stderr.write(f"{module.__name__}: {time.perf_counter() - started:.0f} s\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
