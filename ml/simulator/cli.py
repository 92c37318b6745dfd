"""Commands on the virtual cohort: run a trial, validate everything, fit, freeze."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ml.simulator.fitting import FREE_PARAMETERS, fit
from ml.simulator.parameters import PARAMETERS_FILE, freeze, read, write_values
from ml.simulator.trial_analysis import Estimate, Result
from ml.simulator.trial_fields import TrialSpecError
from ml.simulator.trial_spec import read_spec
from ml.simulator.trials import run_trial
from ml.simulator.validation import Validation, listed_trials, validate

app = typer.Typer(no_args_is_help=True, help="The virtual cohort and its trials.")
ROWS_NEEDED = 11


def _verdict(passed: bool | None) -> str:
    return {None: "    ", True: "pass", False: "FAIL"}[passed]


def _line(estimate: Estimate) -> str:
    error = f" (MC SE of ln {estimate.standard_error:.3f})" if estimate.is_ratio else ""
    target = ""
    if estimate.target is not None:
        target = f"; target {estimate.target.value:g}"
        if estimate.target.interval is not None:
            target += f" ({estimate.target.interval[0]:g} to {estimate.target.interval[1]:g})"
    return f"  {_verdict(estimate.passed)}  {estimate.label}: {estimate.value:.3f}{error}{target}"


def print_result(result: Result) -> None:
    """Rates, levels and figures of one trial as text."""
    print(f"{result.name}: {result.title}; {result.patients} patients, each followed under every arm")
    for arm, rates in result.rates.items():
        text = ", ".join(f"{outcome} {rate:.3f}" for outcome, rate in rates.items())
        levels = result.levels[arm]
        print(
            f"  {arm}: per patient-year {text}; morning peak flow {levels['morning_litres_per_min']:.0f} L/min, "
            f"reliever {levels['reliever_puffs_per_day']:.2f} puffs/day, nights awake "
            f"{100 * levels['night_waking_share']:.1f} %, "
            f"symptom-free days {100 * levels['symptom_free_share']:.1f} %, "
            f"inhaled steroid {levels['ics_micrograms_per_day']:.0f} ug/day delivered"
        )
    for estimate in result.estimates:
        print(_line(estimate))


def print_summary(validation: Validation) -> None:
    """Rows and bands as text."""
    for band in validation.bands:
        print(f"  {_verdict(band.met)}  {band.name}: {band.simulated:.3f}; band {band.low:g} to {band.high:g}")
    rows = validation.rows
    print("rows: " + ", ".join(f"{row} {_verdict(passed)}" for row, passed in rows.items()))
    print(
        f"{sum(rows.values())} of {len(rows)} rows pass; {sum(b.met for b in validation.bands)} of "
        f"{len(validation.bands)} published figures in band; parameters {validation.parameters_sha256[:12]}"
    )


@app.command()
def trial(
    specification: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="TOML file; see ml/trials/README.md")
    ],
    patients: Annotated[
        int | None, typer.Option(min=100, help="participants; default: as many as precision needs")
    ] = None,
) -> None:
    """Run one randomised trial from a file."""
    try:
        print_result(run_trial(read_spec(specification), patients=patients))
    except TrialSpecError as error:
        typer.echo(f"{specification.name}: {error}", err=True)
        raise typer.Exit(2) from error


@app.command(name="validate")
def validate_command(
    patients: Annotated[
        int | None, typer.Option(min=100, help="participants a trial; default: as precision needs")
    ] = None,
    figures: Annotated[Path | None, typer.Option(help="also write all figures to this JSON file")] = None,
) -> None:
    """Run every listed trial and the published baselines; fails when too few rows pass or a band is missed."""
    validation = validate(patients=patients, report=print_result)
    print_summary(validation)
    if figures is not None:
        figures.write_text(json.dumps(validation.as_figures(), indent=1), encoding="utf-8")
    if sum(validation.rows.values()) < ROWS_NEEDED or not all(band.met for band in validation.bands):
        raise typer.Exit(1)


@app.command(name="fit-simulator")
def fit_command(
    patients: Annotated[int, typer.Option(min=200)] = 1500, iterations: Annotated[int, typer.Option(min=1)] = 2
) -> None:
    """Fit the free parameters to the listed trials, write and freeze them."""
    parameters, _ = read()
    fitted = fit(parameters, listed_trials(), patients=patients, iterations=iterations, report=print)
    write_values({name: getattr(fitted, name) for name in FREE_PARAMETERS})
    print(f"frozen as {freeze()}")


@app.command(name="freeze-simulator")
def freeze_command() -> None:
    """Give the edited parameters a new hash."""
    print(f"{PARAMETERS_FILE.name} frozen as {freeze()}")
