"""The door to `ml.omop`: schemas of the tables, the mapping of concepts, the vocabulary that goes with an export."""

import pyarrow as pa

from ml.omop.concepts import concepts
from ml.omop.tables import SCHEMAS
from ml.omop.vocabulary import vocabulary_tables


def schema(table: str) -> pa.Schema:
    return SCHEMAS[table]


def vocabulary() -> dict[str, pa.Table]:
    return vocabulary_tables()


def mapping_rows() -> list[tuple[str, str, int, int, str, int | None, str | None]]:
    """(kind, key, concept, source concept, source value, unit's concept, unit's code) of every entry."""
    units = concepts()["unit"]
    return [
        (
            kind,
            key,
            one.concept_id,
            one.source_concept_id,
            one.source_value,
            units[one.unit].concept_id if one.unit else None,
            units[one.unit].code if one.unit else None,
        )
        for kind, entries in concepts().items()
        for key, one in entries.items()
    ]


def ingredient_concepts() -> dict[str, int]:
    """Concept of each ingredient by the name that the catalogue of medicines gives it."""
    return {one.soom_name: one.concept_id for one in concepts()["drug"].values()}
