"""The frozen virtual cohort against the trials of the evidence table and the published forecasting baselines."""

import re
from collections.abc import Iterator

from ml.simulator.validation import validate
from tests.figures import Figure, figure

ROWS_NEEDED = 11


def figures() -> Iterator[Figure]:
    found = validate()
    yield figure("trials.parameters", float(int(found.parameters_sha256[:8], 16)), "first 32 bits of the frozen hash")
    for result in found.results:
        for number, one in enumerate(result.estimates):
            target = one.target
            goal = None
            if target is not None:
                interval = "" if target.interval is None else f" ({target.interval[0]}-{target.interval[1]})"
                goal = f"{one.label}: published {target.value}{interval}"
            yield figure(
                f"trials.{_word(result.name)}_{number}",
                one.value,
                "ratio" if one.is_ratio else "level",
                baseline=None if target is None else target.value,
                goal=goal or one.label,
                met=one.passed,
            )
    for row, row_passed in found.rows.items():
        judged = [one.passed for r in found.results if r.row == row for one in r.estimates if one.passed is not None]
        yield figure(
            f"trials.row{row:02d}",
            sum(judged),
            "targets met",
            baseline=len(judged),
            goal="all targets of the row (baseline)",
            met=row_passed,
        )
    passed = sum(found.rows.values())
    yield figure(
        "trials.rows_passed",
        passed,
        "rows of the evidence table",
        baseline=len(found.rows),
        goal=f"at least {ROWS_NEEDED} of 13",
        met=passed >= ROWS_NEEDED,
    )
    for band in found.bands:
        yield figure(
            f"trials.band_{_word(band.name)}",
            band.simulated,
            "share or AUROC",
            goal=f"{band.low}-{band.high}",
            met=band.met,
        )
    met = sum(band.met for band in found.bands)
    yield figure(
        "trials.bands_met", met, "parts of the four bands", baseline=len(found.bands), met=met == len(found.bands)
    )


def _word(name: str) -> str:
    return re.sub(r"\W+", "_", name.lower()).strip("_")
