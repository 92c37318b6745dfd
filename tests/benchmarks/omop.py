"""How fast a hospital's diaries become OMOP tables: rows a second of the whole export, audit and all.

The baseline is PostgreSQL's own COPY of the same tables to CSV, without pseudonyms, mapping, shift or Parquet.
"""

import random
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
from sqlmodel import Session

from backend.patients.tables import Consent, Purpose
from backend.research.export import export_study
from ml.omop.diaries import read_diaries
from ml.omop.source import OmopSource
from tests.conftest import NOON
from tests.databases import new_database, unpooled_engine
from tests.factories.full_clinic import full_clinic
from tests.factories.step_five import bring_to_step_five
from tests.figures import Figure, figure

# Each copy of the clinic of twelve is another dozen patients with two months of diary.
COPIES = 60
COPIED = ("symptoms", "peak_flow", "inhaler_use", "trigger_exposure", "attack")


def _multiply(url: str, copies: int) -> None:
    """Patients and all that hangs on them again and again, under new ids."""
    tables = ("inhaler", *COPIED, "action_plan", "consent")
    with psycopg.connect(url.replace("+psycopg", "")) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE original AS SELECT id FROM patient")
        columns = {}
        for table in ("patient", *tables):
            cursor.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s"
                " AND is_generated = 'NEVER' ORDER BY ordinal_position",
                (table,),
            )
            columns[table] = [name for (name,) in cursor.fetchall()]
        for number in range(copies):
            # A patient's copy has a derived id, and so has everything of theirs.
            salted = {"patient_id": f"md5(patient_id::text || '{number}')::uuid"}
            own = {"id": f"md5(id::text || '{number}')::uuid"}
            inhaler = {"inhaler_id": f"md5(inhaler_id::text || '{number}')::uuid"}
            for table in ("patient", *tables):
                changed = own if table == "patient" else {**salted, **own, **inhaler}
                names = ", ".join(f'"{name}"' for name in columns[table])
                values = ", ".join(changed.get(name, f'"{name}"') for name in columns[table])
                whose = "id" if table == "patient" else "patient_id"
                cursor.execute(
                    f"INSERT INTO {table} ({names}) SELECT {values} FROM {table}"
                    f" WHERE {whose} IN (SELECT id FROM original)"
                )
        connection.commit()
        connection.autocommit = True
        cursor.execute("ANALYZE")


def _bare_copy_seconds(url: str) -> float:
    started = time.perf_counter()
    with psycopg.connect(url.replace("+psycopg", "")) as connection, connection.cursor() as cursor:
        for table in COPIED:
            with cursor.copy(f"COPY {table} TO STDOUT (FORMAT csv)") as copy:
                for _ in copy:
                    pass
    return time.perf_counter() - started


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as scratch, new_database() as url:
        engine = unpooled_engine(url)
        with Session(engine) as session:
            clinic = full_clinic(session, now=NOON)
            for patient in list(clinic.patients.values())[:6]:
                bring_to_step_five(session, patient, clinic.doctor, now=NOON)
            for patient in clinic.patients.values():
                session.add(
                    Consent(
                        patient_id=patient.id,
                        purpose=Purpose.RESEARCH.value,
                        text_version="1",
                        granted_at=NOON - timedelta(days=1),
                    )
                )
            session.commit()
        _multiply(url, COPIES)
        # The first export also draws the pseudonyms; the second finds them, as every later one does.
        for name in ("first", "again"):
            started = time.perf_counter()
            report = export_study(
                engine, "speed", "Speed", Path(scratch) / name, now=NOON, random_source=random.Random(1)
            )
            seconds = time.perf_counter() - started
            rate = report.total_rows / seconds
            if name == "again":
                yield figure(
                    "omop.export_rows_per_second",
                    rate,
                    "rows/s",
                    baseline=report.total_rows / _bare_copy_seconds(url),
                    goal="at least 50,000",
                    met=rate >= 50_000,
                )
                yield figure("omop.exported_rows", report.total_rows, "rows")
        started = time.perf_counter()
        with OmopSource.of_folder(Path(scratch) / "again") as source:
            days = len(read_diaries(source).diaries)
        yield figure("omop.patient_days_read_back_per_second", days / (time.perf_counter() - started), "patient-days/s")
