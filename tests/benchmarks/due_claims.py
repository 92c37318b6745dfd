"""Deferred work: rows claimed and handed over a second beside a bare SKIP LOCKED loop; a table of a million rows.

`python -m tests.benchmarks.due_claims soom|bare URL LIMIT` is one worker process of these figures: it says when it is
ready, begins on a line of input, and prints what it did as JSON.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
from sqlalchemy import make_url, text
from sqlmodel import Session

from backend.core import due
from backend.core.database import connect, session_maker
from tests.databases import new_database, unpooled_engine
from tests.figures import Figure, figure

KIND = "benchmark"
ROWS = 60_000
MANY_ROWS = 1_000_000
WORKERS = (1, 2, 4)
TURNS = 3
# What a worker takes at once when it delivers.
AT_ONCE = 100
LEASE_SECONDS = 90
GOAL_OF_BARE = 0.6
MOST_SLOWER = 0.2

# The least that hands each row over at least once: lock, hand over, delete, commit.
_BARE_TAKE = f"""
    SELECT id, key FROM due_work WHERE kind = '{KIND}' AND due_at <= now()
    ORDER BY due_at LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED
"""
_BARE_REMOVE = "DELETE FROM due_work WHERE id = ANY(%s)"


def figures() -> Iterator[Figure]:
    with new_database() as url:
        for workers in WORKERS:
            # Turn by turn, so that what else the machine does falls on both alike.
            soom = bare = 0.0
            for _ in range(TURNS):
                bare += _rows_per_second("bare", url, workers)
                soom += _rows_per_second("soom", url, workers)
            yield figure(
                f"due.rows_claimed_and_handed_over_by_{workers}_processes",
                soom / TURNS,
                "rows/s",
                baseline=bare / TURNS,
                goal=f"at least {GOAL_OF_BARE} of a bare SKIP LOCKED loop",
                met=soom / bare >= GOAL_OF_BARE,
            )
        few = _rows_per_second("soom", url, 1)
        many = _rows_per_second("soom", url, 1, table_rows=MANY_ROWS)
        few = (few + _rows_per_second("soom", url, 1)) / 2
        yield figure(
            "due.rows_claimed_from_a_million",
            many,
            "rows/s",
            baseline=few,
            goal=f"not more than {MOST_SLOWER:.0%} slower than from {ROWS:,} rows",
            met=many >= few * (1 - MOST_SLOWER),
        )


def _rows_per_second(how: str, url: str, workers: int, *, table_rows: int = ROWS) -> float:
    """ROWS rows by that many processes; each is handed over exactly once, or the figure is refused."""
    _fill(url, table_rows)
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.due_claims", how, url, str(-(-ROWS // workers))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(workers)
    ]
    try:
        for process in processes:
            _line(process)
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        told = [json.loads(_line(process)) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    keys = [key for one in told for key in one["keys"]]
    if len(keys) != len(set(keys)) or len(keys) < ROWS:
        raise RuntimeError(f"{len(keys)} rows handed over, {len(set(keys))} of them once, of {ROWS}")
    seconds: float = max(one["ended"] for one in told) - min(one["began"] for one in told)
    return len(keys) / seconds


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("a benchmark worker ended early")
    return line


def _fill(url: str, rows: int) -> None:
    engine = unpooled_engine(url)
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE due_work"))
        connection.execute(
            text("""
                INSERT INTO due_work (kind, key, due_at, generation, attempts)
                SELECT :kind, gen_random_uuid(), now() - number * interval '1 ms', 1, 0
                FROM generate_series(1, :rows) AS number
            """),
            {"kind": KIND, "rows": rows},
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE due_work"))
        connection.execute(text("CHECKPOINT"))


def soom_rounds(url: str, share: int) -> Iterator[list[str]]:
    """The real queue as deliveries use it: claim with a lease, commit, hand over, finish and claim the next, commit."""
    new_session = session_maker(connect(url, pool_size=1))

    def claim(session: Session) -> list[due.Claim]:
        return due.claim_due(session, KIND, now=datetime.now(UTC), limit=AT_ONCE, lease_seconds=LEASE_SECONDS)

    with new_session() as session:
        claims = claim(session)
        session.commit()
    while claims:
        yield [str(one.key) for one in claims]
        share -= len(claims)
        with new_session() as session:
            due.finish(session, claims, unhurried=True)
            claims = claim(session) if share > 0 else []
            session.commit()


def bare_rounds(url: str, share: int) -> Iterator[list[str]]:
    connection = psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))
    while share > 0 and (taken := connection.execute(_BARE_TAKE).fetchall()):
        yield [str(key) for _, key in taken]
        share -= len(taken)
        connection.execute(_BARE_REMOVE, ([row_id for row_id, _ in taken],))
        connection.commit()


def work(how: str, url: str, share: int) -> dict[str, Any]:
    """Rounds until the share is done or nothing is left."""
    rounds = soom_rounds if how == "soom" else bare_rounds
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    began = time.monotonic()
    keys = [key for handed_over in rounds(url, share) for key in handed_over]
    return {"began": began, "ended": time.monotonic(), "keys": keys}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(work(sys.argv[1], sys.argv[2], int(sys.argv[3]))) + "\n")
