"""Databases for tests and benchmarks, on the server of DATABASE_URL or on the embedded one."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from backend.core.database import embedded_postgres_url
from backend.core.migrations import migrate
from backend.core.settings import PROJECT_ROOT


@lru_cache(maxsize=1)
def server_url() -> str:
    url = os.environ.get("DATABASE_URL") or embedded_postgres_url(PROJECT_ROOT / ".soom" / "tests")
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def unpooled_engine(url: str) -> Engine:
    """Leaves no connection open that would keep a database from being dropped."""
    return create_engine(url, poolclass=NullPool)


@contextmanager
def new_database(name: str | None = None, *, template_url: str | None = None) -> Iterator[str]:
    """The URL of a database that is dropped at the end: a copy of the template, or empty and migrated."""
    name = name or f"soom_test_{uuid.uuid4().hex[:12]}"
    server = create_engine(server_url(), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    url = make_url(server_url()).set(database=name).render_as_string(hide_password=False)
    source = f" TEMPLATE {make_url(template_url).database}" if template_url else ""
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}{source}"))
    if not template_url:
        migrate(unpooled_engine(url))
    try:
        yield url
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
