"""OMOP tables in a PostgreSQL database: loaded whole with the official definitions, or fetched as Parquet."""

import io
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from psycopg import sql

from backend.core.errors import SoomError
from backend.research import omop_concepts
from backend.research.parquet import RowsRefused, copy_to_parquet

# The official files, in the order in which they are run; rows are loaded after the first.
DEFINITIONS = "OMOPCDM_postgresql_5.4_ddl.sql"
PRIMARY_KEYS = "OMOPCDM_postgresql_5.4_primary_keys.sql"
CONSTRAINTS = "OMOPCDM_postgresql_5.4_constraints.sql"
SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class LoadRefused(SoomError):
    status = 422
    code = "load_refused"
    message = "The tables do not satisfy the OMOP definitions; nothing was loaded."


def load(folder: Path, connection: psycopg.Connection[Any], schema: str, definitions: Path) -> dict[str, int]:
    """Create `schema` by the official files in `definitions`, load the Parquet files of `folder`, add the constraints.

    All in one transaction: where it raises LoadRefused, with the database's own words, nothing is there. Returns the
    rows of each table.
    """
    if not SCHEMA_NAME.fullmatch(schema):
        raise LoadRefused(f"“{schema}” is not a name for a schema: small letters, digits and _")
    missing = [name for name in (DEFINITIONS, PRIMARY_KEYS, CONSTRAINTS) if not (definitions / name).is_file()]
    if missing:
        raise LoadRefused(f"the folder of official definitions lacks {', '.join(missing)}")
    rows = {}
    try:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
            _run_official(cursor, definitions / DEFINITIONS, schema)
            for file in sorted(folder.glob("*.parquet")):
                rows[file.stem] = _copy_in(cursor, file, schema)
            _run_official(cursor, definitions / PRIMARY_KEYS, schema)
            _run_official(cursor, definitions / CONSTRAINTS, schema)
    except (psycopg.Error, pa.ArrowInvalid) as error:
        raise LoadRefused(f"{LoadRefused.message} The reason: {str(error).strip()}") from error
    return rows


def fetch(connection: psycopg.Connection[Any], schema: str, folder: Path) -> dict[str, int]:
    """The tables that Soom reads, from any OMOP database, as Parquet; a column that is not there is left empty.

    The folder appears whole or not at all. Raises LoadRefused where `person` is missing or a value does not fit.
    """
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    rows = {}
    try:
        present = _columns(connection, schema)
        if "person" not in present:
            raise LoadRefused(f"the schema “{schema}” has no table person; is it an OMOP database?")
        for table in omop_concepts.READ_TABLES:
            if table in present:
                wanted = omop_concepts.schema(table)
                picked = ", ".join(f'"{name}"' if name in present[table] else "NULL" for name in wanted.names)
                loose = pa.schema([field.with_nullable(True) for field in wanted])
                query = f'SELECT {picked} FROM "{schema}"."{table}"'  # noqa: S608 (names from the catalogue and our schema)
                rows[table] = copy_to_parquet(connection, query, loose, unfinished / f"{table}.parquet")
        unfinished.rename(folder)
    except RowsRefused as error:
        raise LoadRefused(str(error)) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return rows


def _columns(connection: psycopg.Connection[Any], schema: str) -> Mapping[str, set[str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s", (schema,)
        )
        found: dict[str, set[str]] = {}
        for table, column in cursor.fetchall():
            found.setdefault(table, set()).add(column)
    return found


def _run_official(cursor: psycopg.Cursor[Any], file: Path, schema: str) -> None:
    statements = file.read_text(encoding="utf-8").replace("@cdmDatabaseSchema", f'"{schema}"')
    cursor.execute(statements.encode())


def _copy_in(cursor: psycopg.Cursor[Any], file: Path, schema: str) -> int:
    parquet = pyarrow.parquet.ParquetFile(file)
    names = parquet.schema_arrow.names
    statement = sql.SQL("COPY {}.{} ({}) FROM STDIN (FORMAT csv)").format(
        sql.Identifier(schema), sql.Identifier(file.stem), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    with cursor.copy(statement) as copy:
        for block in _csv_blocks(parquet):
            copy.write(block)
    return int(parquet.metadata.num_rows)


def _csv_blocks(parquet: pyarrow.parquet.ParquetFile) -> Iterator[bytes]:
    options = pyarrow.csv.WriteOptions(include_header=False)
    for batch in parquet.iter_batches(batch_size=65_536):
        buffer = io.BytesIO()
        pyarrow.csv.write_csv(batch, buffer, options)
        yield buffer.getvalue()
