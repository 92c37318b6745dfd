"""The door to `ml.omop`: schemas of the tables, the mapping of concepts, the vocabulary that goes with an export."""

import pyarrow as pa

from ml.omop.concepts import concepts
from ml.omop.tables import SCHEMAS
from ml.omop.vocabulary import vocabulary_tables

# Patients' tables and what they point to; a hospital's own vocabulary is not needed for reading.
READ_TABLES = (
    "person",
    "observation_period",
    "visit_occurrence",
    "condition_occurrence",
    "drug_exposure",
    "measurement",
    "observation",
    "care_site",
    "death",
)


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


def ingredient_names() -> dict[str, int]:
    """Concept of each ingredient by its own name and by that of the vocabulary, in small letters."""
    names: dict[str, int] = {}
    for key, one in concepts()["drug"].items():
        names |= {key: one.concept_id, one.name.lower(): one.concept_id}
    return names
