"""What was known of each patient before index: everything recorded, and the severity terms that the protocol names."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ml.omop.source import OmopSource
from ml.omop.tables import EVENT_COLUMNS
from ml.rwe.cohort import Cohort, concept_rows
from ml.rwe.protocol import Protocol, SeverityTerm

Float64 = NDArray[np.float64]
RECORD_DOMAINS = ("condition", "drug", "measurement", "observation")
YEARS_PER_AGE_GROUP = 5


@dataclass(frozen=True, slots=True, eq=False)
class CovariateTable:
    """`matrix` (patients, covariates), sparse; `severity` marks the columns of severity terms. `missing` maps each
    term that can be missing to True where it is."""

    matrix: sparse.csr_matrix
    names: tuple[str, ...]
    severity: NDArray[np.bool_]
    missing: dict[str, NDArray[np.bool_]]


def build_covariates(source: OmopSource, protocol: Protocol, cohort: Cohort) -> CovariateTable:
    """Covariates of the cohort last built on `source`."""
    blocks: list[sparse.csr_matrix] = []
    names: list[str] = []
    severity: list[bool] = []
    missing: dict[str, NDArray[np.bool_]] = {}

    def add(block: sparse.csr_matrix, block_names: list[str], *, of_severity: bool = False) -> None:
        blocks.append(block)
        names.extend(block_names)
        severity.extend([of_severity] * len(block_names))

    for term in protocol.covariates.severity_terms:
        values, absent = _severity_columns(source, protocol, cohort, term)
        add(sparse.csr_matrix(values), [term.name, f"{term.name}: not recorded"][: values.shape[1]], of_severity=True)
        if absent is not None:
            missing[term.name] = absent
    add(*_demographics(cohort))
    add(*_records(source, protocol, len(cohort)))
    return CovariateTable(sparse.hstack(blocks).tocsr(), tuple(names), np.array(severity), missing)


def _severity_columns(
    source: OmopSource, protocol: Protocol, cohort: Cohort, term: SeverityTerm
) -> tuple[Float64, NDArray[np.bool_] | None]:
    """One standardised column, and for a last value a second one that says where it is missing."""
    n = len(cohort)
    chosen = protocol.concept_sets[term.concept_set]
    if term.kind == "last_value":
        table, concept_column, date_column = EVENT_COLUMNS[chosen.domain]
        ids = ", ".join(str(concept) for concept in chosen.concept_ids)
        found = source.columns(
            f"""
            SELECT place, arg_max(value_as_number, {date_column}) AS value FROM cohort JOIN {table} USING (person_id)
            WHERE ({concept_column} IN ({ids}) OR {chosen.domain}_source_concept_id IN ({ids}))
                AND value_as_number IS NOT NULL AND ({date_column} - DATE '1970-01-01')
                BETWEEN index_day - ? AND index_day - 1
            GROUP BY place
            """,
            [term.window_days],
        )
        values = np.full(n, np.nan)
        values[np.asarray(found["place"], dtype=np.int64)] = np.asarray(found["value"], dtype=np.float64)
        absent = np.isnan(values)
        logged = np.log1p(np.maximum(values, 0))
        centre = np.nanmean(logged) if not absent.all() else 0.0
        filled = np.where(absent, centre, logged)
        return np.column_stack([_standardised(filled), absent.astype(np.float64)]), absent
    rows = concept_rows(source, chosen)
    found = source.columns(
        f"""
        SELECT place, count(DISTINCT record.day) AS days FROM cohort JOIN ({rows}) AS record USING (person_id)
        WHERE record.day BETWEEN index_day - ? AND index_day - 1 GROUP BY place
        """,
        [term.window_days],
    )
    counts = np.zeros(n)
    counts[np.asarray(found["place"], dtype=np.int64)] = np.asarray(found["days"], dtype=np.float64)
    return _standardised(np.log1p(counts) if term.kind == "count" else np.asarray(counts > 0, dtype=np.float64))[
        :, None
    ], None


def _standardised(values: Float64) -> Float64:
    spread = values.std() if len(values) else 0.0
    return (values - values.mean()) / spread if spread > 0 else np.zeros_like(values)


def _demographics(cohort: Cohort) -> tuple[sparse.csr_matrix, list[str]]:
    """Groups of age, sex, and quarter of the year at index, as 0 and 1."""
    quarter = (np.floor((cohort.index_day % 365.2425) / 91.32) % 4).astype(np.int64)
    age_group = cohort.age_years // YEARS_PER_AGE_GROUP
    columns: list[Float64] = []
    names: list[str] = []
    for group in np.unique(age_group)[1:]:
        columns.append((age_group == group) * 1.0)
        names.append(f"age {group * YEARS_PER_AGE_GROUP} to {group * YEARS_PER_AGE_GROUP + YEARS_PER_AGE_GROUP - 1}")
    columns.append(np.nan_to_num(cohort.female, nan=0.0))
    names.append("female")
    for number in range(1, 4):
        columns.append((quarter == number) * 1.0)
        names.append(f"begun in quarter {number + 1}")
    return sparse.csr_matrix(np.column_stack(columns)), names


def _records(source: OmopSource, protocol: Protocol, patients: int) -> tuple[sparse.csr_matrix, list[str]]:
    """1 where a concept was recorded in the window, for every concept that enough patients have."""
    compared = {
        concept
        for arm in (protocol.target, protocol.comparator)
        for concept in protocol.concept_sets[arm.concept_set].concept_ids
    }
    parts = []
    for number, name in enumerate(RECORD_DOMAINS):
        table, concept_column, date_column = EVENT_COLUMNS[name]
        parts.append(
            f"SELECT DISTINCT place, {number} AS domain, {concept_column} AS concept_id"
            f" FROM cohort JOIN {table} USING (person_id) WHERE {concept_column} <> 0"
            f" AND ({date_column} - DATE '1970-01-01')"
            f" BETWEEN index_day - {protocol.covariates.window_days} AND index_day - 1"
        )
    found = source.columns(" UNION ALL ".join(parts))
    place = np.asarray(found["place"], dtype=np.int64)
    domain, concept_id = np.asarray(found["domain"]), np.asarray(found["concept_id"], dtype=np.int64)
    wanted = ~np.isin(concept_id, sorted(compared))
    place, key = place[wanted], domain[wanted].astype(np.int64) * 2**40 + concept_id[wanted]
    keys, column, counts = np.unique(key, return_inverse=True, return_counts=True)
    # Who has it and who has not: neither may be a handful.
    least = max(protocol.smallest_cell, protocol.covariates.least_share * patients)
    enough = (counts >= least) & (counts <= patients - least)
    new_column = np.cumsum(enough) - 1
    rows = enough[column]
    matrix = sparse.csr_matrix(
        (np.ones(rows.sum()), (place[rows], new_column[column[rows]])), shape=(patients, int(enough.sum()))
    )
    names = [f"{RECORD_DOMAINS[one >> 40]} {one & (2**40 - 1)}" for one in keys[enough].tolist()]
    return matrix, names
