"""Consented export of a study's patients as OMOP CDM 5.4 tables, in one snapshot of the database.

Every value leaves under the study's pseudonym and with the patient's own shift of dates. The folder appears whole or
not at all. What a table is made of stands in `omop/<table>.sql`; what things are called, in `ml/omop/concepts.toml`.
"""

import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pyarrow as pa
import pyarrow.parquet
from sqlalchemy import Engine
from sqlmodel import Session

from backend.clinical.medicines import catalogue
from backend.core import audit
from backend.core.errors import SoomError
from backend.patients.tables import Purpose
from backend.plans.store import ADD_ON_COURSES
from backend.research import omop_concepts
from backend.research.parquet import copy_to_parquet
from backend.research.pseudonyms import assign, consenting_patients, study_named
from backend.research.tables import Study
from backend.risk import forecaster

QUERIES = Path(__file__).parent / "omop"
PATIENT_TABLES = (
    "person",
    "observation_period",
    "visit_occurrence",
    "condition_occurrence",
    "drug_exposure",
    "measurement",
    "observation",
)

_PERSONS = """
CREATE TEMP TABLE export_person ON COMMIT DROP AS
WITH entries AS (
    SELECT patient_id, min(local_date) AS first_day, max(local_date) AS last_day FROM (
        SELECT patient_id, local_date FROM peak_flow WHERE NOT deleted
        UNION ALL SELECT patient_id, local_date FROM symptoms WHERE NOT deleted
        UNION ALL SELECT patient_id, local_date FROM inhaler_use WHERE NOT deleted
        UNION ALL SELECT patient_id, local_date FROM trigger_exposure WHERE NOT deleted
        UNION ALL SELECT patient_id, local_date FROM attack WHERE NOT deleted
    ) AS entry GROUP BY patient_id
)
SELECT patient_id, person_id, shift_days::int, hospital_id,
    dense_rank() OVER (ORDER BY hospital_id)::int AS care_site_id,
    LEAST((patient.created_at AT TIME ZONE time_zone)::date, first_day) AS first_day,
    GREATEST((patient.created_at AT TIME ZONE time_zone)::date, last_day) AS last_day
FROM study_patient
JOIN patient ON patient.id = patient_id
JOIN consent USING (patient_id)
LEFT JOIN entries USING (patient_id)
WHERE study_id = %(study)s AND purpose = %(purpose)s AND withdrawn_at IS NULL AND born_on IS NOT NULL
    AND patient_id = ANY(%(ids)s)
"""


class NothingToExport(SoomError):
    status = 409
    code = "nothing_to_export"
    message = "No patient with a date of birth consents to research; nothing was written."


class FolderTaken(SoomError):
    status = 409
    code = "folder_taken"
    message = "The folder exists already; name a new one, nothing was written."


@dataclass(frozen=True)
class ExportReport:
    """`rows` by table; `unmapped`: what no concept is known for, with how many rows carry it under concept 0."""

    study: str
    patients: int
    without_birth_date: int
    rows: Mapping[str, int]
    unmapped: Mapping[str, int]

    @property
    def total_rows(self) -> int:
        return sum(self.rows.values())


