"""Runs migrations on the database named by DATABASE_URL, or on the embedded one."""

from alembic import context

from backend.all_tables import metadata
from backend.core.database import connect, database_url
from backend.core.settings import Settings


def run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is not None:
        migrate_on(connection)
        return
    engine = connect(database_url(Settings()))
    with engine.connect() as own_connection:
        migrate_on(own_connection)
        own_connection.commit()
    engine.dispose()


def migrate_on(connection: object) -> None:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)  # type: ignore[arg-type]
    with context.begin_transaction():
        context.run_migrations()


run()
