"""`soom`: run, migrate, add people, import diaries, and the demonstration."""

import json
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
from rich.progress import track
from sqlalchemy import Engine
from sqlmodel import Session, select

from backend.accounts import sign_in, tokens
from backend.accounts.tables import Clinician, Hospital, Role
from backend.app import build_app
from backend.core import audit
from backend.core.clock import utc_now
from backend.core.database import connect, database_url
from backend.core.errors import SoomError, StartRefused
from backend.core.migrations import migrate as migrate_database
from backend.core.settings import Settings
from backend.demonstration import run as demonstration
from backend.interchange.bundle import read_bundle
from backend.interchange.exporting import write_bundle
from backend.interchange.importing import import_resources
from backend.operations import cli as operations
from backend.patients.tables import Patient
from backend.research import cli as research
from backend.research import governance_cli as governance
from backend.risk.sites import patients_of
from backend.worker import run_worker

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Soom: personalised asthma care.")
clinician_app = typer.Typer(no_args_is_help=True, help="Accounts of clinicians.")
patient_app = typer.Typer(no_args_is_help=True, help="Patients and their phones.")
app.add_typer(clinician_app, name="clinician")
app.add_typer(patient_app, name="patient")
export_app = typer.Typer(no_args_is_help=True, help="Give data to other systems.")
app.add_typer(export_app, name="export")
export_app.command("omop")(research.export_omop)
export_app.command("training")(operations.export_training)
app.add_typer(operations.model_app, name="model")
app.add_typer(research.study_app, name="study")
app.add_typer(research.omop_app, name="omop")
for group, name in ((research.study_app, "study"), (export_app, "export"), (operations.model_app, "model")):
    for command, function in governance.COMMANDS[name].items():
        group.command(command)(function)
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
    source: Annotated[str, typer.Argument(help="fhir: FHIR R4 bundles; aamos00: the published AAMOS-00 files.")],
    path: Annotated[Path, typer.Argument(exists=True, help="A file, or a folder of files.")],
    clinician: Annotated[str, typer.Option(help="E-mail address of the clinician who will care for the patients.")],
    patient: Annotated[
        UUID | None, typer.Option(help="fhir: whose records these are, where the bundle's own numbers are new here.")
    ] = None,
) -> None:
    """Take in patients' records.

    fhir: each bundle becomes one patient's records, whole or not at all; one JSON line a file says what became of each
    resource. aamos00: published diaries become patients whose entries go through the endpoint of a running server.
    """
    if source not in {"aamos00", "fhir"}:
        raise stop_with(f"Soom cannot import “{source}”. It knows: aamos00, fhir.")
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if source == "fhir" and not files:
        raise stop_with(f"{path} holds no .json file.")
    settings = Settings()
    engine = connect(database_url(settings))
    with Session(engine) as session:
        doctor = session.exec(select(Clinician).where(Clinician.email == clinician.lower())).first()
    if doctor is None:
        raise stop_with(f"There is no clinician with the address {clinician}; add one with “soom clinician add”.")
    if source == "fhir":
        refused = _import_fhir(engine, doctor, files, patient)
        engine.dispose()
        raise typer.Exit(1 if refused else 0)
    if not path.is_dir():
        raise stop_with("aamos00 is a folder of files.")
    report = demonstration.import_aamos00_over_http(settings, engine, doctor, path, screen)
    engine.dispose()
    screen.print(f"{report.patients} patients, {report.rows_accepted} of {report.rows} rows taken.")


def _import_fhir(engine: Engine, doctor: Clinician, files: list[Path], patient_id: UUID | None) -> int:
    """Each file in a transaction of its own; how many were refused as a whole."""
    refused = 0
    for file in files:
        with Session(engine) as session:
            try:
                resources = read_bundle(file.read_bytes())
                report = import_resources(session, doctor, resources, now=utc_now(), patient_id=patient_id)
            except SoomError as error:
                session.rollback()
                refused += 1
                typer.echo(json.dumps({"file": file.name, "refused": error.message}, ensure_ascii=False))
                continue
            session.commit()
            typer.echo(json.dumps({"file": file.name, **report.as_json()}, ensure_ascii=False))
    return refused


@export_app.command("fhir")
def export_fhir(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Gets one bundle (FHIR R4, JSON) a patient.")],
    hospital: Annotated[str, typer.Option(help="Name of the hospital whose patients are exported.")],
    patient: Annotated[UUID | None, typer.Option(help="Only this patient.")] = None,
) -> None:
    """Everything that is kept of patients: diary, medicines, plans, measurements, consents, forecasts."""
    engine = connect(database_url(Settings()))
    folder.mkdir(parents=True, exist_ok=True)
    with Session(engine) as session:
        at = session.exec(select(Hospital).where(Hospital.name == hospital)).first()
        if at is None:
            raise stop_with(f"There is no hospital named “{hospital}”.")
        chosen = [one for one in patients_of(session, at.id) if patient in (None, one)]
        if not chosen:
            raise stop_with("There is no such patient in this hospital.")
        for patient_id in track(chosen, description="Exporting", console=screen):
            with (folder / f"{patient_id}.json").open("w", encoding="utf-8") as file:
                count = write_bundle(session, session.get_one(Patient, patient_id), file)
            audit.record(
                session,
                now=utc_now(),
                actor_kind=audit.ActorKind.SYSTEM,
                actor_id=None,
                action="fhir.exported",
                patient_ids=[patient_id],
                detail={"resources": count},
            )
            session.commit()
            session.expunge_all()
    engine.dispose()
    screen.print(f"{len(chosen)} patients exported.")


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
