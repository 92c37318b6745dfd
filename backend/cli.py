"""`soom`: run, migrate, add people, import diaries, and the demonstration."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated
from uuid import UUID

import segno
import typer
import uvicorn
from rich.console import Console
from sqlmodel import Session, select

from backend.accounts import sign_in, tokens
from backend.accounts.tables import Clinician, Hospital, Role
from backend.app import build_app
from backend.core.clock import utc_now
from backend.core.database import connect, database_url
from backend.core.errors import SoomError, StartRefused
from backend.core.migrations import migrate as migrate_database
from backend.core.settings import Settings
from backend.demonstration import run as demonstration
from backend.worker import run_worker

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Soom: personalised asthma care.")
clinician_app = typer.Typer(no_args_is_help=True, help="Accounts of clinicians.")
patient_app = typer.Typer(no_args_is_help=True, help="Patients and their phones.")
app.add_typer(clinician_app, name="clinician")
app.add_typer(patient_app, name="patient")
screen = Console(stderr=True)


def stop_with(message: str) -> typer.Exit:
    screen.print(f"[red]{message}[/red]")
    return typer.Exit(1)


@app.command()
def serve(
    processes: Annotated[int, typer.Option(help="Server processes.")] = 1,
) -> None:
    """Serve the API and the dashboard."""
    settings = Settings()
    try:
        settings.refuse_default_secret()
    except StartRefused as refused:
        raise stop_with(str(refused)) from refused
    # No access log: addresses hold patients' identifiers. The audit trail is the record of access.
    if processes == 1:
        uvicorn.run(build_app(settings), host=settings.host, port=settings.port, access_log=False, log_level="warning")
    else:
        os.environ.setdefault("DATABASE_URL", database_url(settings))
        uvicorn.run(
            "backend.app:build_app",
            factory=True,
            workers=processes,
            host=settings.host,
            port=settings.port,
            access_log=False,
            log_level="warning",
        )


@app.command()
def worker() -> None:
    """Assess readings, review alerts and deliver messages as they fall due."""
    settings = Settings()
    try:
        settings.refuse_default_secret()
    except StartRefused as refused:
        raise stop_with(str(refused)) from refused
    run_worker(settings)


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    engine = connect(database_url(Settings()))
    migrate_database(engine)
    engine.dispose()
    screen.print("The database has the newest schema.")


@clinician_app.command("add")
def add_clinician(
    email: str,
    name: str,
    hospital: Annotated[str, typer.Option(help="Name of the hospital; made if it is new.")],
    role: Annotated[Role, typer.Option()] = Role.CLINICIAN,
    password: Annotated[str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True)] = "",
) -> None:
    """Add a clinician who can sign in to the dashboard."""
    engine = connect(database_url(Settings()))
    with Session(engine) as session:
        at = session.exec(select(Hospital).where(Hospital.name == hospital)).first() or Hospital(name=hospital)
        session.add(at)
        session.flush()
        try:
            sign_in.add_clinician(
                session, hospital_id=at.id, email=email, name=name, password=password, role=role, now=utc_now()
            )
        except SoomError as error:
            raise stop_with(" ".join([error.message, *(field.message for field in error.fields)])) from error
        session.commit()
    engine.dispose()
    screen.print(f"{name} can sign in as {email}.")


@patient_app.command("code")
def enrolment_code(patient_id: UUID) -> None:
    """A one-time code, also as a QR code, with which a phone is enrolled for the patient."""
    settings = Settings()
    engine = connect(database_url(settings))
    with Session(engine) as session:
        code = tokens.create_enrolment_code(session, patient_id, created_by=None, now=utc_now())
        session.commit()
    engine.dispose()
    segno.make(f"{settings.address}/enrol#{code}").terminal(out=sys.stderr, compact=True)
    typer.echo(code)


@app.command("import")
def import_diaries(
    source: Annotated[str, typer.Argument(help="aamos00: the published AAMOS-00 files.")],
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    clinician: Annotated[str, typer.Option(help="E-mail address of the clinician who will care for the patients.")],
) -> None:
    """Turn published diaries into patients whose entries go through the public sync endpoint of a running server."""
    if source != "aamos00":
        raise stop_with(f"Soom cannot import “{source}”. It knows: aamos00.")
    settings = Settings()
    engine = connect(database_url(settings))
    with Session(engine) as session:
        doctor = session.exec(select(Clinician).where(Clinician.email == clinician.lower())).first()
    if doctor is None:
        raise stop_with(f"There is no clinician with the address {clinician}; add one with “soom clinician add”.")
    report = demonstration.import_aamos00_over_http(settings, engine, doctor, folder, screen)
    engine.dispose()
    screen.print(f"{report.patients} patients, {report.rows_accepted} of {report.rows} rows taken.")


@app.command()
def demo(
    diaries: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Show the patients of these AAMOS-00 files.")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Run it through on a fresh database, print one JSON line and end.")
    ] = False,
) -> None:
    """A running clinic on this machine."""
    try:
        if once:
            typer.echo(demonstration.run_once(diaries, screen))
        else:
            demonstration.run_until_stopped(diaries, screen)
    except StartRefused as refused:
        raise stop_with(str(refused)) from refused


@app.command()
def phone(
    patient: Annotated[str, typer.Option(help="Name of a demonstration patient.")] = "",
) -> None:
    """Open the phone app on the desktop, enrolled as a patient of the running demonstration."""
    settings = demonstration.running_settings()
    if settings is None:
        raise stop_with("No demonstration is running. Start it first with “make demo”, then call this again.")
    try:
        patient_id, code = demonstration.code_for_phone(settings, patient)
    except StartRefused as refused:
        raise stop_with(str(refused)) from refused
    # One folder a patient, beside the demonstration's database: opened again, the phone is enrolled already.
    folder = settings.data_folder / "phones" / str(patient_id)
    command = [sys.executable, "-m", "mobile_app", "--server", settings.address, "--code", code]
    raise typer.Exit(subprocess.call(command, env=os.environ | {"SOOM_PHONE_DIR": str(folder)}))  # noqa: S603


if __name__ == "__main__":
    app()
