"""Vocabulary rows for the concepts of the mapping, so that tables stand by themselves where no Athena download is."""

import datetime

import pyarrow as pa

from ml.omop.concepts import DOMAIN_OF_KIND, concepts
from ml.omop.tables import SCHEMAS

VALID_FROM, VALID_UNTIL = datetime.date(1970, 1, 1), datetime.date(2099, 12, 31)
NO_CLASS = "Undefined"
UNKNOWN = 0


def vocabulary_tables() -> dict[str, pa.Table]:
    """Tables concept, vocabulary, domain and concept_class with exactly what an export refers to."""
    rows: dict[int, tuple[str, str, str, str | None, str]] = {
        0: ("No matching concept", "Metadata", "None", None, "No matching concept")
    }
    for kind, entries in concepts().items():
        for entry in entries.values():
            if entry.concept_id:
                rows.setdefault(entry.concept_id, (entry.name, DOMAIN_OF_KIND[kind], entry.vocabulary, "S", entry.code))
            if entry.local_id:
                rows.setdefault(entry.local_id, (entry.name, DOMAIN_OF_KIND[kind], "Soom", None, entry.code))
    ids = sorted(rows)
    names = sorted({rows[one][2] for one in ids})
    domains = sorted({rows[one][1] for one in ids})
    return {
        "concept": pa.table(
            {
                "concept_id": ids,
                "concept_name": [rows[one][0] for one in ids],
                "domain_id": [rows[one][1] for one in ids],
                "vocabulary_id": [rows[one][2] for one in ids],
                "concept_class_id": [NO_CLASS] * len(ids),
                "standard_concept": [rows[one][3] for one in ids],
                "concept_code": [rows[one][4] for one in ids],
                "valid_start_date": [VALID_FROM] * len(ids),
                "valid_end_date": [VALID_UNTIL] * len(ids),
            }
        ).cast(SCHEMAS["concept"]),
        "vocabulary": pa.table(
            {"vocabulary_id": names, "vocabulary_name": names, "vocabulary_concept_id": [UNKNOWN] * len(names)}
        ).cast(SCHEMAS["vocabulary"]),
        "domain": pa.table(
            {"domain_id": domains, "domain_name": domains, "domain_concept_id": [UNKNOWN] * len(domains)}
        ).cast(SCHEMAS["domain"]),
        "concept_class": pa.table(
            {"concept_class_id": [NO_CLASS], "concept_class_name": [NO_CLASS], "concept_class_concept_id": [UNKNOWN]}
        ).cast(SCHEMAS["concept_class"]),
    }
