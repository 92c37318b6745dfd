"""The worker as a process on a real database, and the whole way of one reading through it."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text
from sqlmodel import Session, select

from backend.accounts.tables import Clinician
from backend.alerts.tables import Alert
from backend.core.due import claim_due, mark_due
from backend.core.heartbeat import last_beat
from backend.core.settings import PROJECT_ROOT, Settings
from backend.notifications.push import FirebasePush, LogPush
from backend.worker import Worker, build_push
from tests.conftest import SettableClock
from tests.databases import unpooled_engine
from tests.factories import clinic, diary, entries
from tests.fakes.fcm import FcmServer, fcm_server

LONGEST_WAIT_SECONDS = 90


def wait_until(condition: Callable[[], bool], *processes: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the worker did not get there"
        assert all(process.poll() is None for process in processes), "a worker ended early"
        time.sleep(0.1)


@pytest.fixture
def engine(own_database: str) -> Engine:
    return unpooled_engine(own_database)


@pytest.fixture
def start_worker(own_database: str, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts workers without a model, so that they are at work quickly."""
    started: list[subprocess.Popen[str]] = []
    environment = {
        **os.environ,
        "DATABASE_URL": own_database,
        "SOOM_MODEL_FOLDER": str(tmp_path),
        "SOOM_DEMO": "1",
        "PYTHONPATH": str(PROJECT_ROOT),
    }
    environment.pop("FIREBASE_CREDENTIALS", None)

    def start() -> subprocess.Popen[str]:
        log = (tmp_path / f"worker-{len(started)}.log").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "backend.worker"],
            cwd=PROJECT_ROOT,
            env=environment,
            stderr=log,
            text=True,
        )
        log.close()
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def clinic_of_red_patients(engine: Engine, count: int) -> Clinician:
    """Patients with a red reading an hour old, marked for assessment."""
    now = datetime.now(UTC)
    with Session(engine, expire_on_commit=False) as session:
        hospital = clinic.hospital(session)
        doctor = clinic.clinician(session, hospital, now=now)
        group = [clinic.patient(session, hospital, now=now, cared_for_by=doctor) for _ in range(count)]
        for patient in group:
            entries.peak_flow(session, patient, 200, taken_at=now - timedelta(hours=1), action_zone="red")
        entries.mark_for_assessment(session, *group, now=now)
        return doctor


def test_a_red_reading_goes_from_the_phone_to_the_push_and_back_into_the_inbox(
    client: TestClient, session: Session, clock: SettableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now
    hospital = clinic.hospital(session)
    doctor = clinic.clinician(session, hospital, now=now)
    patient = clinic.patient(session, hospital, now=now, cared_for_by=doctor)
    entries.plan(session, patient, doctor.id, signed_at=now - timedelta(days=9), best=500)
    phone = clinic.enrolled_phone(client, session, patient, now=now)
    reading = diary.entry(taken_at=now, blows_litres_per_min=[230, 210], action_zone="red")
    diary.send(phone, reading, sent_at=now, push_token="minjis-phone")
    with fcm_server() as fcm:
        monkeypatch.setenv("HTTPS_PROXY", fcm.url)
        push = FirebasePush(fcm.write_credentials(tmp_path), endpoint=fcm.url)
        worker = Worker(
            lambda: Session(session.connection(), join_transaction_mode="create_savepoint", expire_on_commit=False),
            None,
            push,
            clock=clock,
            jitter=random.Random(1),
        )
        worker.assess()
        worker.deliver()
        push.close()
    assert [sent["token"] for sent in fcm.received] == ["minjis-phone"]
    alert = session.exec(select(Alert).where(Alert.patient_id == patient.id)).one()
    assert (alert.level, alert.state) == ("red", "sent")
    page = diary.pull(phone)
    (item,) = page["inbox"]
    assert (item["alert_id"], item["kind"], item["level"]) == (str(alert.id), "red_zone", "red")
    assert page["forecast"]["status"] == "not_enough_data"
    assert diary.pull(phone, page["cursor"])["inbox"] == []


def test_a_worker_works_alone_with_the_rules_says_so_and_stops_when_told(
    engine: Engine, start_worker: Callable[[], subprocess.Popen[str]], tmp_path: Path
) -> None:
    clinic_of_red_patients(engine, 3)
    worker = start_worker()

    def all_told() -> bool:
        with Session(engine) as session:
            return len(session.exec(select(Alert)).all()) == 3 and last_beat(session) is not None

    wait_until(all_told, worker)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=60) == 0
    log = (tmp_path / "worker-0.log").read_text()
    assert "no forecasts, rules alone" in log
    assert "has stopped" in log
    assert "Traceback" not in log


