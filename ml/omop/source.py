"""OMOP tables to ask questions of with SQL: a folder of Parquet files, or Arrow tables in memory."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

REQUIRED_TABLES = ("person", "observation_period")
# What is asked of each table: column and type; ! marks those without which its rows say nothing. A table that is not
# there reads as an empty one, a column that is not there as empty, a column of another type as this one.
ASKED = {
    "person": "person_id INTEGER!, gender_concept_id INTEGER!, year_of_birth INTEGER!, month_of_birth INTEGER,"
    " day_of_birth INTEGER, care_site_id INTEGER",
    "observation_period": "person_id INTEGER!, observation_period_start_date DATE!, observation_period_end_date DATE!",
    "visit_occurrence": "visit_occurrence_id INTEGER, person_id INTEGER!, visit_concept_id INTEGER!,"
    " visit_start_date DATE!, visit_end_date DATE",
    "condition_occurrence": "person_id INTEGER!, condition_concept_id INTEGER!, condition_start_date DATE!",
    "drug_exposure": "person_id INTEGER!, drug_concept_id INTEGER!, drug_exposure_start_date DATE!,"
    " drug_exposure_end_date DATE, days_supply INTEGER",
    "measurement": "measurement_id INTEGER, person_id INTEGER!, measurement_concept_id INTEGER!,"
    " measurement_date DATE!, measurement_datetime TIMESTAMP, value_as_number DOUBLE, unit_concept_id INTEGER,"
    " measurement_source_concept_id INTEGER, unit_source_value VARCHAR",
    "observation": "observation_id INTEGER, person_id INTEGER!, observation_concept_id INTEGER!,"
    " observation_date DATE!, value_as_number DOUBLE, value_as_string VARCHAR, observation_source_concept_id INTEGER",
}

# Whole numbers of any width serve as well: some systems have ids of 64 bits.
INTEGERS = ("TINYINT", "SMALLINT", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")


class OmopUnreadable(Exception):
    """What was given is not a set of OMOP tables; the message says what is missing."""


class OmopSource:
    """Views of one hospital's OMOP tables. Use it in one thread; close it, or use it as a context.

    `tables` are those that were given; the others that are asked for read as empty.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str, tables: Iterable[str]) -> None:
        self.connection = connection
        self.name = name
        self.tables = frozenset(tables)
        missing = [table for table in REQUIRED_TABLES if table not in self.tables]
        if missing:
            raise OmopUnreadable(f"{name}: the OMOP tables {', '.join(missing)} are missing")
        for table, asked in ASKED.items():
            self._make(table, [column.strip().split(" ") for column in asked.split(",")])
        for table in self.tables - set(ASKED):
            connection.execute(f'CREATE VIEW "{table}" AS SELECT * FROM "given_{table}"')

    def _make(self, table: str, asked: list[list[str]]) -> None:
        """The view or empty table with the columns and types that are asked for. Raises OmopUnreadable."""
        if table not in self.tables:
            columns = ", ".join(f"{column} {kind.rstrip('!')}" for column, kind in asked)
            self.connection.execute(f"CREATE TEMP TABLE {table} ({columns})")
            return
        given = self.connection.execute(f"DESCRIBE given_{table}").fetchall()
        present = {str(column).lower(): str(kind) for column, kind, *_ in given}
        added, changed = [], []
        for column, kind in asked:
            wanted = kind.rstrip("!")
            if column not in present:
                if kind.endswith("!"):
                    raise OmopUnreadable(f"{self.name}: {table} has no column {column}")
                added.append(f"CAST(NULL AS {wanted}) AS {column}")
            elif present[column] != wanted and not (wanted == "INTEGER" and present[column] in INTEGERS):
                self._check_type(table, column, wanted)
                changed.append(f"TRY_CAST({column} AS {wanted}) AS {column}")
        everything = f"* REPLACE ({', '.join(changed)})" if changed else "*"
        self.connection.execute(f"CREATE VIEW {table} AS SELECT {', '.join([everything, *added])} FROM given_{table}")

    def _check_type(self, table: str, column: str, wanted: str) -> None:
        found = self.connection.execute(
            f"SELECT count(*) FROM given_{table} WHERE {column} IS NOT NULL AND TRY_CAST({column} AS {wanted}) IS NULL"
        ).fetchone()
        if found and found[0]:
            raise OmopUnreadable(f"{self.name}: {table}.{column} holds {found[0]} values that are no {wanted}")

    @classmethod
    def of_folder(cls, folder: Path, name: str | None = None) -> "OmopSource":
        """`folder` holds table.parquet, or folders of Parquet parts named after the tables."""
        if not folder.is_dir():
            raise OmopUnreadable(f"{folder} is not a folder of OMOP tables")
        connection = _connect()
        tables = []
        for path in sorted(folder.iterdir()):
            table = path.stem.lower()
            if path.suffix == ".parquet" or (path.is_dir() and any(path.glob("*.parquet"))):
                pattern = str(path if path.is_file() else path / "*.parquet").replace("'", "''")
                try:
                    connection.execute(f"CREATE VIEW \"given_{table}\" AS SELECT * FROM read_parquet('{pattern}')")
                except duckdb.Error as error:
                    raise OmopUnreadable(f"{path.name} cannot be read as Parquet: {error}") from error
                tables.append(table)
        return cls(connection, name or folder.name, tables)

    @classmethod
    def of_tables(cls, tables: Mapping[str, pa.Table], name: str) -> "OmopSource":
        connection = _connect()
        for table, content in tables.items():
            connection.register(f"given_{table}", content)
        return cls(connection, name, tables)

    def columns(self, sql: str, parameters: Any = None) -> dict[str, Any]:
        """The answer as numpy arrays by column; a column with NULLs is a masked array."""
        found: dict[str, Any] = self.connection.execute(sql, parameters or []).fetchnumpy()
        return found

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> "OmopSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    # Equal input gives equal output, to the last bit; hospitals lend a core, not a machine.
    connection.execute("SET threads = 1")
    return connection
