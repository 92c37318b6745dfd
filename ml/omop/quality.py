"""How good a set of OMOP tables is: completeness, plausibility, conformance. A check says how many rows fail and why.

The idea follows Kahn et al. 2016. Conformance is held against OMOP's own field list where its file is given, otherwise
against the tables that Soom writes.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ml.omop.concepts import concept
from ml.omop.source import OmopSource
from ml.omop.tables import EVENT_COLUMNS, SCHEMAS

Kind = Literal["completeness", "plausibility", "conformance"]
FIELD_LIST = "OMOP_CDMv5.4_Field_Level.csv"
UNMAPPED_SHOWN = 20
# Source words of fewer rows are not shown: they could be somebody's.
SMALLEST_CELL = 5
LOWEST_PEAK_FLOW, HIGHEST_PEAK_FLOW = 30, 900
LARGEST_UNMAPPED_SHARE = 0.05
# First and last date of the tables of events.
DATES = {
    "visit_occurrence": ("visit_start_date", "visit_end_date"),
    "condition_occurrence": ("condition_start_date", "condition_end_date"),
    "drug_exposure": ("drug_exposure_start_date", "drug_exposure_end_date"),
    "measurement": ("measurement_date", None),
    "observation": ("observation_date", None),
}
# The type family that an official datatype asks for.
TYPES = {
    "integer": ("INTEGER", "BIGINT", "SMALLINT", "TINYINT", "UINTEGER"),
    "float": ("DOUBLE", "FLOAT", "DECIMAL", "INTEGER", "BIGINT"),
    "date": ("DATE",),
    "datetime": ("TIMESTAMP", "DATE"),
    "varchar": ("VARCHAR",),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One column as the model asks for it. `kind` is a key of TYPES."""

    required: bool
    kind: str
    primary_key: bool
    refers_to: str | None


@dataclass(frozen=True, slots=True)
class Check:
    """`rows_failing` of `rows`; a count below SMALLEST_CELL that is not 0 is given as SMALLEST_CELL."""

    kind: Kind
    table: str
    what: str
    rows: int
    rows_failing: int
    passed: bool


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Source words without a concept: what a mapping should add next."""

    table: str
    source_value: str
    rows: int


@dataclass(frozen=True, slots=True)
class QualityReport:
    name: str
    rows: Mapping[str, int]
    checks: tuple[Check, ...]
    unmapped: tuple[Unmapped, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def as_document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "passed": self.passed,
            "rows": dict(self.rows),
            "checks": [asdict(check) for check in self.checks],
            "unmapped": [asdict(one) for one in self.unmapped],
        }


def read_field_list(file: Path) -> dict[str, dict[str, Field]]:
    """Table → column → what OMOP's official list says of it."""
    fields: dict[str, dict[str, Field]] = {}
    with file.open(encoding="utf-8-sig", newline="") as opened:
        for row in csv.DictReader(opened):
            fields.setdefault(row["cdmTableName"].lower(), {})[row["cdmFieldName"].lower().strip('"')] = Field(
                required=row["isRequired"] == "Yes",
                kind=row["cdmDatatype"].lower().split("(")[0],
                primary_key=row["isPrimaryKey"] == "Yes",
                refers_to=row["fkTableName"].lower() if row["isForeignKey"] == "Yes" else None,
            )
    return fields


def own_field_list() -> dict[str, dict[str, Field]]:
    """The same of the tables that Soom writes, for where the official file is not at hand."""
    kinds = {
        "int32": "integer",
        "double": "float",
        "date32[day]": "date",
        "timestamp[us]": "datetime",
        "string": "varchar",
    }
    return {
        table: {
            field.name: Field(
                required=not field.nullable,
                kind=kinds[str(field.type)],
                primary_key=field.name == f"{table}_id",
                refers_to=_refers_to(table, field.name),
            )
            for field in schema
        }
        for table, schema in SCHEMAS.items()
    }


def _refers_to(table: str, column: str) -> str | None:
    if column.endswith("_concept_id"):
        return "concept"
    other = column.removesuffix("_id")
    return other if other in SCHEMAS and other != table else None


