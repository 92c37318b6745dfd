from alembic import command
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from backend.core.migrations import configuration


def test_migrations_run_up_down_and_up_again_and_match_the_tables(own_database: str) -> None:
    engine = create_engine(own_database, poolclass=NullPool)
    with engine.connect() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.check(config)
        command.downgrade(config, "base")
        left = connection.execute(
            text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'")
        ).scalar_one()
        assert left == 0
        command.upgrade(config, "head")
        command.check(config)
