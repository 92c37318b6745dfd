"""Server time and weight of the roster at 2,000 patients and of a patient with three years of diary."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlmodel import Session

from backend.app import build_app
from backend.core.settings import Settings
from backend.dashboard.templating import STATIC
from tests.backend.dashboard.conftest import signed_in
from tests.conftest import NOON
from tests.databases import new_database, unpooled_engine
from tests.factories.full_clinic import PEOPLE, full_clinic
from tests.figures import Figure, figure

PATIENTS = 2000
DAYS = 3 * 365
REQUESTS = 60
# Every file that a first visit to the patient page fetches, but for its typefaces.
FETCHED = ("vendor/pretendard.css", "style.css", "vendor/uplot.min.css", "vendor/htmx.min.js", "app.js",
           "vendor/uplot.min.js", "charts.js", "icon.svg")  # fmt: skip

# Sixty days of twice-daily readings and daily forecasts for each of the many.
_MANY = (
    """INSERT INTO patient (id, hospital_id, display_name, sex, language, time_zone, created_at, profile_change,
        last_change)
    SELECT gen_random_uuid(), :hospital, 'Patient ' || n, 'female', 'ko', 'Asia/Seoul', :now, 1, 1
    FROM generate_series(1, :patients) n""",
    """INSERT INTO care_relation (id, patient_id, clinician_id, role, began_at)
    SELECT gen_random_uuid(), id, :doctor, 'responsible', :now
    FROM patient WHERE starts_with(display_name, 'Patient')""",
    """INSERT INTO action_plan (patient_id, version, signed_at, signed_by, personal_best_litres_per_min,
        personal_best_basis, meter, yellow_below_litres_per_min, red_below_litres_per_min, instructions, change)
    SELECT id, 1, :now, :doctor, 500, 'measured', 'Mini-Wright', 400, 250, '{}', 1
    FROM patient WHERE starts_with(display_name, 'Patient')""",
    """INSERT INTO peak_flow (patient_id, id, revision, device_id, deleted, taken_at, time_zone, utc_offset_minutes,
        local_date, received_at, change, blows_litres_per_min, litres_per_min, meter, scale, bronchodilator,
        action_zone)
    SELECT id, gen_random_uuid(), 1, gen_random_uuid(), false, at, 'Asia/Seoul', 540,
        (at AT TIME ZONE 'Asia/Seoul')::date, at, 1, ARRAY[400 + n % 50], 400 + n % 50, 'Mini-Wright', 'eu',
        'before', 'green'
    FROM patient, generate_series(0, 119) n, LATERAL (SELECT :now - n * interval '12 hours' AS at) AS moment
    WHERE starts_with(display_name, 'Patient')""",
    """INSERT INTO assessment (id, patient_id, as_of, assessed_at, zone, newest_litres_per_min, newest_reading_at,
        red_flags, status, diary_days, probability_7_days, level, reasons, model_id, model_version,
        last_entry_at, change)
    SELECT gen_random_uuid(), id, (:now)::date - n, :now, 'green', 400, :now, '[]', 'ready', 60, random() * 0.2,
        'usual',
        jsonb_build_array(jsonb_build_object('code', 'age', 'value', 40, 'unit', 'years')), 'model', '1', :now, 1
    FROM patient, generate_series(0, 59) n WHERE starts_with(display_name, 'Patient')""",
    # Every page was opened a week ago, so that the roster has something to compare for everybody.
    """INSERT INTO patient_visit (clinician_id, patient_id, seen_at, seen_change, seen_zone)
    SELECT :doctor, id, CAST(:now AS timestamptz) - interval '7 days', 0, 'yellow'
    FROM patient WHERE starts_with(display_name, 'Patient')""",
    """INSERT INTO control_change (patient_id, noted_at, as_of, control_class)
    SELECT id, CAST(:now AS timestamptz) - n * interval '6 days', (:now)::date - 6 * n,
        CASE n % 2 WHEN 0 THEN 'uncontrolled' ELSE 'partly_controlled' END
    FROM patient, generate_series(0, 5) n WHERE starts_with(display_name, 'Patient')""",
)


def figures() -> Iterator[Figure]:
    with new_database() as url, Session(unpooled_engine(url), expire_on_commit=False) as session:
        made = full_clinic(session, now=NOON, people=(replace(PEOPLE[0], days=DAYS),), most_days=DAYS)
        _add_many(session, made.doctor.hospital_id, made.doctor.id)
        app = build_app(Settings(database_url=url, demo=True), clock=lambda: NOON)
        app.add_api_route("/bare", _bare)
        with TestClient(app) as client:
            signed_in(client, session, made, now=NOON)
            patient = f"/patients/{made.in_danger.id}"
            yield from _timed(client, "roster_of_2000", "/patients", 100)
            yield from _timed(client, "roster_of_2000_changed", "/patients?show=changed", 100)
            yield from _timed(client, "patient_of_three_years", patient, 150)
            diary = f"/v1/clinician{patient}/diary"
            yield from _timed(client, "diary_of_90_days", diary, 150)
            yield from _timed(client, "diary_of_three_years", f"{diary}?from=2023-11-22&to=2026-11-20", None)
            yield _weight(app, client, patient)
        app.state.engine.dispose()


async def _bare() -> dict[str, str]:
    return {}


def _add_many(session: Session, hospital_id: UUID, doctor_id: UUID) -> None:
    known = {"hospital": hospital_id, "doctor": doctor_id, "now": NOON, "patients": PATIENTS}
    for statement in _MANY:
        named = {name: value for name, value in known.items() if f":{name}" in statement}
        session.connection().execute(text(statement), named)
    session.connection().execute(text("ANALYZE"))
    session.commit()


def _timed(client: TestClient, name: str, path: str, goal_ms: int | None) -> Iterator[Figure]:
    """p95 beside that of an empty answer of the same framework, taken in turns."""
    times: dict[str, list[float]] = {path: [], "/bare": []}
    for _ in range(REQUESTS):
        for asked, taken in times.items():
            began = time.perf_counter()
            answer = client.get(asked, headers={"Accept": "text/html"})
            taken.append(1000 * (time.perf_counter() - began))
            answer.raise_for_status()
    p95, bare = (statistics.quantiles(taken, n=20)[-1] for taken in times.values())
    goal = None if goal_ms is None else f"at most {goal_ms} ms"
    met = None if goal_ms is None else p95 <= goal_ms
    yield figure(f"dashboard.{name}_p95", p95, "ms", baseline=bare, goal=goal, met=met)


def _weight(app: FastAPI, client: TestClient, path: str) -> Figure:
    """Of the page, its files and its first diary and forecasts, as sent with gzip."""
    asked = [path, *(f"/static/{name}" for name in FETCHED if (STATIC / name).exists())]
    asked += [f"/v1/clinician{path}/{what}?from=2026-08-23&to=2026-11-20" for what in ("diary", "forecasts")]
    total = 0
    for address in asked:
        with client.stream("GET", address, headers={"Accept": "text/html", "Accept-Encoding": "gzip"}) as answer:
            answer.raise_for_status()
            total += sum(len(part) for part in answer.iter_raw())
    kilobytes = total / 1000
    return figure(
        "dashboard.patient_page_weight", kilobytes, "kB", goal="at most 250 kB without fonts", met=kilobytes <= 250
    )