def check_quality(source: OmopSource, fields: Mapping[str, Mapping[str, Field]] | None = None) -> QualityReport:
    """Every check on every table that `source` has."""
    fields = fields or own_field_list()
    tables = sorted(source.tables)
    rows = {table: _number(source, f'SELECT count(*) FROM "{table}"') for table in tables}
    checks: list[Check] = []
    for table in tables:
        checks += _conformance(source, table, rows, fields)
    for table in tables:
        checks += _completeness(source, table, rows)
        checks += _plausibility(source, table, rows)
    return QualityReport(source.name, rows, tuple(checks), tuple(_unmapped(source)))


def _check(kind: Kind, table: str, what: str, rows: int, failing: int, *, allowed_share: float = 0.0) -> Check:
    shown = SMALLEST_CELL if 0 < failing < SMALLEST_CELL else failing
    return Check(kind, table, what, rows, shown, failing <= allowed_share * rows)


def _number(source: OmopSource, sql: str) -> int:
    found = source.connection.execute(sql).fetchone()
    return int(found[0]) if found and found[0] is not None else 0


def _columns(source: OmopSource, table: str) -> dict[str, str]:
    described = source.connection.execute(f'DESCRIBE SELECT * FROM "given_{table}"').fetchall()
    return {str(name).lower(): str(kind).split("(")[0].split(" ")[0] for name, kind, *_ in described}


def _conformance(
    source: OmopSource, table: str, rows: Mapping[str, int], fields: Mapping[str, Mapping[str, Field]]
) -> Iterator[Check]:
    if table not in fields:
        yield _check("conformance", table, "is a table of OMOP CDM 5.4", rows[table], max(rows[table], 1))
        return
    present = _columns(source, table)
    strange = sorted(set(present) - set(fields[table]))
    yield _check("conformance", table, "has only columns of OMOP CDM 5.4" + _names(strange), len(present), len(strange))
    for name, field in fields[table].items():
        if name not in present:
            if field.required:
                yield Check("conformance", table, f"has the required column {name}", rows[table], rows[table], False)
            continue
        allowed = TYPES.get(field.kind, ())
        if allowed and present[name] not in allowed and present[name] != '"NULL"':
            what = f"{name} is of type {field.kind} (found {present[name]})"
            yield Check("conformance", table, what, rows[table], rows[table], False)
            continue
        if field.required:
            empty = _number(source, f'SELECT count(*) FROM "{table}" WHERE "{name}" IS NULL')
            yield _check("conformance", table, f"{name} is never empty", rows[table], empty)
        if field.primary_key:
            twice = _number(source, f'SELECT count("{name}") - count(DISTINCT "{name}") FROM "{table}"')
            yield _check("conformance", table, f"{name} is unique", rows[table], twice)
        if field.refers_to in source.tables and field.refers_to is not None and field.refers_to != table:
            other = field.refers_to
            lost = _number(
                source,
                f'SELECT count(*) FROM "{table}" AS one WHERE "{name}" IS NOT NULL AND NOT EXISTS'
                f' (SELECT 1 FROM "{other}" AS two WHERE two."{other}_id" = one."{name}")',
            )
            yield _check("conformance", table, f"{name} is found in {other}", rows[table], lost)


def _names(columns: list[str]) -> str:
    return f" (not: {', '.join(columns)})" if columns else ""


def _completeness(source: OmopSource, table: str, rows: Mapping[str, int]) -> Iterator[Check]:
    if table == "person":
        people = rows["person"]
        without = _number(source, "SELECT count(*) FROM person ANTI JOIN observation_period USING (person_id)")
        yield _check("completeness", "person", "has a period of observation", people, without)
        unknown = _number(source, "SELECT count(*) FROM person WHERE gender_concept_id = 0")
        yield _check("completeness", "person", "sex is known (at least 95 %)", people, unknown, allowed_share=0.05)
    for event_table, concept_column, _ in EVENT_COLUMNS.values():
        if event_table == table and concept_column in _columns(source, table):
            columns = _columns(source, table)
            local = concept_column.replace("_concept_id", "_source_concept_id")
            # A local concept above 2 billion is a name, if not a standard one.
            named = f" AND COALESCE({local}, 0) = 0" if local in columns else ""
            failing = _number(source, f'SELECT count(*) FROM "{table}" WHERE {concept_column} = 0{named}')
            what = f"is mapped to a concept (at least {100 * (1 - LARGEST_UNMAPPED_SHARE):.0f} %)"
            yield _check("completeness", table, what, rows[table], failing, allowed_share=LARGEST_UNMAPPED_SHARE)


