"""A real PostgreSQL for every test: one template database migrated by Alembic, one rolled-back transaction a test."""

import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, make_url, text
from sqlalchemy.pool import NullPool
from sqlmodel import Session, create_engine

from backend.core.settings import PROJECT_ROOT, Settings

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class SettableClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def _engine(url: str) -> Engine:
    # NullPool: a test leaves no connection open that would keep its database from being dropped.
    return create_engine(url, poolclass=NullPool)


@pytest.fixture(scope="session")
def postgres_url() -> str:
    from backend.core.database import embedded_postgres_url

    url = os.environ.get("DATABASE_URL") or embedded_postgres_url(PROJECT_ROOT / ".soom" / "tests")
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def template_database(postgres_url: str) -> Iterator[str]:
    from backend.core.migrations import migrate

    name = f"soom_template_{os.getpid()}"
    yield from _database(postgres_url, name, migrate)


@pytest.fixture
def own_database(postgres_url: str, template_database: str) -> Iterator[str]:
    """The URL of a database of the test's own, for tests in which several connections commit."""
    yield from _database(postgres_url, f"soom_test_{uuid.uuid4().hex[:12]}", None, template=template_database)


def _database(server_url: str, name: str, prepare: object, template: str | None = None) -> Iterator[str]:
    server = create_engine(server_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
    source = f" TEMPLATE {make_url(template).database}" if template else ""
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}{source}"))
    if callable(prepare):
        prepare(_engine(url))
    yield url
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


@pytest.fixture
def session(template_database: str) -> Iterator[Session]:
    """A session in a transaction that is rolled back; commits inside it only end a savepoint."""
    with _engine(template_database).connect() as connection:
        transaction = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as session:
            yield session
        transaction.rollback()


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def settings(template_database: str, tmp_path: Path) -> Settings:
    return Settings(database_url=template_database, demo=True, data_folder=tmp_path)


@pytest.fixture
def app(settings: Settings, session: Session, clock: SettableClock) -> FastAPI:
    """The application, its requests inside the test's own transaction."""
    from backend.app import build_app

    app = build_app(settings, clock=clock)
    app.state.new_session = lambda: Session(
        session.connection(), join_transaction_mode="create_savepoint", expire_on_commit=False
    )
    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = Settings().shared_data
    if not folder.is_dir():
        pytest.skip(f"the shared data folder is missing: {folder}")
    return folder
