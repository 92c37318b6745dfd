"""Several phones at once, and a database that fails at the worst moment."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from backend.app import build_app
from backend.core.settings import Settings
from tests.conftest import NOON, SettableClock
from tests.factories import clinic
from tests.factories.diary import entry, outcomes, pull, send


@pytest.fixture
def server(own_database: str) -> Iterator[FastAPI]:
    app = build_app(Settings(database_url=own_database, demo=True), clock=SettableClock())
    yield app
    app.state.engine.dispose()


def phones(app: FastAPI, client: TestClient, count: int) -> list[clinic.Phone]:
    with app.state.new_session() as session:
        patient = clinic.patient(session, clinic.hospital(session), now=NOON)
        return [clinic.enrolled_phone(client, session, patient, now=NOON) for _ in range(count)]


def test_a_phone_that_pulls_while_others_push_misses_nothing(server: FastAPI) -> None:
    with TestClient(server) as client:
        writers = phones(server, client, 5)
        reader = writers.pop()
        sent = {
            one.device_id: [
                [entry("note", taken_at=NOON - timedelta(minutes=batch)) for _ in range(3)] for batch in range(8)
            ]
            for one in writers
        }
        done = threading.Event()

        def write(one: clinic.Phone) -> None:
            for batch in sent[one.device_id]:
                assert outcomes(send(one, *batch, sent_at=NOON)) == ["accepted"] * 3

        def read() -> list[str]:
            seen, cursor, last_round = [], "", False
            while True:
                page = pull(reader, cursor, limit=7)
                seen += [one["id"] for one in page["entries"]]
                cursor = page["cursor"]
                if last_round and not page["more"]:
                    return seen
                last_round = done.is_set()

        with ThreadPoolExecutor(5) as pool:
            reading = pool.submit(read)
            for writing in [pool.submit(write, one) for one in writers]:
                writing.result()
            done.set()
            seen = reading.result()
    assert sorted(seen) == sorted(one["id"] for batches in sent.values() for batch in batches for one in batch)


def test_two_phones_that_change_one_entry_at_once_leave_one_version(server: FastAPI) -> None:
    with TestClient(server) as client:
        both = phones(server, client, 2)
        first = entry(taken_at=NOON)
        send(both[0], first, sent_at=NOON)

        def change(one: clinic.Phone) -> None:
            for revision in range(2, 12):
                send(one, first | {"revision": revision}, sent_at=NOON)

        with ThreadPoolExecutor(2) as pool:
            for changing in [pool.submit(change, one) for one in both]:
                changing.result()
        [kept] = pull(both[0])["entries"]
    higher = max(both, key=lambda one: one.device_id.hex)
    assert (kept["revision"], kept["device_id"]) == (11, str(higher.device_id))


class CommitFails(Session):
    def commit(self) -> None:
        raise OperationalError("COMMIT", {}, Exception("the connection was lost"))


def test_no_receipt_leaves_before_the_commit(server: FastAPI) -> None:
    with TestClient(server, raise_server_exceptions=False) as client:
        [phone] = phones(server, client, 1)
        reading = entry(taken_at=NOON)
        works: Any = server.state.new_session
        server.state.new_session = lambda: CommitFails(server.state.engine)
        answer = client.post(
            "/v1/sync", json={"sent_at": NOON.isoformat(), "entries": [reading]}, headers=phone.headers
        )
        assert answer.status_code == 500
        assert "receipts" not in answer.json()
        server.state.new_session = works
        assert pull(phone)["entries"] == []
        assert outcomes(send(phone, reading, sent_at=NOON)) == ["accepted"]
