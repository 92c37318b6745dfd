"""`soom study`, `soom export omop`, `soom omop`: research from the command line of a hospital."""

import json
import random
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from rich.console import Console
from sqlmodel import Session

from backend.core.clock import utc_now
from backend.core.database import connect, database_url
from backend.core.errors import SoomError
from backend.core.settings import Settings
from backend.research import governance, omop_database, studies
from backend.research.export import export_study
from backend.research.governance_tables import ProposalKind

study_app = typer.Typer(no_args_is_help=True, help="Studies on real-world data, each from one protocol file.")
omop_app = typer.Typer(no_args_is_help=True, help="OMOP CDM 5.4 tables.")
screen = Console(stderr=True)


def stopped(error: SoomError) -> typer.Exit:
    screen.print(f"[red]{error.message}[/red]")
    for field in error.fields:
        screen.print(f"  {field.path}: {field.message}", highlight=False)
    return typer.Exit(1)


@study_app.command("run")
def run_study(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The protocol, a TOML file.")],
    hospital: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=folder of Parquet tables or NAME=postgresql://…#schema; repeat. Default: own patients."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the report goes.")] = None,
    open_results: Annotated[bool, typer.Option("--open", help="Open the results, once diagnostics were seen.")] = False,
    override: Annotated[str | None, typer.Option(help="Why to open although the diagnostics did not pass.")] = None,
) -> None:
    """Register a study and show its blinded diagnostics; a second time with --open, its results."""
    settings = Settings()
    places = []
    for one in hospital or []:
        name, separator, place = one.partition("=")
        if not separator:
            raise typer.BadParameter(f"“{one}” is not NAME=place", param_hint="--hospital")
        places.append(studies.HospitalTables(name, place))
    engine = None if places else connect(database_url(settings))
    try:
        done = studies.run(
            file,
            places,
            settings.data_folder / "studies",
            engine,
            now=utc_now(),
            random_source=random.SystemRandom(),
            open_results=open_results,
            override=override,
            folder=out,
        )
    except SoomError as error:
        raise stopped(error) from error
    finally:
        if engine is not None:
            engine.dispose()
    for line in done.summary:
        typer.echo(line)
    screen.print(f"The report is {done.folder / 'report.html'} (and .pdf).")


@study_app.command("simulate")
def simulate(
    folder: Annotated[Path, typer.Argument(help="A new folder, one folder of OMOP tables a hospital inside.")],
    patients: Annotated[int, typer.Option(min=5, help="Of all hospitals together.")] = 5000,
    seed: Annotated[int, typer.Option()] = 1,
) -> None:
    """Write five invented hospitals with a known effect (hazard ratio 0.75 each), to try a study on."""
    if folder.exists():
        screen.print(f"[red]{folder} exists already; name a new folder.[/red]")
        raise typer.Exit(1)
    for made in studies.simulate(folder, seed, patients):
        typer.echo(f"--hospital {made.name}={made}")


def export_omop(
    protocol: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="The accepted protocol: of a study, or of an export.")
    ],
    folder: Annotated[Path, typer.Argument(help="A new folder for the Parquet tables.")],
) -> None:
    """Write the data of patients who consent to research, of the hospitals that accepted the protocol, as OMOP CDM 5.4
    tables under pseudonyms."""
    engine = connect(database_url(Settings()))
    content = protocol.read_bytes()
    try:
        with Session(engine) as session:
            kinds = (ProposalKind.STUDY, ProposalKind.EXPORT)
            agreed = governance.accepted(session, governance.digest(content), kinds)
        is_export = agreed[0].kind == ProposalKind.EXPORT.value
        report = export_study(
            engine,
            agreed[0].name,
            agreed[0].title,
            folder,
            now=utc_now(),
            random_source=random.SystemRandom(),
            dates_shifted=not (is_export and governance.read_export(content).dates == "true"),
            hospital_ids=[one.hospital_id for one in agreed],
            detail={"kind": ProposalKind.EXPORT.value, "protocol": agreed[0].sha256},
        )
    except SoomError as error:
        raise stopped(error) from error
    finally:
        engine.dispose()
    screen.print(f"{report.patients} patients, {report.total_rows} rows in {folder}.")
    if report.without_birth_date:
        screen.print(f"Left out, because OMOP needs a year of birth: {report.without_birth_date} patients.")
    for name, count in report.unmapped.items():
        screen.print(f"Without a concept: {name} ({count} rows); its words are in drug_source_value.")


@omop_app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    field_list: Annotated[
        Path | None, typer.Option(help="Folder with OMOP's official field list; default: the shared data.")
    ] = None,
) -> None:
    """Print the data-quality report of OMOP tables as JSON; ends with 1 if a check fails."""
    try:
        report = studies.check_tables(folder, field_list or Settings().shared_data / "omop_cdm54")
    except SoomError as error:
        raise stopped(error) from error
    typer.echo(json.dumps(report.as_document(), indent=1, ensure_ascii=False))
    for one in report.checks:
        if not one.passed:
            screen.print(f"{one.kind}: {one.table}: {one.what}: {one.rows_failing} of {one.rows} rows fail")
    if not report.passed:
        raise typer.Exit(1)


@omop_app.command("cohort")
def cohort(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    file: Annotated[Path, typer.Argument(help="The cohort file to write (.npz), which stays in the hospital.")],
) -> None:
    """Turn OMOP tables of any origin into a cohort file for training; say what could not be read."""
    try:
        patients, left_out = studies.write_cohort_file(folder, file)
    except SoomError as error:
        raise stopped(error) from error
    screen.print(f"{patients} patients in {file}.")
    for sentence in left_out:
        screen.print(sentence)


@omop_app.command("load")
def load(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    database: Annotated[str, typer.Argument(help="PostgreSQL address.")],
    schema: Annotated[str, typer.Option()] = studies.DEFAULT_SCHEMA,
    definitions: Annotated[
        Path | None, typer.Option(help="Folder with OMOP's official files; default: the shared data.")
    ] = None,
) -> None:
    """Load tables into a new schema by the official definitions, with all keys and constraints, or not at all."""
    official = definitions or Settings().shared_data / "omop_cdm54" / "postgresql"
    try:
        with psycopg.connect(database) as connection:
            rows = omop_database.load(folder, connection, schema, official)
    except SoomError as error:
        raise stopped(error) from error
    except psycopg.OperationalError as error:
        screen.print(f"[red]The database cannot be reached: {str(error).strip()}[/red]")
        raise typer.Exit(1) from error
    screen.print(f"{sum(rows.values())} rows in {len(rows)} tables of {schema}; every official constraint holds.")