def test_three_workers_one_killed_assess_everybody_and_raise_each_alert_once(
    engine: Engine, start_worker: Callable[[], subprocess.Popen[str]]
) -> None:
    clinic_of_red_patients(engine, 60)
    with Session(engine) as session:
        # What a worker held that died: claimed, never finished.
        held = claim_due(session, "assess", now=datetime.now(UTC), limit=20, lease_seconds=3)
        session.commit()
    assert len(held) == 20
    workers = [start_worker() for _ in range(3)]

    def counts() -> tuple[int, int, int]:
        with engine.connect() as connection:
            return tuple(
                connection.execute(text(statement)).scalar_one()
                for statement in (
                    "SELECT count(*) FROM assessment",
                    "SELECT count(*) FROM alert",
                    # An unanswered red alert is looked at again later; that is not due yet.
                    "SELECT count(*) FROM due_work WHERE due_at <= now()",
                )
            )

    wait_until(lambda: counts()[0] > 0, *workers)
    workers[0].kill()
    workers[0].wait()
    with engine.begin() as connection:
        # The clock of leases, turned forward: what the killed worker may have held becomes free.
        connection.execute(text("UPDATE due_work SET lease_until = now() WHERE lease_until IS NOT NULL"))
    wait_until(lambda: counts() == (60, 60, 0), *workers[1:])
    with engine.connect() as connection:
        told = connection.execute(text("SELECT count(DISTINCT patient_id), count(*) FROM inbox_message")).one()
    assert tuple(told) == (60, 60)
    for worker in workers[1:]:
        worker.send_signal(signal.SIGINT)
    assert [worker.wait(timeout=60) for worker in workers[1:]] == [0, 0]


def test_a_red_reading_of_a_patient_marked_twice_is_one_alert(engine: Engine) -> None:
    clinic_of_red_patients(engine, 2)
    worker = Worker(lambda: Session(engine, expire_on_commit=False), None, LogPush())
    worker.assess()
    with Session(engine) as session:
        patient_ids = list(session.exec(select(Alert.patient_id)).all())
        mark_due(session, "assess", patient_ids, due_at=datetime.now(UTC))
        session.commit()
    worker.assess()
    with Session(engine) as session:
        assert len(session.exec(select(Alert)).all()) == 2


def test_a_worker_that_ends_no_round_stops_its_heartbeat(session: Session, clock: SettableClock) -> None:
    def new_session() -> Session:
        return Session(session.connection(), join_transaction_mode="create_savepoint", expire_on_commit=False)

    worker = Worker(new_session, None, LogPush(), clock=clock)
    started_at = clock.now
    worker.beat()
    clock.now = started_at + timedelta(minutes=5)
    worker.beat()
    assert last_beat(session) == started_at
    worker.assess()
    worker.beat()
    assert last_beat(session) == clock.now


def test_credentials_decide_how_pushes_leave(tmp_path: Path) -> None:
    assert isinstance(build_push(Settings(firebase_credentials=None)), LogPush)
    fcm = FcmServer()
    push = build_push(Settings(firebase_credentials=fcm.write_credentials(tmp_path), fcm_endpoint=fcm.url))
    assert isinstance(push, FirebasePush)
    push.close()
    fcm.start()
    fcm.close()
