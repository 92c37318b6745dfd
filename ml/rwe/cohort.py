"""New users of target or comparator: who is in, since when, how long followed, and when what happened.

Time zero is the first dispensing of either treatment, for everybody alike, so that no follow-up is immortal. The flow
of exclusions is kept as an attrition table.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.omop.source import OmopSource
from ml.omop.tables import EVENT_COLUMNS
from ml.rwe.protocol import ConceptSet, FollowUpKind, Protocol

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

MAIN_OUTCOME = "outcome"
NEVER = np.iinfo(np.int64).max // 4


@dataclass(frozen=True, slots=True)
class AttritionStep:
    """How many of each arm were left after a criterion."""

    criterion: str
    target: int
    comparator: int


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """One entry per patient in each array; days are those since 1 January 1970.

    `target` tells the arm, `last_day` when observation (or the protocol's window) ends, `treated_until` when the index
    treatment was left or switched. `first_event` maps an outcome (MAIN_OUTCOME or a negative control's concept id as
    text) to the day of its first record in the risk window, NEVER where there is none.
    """

    person_id: Int64
    target: Bool
    index_day: Int64
    age_years: Int64
    female: Float64
    last_day: Int64
    treated_until: Int64
    first_day_at_risk: Int64
    first_event: dict[str, Int64]
    attrition: tuple[AttritionStep, ...]

    def __len__(self) -> int:
        return len(self.person_id)

    def times(self, outcome: str, follow_up: FollowUpKind) -> tuple[Float64, Bool]:
        """Days at risk and whether the outcome came, per patient. A day at risk is one that was begun."""
        end = self.last_day if follow_up == "intention_to_treat" else np.minimum(self.last_day, self.treated_until)
        event = self.first_event[outcome]
        happened = event <= end
        days = np.where(happened, event, end) - self.first_day_at_risk + 1
        return np.maximum(days, 0).astype(np.float64), happened & (days > 0)


def concept_rows(source: OmopSource, chosen: ConceptSet) -> str:
    """SQL of (person_id, day) for each record of the set; the source has a table of ids named after it."""
    ids = ", ".join(str(concept) for concept in chosen.concept_ids)
    if chosen.descendants:
        if "concept_ancestor" not in source.tables:
            raise ConceptSetUnusable(
                f"concept_sets.{chosen.name} asks for descendants, but {source.name} has no concept_ancestor table"
            )
        ids = f"SELECT descendant_concept_id FROM concept_ancestor WHERE ancestor_concept_id IN ({ids})"
    table, concept_column, date_column = EVENT_COLUMNS[chosen.domain]
    # Local concepts stand in the source column beside a standard concept of 0.
    local = ""
    if chosen.domain in ("measurement", "observation"):
        local = f" OR {chosen.domain}_source_concept_id IN ({ids})"
    longer = ""
    if chosen.least_days > 1:
        longer = (
            " AND COALESCE(days_supply, date_diff('day', drug_exposure_start_date, drug_exposure_end_date) + 1)"
            f" >= {chosen.least_days}"
        )
    return (
        f"SELECT person_id, ({date_column} - DATE '1970-01-01') AS day FROM {table}"
        f" WHERE ({concept_column} IN ({ids}){local}){longer}"
    )


class ConceptSetUnusable(Exception):
    """This hospital's tables do not allow what the protocol's concept set asks for."""


def _exposures(source: OmopSource, protocol: Protocol) -> None:
    """Temporary table `exposure`: every dispensing of either arm with its last day."""
    parts = []
    for target, arm in ((True, protocol.target), (False, protocol.comparator)):
        chosen = protocol.concept_sets[arm.concept_set]
        ids = ", ".join(str(concept) for concept in chosen.concept_ids)
        if chosen.descendants:
            concept_rows(source, chosen)
            ids = f"SELECT descendant_concept_id FROM concept_ancestor WHERE ancestor_concept_id IN ({ids})"
        parts.append(
            f"SELECT person_id, {target} AS target, (drug_exposure_start_date - DATE '1970-01-01') AS first_day,"
            " GREATEST(COALESCE(drug_exposure_end_date - DATE '1970-01-01', 0),"
            " (drug_exposure_start_date - DATE '1970-01-01') + COALESCE(days_supply, 1) - 1) AS last_day"
            f" FROM drug_exposure WHERE drug_concept_id IN ({ids})"
        )
    source.connection.execute("CREATE OR REPLACE TEMP TABLE exposure AS " + " UNION ALL ".join(parts))


def _entries(source: OmopSource, protocol: Protocol) -> None:
    """Temporary table `entry`: one row a patient with any exposure, at the first of them, with the period around it."""
    source.connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE entry AS
        WITH first_use AS (
            SELECT person_id, min(first_day) AS index_day FROM exposure GROUP BY person_id
        ),
        arms AS (
            SELECT person_id, index_day, bool_or(target) AS target, bool_or(NOT target) AS comparator
            FROM first_use JOIN exposure USING (person_id)
            WHERE exposure.first_day = index_day GROUP BY person_id, index_day
        ),
        observed AS (
            SELECT person_id, index_day,
                max(observation_period_start_date - DATE '1970-01-01') AS observed_from,
                max(observation_period_end_date - DATE '1970-01-01') AS observed_until
            FROM arms JOIN observation_period USING (person_id)
            WHERE index_day BETWEEN (observation_period_start_date - DATE '1970-01-01')
                AND (observation_period_end_date - DATE '1970-01-01')
            GROUP BY person_id, index_day
        )
        SELECT row_number() OVER (ORDER BY arms.person_id) - 1 AS patient, arms.person_id, arms.target,
            arms.target AND arms.comparator AS both_at_once, arms.index_day, observed_from, observed_until,
            date_part('year', DATE '1970-01-01' + arms.index_day::INTEGER) - year_of_birth AS age_years,
            CASE gender_concept_id WHEN 8532 THEN 1.0 WHEN 8507 THEN 0.0 ELSE NULL END AS female
        FROM arms JOIN person USING (person_id) LEFT JOIN observed USING (person_id, index_day)
        ORDER BY arms.person_id
        """
    )


