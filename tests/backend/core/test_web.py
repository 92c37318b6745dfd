import gzip
import json
import uuid
from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from backend.accounts.tables import Hospital
from backend.app import build_app
from backend.core import audit, heartbeat
from backend.core.database import DatabaseSession
from backend.core.errors import StartRefused
from backend.core.settings import Settings
from backend.core.web import MAX_BODY_BYTES
from tests.conftest import SettableClock


def test_an_answer_leaves_only_after_the_commit(own_database: str) -> None:
    """With FastAPI's default scope a failing commit answers 200, and the phone forgets a reading never stored."""
    app = build_app(Settings(database_url=own_database, demo=True))

    @app.post("/breaks-at-commit")
    def breaks_at_commit(session: DatabaseSession) -> str:
        session.connection().execute(text("CREATE TABLE deferred (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
        session.connection().execute(text("INSERT INTO deferred VALUES (1), (1)"))
        return "stored"

    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.post("/breaks-at-commit").status_code == 500
    app.state.engine.dispose()


def test_the_server_refuses_to_start_with_the_published_secret_outside_the_demonstration(own_database: str) -> None:
    with pytest.raises(StartRefused, match="SOOM_SECRET_KEY"):
        build_app(Settings(database_url=own_database, demo=False))
    with pytest.raises(StartRefused):
        build_app(Settings(database_url=own_database, demo=False, secret_key="short"))


def test_gzip_bodies_are_read_and_bombs_and_garbage_are_refused(client: TestClient) -> None:
    body = json.dumps({"refresh_token": "unknown"}).encode()
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert client.post("/v1/token", content=gzip.compress(body), headers=packed).json()["code"] == (
        "refresh_token_unknown"
    )
    assert client.post("/v1/token", content=b"not gzip", headers=packed).json()["code"] == "malformed_body"
    truncated = gzip.compress(body)[:-9]
    assert client.post("/v1/token", content=truncated, headers=packed).json()["code"] == "malformed_body"
    bomb = gzip.compress(b" " * (MAX_BODY_BYTES + 1))
    assert client.post("/v1/token", content=bomb, headers=packed).status_code == 413
    brotli = {**packed, "Content-Encoding": "br"}
    assert client.post("/v1/token", content=body, headers=brotli).status_code == 400


def test_every_answer_carries_the_security_headers_and_no_unsafe_source(client: TestClient) -> None:
    for path in ("/health", "/no/such/page"):
        policy = client.get(path).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    missing = client.get("/no/such/page")
    assert missing.json()["code"] == "not_found"


def test_health_is_red_without_a_worker_and_green_while_one_beats(
    client: TestClient, session: Session, clock: SettableClock
) -> None:
    assert client.get("/health").status_code == 503
    heartbeat.beat(session, "worker-1", now=clock.now)
    session.commit()
    assert client.get("/health").json()["status"] == "ok"
    clock.now += heartbeat.SILENT_AFTER + timedelta(seconds=1)
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["worker"]) == (503, False)


def test_the_audit_trail_can_only_grow(session: Session, clock: SettableClock) -> None:
    audit.record(
        session,
        now=clock.now,
        actor_kind=audit.ActorKind.SYSTEM,
        actor_id=None,
        action="test",
        patient_ids=[uuid.uuid4(), uuid.uuid4()],
    )
    for change in ("UPDATE audit_entry SET action = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"):
        with pytest.raises(DBAPIError, match="append-only"), session.begin_nested():
            session.connection().execute(text(change))


def test_a_failing_request_leaves_nothing_behind(app: FastAPI, session: Session) -> None:
    @app.post("/fails")
    def fails(own: DatabaseSession) -> None:
        own.add(Hospital(name="half saved"))
        own.flush()
        raise RuntimeError

    try:
        with TestClient(app, raise_server_exceptions=False) as client:
            assert client.post("/fails").status_code == 500
    finally:
        # The application serves the tests after this one too.
        app.router.routes.pop()
    found = session.connection().execute(text("SELECT count(*) FROM hospital WHERE name = 'half saved'")).scalar_one()
    assert found == 0


def test_a_request_takes_its_time_from_the_clock_and_not_from_the_machine(
    client: TestClient, session: Session, clock: SettableClock
) -> None:
    heartbeat.beat(session, "worker-1", now=clock.now - timedelta(seconds=12))
    session.commit()
    assert client.get("/health").json()["worker_seen_seconds_ago"] == 12
