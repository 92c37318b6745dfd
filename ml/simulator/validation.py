"""All listed trials and published baselines against the frozen cohort: target, simulated, pass or fail."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ml.simulator.parameters import Parameters, frozen
from ml.simulator.published_baselines import Band, published_bands
from ml.simulator.trial_analysis import Result
from ml.simulator.trial_spec import TrialSpec, read_spec
from ml.simulator.trials import run_trial

TRIALS_FOLDER = Path(__file__).parents[1] / "trials"


@dataclass(frozen=True, slots=True)
class Validation:
    """Results of every trial, the bands, and the hash of the parameters that produced them."""

    results: tuple[Result, ...]
    bands: tuple[Band, ...]
    parameters_sha256: str

    @property
    def rows(self) -> dict[int, bool]:
        """Whether every target of all trials of a row of the evidence table is met, by row."""
        rows: dict[int, bool] = {}
        for result in self.results:
            if result.row is not None and result.passed is not None:
                rows[result.row] = rows.get(result.row, True) and result.passed
        return dict(sorted(rows.items()))

    def as_figures(self) -> dict[str, object]:
        """Flat figures by name, `trials.…`, for reports that compare runs."""
        figures: dict[str, object] = {
            "trials.parameters_sha256": self.parameters_sha256,
            "trials.rows_passed": sum(self.rows.values()),
            "trials.rows": len(self.rows),
            "trials.bands_met": sum(band.met for band in self.bands),
            "trials.bands": len(self.bands),
        }
        for result in self.results:
            figures[f"trials.{result.name}"] = {
                "passed": result.passed,
                "patients": result.patients,
                "figures": [
                    {
                        "label": one.label,
                        "simulated": one.value,
                        "standard_error_log": one.standard_error if one.is_ratio else None,
                        "target": one.target.value if one.target else None,
                        "interval": one.target.interval if one.target else None,
                        "passed": one.passed,
                    }
                    for one in result.estimates
                ],
            }
        for band in self.bands:
            figures[f"trials.band: {band.name}"] = {
                "simulated": band.simulated,
                "low": band.low,
                "high": band.high,
                "met": band.met,
            }
        return figures


def listed_trials(folder: Path = TRIALS_FOLDER) -> list[TrialSpec]:
    """Every specification in the folder, by file name."""
    return [read_spec(path) for path in sorted(folder.glob("*.toml"))]


def validate(
    parameters: Parameters | None = None,
    patients: int | None = None,
    report: Callable[[Result], None] | None = None,
    *,
    with_bands: bool = True,
) -> Validation:
    """Run everything; `report` is called after each trial, `patients` overrides the numbers needed for precision."""
    p = parameters or frozen()
    results = []
    for spec in listed_trials():
        results.append(run_trial(spec, p, patients))
        if report is not None:
            report(results[-1])
    bands = tuple(published_bands(parameters=p)) if with_bands else ()
    return Validation(tuple(results), bands, p.sha256)