def _recorded_before(source: OmopSource, chosen: ConceptSet, window_days: int, patients: int) -> Bool:
    """Whether a patient has a record of the set in the window before index, the day of index not counted."""
    found = source.columns(
        f"""
        SELECT DISTINCT patient FROM entry JOIN ({concept_rows(source, chosen)}) AS record USING (person_id)
        WHERE record.day BETWEEN index_day - ? AND index_day - 1
        """,
        [window_days],
    )["patient"]
    flag = np.zeros(patients, dtype=np.bool_)
    flag[np.asarray(found, dtype=np.int64)] = True
    return flag


def _treated_until(source: OmopSource, grace_days: int, patients: int) -> Int64:
    """Last day of the unbroken index treatment with its grace, or the day before the other treatment began."""
    found = source.columns(
        """
        WITH own AS (
            SELECT patient, exposure.first_day, exposure.last_day,
                max(exposure.last_day) OVER (PARTITION BY patient ORDER BY exposure.first_day, exposure.last_day
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered_until
            FROM entry JOIN exposure USING (person_id)
            WHERE exposure.target = entry.target AND exposure.first_day >= index_day
        ),
        breaks AS (
            SELECT *, sum(CASE WHEN first_day > covered_until + ? THEN 1 ELSE 0 END)
                OVER (PARTITION BY patient ORDER BY first_day, last_day) AS era FROM own
        ),
        treated AS (SELECT patient, max(last_day) + ? AS until FROM breaks WHERE era = 0 GROUP BY patient),
        switched AS (
            SELECT patient, min(exposure.first_day) - 1 AS until FROM entry JOIN exposure USING (person_id)
            WHERE exposure.target <> entry.target AND exposure.first_day > index_day GROUP BY patient
        )
        SELECT patient, LEAST(treated.until, COALESCE(switched.until, treated.until)) AS until
        FROM treated LEFT JOIN switched USING (patient)
        """,
        [grace_days, grace_days],
    )
    until = np.zeros(patients, dtype=np.int64)
    until[np.asarray(found["patient"], dtype=np.int64)] = np.asarray(found["until"], dtype=np.int64)
    return until


def _first_events(
    source: OmopSource, protocol: Protocol, patients: int, outcomes: dict[str, list[ConceptSet]]
) -> dict[str, Int64]:
    """First day at risk with a record, per outcome; one statement for all outcomes."""
    first = {outcome: np.full(patients, NEVER, dtype=np.int64) for outcome in outcomes}
    names = list(outcomes)
    rows = " UNION ALL ".join(
        f"SELECT {number} AS outcome, * FROM ({concept_rows(source, chosen)})"
        for number, name in enumerate(names)
        if name == MAIN_OUTCOME
        for chosen in outcomes[name]
    )
    controls = [concept for name in names if name != MAIN_OUTCOME for concept in outcomes[name][0].concept_ids]
    if controls:
        domain = protocol.negative_control_domain
        table, concept_column, date_column = EVENT_COLUMNS[domain]
        source.connection.execute("CREATE OR REPLACE TEMP TABLE control (outcome INTEGER, concept_id INTEGER)")
        values = ", ".join(f"({names.index(str(concept))}, {concept})" for concept in controls)
        source.connection.execute(f"INSERT INTO control VALUES {values}")
        rows += (
            f" UNION ALL SELECT outcome, person_id, ({date_column} - DATE '1970-01-01') AS day"
            f" FROM {table} JOIN control ON concept_id = {concept_column}"
        )
    found = source.columns(
        f"""
        SELECT outcome, patient, min(record.day) AS day FROM entry JOIN ({rows}) AS record USING (person_id)
        WHERE record.day >= index_day + ? GROUP BY outcome, patient
        """,
        [protocol.follow_up.first_day],
    )
    outcome = np.asarray(found["outcome"], dtype=np.int64)
    patient, day = np.asarray(found["patient"], dtype=np.int64), np.asarray(found["day"], dtype=np.int64)
    for number, name in enumerate(names):
        chosen_rows = outcome == number
        first[name][patient[chosen_rows]] = day[chosen_rows]
    return first


