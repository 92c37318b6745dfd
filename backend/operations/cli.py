"""`soom model` and `soom export training`: what who keeps Soom running does at the command line."""

from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session, select

from backend.accounts.tables import Hospital
from backend.core.clock import utc_now
from backend.core.database import connect, database_url
from backend.core.settings import Settings
from backend.risk.sites import switch_model, switches
from backend.risk.tables import ModelMode
from backend.risk.training import NobodyToExport
from backend.risk.training import export_training as export

model_app = typer.Typer(no_args_is_help=True, help="Which model speaks at a hospital: on, in the shadow, or off.")

HospitalName = Annotated[str, typer.Option("--hospital", help="Name of the hospital.")]


def _hospital(session: Session, name: str) -> Hospital:
    found = session.exec(select(Hospital).where(Hospital.name == name)).first()
    if found is None:
        raise typer.BadParameter(f"There is no hospital “{name}”.")
    return found


@model_app.command("switch")
def switch(
    model_id: Annotated[str, typer.Argument(help="As the operations page and the forecasts name it.")],
    mode: Annotated[ModelMode, typer.Argument(help="on, shadow or off. Rules and their alerts go on in every case.")],
    hospital: HospitalName,
    reason: Annotated[str, typer.Option(prompt=True)],
) -> None:
    """Turn a model on, into the shadow (logged, nobody told), or off. Audited."""
    engine = connect(database_url(Settings()))
    with Session(engine) as session:
        at = _hospital(session, hospital)
        switch_model(session, at.id, model_id, mode, reason=reason, set_by=None, now=utc_now())
        session.commit()
    engine.dispose()
    typer.echo(f"{model_id} is {mode.value} at {hospital}.")


@model_app.command("list")
def list_switches(hospital: HospitalName) -> None:
    """The models that the hospital ever switched; every other one is on."""
    engine = connect(database_url(Settings()))
    with Session(engine) as session:
        for row in switches(session, _hospital(session, hospital).id):
            typer.echo(f"{row.model_id}\t{row.mode}\t{row.set_at:%Y-%m-%d %H:%M}\t{row.reason}")
    engine.dispose()


def export_training(
    file: Annotated[Path, typer.Argument(help="The cohort file to write, for `soom-ml train` and `soom-ml evaluate`.")],
    hospital: Annotated[str | None, typer.Option(help="Only this hospital's patients.")] = None,
) -> None:
    """Diaries of patients who consented to research, without names or identifiers. Audited for each patient."""
    engine = connect(database_url(Settings()))
    with Session(engine) as session:
        at = None if hospital is None else _hospital(session, hospital).id
        try:
            found = export(session, file, hospital_id=at, now=utc_now())
        except NobodyToExport:
            typer.echo("Nobody with a diary has consented to research; nothing was written.", err=True)
            raise typer.Exit(1) from None
        session.commit()
    engine.dispose()
    typer.echo(f"{found.patients} patients, {found.patient_days} patient-days in {file}.")
