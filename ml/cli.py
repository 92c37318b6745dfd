"""soom-ml: train, judge and look after the models."""

import getpass
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from ml.evaluation.splits import Scheme
from ml.federated.cli import app as federation_app
from ml.simulator.cli import app as simulator_app

app = typer.Typer(help="Soom's models: train, judge and look after them.", no_args_is_help=True, add_completion=False)
registry_app = typer.Typer(help="The models that a server may use.", no_args_is_help=True)
app.add_typer(registry_app, name="registry")
app.add_typer(simulator_app)
app.add_typer(federation_app, name="federation")

DEMONSTRATION_SEED = 20_260
SHIPPED = Path(__file__).parent / "models" / "demonstration"

CohortFile = Annotated[Path | None, typer.Option("--cohort", help="A cohort file (.npz) instead of simulated diaries.")]
Patients = Annotated[int, typer.Option(min=50, help="Patients of the simulated cohort.")]
Days = Annotated[int, typer.Option(min=60, help="Diary days of each simulated patient.")]
ModelFolder = Annotated[Path | None, typer.Option("--model", help="A model folder instead of the shipped model.")]
RegistryRoot = Annotated[Path, typer.Argument(help="Folder of the registry.")]


def _stop(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)


@app.command()
def train(
    folder: Annotated[Path, typer.Argument(help="Folder to write the model to; default: the shipped model.")] = SHIPPED,
    cohort_file: CohortFile = None,
    patients: Patients = 8_000,
    days: Days = 365,
    seed: Annotated[int, typer.Option(help="Seed of cohort, folds and trees.")] = DEMONSTRATION_SEED,
    trees: Annotated[int, typer.Option(min=1, help="Trees of each horizon.")] = 300,
    every_days: Annotated[int, typer.Option(min=1, help="Learn from every so many days.")] = 4,
    attack_every_days: Annotated[
        int | None, typer.Option(min=1, help="The same for the two weeks before an attack; weights make up for it.")
    ] = None,
    model_id: Annotated[str, typer.Option(help="Name of the model.")] = "demonstration",
    model_version: Annotated[str, typer.Option(help="Version of the model.")] = "1",
) -> None:
    """Train, or refit, a model. The same options on the same machine give the same files, byte for byte."""
    from ml.model import save_model
    from ml.training.cohort_file import CohortFileRefused, read_cohort_file, read_hospitals
    from ml.training.fit import TrainingPlan
    from ml.training.fit import train as fit
    from ml.training.simulated import simulated_cohort

    card: dict[str, Any] = {
        "model_id": model_id,
        "model_version": model_version,
        "purpose": "chance of the onset of a severe asthma attack in the next 3, 7 and 14 days, from a home diary",
    }
    try:
        if cohort_file is None:
            cohort, card["data"] = simulated_cohort(seed, patients, days)
            card["limits"] = "Trained on simulated patients only; its figures say nothing about real ones."
        else:
            cohort = read_cohort_file(cohort_file)
            card["data"] = {"source": cohort_file.name, "seed": seed, "patients": len(cohort.profiles)}
            card["hospitals"] = read_hospitals(cohort_file)
        plan = TrainingPlan(seed=seed, trees=trees, every_days=every_days, attack_every_days=attack_every_days)
        card["plan"] = asdict(plan)
        save_model(fit(cohort, plan, card, say=typer.echo), folder)
    except (CohortFileRefused, ValueError) as error:
        _stop(f"not trained: {error}")
    typer.echo(f"wrote {folder}")


@app.command()
def evaluate(
    folder: Annotated[Path, typer.Argument(help="Folder for report.html and report.json.")],
    cohort_file: CohortFile = None,
    aamos: Annotated[Path | None, typer.Option(help="Folder of the published AAMOS-00 files.")] = None,
    patients: Patients = 3_000,
    days: Days = 365,
    seed: Annotated[int, typer.Option(help="Seed of cohort, splits, trees and bootstrap.")] = 1,
    trees: Annotated[int, typer.Option(min=1)] = 300,
    folds: Annotated[int, typer.Option(min=2)] = 3,
    scheme: Annotated[list[str] | None, typer.Option(help="Only this split; may be repeated.")] = None,
    model: ModelFolder = None,
) -> None:
    """Judge the forecast against rules and peers on diaries it has not learned from, and say when data are too few."""
    from ml.evaluation.run import evaluate_aamos, evaluate_cohort, evaluate_simulated
    from ml.forecaster import SHIPPED_MODEL
    from ml.model import ModelRefused
    from ml.training.cohort_file import CohortFileRefused

    allowed: tuple[Scheme, ...] = ("patient_wise", "leave_one_hospital_out", "rolling_origin")
    chosen = [name for name in allowed if scheme is None or name in scheme]
    if scheme is not None and len(chosen) != len(set(scheme)):
        _stop(f"unknown scheme among {', '.join(scheme)}; known are {', '.join(allowed)}")
    try:
        if aamos is not None:
            evaluate_aamos(folder, aamos, model or SHIPPED_MODEL, seed)
        elif cohort_file is not None:
            evaluate_cohort(folder, cohort_file, model or SHIPPED_MODEL, chosen, folds, trees, seed, typer.echo)
        else:
            evaluate_simulated(folder, patients, days, chosen, folds, trees, seed, typer.echo)
    except (CohortFileRefused, ModelRefused, FileNotFoundError) as error:
        _stop(f"not judged: {error}")
    typer.echo(f"wrote {folder / 'report.html'}")


