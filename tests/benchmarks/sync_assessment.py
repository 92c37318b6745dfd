"""Patients assessed in a second by the worker's own code: read, forecast, decide, write."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

from backend.core.database import connect, session_maker
from backend.core.due import mark_due
from backend.core.settings import Settings
from backend.risk.forecaster import load_forecaster
from backend.risk.service import ASSESS, assess_due
from tests.benchmarks.servers import ClinicDatabase, clinic_database
from tests.figures import Figure, figure

PATIENTS = 400
DAYS = 90
ROUNDS = 3


def figures() -> Iterator[Figure]:
    with TemporaryDirectory() as folder, clinic_database(Path(folder), patients=PATIENTS) as clinic:
        _fill(clinic)
        engine = connect(clinic.url)
        new_session = session_maker(engine)
        forecaster = load_forecaster(Settings().model_folder)
        if forecaster is None:
            raise RuntimeError("the shipped model is not usable")
        ids = [one.patient_id for one in clinic.patients]
        fastest = float("inf")
        for _ in range(ROUNDS):
            now = datetime.now(UTC)
            with new_session() as session:
                mark_due(session, ASSESS, ids, due_at=now)
                session.commit()
            began = time.perf_counter()
            while assess_due(new_session, forecaster, now):
                pass
            fastest = min(fastest, time.perf_counter() - began)
        with new_session() as session:
            ready = session.connection().execute(text("SELECT count(*) FROM assessment WHERE status = 'ready'"))
            if ready.scalar_one() != PATIENTS:
                raise RuntimeError("not every patient was forecast")
        engine.dispose()
    yield figure(f"sync.patients_assessed_of_{PATIENTS}_with_{DAYS}_days", PATIENTS / fastest, "patients/s")


def _fill(clinic: ClinicDatabase) -> None:
    """A reading and an answer a day, straight into the tables: how they came in is another figure."""
    envelope = (
        "patient_id, id, revision, device_id, deleted, taken_at, time_zone, utc_offset_minutes, local_date,"
        " received_at, change"
    )
    of_days = """
        SELECT patient.id, gen_random_uuid(), 1, gen_random_uuid(), false, moment, 'Asia/Seoul', 540,
            CAST(moment + interval '9 hours' AS date), moment, 0
    """
    days = f"""
        FROM patient CROSS JOIN generate_series(now() - interval '{DAYS} days', now(), interval '1 day') AS moment
    """
    engine = connect(clinic.url)
    with engine.begin() as connection:
        connection.execute(
            text(f"""
                INSERT INTO peak_flow ({envelope}, blows_litres_per_min, litres_per_min, meter, scale, bronchodilator)
                SELECT patient_id, id, 1, device_id, false, moment, zone, minutes, day, received, change,
                    ARRAY[blow], blow, 'Mini-Wright', 'eu', 'before'
                FROM ({of_days}, CAST(350 + 100 * random() AS smallint) {days})
                    AS made(
                        patient_id, id, revision, device_id, deleted, moment, zone, minutes, day, received, change, blow
                    )
            """)
        )
        connection.execute(
            text(f"""
                INSERT INTO symptoms ({envelope}, daytime, night_waking, activity_limited, severity, red_flags)
                {of_days}, random() < 0.3, random() < 0.1, random() < 0.1, 1, '{{}}' {days}
            """)
        )
        connection.execute(text("ANALYZE"))
    engine.dispose()
