"""How fast diaries come in, beside hand-written inserts behind the same framework; and how soon a red sign alerts."""

import http.client
import json
import statistics
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sqlmodel import Session, col, select

from backend.alerts.tables import Alert
from tests.benchmarks.servers import (
    ClinicDatabase,
    EnrolledPatient,
    bare_inserts_server,
    clinic_database,
    entries,
    soom_server,
    soom_worker,
)
from tests.databases import unpooled_engine
from tests.figures import Figure, figure

CLIENTS = 16
ENTRIES_A_BATCH = 20
WARM_UP_SECONDS = 2
SECONDS = 5
ROUNDS = 4
READINGS = 100
READINGS_A_SECOND = 5
GIVE_UP_SECONDS = 60


def figures() -> Iterator[Figure]:
    yield from _throughput()
    yield from _time_to_alert()


def _throughput() -> Iterator[Figure]:
    """Turn by turn, so that what else the machine does falls on both alike."""
    bare, soom = 0.0, 0.0
    for _ in range(ROUNDS):
        with TemporaryDirectory() as folder, clinic_database(Path(folder), patients=CLIENTS) as clinic:
            with bare_inserts_server(clinic) as port:
                bare += _batches_per_second(port, clinic, lambda one: f"/batches/{one.patient_id}/{one.device_id}")
            with soom_server(clinic) as port:
                soom += _batches_per_second(port, clinic, lambda _: "/v1/sync")
    yield figure(
        "sync.batches_of_20_from_16_clients",
        soom / ROUNDS,
        "requests/s",
        baseline=bare / ROUNDS,
        goal="at least 0.7 of hand-written psycopg inserts behind the same framework",
        met=soom / bare >= 0.7,
    )


def _batches_per_second(port: int, clinic: ClinicDatabase, path: Any) -> float:
    counts = [0] * CLIENTS
    begin = time.perf_counter() + WARM_UP_SECONDS
    end = begin + SECONDS
    failures: list[str] = []

    def client(number: int) -> None:
        one = clinic.patients[number]
        # A new seed each time: entry ids that were sent before would come back as unchanged.
        random = np.random.default_rng([number, time.monotonic_ns()])
        headers = {"Authorization": f"Bearer {one.access_token}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while time.perf_counter() < end:
            connection.request("POST", path(one), _body(ENTRIES_A_BATCH, random), headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200 or text.count(b'"accepted"') != ENTRIES_A_BATCH:
                failures.append(f"{answer.status} {text[:300]!r}")
                return
            counts[number] += begin <= time.perf_counter() < end
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(failures[0])
    return sum(counts) / SECONDS


def _body(count: int, random: np.random.Generator) -> bytes:
    now = datetime.now(UTC)
    sent = {"sent_at": now.isoformat(), "entries": entries(count, random, now=now)}
    return json.dumps(sent).encode()


def _time_to_alert() -> Iterator[Figure]:
    with (
        TemporaryDirectory() as folder,
        clinic_database(Path(folder), patients=READINGS) as clinic,
        soom_server(clinic) as port,
        soom_worker(clinic),
    ):
        # The worker loads its model before its first tick; a reading in that time would measure the start.
        time.sleep(3)
        waits = _seconds_to_alert(port, clinic)
    reached = len(waits) == READINGS
    yield figure("sync.reading_to_alert_p50", statistics.median(waits), "s")
    p95 = statistics.quantiles(waits, n=20)[-1]
    yield figure("sync.reading_to_alert_p95", p95, "s", goal="p95 at most 5 s", met=reached and p95 <= 5)


def _seconds_to_alert(port: int, clinic: ClinicDatabase) -> list[float]:
    """One warning sign a patient, a few each second; from the receipt until another connection sees the alert."""
    accepted_at: dict[uuid.UUID, float] = {}
    waits: dict[uuid.UUID, float] = {}
    random = np.random.default_rng(11)

    def send() -> None:
        for one in clinic.patients:
            _send_red_flag(port, one, random)
            accepted_at[one.patient_id] = time.perf_counter()
            time.sleep(1 / READINGS_A_SECOND)

    sender = threading.Thread(target=send)
    sender.start()
    give_up = time.perf_counter() + READINGS / READINGS_A_SECOND + GIVE_UP_SECONDS
    with Session(unpooled_engine(clinic.url)) as session:
        while len(waits) < len(clinic.patients) and time.perf_counter() < give_up:
            seen = session.exec(select(Alert.patient_id).where(col(Alert.patient_id).not_in(waits))).all()
            session.rollback()
            now = time.perf_counter()
            # An alert may be stored before this process has noted the receipt: then it took no time.
            waits |= {patient_id: max(0.0, now - accepted_at.get(patient_id, now)) for patient_id in seen}
            time.sleep(0.02)
    sender.join()
    return list(waits.values())


def _send_red_flag(port: int, one: EnrolledPatient, random: np.random.Generator) -> None:
    now = datetime.now(UTC)
    made = entries(2, random, now=now)
    made[1]["body"]["red_flags"] = ["cannot_speak_sentence"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = json.dumps({"sent_at": now.isoformat(), "entries": made})
    headers = {"Authorization": f"Bearer {one.access_token}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/sync", body, headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200 or text.count(b'"accepted"') != len(made):
        raise RuntimeError(f"{answer.status} {text[:300]!r}")
    connection.close()
