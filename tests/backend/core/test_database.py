import time

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from backend.core import database
from backend.core.database import connect


def end_all_connections(url: str) -> None:
    with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as other:
        other.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def answer(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT 7")).scalar_one())


def test_a_connection_that_the_database_ended_while_it_rested_is_replaced(
    own_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = connect(own_database)
    assert answer(engine) == 7
    end_all_connections(own_database)
    now = time.monotonic()
    monkeypatch.setattr("backend.core.database.time.monotonic", lambda: now + database.RESTED_SECONDS)
    assert answer(engine) == 7
    engine.dispose()


def test_one_ended_in_the_midst_of_use_fails_once_and_no_more(own_database: str) -> None:
    engine = connect(own_database)
    assert answer(engine) == 7
    end_all_connections(own_database)
    with pytest.raises(OperationalError):
        answer(engine)
    assert answer(engine) == 7
    engine.dispose()
