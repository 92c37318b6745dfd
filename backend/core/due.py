"""Deferred work: a row written in the transaction of its cause, claimed by any worker with a lease.

At most one row exists for a (kind, key). Marking it again while a worker holds it raises its generation, so finishing
the older run leaves the row to be run once more.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from sqlalchemy import BigInteger, Column, Index, UniqueConstraint, text
from sqlmodel import Field, Session, SQLModel

from backend.core.database import Instant


class DueWork(SQLModel, table=True):
    __tablename__ = "due_work"
    __table_args__ = (UniqueConstraint("kind", "key"), Index("ix_due_work_kind_due_at", "kind", "due_at"))

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    kind: str
    key: UUID
    due_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    lease_until: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    generation: int = 1
    attempts: int = 0
    last_error: str | None = None


class Claim(NamedTuple):
    id: int
    key: UUID
    generation: int
    attempts: int


def mark_due(session: Session, kind: str, keys: Sequence[UUID], *, due_at: datetime) -> None:
    """Ask for work on each key at `due_at`, or earlier if it is already asked for earlier."""
    if not keys:
        return
    # As plain text for the driver: each sync does this, and compiling a statement costs more than running it.
    session.connection().exec_driver_sql(
        """
        INSERT INTO due_work (kind, key, due_at, generation, attempts)
        SELECT %(kind)s, key, %(due_at)s, 1, 0 FROM unnest(%(keys)s::uuid[]) AS key ORDER BY key
        ON CONFLICT (kind, key) DO UPDATE SET
            due_at = LEAST(due_work.due_at, excluded.due_at), generation = due_work.generation + 1, attempts = 0
        """,
        {"kind": kind, "keys": list(dict.fromkeys(keys)), "due_at": due_at},
    )


# Straight to the driver: workers do this all day, and SQLAlchemy's part would be a fifth of a worker's work.
# ARRAY(SELECT …) is evaluated once: as a plain subquery the planner may run it once a row, and claim far more than the
# limit; as a join it may read the whole table, which here is always wrong.
# A lease need not survive a crash of the database, only what was done: lost, the row is free again at once. So its
# commit does not wait for the disk.
_UNHURRIED = "(SELECT set_config('synchronous_commit', 'off', true)) = 'off'"

_CLAIM = f"""
    UPDATE due_work SET lease_until = %(lease_until)s, attempts = attempts + 1
    WHERE id = ANY(ARRAY(
        SELECT id FROM due_work
        WHERE kind = %(kind)s AND due_at <= %(now)s AND (lease_until IS NULL OR lease_until < %(now)s)
        ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    )) AND {_UNHURRIED}
    RETURNING id, key, generation, attempts
"""  # noqa: S608 (two constants)

# Arrays travel as PostgreSQL's own text: of a list, psycopg would look at each element.
_FINISH = """
    DELETE FROM due_work WHERE id = ANY(CAST(%(ids)s AS bigint[]))
        AND (id, generation) IN (SELECT * FROM unnest(CAST(%(ids)s AS bigint[]), CAST(%(generations)s AS int[])))
"""

_FINISH_UNHURRIED = f"{_FINISH} AND {_UNHURRIED}"

_FREE = "UPDATE due_work SET lease_until = NULL WHERE id = ANY(CAST(%(ids)s AS bigint[]))"


def claim_due(session: Session, kind: str, *, now: datetime, limit: int, lease_seconds: int) -> list[Claim]:
    """Take up to `limit` rows that are due and not leased. Commit at once, do the work, then finish().

    Who goes on claiming does so in the transaction that finishes the last batch: half as many commits.
    """
    asked = {"kind": kind, "now": now, "limit": limit, "lease_until": now + timedelta(seconds=lease_seconds)}
    return [Claim(*row) for row in _driver(session).execute(_CLAIM, asked).fetchall()]


def finish(session: Session, claims: Sequence[Claim], *, unhurried: bool = False) -> None:
    """Remove what was done; a row marked again in the meantime stays, free to be claimed.

    `unhurried`: the commit does not wait for the disk, so a crash of the database may undo the transaction and have its
    work done again. Only where that does no harm and nobody else could have read what it wrote.
    """
    if not claims:
        return
    done = {
        "ids": _array(claim.id for claim in claims),
        "generations": _array(claim.generation for claim in claims),
    }
    driver = _driver(session)
    removed = driver.execute(_FINISH_UNHURRIED if unhurried else _FINISH, done).rowcount
    if removed < len(claims):
        driver.execute(_FREE, {"ids": done["ids"]})


def _driver(session: Session) -> psycopg.Connection[tuple[Any, ...]]:
    """The connection under the session's, in the session's transaction."""
    driver: psycopg.Connection[tuple[Any, ...]] = session.connection().connection.driver_connection  # type: ignore[assignment]
    return driver


def _array(numbers: Iterable[int]) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"


def postpone(session: Session, claim: Claim, *, due_at: datetime, error: str) -> None:
    """Give a claimed row back to be tried again at `due_at`; `error` must hold no personal data."""
    session.connection().execute(
        text("""
            UPDATE due_work SET lease_until = NULL, last_error = :error,
                due_at = CASE WHEN generation = :generation THEN :due_at ELSE due_at END
            WHERE id = :id
        """),
        {"id": claim.id, "generation": claim.generation, "due_at": due_at, "error": error[:500]},
    )
