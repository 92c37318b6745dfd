"""The door to `ml.rwe`: run a study on this hospital's consenting patients, or on OMOP tables of several hospitals."""

import random
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

import psycopg
from sqlalchemy import Engine
from sqlmodel import Session

from backend.core.errors import FieldError, SoomError
from backend.research import omop_database
from backend.research.export import export_study
from backend.research.governance import accepted
from backend.research.governance_tables import ProposalKind
from ml.omop import cohort
from ml.omop.quality import FIELD_LIST, QualityReport, check_quality, read_field_list
from ml.omop.source import OmopSource, OmopUnreadable
from ml.rwe.protocol import Protocol, ProtocolRefused, read_protocol
from ml.rwe.register import ProtocolChanged, RegisterBroken, ResultsRefused, StudyRegister
from ml.rwe.run import run_study
from ml.rwe.simulated_hospital import write_simulated_hospitals

REGISTER_FILE = "register.jsonl"
DEFAULT_SCHEMA = "cdm"


class StudyRefused(SoomError):
    """The study cannot be run, or not be opened, as it is; `fields` names each field of the protocol at fault."""

    status = 422
    code = "study_refused"
    message = "The study cannot be run as it is."


@dataclass(frozen=True)
class HospitalTables:
    """Where a hospital's OMOP tables are: a folder of Parquet files, or a PostgreSQL address (#schema)."""

    name: str
    place: str


@dataclass(frozen=True)
class StudyOutcome:
    """`summary` has a line for each analysis once results are open, otherwise what the diagnostics said."""

    folder: Path
    passed: bool
    summary: Sequence[str]


def run(
    file: Path,
    hospitals: Sequence[HospitalTables],
    studies_folder: Path,
    engine: Engine | None,
    *,
    now: datetime,
    random_source: random.Random,
    open_results: bool = False,
    override: str | None = None,
    folder: Path | None = None,
) -> StudyOutcome:
    """One step of the study in `file`. Without `hospitals` it runs on the consenting patients of `engine`'s database,
    those of the hospitals that accepted this very protocol.

    Raises StudyRefused, NotAccepted. Copies of patients' rows live in a folder that is gone when this returns.
    """
    protocol = _read(file)
    register = StudyRegister(studies_folder / REGISTER_FILE)
    copies = studies_folder / f".{protocol.id}.copies"
    try:
        with ExitStack() as stack:
            if hospitals:
                sources = [stack.enter_context(_open(one, copies)) for one in hospitals]
            elif engine is not None:
                own = copies / "own"
                with Session(engine) as session:
                    agreed = accepted(session, protocol.sha256, (ProposalKind.STUDY,))
                    hospital_ids = [one.hospital_id for one in agreed]
                export_study(
                    engine,
                    protocol.id,
                    protocol.title[:200],
                    own,
                    now=now,
                    random_source=random_source,
                    hospital_ids=hospital_ids,
                    detail={"kind": "study", "protocol": protocol.sha256},
                )
                sources = [stack.enter_context(OmopSource.of_folder(own, "this hospital"))]
            else:
                raise StudyRefused("Name at least one hospital's tables.")
            done = run_study(
                protocol,
                sources,
                folder or studies_folder / protocol.id,
                register,
                now,
                open_results=open_results,
                override=override,
            )
    except (ProtocolChanged, ResultsRefused, RegisterBroken, OmopUnreadable) as refused:
        raise StudyRefused(f"Nothing was done: {refused}") from refused
    finally:
        shutil.rmtree(copies, ignore_errors=True)
    passed = bool(done.diagnostics["passed"])
    return StudyOutcome(done.folder, passed, _summary(protocol, done.diagnostics, done.results))


def check_tables(folder: Path, field_list_folder: Path | None) -> QualityReport:
    """The data-quality report of OMOP tables in Parquet. Raises StudyRefused where they cannot be read."""
    fields = None
    if field_list_folder is not None and (field_list_folder / FIELD_LIST).is_file():
        fields = read_field_list(field_list_folder / FIELD_LIST)
    try:
        with OmopSource.of_folder(folder) as source:
            return check_quality(source, fields)
    except OmopUnreadable as unreadable:
        raise StudyRefused(str(unreadable)) from unreadable


def write_cohort_file(folder: Path, file: Path) -> tuple[int, list[str]]:
    """A cohort file of OMOP tables, for training; the patients in it, and a sentence for each kind of row refused."""
    try:
        patients, refused = cohort.write_cohort_file(folder, file)
    except OmopUnreadable as unreadable:
        raise StudyRefused(str(unreadable)) from unreadable
    return patients, [f"{one.rows} rows of {one.table} left out: {one.reason}" for one in refused]


def simulate(folder: Path, seed: int, patients: int) -> list[Path]:
    """Five simulated hospitals of unequal size, together about `patients`, each a folder of OMOP tables."""
    return write_simulated_hospitals(folder, seed, patients)


def _read(file: Path) -> Protocol:
    try:
        return read_protocol(file)
    except ProtocolRefused as refused:
        raise StudyRefused(
            f"{file.name} is not a protocol that can be run; nothing was registered.",
            fields=[FieldError(problem.field, problem.message) for problem in refused.problems],
        ) from refused


def _open(hospital: HospitalTables, copies: Path) -> OmopSource:
    if not hospital.place.startswith(("postgresql://", "postgres://")):
        return OmopSource.of_folder(Path(hospital.place), hospital.name)
    address, schema = urldefrag(hospital.place)
    copy = copies / hospital.name.replace("/", "_")
    try:
        with psycopg.connect(address) as connection:
            omop_database.fetch(connection, schema or DEFAULT_SCHEMA, copy)
    except psycopg.Error as error:
        raise StudyRefused(f"{hospital.name}: the database cannot be read: {str(error).strip()}") from error
    return OmopSource.of_folder(copy, hospital.name)


def _summary(protocol: Protocol, diagnostics: dict[str, Any], results: dict[str, Any] | None) -> list[str]:
    lines = [f"Takes no part: {reason}." for reason in diagnostics["declined"]]
    verdict = "passed" if diagnostics["passed"] else "did not pass: " + "; ".join(diagnostics["failed"])
    lines.append(f"Diagnostics, blind to the outcome of each arm, {verdict}.")
    if results is None:
        return [*lines, "Results are closed."]
    for name, analysis in results["analyses"].items():
        for label, estimate in (("", analysis["estimate"]), (", calibrated", analysis["calibrated"])):
            if estimate is None:
                lines.append(f"{name}{label}: cannot be estimated.")
            else:
                interval = f"{estimate['low']:.2f} to {estimate['high']:.2f}"
                lines.append(f"{name}{label}: hazard ratio {estimate['hazard_ratio']:.2f} ({interval}).")
    return lines
