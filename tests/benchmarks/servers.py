"""Servers as processes of their own, on a database of their own, with a clinic in it."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import make_url
from sqlmodel import Session

from backend.accounts.schemas import DeviceIn
from backend.accounts.tables import Hospital, Platform
from backend.accounts.tokens import create_enrolment_code, enrol
from backend.core.settings import DEMO_SECRET, Settings
from backend.demonstration.processes import free_port, stop
from backend.patients.service import add_patient
from tests.databases import new_database, unpooled_engine


@dataclass
class EnrolledPatient:
    patient_id: uuid.UUID
    device_id: uuid.UUID
    access_token: str


@dataclass
class ClinicDatabase:
    url: str
    folder: Path
    patients: list[EnrolledPatient] = field(default_factory=list)


@contextmanager
def clinic_database(folder: Path, *, patients: int) -> Iterator[ClinicDatabase]:
    with new_database() as url:
        clinic = ClinicDatabase(url=url, folder=folder)
        settings = Settings(database_url=url, demo=True, access_token_minutes=600)
        now = datetime.now(UTC)
        with Session(unpooled_engine(url)) as session:
            hospital = Hospital(name="Benchmark hospital")
            session.add(hospital)
            session.flush()
            for number in range(patients):
                patient = add_patient(session, hospital_id=hospital.id, display_name=f"Patient {number}", now=now)
                code = create_enrolment_code(session, patient.id, created_by=None, now=now)
                phone = DeviceIn(id=uuid.uuid4(), name="phone", platform=Platform.DESKTOP)
                tokens = enrol(session, settings, code, phone, address="127.0.0.1", now=now)
                clinic.patients.append(EnrolledPatient(patient.id, phone.id, tokens.access_token))
            session.commit()
        yield clinic


def _environment(clinic: ClinicDatabase, port: int) -> dict[str, str]:
    return os.environ | {
        "DATABASE_URL": clinic.url,
        "SOOM_DEMO": "1",
        "SOOM_SECRET_KEY": DEMO_SECRET,
        "SOOM_DATA_FOLDER": str(clinic.folder),
        "SOOM_PORT": str(port),
        "BARE_PORT": str(port),
        "BARE_DATABASE_URL": make_url(clinic.url).set(drivername="postgresql").render_as_string(hide_password=False),
    }


@contextmanager
def _process(clinic: ClinicDatabase, arguments: list[str], port: int) -> Iterator[None]:
    with (clinic.folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], env=_environment(clinic, port), stdout=log, stderr=log
        )
        try:
            yield
        finally:
            stop([process])


@contextmanager
def soom_server(clinic: ClinicDatabase) -> Iterator[int]:
    port = free_port("127.0.0.1", 18100)
    with _process(clinic, ["backend.cli", "serve"], port):
        _wait_for(f"http://127.0.0.1:{port}/health", clinic)
        yield port


@contextmanager
def soom_worker(clinic: ClinicDatabase) -> Iterator[None]:
    with _process(clinic, ["backend.cli", "worker"], 0):
        yield


@contextmanager
def bare_inserts_server(clinic: ClinicDatabase) -> Iterator[int]:
    port = free_port("127.0.0.1", 18100)
    with _process(clinic, ["tests.benchmarks.bare_inserts"], port):
        _wait_for(f"http://127.0.0.1:{port}/openapi.json", clinic)
        yield port


def _wait_for(url: str, clinic: ClinicDatabase) -> None:
    for _ in range(400):
        try:
            httpx.get(url, timeout=2)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError((clinic.folder / "server.log").read_text())


def entries(count: int, random: Any, *, now: datetime) -> list[dict[str, Any]]:
    """Half peak flow, half symptoms, of the last days."""
    made = []
    for number in range(count):
        taken_at = now - timedelta(minutes=10 * number + 1)
        local = taken_at + timedelta(hours=9)
        peak_flow = number % 2 == 0
        blows = [int(blow) for blow in random.integers(320, 520, 3)]
        made.append(
            {
                "kind": "peak_flow" if peak_flow else "symptoms",
                "id": str(uuid.UUID(bytes=random.bytes(16), version=4)),
                "revision": 1,
                "deleted": False,
                "taken_at": taken_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "time_zone": "Asia/Seoul",
                "utc_offset_minutes": 540,
                "local_date": local.date().isoformat(),
                "body": {
                    "blows_litres_per_min": blows,
                    "meter": "Mini-Wright",
                    "scale": "eu",
                    "bronchodilator": "before",
                    "action_zone": "green",
                    "plan_version": None,
                }
                if peak_flow
                else {
                    "daytime": True,
                    "night_waking": False,
                    "activity_limited": False,
                    "severity": 1,
                    "red_flags": [],
                },
            }
        )
    return made
