"""Deferred work with real connections and processes: nothing lost, nothing done twice."""

import os
import signal
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session, select

from backend.core.due import DueWork, claim_due, finish, mark_due, postpone
from backend.core.settings import PROJECT_ROOT
from tests.databases import unpooled_engine

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KEYS = [uuid.UUID(int=number) for number in range(1, 6)]


def rows(session: Session) -> list[DueWork]:
    session.expire_all()
    return list(session.exec(select(DueWork).order_by(DueWork.key)).all())  # type: ignore[arg-type]


def claim(session: Session, now: datetime = NOW, limit: int = 10) -> list[uuid.UUID]:
    return [one.key for one in claim_due(session, "work", now=now, limit=limit, lease_seconds=60)]


def test_marking_again_keeps_one_row_and_the_earlier_time(session: Session) -> None:
    mark_due(session, "work", KEYS[:1], due_at=NOW)
    mark_due(session, "work", KEYS[:1] * 3, due_at=NOW + MINUTE)
    (row,) = rows(session)
    assert (row.due_at, row.generation) == (NOW, 2)
    mark_due(session, "work", KEYS[:1], due_at=NOW - MINUTE)
    assert rows(session)[0].due_at == NOW - MINUTE


def test_marking_nothing_changes_nothing(session: Session) -> None:
    mark_due(session, "work", [], due_at=NOW)
    assert rows(session) == []


def test_the_earliest_is_claimed_first_and_the_future_not_at_all(session: Session) -> None:
    for place, key in enumerate(KEYS):
        mark_due(session, "work", [key], due_at=NOW - (2 - place) * MINUTE)
    assert set(claim(session, limit=2)) == set(KEYS[:2])
    assert claim(session) == [KEYS[2]]
    assert claim(session) == []
    assert claim_due(session, "other", now=NOW + 9 * MINUTE, limit=9, lease_seconds=60) == []


def test_a_lease_that_ran_out_frees_the_row(session: Session) -> None:
    mark_due(session, "work", KEYS[:1], due_at=NOW)
    assert claim(session) == KEYS[:1]
    assert claim(session, NOW + MINUTE) == []
    assert claim(session, NOW + 2 * MINUTE) == KEYS[:1]


def test_work_marked_while_it_is_done_is_done_once_more(session: Session) -> None:
    mark_due(session, "work", KEYS[:2], due_at=NOW)
    claims = claim_due(session, "work", now=NOW, limit=10, lease_seconds=60)
    mark_due(session, "work", KEYS[:1], due_at=NOW)
    finish(session, claims)
    assert claim(session) == KEYS[:1]


def test_postponed_work_waits_unless_it_was_asked_for_again(session: Session) -> None:
    mark_due(session, "work", KEYS[:2], due_at=NOW)
    claims = claim_due(session, "work", now=NOW, limit=10, lease_seconds=60)
    mark_due(session, "work", KEYS[:1], due_at=NOW)
    for one in claims:
        postpone(session, one, due_at=NOW + 5 * MINUTE, error="Broken")
    assert claim(session) == KEYS[:1]
    assert set(claim(session, NOW + 5 * MINUTE)) == set(KEYS[:2])
    assert {row.last_error for row in rows(session)} == {"Broken"}


CLAIMER = """
import sys, time
from datetime import UTC, datetime
from sqlalchemy import text
from sqlmodel import Session
from backend.core.due import claim_due, finish
from tests.databases import unpooled_engine

url, name, stall_at = sys.argv[1], sys.argv[2], int(sys.argv[3])
engine = unpooled_engine(url)
batches = 0
while True:
    with Session(engine) as session:
        claims = claim_due(session, "work", now=datetime.now(UTC), limit=20, lease_seconds=2)
        session.commit()
        left = session.connection().execute(text("SELECT count(*) FROM due_work")).scalar_one()
    if not claims:
        if left == 0:
            break
        time.sleep(0.05)
        continue
    batches += 1
    if batches == stall_at:
        print("stalled", flush=True)
        time.sleep(600)
    with Session(engine) as session:
        session.connection().execute(
            text("INSERT INTO done_work (key, worker) SELECT key, :worker FROM unnest(CAST(:keys AS uuid[])) AS key"),
            {"worker": name, "keys": [claim.key for claim in claims]},
        )
        finish(session, claims)
        session.commit()
"""


def start_claimer(url: str, name: str, stall_at: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CLAIMER, url, name, str(stall_at)],
        cwd=PROJECT_ROOT,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def engine(own_database: str) -> Engine:
    engine = unpooled_engine(own_database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE done_work (key uuid, worker text)"))
    return engine


def test_three_processes_share_the_work_and_one_killed_loses_none(own_database: str, engine: Engine) -> None:
    with Session(engine) as session:
        mark_due(session, "work", [uuid.uuid4() for _ in range(600)], due_at=NOW - timedelta(days=365))
        session.commit()
    doomed = start_claimer(own_database, "doomed", stall_at=2)
    assert doomed.stdout is not None
    assert doomed.stdout.readline() == "stalled\n"
    others = [start_claimer(own_database, f"worker-{number}") for number in (1, 2)]
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()
    doomed.stdout.close()
    for process in others:
        assert process.wait(timeout=60) == 0
        assert process.stdout is not None
        process.stdout.close()
    with engine.connect() as connection:
        done, distinct = connection.execute(text("SELECT count(*), count(DISTINCT key) FROM done_work")).one()
        workers = connection.execute(text("SELECT count(DISTINCT worker) FROM done_work")).scalar_one()
        left = connection.execute(text("SELECT count(*) FROM due_work")).scalar_one()
    assert (done, distinct, left) == (600, 600, 0)
    assert workers >= 2


def test_two_connections_never_claim_the_same_row(engine: Engine) -> None:
    with Session(engine) as session:
        mark_due(session, "work", KEYS, due_at=NOW)
        session.commit()
    with Session(engine) as first, Session(engine) as second:
        one = claim(first, limit=3)
        # The first has not committed: its rows are locked, and the second passes them by.
        other = claim(second, limit=3)
        first.commit()
        second.commit()
    assert (len(one), len(other)) == (3, 2)
    assert not set(one) & set(other)
