"""Bring a database to the newest schema, from code, so that a server and a test do the same."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from backend.core.settings import PROJECT_ROOT

# Any fixed number: several processes starting at once migrate one after the other.
MIGRATION_LOCK = 5_066_401


def configuration() -> Config:
    return Config(toml_file=PROJECT_ROOT / "pyproject.toml")


def migrate(engine: Engine, revision: str = "head") -> None:
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
