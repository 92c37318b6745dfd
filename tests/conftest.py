"""A real PostgreSQL for every test: one template database migrated by Alembic, one rolled-back transaction a test.

The server is imported where a test asks for it: most tests of the phone do not, and take less time than the import.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from sqlmodel import Session

    from backend.core.settings import Settings

# Before NumPy is loaded: processes that share the cores, each with threads for linear algebra, wait for one another,
# and a fit of 0.3 s took 39 s.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class SettableClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="session")
def template_database() -> Iterator[str]:
    from tests.databases import new_database

    with new_database(f"soom_template_{os.getpid()}") as url:
        yield url


@pytest.fixture
def own_database(template_database: str) -> Iterator[str]:
    """The URL of a database of the test's own, for tests in which several connections commit."""
    from tests.databases import new_database

    with new_database(template_url=template_database) as url:
        yield url


@pytest.fixture
def session(template_database: str) -> Iterator[Session]:
    """A session in a transaction that is rolled back; commits inside it only end a savepoint."""
    from sqlmodel import Session

    from tests.databases import unpooled_engine

    with unpooled_engine(template_database).connect() as connection:
        transaction = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as session:
            yield session
        transaction.rollback()


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def settings(template_database: str, tmp_path: Path) -> Settings:
    from backend.core.settings import Settings

    return Settings(database_url=template_database, demo=True, data_folder=tmp_path)


@pytest.fixture(scope="session")
def built_app(template_database: str) -> FastAPI:
    """Built once: an application makes its routes at its first request, which takes longer than most tests."""
    from backend.app import build_app
    from backend.core.settings import Settings

    return build_app(Settings(database_url=template_database, demo=True))


@pytest.fixture
def app(built_app: FastAPI, settings: Settings, session: Session, clock: SettableClock) -> FastAPI:
    """The application with the test's own settings and clock, its requests inside the test's own transaction."""
    from sqlmodel import Session

    built_app.state.settings, built_app.state.clock = settings, clock
    built_app.state.new_session = lambda: Session(
        session.connection(), join_transaction_mode="create_savepoint", expire_on_commit=False
    )
    return built_app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    from fastapi.testclient import TestClient

    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def shared_data() -> Path:
    from backend.core.settings import Settings

    folder = Settings().shared_data
    if not folder.is_dir():
        pytest.skip(f"the shared data folder is missing: {folder}")
    return folder
