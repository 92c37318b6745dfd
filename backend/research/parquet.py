"""From PostgreSQL to Parquet as a stream: COPY on one side, record batches on the other, no table whole in memory."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from psycopg import sql

BLOCK_BYTES = 1 << 22


class RowsRefused(Exception):
    """A row does not fit the table it was made for; nothing is kept."""


class _CopyStream(io.RawIOBase):
    """What COPY sends, as a file that Arrow can read."""

    def __init__(self, blocks: Iterator[Any]) -> None:
        self._blocks, self._rest = blocks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            # PostgreSQL sends a row at a time; many of them make a block worth handing over.
            gathered = bytearray()
            for block in self._blocks:
                gathered += block
                if len(gathered) >= BLOCK_BYTES // 4:
                    break
            self._rest = memoryview(bytes(gathered))
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def copy_to_parquet(connection: psycopg.Connection[Any], query: str, schema: pa.Schema, file: Path) -> int:
    """Write what `query` gives, column by column in the order of `schema`; return the number of rows.

    Raises RowsRefused where a required column has no value, or a value is not of its column's type.
    """
    rows = 0
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(sql.SQL(query))) as copy,
        pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        blocks = iter(copy)
        first = next(blocks, None)
        if first is None:
            return 0
        stream = io.BufferedReader(_CopyStream(_with_first(first, blocks)), BLOCK_BYTES)
        try:
            batches = pyarrow.csv.open_csv(
                stream,
                pyarrow.csv.ReadOptions(column_names=schema.names, block_size=BLOCK_BYTES, use_threads=False),
                pyarrow.csv.ParseOptions(newlines_in_values=True),
                pyarrow.csv.ConvertOptions(
                    column_types={field.name: field.type for field in schema},
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
            for batch in batches:
                for field, column in zip(schema, batch.columns, strict=True):
                    if not field.nullable and column.null_count:
                        raise RowsRefused(f"{file.stem}: {column.null_count} rows have no {field.name}")
                writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
                rows += batch.num_rows
        except pa.ArrowInvalid as error:
            raise RowsRefused(f"{file.stem}: {error}") from error
    return rows


def _with_first(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest
