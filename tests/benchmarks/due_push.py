"""How soon a red reading rings: from its receipt until FCM has taken the push, with many readings a second."""

import http.client
import json
import os
import statistics
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import text

from tests.benchmarks.servers import ClinicDatabase, EnrolledPatient, clinic_database, soom_server, soom_worker
from tests.databases import unpooled_engine
from tests.fakes.fcm import FcmServer, fcm_server
from tests.figures import Figure, figure

READINGS_A_SECOND = 50
SECONDS = 30
SENDERS = 16
GIVE_UP_SECONDS = 60
MOST_SECONDS = 5.0


class Timed(list[dict[str, Any]]):
    """FCM's record of what it took, with the moment of each token's first message."""

    def __init__(self) -> None:
        super().__init__()
        self.first_at: dict[str, float] = {}

    def append(self, message: dict[str, Any]) -> None:
        self.first_at.setdefault(message["token"], time.monotonic())
        super().append(message)


def figures() -> Iterator[Figure]:
    patients = READINGS_A_SECOND * SECONDS
    with TemporaryDirectory() as name, clinic_database(Path(name), patients=patients) as clinic, fcm_server() as fcm:
        taken = Timed()
        fcm.received = taken
        with _pushing_through(fcm, Path(name)), soom_server(clinic) as port, soom_worker(clinic):
            # The worker loads its model before its first tick; a reading in that time would measure the start.
            _wait_for_a_worker(clinic)
            accepted_at = _send_all(port, clinic)
            give_up = time.monotonic() + GIVE_UP_SECONDS
            while len(taken.first_at) < patients and time.monotonic() < give_up:
                time.sleep(0.1)
    waits = [taken.first_at[token] - at for token, at in accepted_at.items() if token in taken.first_at]
    if not waits:
        raise RuntimeError("no push was handed over")
    p95 = statistics.quantiles(waits, n=20)[-1]
    yield figure("due.red_reading_to_push_p50", statistics.median(waits), "s")
    yield figure(
        "due.red_reading_to_push_p95",
        p95,
        "s",
        goal=f"at most {MOST_SECONDS:g} s with {READINGS_A_SECOND} readings/s, all of them",
        met=p95 <= MOST_SECONDS and len(waits) == patients,
    )
    yield figure("due.red_readings_pushed", len(waits), "readings", baseline=patients)


@contextmanager
def _pushing_through(fcm: FcmServer, folder: Path) -> Iterator[None]:
    """The environment in which a worker pushes to this server."""
    before = dict(os.environ)
    os.environ |= {
        "FIREBASE_CREDENTIALS": str(fcm.write_credentials(folder)),
        "SOOM_FCM_ENDPOINT": fcm.url,
        # google-auth asks a fixed Google address for regions; as a proxy, the loopback server refuses that at once.
        "HTTPS_PROXY": fcm.url,
    }
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _wait_for_a_worker(clinic: ClinicDatabase) -> None:
    engine = unpooled_engine(clinic.url)
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < give_up:
        with engine.connect() as connection:
            if connection.execute(text("SELECT count(*) FROM worker_heartbeat")).scalar_one():
                return
        time.sleep(0.2)
    raise RuntimeError((clinic.folder / "server.log").read_text())


def _send_all(port: int, clinic: ClinicDatabase) -> dict[str, float]:
    """One red reading a patient, evenly spread; the moment of each receipt, by the phone's push token."""
    accepted_at: dict[str, float] = {}
    local = threading.local()
    begin = time.monotonic() + 0.5

    def send(place: int, one: EnrolledPatient) -> None:
        time.sleep(max(0.0, begin + place / READINGS_A_SECOND - time.monotonic()))
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        token = f"phone-{one.device_id}"
        headers = {"Authorization": f"Bearer {one.access_token}", "Content-Type": "application/json"}
        local.connection.request("POST", "/v1/sync", json.dumps(_red_reading(token)), headers)
        answer = local.connection.getresponse()
        body = answer.read()
        if answer.status != 200 or b'"accepted"' not in body:
            raise RuntimeError(f"{answer.status} {body[:300]!r}")
        accepted_at[token] = time.monotonic()

    with ThreadPoolExecutor(SENDERS) as pool:
        for sent in [pool.submit(send, place, one) for place, one in enumerate(clinic.patients)]:
            sent.result()
    return accepted_at


def _red_reading(push_token: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    entry = {
        "kind": "peak_flow",
        "id": str(uuid.uuid4()),
        "revision": 1,
        "deleted": False,
        "taken_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "time_zone": "Asia/Seoul",
        "utc_offset_minutes": 540,
        "local_date": (now + timedelta(hours=9)).date().isoformat(),
        "body": {
            "blows_litres_per_min": [180],
            "meter": "Mini-Wright",
            "scale": "eu",
            "bronchodilator": "before",
            "action_zone": "red",
            "plan_version": None,
        },
    }
    return {"sent_at": now.isoformat(), "push_token": push_token, "entries": [entry]}