def build_cohort(source: OmopSource, protocol: Protocol) -> Cohort:
    """The cohort of one hospital. Raises ConceptSetUnusable. Leaves the table `entry` for the covariates."""
    _exposures(source, protocol)
    _entries(source, protocol)
    entry = source.columns("SELECT * FROM entry ORDER BY patient")
    n = len(entry["patient"])
    index = np.asarray(entry["index_day"], dtype=np.int64)
    observed_from = np.ma.filled(entry["observed_from"], NEVER).astype(np.int64)
    observed_until = np.ma.filled(entry["observed_until"], -NEVER).astype(np.int64)
    target = np.asarray(entry["target"], dtype=np.bool_)
    age = np.asarray(entry["age_years"], dtype=np.int64)
    eligibility, follow_up = protocol.eligibility, protocol.follow_up
    sets = protocol.concept_sets

    first_day_at_risk = index + follow_up.first_day
    last_day = np.minimum(observed_until, index + follow_up.last_day)
    criteria: list[tuple[str, Bool]] = [
        ("target and comparator were not begun on the same day", ~np.asarray(entry["both_at_once"], dtype=np.bool_)),
        (
            f"observed for {eligibility.observed_days_before} days before, without either treatment",
            observed_from <= index - max(eligibility.observed_days_before, protocol.washout_days),
        ),
        (
            f"{eligibility.least_age_years} to {eligibility.most_age_years} years old",
            (age >= eligibility.least_age_years) & (age <= eligibility.most_age_years),
        ),
    ]
    for name in eligibility.required:
        had = _recorded_before(source, sets[name], eligibility.window_days, n)
        criteria.append((f"{name} recorded in the {eligibility.window_days} days before", had))
    for name in eligibility.excluded:
        had = _recorded_before(source, sets[name], eligibility.window_days, n)
        criteria.append((f"no {name} in the {eligibility.window_days} days before", ~had))
    if protocol.outcome.clean_days:
        had = np.zeros(n, dtype=np.bool_)
        for name in protocol.outcome.concept_sets:
            had |= _recorded_before(source, sets[name], protocol.outcome.clean_days, n)
        criteria.append((f"no outcome in the {protocol.outcome.clean_days} days before", ~had))
    criteria.append(("followed on the first day at risk", last_day >= first_day_at_risk))

    left = np.ones(n, dtype=np.bool_)
    attrition = [AttritionStep("first use of target or comparator", int(target.sum()), int((~target).sum()))]
    for criterion, holds in criteria:
        left &= holds
        attrition.append(AttritionStep(criterion, int((left & target).sum()), int((left & ~target).sum())))

    outcomes = {MAIN_OUTCOME: [sets[name] for name in protocol.outcome.concept_sets]}
    for concept in protocol.negative_controls:
        outcomes[str(concept)] = [ConceptSet(str(concept), protocol.negative_control_domain, (concept,), False, 1)]
    events = _first_events(source, protocol, n, outcomes)
    treated_until = _treated_until(source, follow_up.grace_days, n)
    kept = np.flatnonzero(left)
    # The covariates ask for these patients alone, by their place in the cohort.
    source.connection.register("kept_patient", {"patient": kept, "place": np.arange(len(kept))})
    source.connection.execute(
        "CREATE OR REPLACE TEMP TABLE cohort AS SELECT place, entry.* FROM entry JOIN kept_patient USING (patient)"
    )
    source.connection.unregister("kept_patient")
    return Cohort(
        person_id=np.asarray(entry["person_id"], dtype=np.int64)[kept],
        target=target[kept],
        index_day=index[kept],
        age_years=age[kept],
        female=np.ma.filled(entry["female"].astype(np.float64), np.nan)[kept],
        last_day=last_day[kept],
        treated_until=treated_until[kept],
        first_day_at_risk=first_day_at_risk[kept],
        first_event={name: days[kept] for name, days in events.items()},
        attrition=tuple(attrition),
    )