def export_study(
    engine: Engine,
    study_id: str,
    title: str,
    folder: Path,
    *,
    now: datetime,
    random_source: random.Random,
    dates_shifted: bool = True,
    purpose: Purpose = Purpose.RESEARCH,
    hospital_ids: Sequence[UUID] | None = None,
    detail: Mapping[str, str] | None = None,
) -> ExportReport:
    """Write the tables of all patients (of these hospitals) who consent to `purpose` into `folder`, which must not
    exist yet.

    Raises FolderTaken, NothingToExport, StudyDiffers, RowsRefused; then nothing is written. Each patient's audit trail
    says, with `detail`, that and for which study the data left.
    """
    if folder.exists():
        raise FolderTaken
    with Session(engine) as session:
        study = study_named(session, study_id, title, dates_shifted=dates_shifted, now=now)
        consenting = consenting_patients(session, purpose, hospital_ids)
        assign(session, study, consenting, now=now, random_source=random_source)
        session.commit()
        unfinished = folder.with_name(folder.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        try:
            # By the argument: reading the row again would begin the transaction before its snapshot is asked for.
            used = {"study": study_id, "purpose": purpose.value} | dict(detail or {})
            report = _write_tables(session, study, purpose, consenting, unfinished, used, now)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return report


def _write_tables(
    session: Session,
    study: Study,
    purpose: Purpose,
    consenting: Sequence[UUID],
    folder: Path,
    used: Mapping[str, str],
    now: datetime,
) -> ExportReport:
    connection = session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    raw = connection.connection.driver_connection
    if not isinstance(raw, psycopg.Connection):
        raise TypeError("the export speaks to PostgreSQL through psycopg")
    with raw.cursor() as cursor:
        cursor.execute(_PERSONS, {"study": study.id, "purpose": purpose.value, "ids": list(consenting)})
        cursor.execute("SELECT count(*), array_agg(patient_id) FROM export_person")
        found = cursor.fetchone()
        patients, patient_ids = found if found else (0, None)
        if not patients or not patient_ids:
            raise NothingToExport
        _write_mapping(cursor)
        cursor.execute("ANALYZE export_person")
    rows = {}
    for table in (*PATIENT_TABLES, "care_site"):
        rows[table] = copy_to_parquet(raw, _query(table), omop_concepts.schema(table), folder / f"{table}.parquet")
    for table, content in {**omop_concepts.vocabulary(), "cdm_source": _source(study, now)}.items():
        pyarrow.parquet.write_table(content, folder / f"{table}.parquet", compression="zstd")
        rows[table] = content.num_rows
    with raw.cursor() as cursor:
        cursor.execute(
            "SELECT left(COALESCE(inhaler.product_id || COALESCE(': ' || ingredient.name, ''), drug), 50), count(*)"
            " FROM inhaler JOIN export_person USING (patient_id)"
            " LEFT JOIN export_ingredient AS ingredient"
            " ON ingredient.product_id = COALESCE(inhaler.product_id, lower(drug))"
            " WHERE COALESCE(ingredient.concept_id, 0) = 0 GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        unmapped = {str(name): int(count) for name, count in cursor.fetchall()}
    audit.record(
        session,
        now=now,
        actor_kind=audit.ActorKind.SYSTEM,
        actor_id=None,
        action="research_export",
        patient_ids=patient_ids,
        detail=dict(used),
    )
    session.commit()
    return ExportReport(study.id, patients, len(consenting) - patients, rows, unmapped)


def _query(table: str) -> str:
    query = (QUERIES / f"{table}.sql").read_text(encoding="utf-8")
    # The very statements that the forecast and the plans read with, asked for the export's patients.
    exported = "IN (SELECT patient_id FROM export_person)"
    query = query.replace("/* diaries */", forecaster.DIARIES.replace("= ANY(:ids)", exported))
    return query.replace("/* add_on_courses */", ADD_ON_COURSES.replace("= ANY(:patient_ids)", exported))


def _write_mapping(cursor: psycopg.Cursor[Any]) -> None:
    """Temporary tables of what things are called: concepts, and the ingredients of each product."""
    cursor.execute(
        "CREATE TEMP TABLE export_concept (kind text, key text, concept_id int, source_concept_id int,"
        " source_value text, unit_concept_id int, unit_code text) ON COMMIT DROP"
    )
    cursor.executemany("INSERT INTO export_concept VALUES (%s, %s, %s, %s, %s, %s, %s)", omop_concepts.mapping_rows())
    cursor.execute("CREATE TEMP TABLE export_ingredient (product_id text, name text, concept_id int) ON COMMIT DROP")
    known = omop_concepts.ingredient_concepts()
    cursor.executemany(
        "INSERT INTO export_ingredient VALUES (%s, %s, %s)",
        [
            (product.id, name, known.get(name, 0))
            for product in catalogue().values()
            for name in (product.ics, product.laba, product.saba, product.lama)
            if name is not None
        ]
        # An inhaler that is no product of the catalogue may still be called by its ingredient.
        + [(name, name, concept_id) for name, concept_id in omop_concepts.ingredient_names().items()],
    )


def _source(study: Study, now: datetime) -> pa.Table:
    return pa.table(
        {
            "cdm_source_name": [f"Soom, study {study.id}"[:255]],
            "cdm_source_abbreviation": ["Soom"],
            "cdm_holder": ["the hospital"],
            "source_description": [f"{study.title}. Dates are {'shifted' if study.dates_shifted else 'true'}."],
            "source_release_date": [now.date()],
            "cdm_release_date": [now.date()],
            "cdm_version": ["5.4"],
            "cdm_version_concept_id": [0],
            "vocabulary_version": ["Soom mapping"],
        },
    ).cast(omop_concepts.schema("cdm_source"))