@app.command()
def drift(
    cohort_file: Annotated[Path, typer.Argument(help="A cohort file (.npz) of the last months.")],
    model: ModelFolder = None,
) -> None:
    """Print as JSON whether a model still fits: calibration by hospital, alarms against budget, shifted features."""
    from ml.evaluation.drift import drift_report
    from ml.evaluation.report import as_json
    from ml.evaluation.study_data import study_data
    from ml.forecaster import SHIPPED_MODEL
    from ml.model import ModelRefused, load_model
    from ml.training.cohort_file import CohortFileRefused, read_cohort_file

    try:
        report = drift_report(load_model(model or SHIPPED_MODEL), study_data(read_cohort_file(cohort_file)))
    except (CohortFileRefused, ModelRefused) as error:
        _stop(f"no report: {error}")
    typer.echo(as_json(report))


@app.command()
def challenge(
    cohort_file: Annotated[Path, typer.Argument(help="A cohort file (.npz) that neither model has learned from.")],
    challenger: Annotated[Path, typer.Argument(help="Folder of the new model.")],
    champion: ModelFolder = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 1,
) -> None:
    """Print as JSON whether a challenger may take the champion's place."""
    from ml.evaluation.challenge import challenge as compare
    from ml.evaluation.report import as_json
    from ml.evaluation.study_data import study_data
    from ml.forecaster import SHIPPED_MODEL
    from ml.model import ModelRefused, load_model
    from ml.training.cohort_file import CohortFileRefused, read_cohort_file

    try:
        data = study_data(read_cohort_file(cohort_file))
        found = compare(load_model(champion or SHIPPED_MODEL), load_model(challenger), data, seed)
    except (CohortFileRefused, ModelRefused) as error:
        _stop(f"not compared: {error}")
    typer.echo(as_json(found))


@registry_app.command()
def admit(root: RegistryRoot, folder: Annotated[Path, typer.Argument()], reason: str = "") -> None:
    """Try a model in a process of its own and take it in as a challenger."""
    from ml.model import ModelRefused
    from ml.registry import Registry

    try:
        typer.echo(Registry(root).admit(folder, by=getpass.getuser(), now=datetime.now(UTC), reason=reason))
    except ModelRefused as error:
        _stop(f"refused: {error}")


@registry_app.command()
def approve(root: RegistryRoot, name: str, reason: Annotated[str, typer.Option(prompt=True)]) -> None:
    """Make an admitted model the one that servers use."""
    from ml.model import ModelRefused
    from ml.registry import NotInRegistry, Registry

    try:
        Registry(root).approve(name, by=getpass.getuser(), now=datetime.now(UTC), reason=reason)
    except (ModelRefused, NotInRegistry) as error:
        _stop(str(error))
    typer.echo(f"in use: {name}")


@registry_app.command("roll-back")
def roll_back(root: RegistryRoot, reason: Annotated[str, typer.Option(prompt=True)]) -> None:
    """Return to the champion before this one, in the end to the shipped model."""
    from ml.model import ModelRefused
    from ml.registry import NotInRegistry, Registry

    try:
        earlier = Registry(root).roll_back(by=getpass.getuser(), now=datetime.now(UTC), reason=reason)
    except (ModelRefused, NotInRegistry) as error:
        _stop(str(error))
    typer.echo(f"in use again: {earlier or 'the shipped model'}")


@registry_app.command("list")
def list_models(root: RegistryRoot) -> None:
    """Print champion, challengers and ledger as JSON."""
    from ml.model import ModelRefused
    from ml.registry import Registry

    registry = Registry(root)
    try:
        content = {
            "champion": registry.champion(),
            "challengers": registry.challengers(),
            "ledger": [asdict(entry) for entry in registry.ledger()],
        }
    except ModelRefused as error:
        _stop(str(error))
    typer.echo(json.dumps(content, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    app()