def _plausibility(source: OmopSource, table: str, rows: Mapping[str, int]) -> Iterator[Check]:
    if table == "observation_period":
        backwards = _number(
            source,
            "SELECT count(*) FROM observation_period WHERE observation_period_end_date < observation_period_start_date",
        )
        yield _check("plausibility", table, "ends after it began", rows[table], backwards)
        return
    if table == "person":
        odd = _number(source, "SELECT count(*) FROM person WHERE year_of_birth NOT BETWEEN 1890 AND 2100")
        yield _check("plausibility", table, "year of birth lies between 1890 and 2100", rows[table], odd)
        return
    if table not in DATES or DATES[table][0] not in _columns(source, table):
        return
    start, end = DATES[table]
    unborn = _number(
        source,
        f'SELECT count(*) FROM "{table}" JOIN person USING (person_id)'
        f" WHERE date_part('year', {start}) < year_of_birth",
    )
    yield _check("plausibility", table, "happened after birth", rows[table], unborn)
    # Prescriptions and diagnoses may be older than the watching; most events are not.
    outside = _number(
        source,
        f'SELECT count(*) FROM "{table}" AS event WHERE NOT EXISTS (SELECT 1 FROM observation_period AS period'
        f" WHERE period.person_id = event.person_id AND event.{start}"
        " BETWEEN observation_period_start_date AND observation_period_end_date)",
    )
    yield _check(
        "plausibility", table, "happened while observed (at least 95 %)", rows[table], outside, allowed_share=0.05
    )
    if end is not None and end in _columns(source, table):
        backwards = _number(source, f'SELECT count(*) FROM "{table}" WHERE {end} < {start}')
        yield _check("plausibility", table, "ends after it began", rows[table], backwards)
    if table == "measurement":
        peak_flow = concept("measurement", "peak_flow").concept_id
        of_peak_flow = _number(source, f"SELECT count(*) FROM measurement WHERE measurement_concept_id = {peak_flow}")
        per_minute = concept("unit", "litres_per_min").concept_id
        odd = _number(
            source,
            f"SELECT count(*) FROM measurement WHERE measurement_concept_id = {peak_flow}"
            f" AND unit_concept_id = {per_minute}"
            f" AND value_as_number NOT BETWEEN {LOWEST_PEAK_FLOW} AND {HIGHEST_PEAK_FLOW}",
        )
        what = f"peak flow in L/min lies between {LOWEST_PEAK_FLOW} and {HIGHEST_PEAK_FLOW}"
        yield _check("plausibility", table, what, of_peak_flow, odd)


def _unmapped(source: OmopSource) -> Iterator[Unmapped]:
    """The commonest source words without a concept, by table."""
    for table, concept_column, _ in EVENT_COLUMNS.values():
        words = concept_column.replace("_concept_id", "_source_value")
        local = concept_column.replace("_concept_id", "_source_concept_id")
        if table not in source.tables or words not in (columns := _columns(source, table)):
            continue
        named = f" AND COALESCE({local}, 0) = 0" if local in columns else ""
        found = source.connection.execute(
            f'SELECT {words}, count(*) AS rows FROM "{table}" WHERE {concept_column} = 0{named} AND {words} IS NOT NULL'
            f" GROUP BY 1 HAVING count(*) >= {SMALLEST_CELL} ORDER BY 2 DESC, 1 LIMIT {UNMAPPED_SHOWN}"
        ).fetchall()
        for value, count in found:
            yield Unmapped(table, str(value), int(count))
