"""soom-ml: train, judge and look after the models."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Soom's models: train, judge and look after them.", no_args_is_help=True, add_completion=False)

DEMONSTRATION_SEED = 20_260


@app.callback()
def _commands() -> None:
    """Keep commands named even while there is only one."""


@app.command()
def train(
    folder: Annotated[Path, typer.Argument(help="Folder to write the model to.")],
    patients: Annotated[int, typer.Option(min=50, help="Patients of the simulated cohort to learn from.")] = 12_000,
    days: Annotated[int, typer.Option(min=60, help="Diary days of each patient.")] = 365,
    seed: Annotated[int, typer.Option(help="Seed of cohort, folds and trees.")] = DEMONSTRATION_SEED,
    trees: Annotated[int, typer.Option(min=1, help="Trees of each horizon.")] = 300,
    model_id: Annotated[str, typer.Option(help="Name of the model.")] = "demonstration",
    model_version: Annotated[str, typer.Option(help="Version of the model.")] = "1",
) -> None:
    """Train a model on a simulated cohort. The same options give the same files, byte for byte."""
    from ml.model import save_model
    from ml.training.fit import TrainingPlan
    from ml.training.fit import train as fit
    from ml.training.simulated import simulated_cohort

    cohort, provenance = simulated_cohort(seed, patients, days)
    card = {
        "model_id": model_id,
        "model_version": model_version,
        "purpose": "chance of the onset of a severe asthma attack in the next 3, 7 and 14 days, from a home diary",
        "data": provenance,
        "limits": "Trained on simulated patients only; its figures say nothing about real ones.",
    }
    save_model(fit(cohort, TrainingPlan(seed=seed, trees=trees), card, say=typer.echo), folder)
    typer.echo(f"wrote {folder}")


if __name__ == "__main__":
    app()
