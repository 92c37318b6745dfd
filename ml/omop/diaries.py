"""What training and forecasts need, read back from OMOP tables of any origin: diaries, profiles, and what was refused.

From Soom's own export the diary comes back as it was. From elsewhere come peak flow (in a unit that is told), attacks
as emergency visits and admissions with an exacerbation, steroid courses of three days or more, height, ages, and
eosinophils and FeNO in a unit that is told; what is not there stays "not recorded".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.contract import DIARY_RANGES, PROFILE_RANGES, Diaries, Profiles
from ml.omop.concepts import concept, concepts
from ml.omop.source import OmopSource

Int64 = NDArray[np.int64]
# Days since 1970 to proleptic ordinals.
EPOCH_ORDINAL = 719_163
LEAST_STEROID_DAYS = 3
DAYS_PER_YEAR = 365.25
# By UCUM text, as source_value carries it; concepts of units stand in the mapping.
LITRES_PER_MIN = {"L/min": 1.0, "l/min": 1.0, "L/s": 60.0, "l/s": 60.0}
# Laboratories count in cells per microlitre or in thousands of them; another unit, or none, is not read.
EOSINOPHIL_UNITS = {
    "{cells}/uL": 1.0, "cells/uL": 1.0, "/uL": 1.0, "10*3/uL": 1e3, "10*9/L": 1e3, "10^3/uL": 1e3, "10^9/L": 1e3,
}  # fmt: skip
FENO_UNITS = {"[ppb]": 1.0, "ppb": 1.0}
STEROIDS = ("prednisolone", "prednisone")
DIARY_OBSERVATIONS = tuple(name for name in DIARY_RANGES if not name.endswith("litres_per_min"))


@dataclass(frozen=True, slots=True)
class Refused:
    """Rows that could not be used, with the reason; `rows` is their number."""

    table: str
    reason: str
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class OmopDiaries:
    """`person_id` by patient index. Ages in `profiles` are those on each patient's last diary day."""

    diaries: Diaries
    profiles: Profiles
    person_id: Int64
    refused: tuple[Refused, ...]


def read_diaries(source: OmopSource, as_of: NDArray[np.int64] | None = None) -> OmopDiaries:
    """Diaries and profiles of everybody in `person`, in the order of person_id.

    `as_of`: ordinal day for each patient's age; default the last diary day (or the end of observation).
    """
    people = source.columns("SELECT person_id, gender_concept_id FROM person ORDER BY person_id")
    person_id = np.asarray(people["person_id"], dtype=np.int64)
    source.connection.register("reading_person", {"person_id": person_id, "patient": np.arange(len(person_id))})
    try:
        refused: list[Refused] = []
        _days(source, refused)
        rows = source.columns("SELECT * FROM diary_day ORDER BY patient, day")
        patient = np.asarray(rows["patient"], dtype=np.int32)
        day = np.asarray(rows["day"], dtype=np.int64) + EPOCH_ORDINAL
        columns = {}
        for name, (low, high) in DIARY_RANGES.items():
            values = np.ma.filled(np.ma.asarray(rows[name], dtype=np.float64), np.nan).astype(np.float32)
            columns[name] = np.clip(values, low, high)
        diaries = Diaries.of(patient, day, **columns)
        profiles = _profiles(source, people, patient, day, as_of)
    finally:
        source.connection.unregister("reading_person")
    return OmopDiaries(diaries, profiles, person_id, tuple(refused))


def _ids(kind: str, key: str) -> str:
    one = concept(kind, key)
    return ", ".join(str(number) for number in (one.concept_id, one.local_id) if number)


def _days(source: OmopSource, refused: list[Refused]) -> None:
    """Temporary table `diary_day`: one row a patient and day, a column for each of DIARY_RANGES."""
    _peak_flow(source, refused)
    observed = ", ".join(
        f"max(value_as_number) FILTER (WHERE observation_source_concept_id = {concept('observation', name).local_id})"
        f" AS {name}"
        for name in DIARY_OBSERVATIONS
    )
    diary = ", ".join(str(concept("observation", name).local_id) for name in (*DIARY_OBSERVATIONS, "diary_entry"))
    steroids = ", ".join(str(concept("drug", name).concept_id) for name in STEROIDS)
    exacerbation = concept("condition", "exacerbation").concept_id
    source.connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE diary_day AS
        WITH observed AS (
            SELECT patient, observation_date - DATE '1970-01-01' AS day, {observed}
            FROM observation JOIN reading_person USING (person_id)
            WHERE observation_source_concept_id IN ({diary}) GROUP BY ALL
        ),
        visits AS (
            SELECT patient, visit_start_date - DATE '1970-01-01' AS day,
                max(CASE WHEN visit_concept_id IN (9203, 262) THEN 1 END) AS seen_in_emergency,
                max(CASE WHEN visit_concept_id IN (9201, 262) THEN 1 END) AS admitted
            FROM visit_occurrence AS visit JOIN reading_person USING (person_id)
            WHERE visit_concept_id IN (9201, 9203, 262) AND EXISTS (
                SELECT 1 FROM condition_occurrence AS condition WHERE condition.person_id = visit.person_id
                    AND condition_concept_id = {exacerbation}
                    AND condition_start_date BETWEEN visit_start_date AND COALESCE(visit_end_date, visit_start_date))
            GROUP BY ALL
        ),
        courses AS (
            SELECT DISTINCT patient, drug_exposure_start_date - DATE '1970-01-01' AS day, 1 AS course
            FROM drug_exposure JOIN reading_person USING (person_id)
            WHERE drug_concept_id IN ({steroids}) AND COALESCE(days_supply,
                date_diff('day', drug_exposure_start_date, drug_exposure_end_date) + 1) >= {LEAST_STEROID_DAYS}
        )
        SELECT patient, day, morning_litres_per_min, evening_litres_per_min,
            day_symptoms, night_waking, activity_limited, reliever_puffs, controller_fraction, trigger_count,
            GREATEST(systemic_steroids, course) AS systemic_steroids,
            GREATEST(emergency_visit, seen_in_emergency) AS emergency_visit,
            GREATEST(hospital_admission, admitted) AS hospital_admission
        FROM peak_flow_day
        FULL JOIN observed USING (patient, day)
        FULL JOIN visits USING (patient, day)
        FULL JOIN courses USING (patient, day)
        """
    )


def _factor(unit: str, by_text: dict[str, float]) -> str:
    """SQL: what turns a measured value into `unit`; NULL where the unit is not told or not known."""
    texts = " ".join(f"WHEN unit_source_value = '{text}' THEN {factor}" for text, factor in by_text.items())
    named = concept("unit", unit)
    by_concept = {named.concept_id: 1.0, **named.factors} if named.concept_id else {}
    numbers = " ".join(f"WHEN unit_concept_id = {number} THEN {factor}" for number, factor in by_concept.items())
    return f"(CASE {numbers} {texts} END)"


def _peak_flow(source: OmopSource, refused: list[Refused]) -> None:
    """Temporary table `peak_flow_day`. A reading without a time counts as the morning's; without a unit as none."""
    factor = _factor("litres_per_min", LITRES_PER_MIN)
    low, high = DIARY_RANGES["morning_litres_per_min"]
    source.connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE reading AS
        SELECT patient, measurement_date - DATE '1970-01-01' AS day,
            date_part('hour', measurement_datetime) >= 12 AS evening,
            value_as_number * {factor} AS litres_per_min, value_as_number IS NULL AS empty
        FROM measurement JOIN reading_person USING (person_id)
        WHERE measurement_concept_id IN ({_ids("measurement", "peak_flow")})
        """
    )
    told = source.columns(
        f"""
        SELECT count(*) FILTER (WHERE empty) AS empty,
            count(*) FILTER (WHERE NOT empty AND litres_per_min IS NULL) AS unitless,
            count(*) FILTER (WHERE litres_per_min NOT BETWEEN {low} AND {high}) AS outside FROM reading
        """
    )
    for column, reason in (
        ("empty", "peak flow without a value"),
        ("unitless", "peak flow in a unit that is not told or not known; L/min and L/s are read"),
        ("outside", f"peak flow outside {low:g} to {high:g} L/min"),
    ):
        if told[column][0]:
            refused.append(Refused("measurement", reason, int(told[column][0])))
    source.connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE peak_flow_day AS
        SELECT patient, day, max(litres_per_min) FILTER (WHERE evening IS NOT TRUE) AS morning_litres_per_min,
            max(litres_per_min) FILTER (WHERE evening) AS evening_litres_per_min
        FROM reading WHERE litres_per_min BETWEEN {low} AND {high} GROUP BY patient, day
        """
    )


def _profiles(
    source: OmopSource,
    people: dict[str, NDArray[np.generic]],
    patient: NDArray[np.int32],
    day: Int64,
    as_of: NDArray[np.int64] | None,
) -> Profiles:
    n = len(people["person_id"])
    if as_of is None:
        as_of = np.full(n, -1, dtype=np.int64)
        ends = source.columns(
            "SELECT patient, max(observation_period_end_date) - DATE '1970-01-01' AS day"
            " FROM observation_period JOIN reading_person USING (person_id) GROUP BY patient"
        )
        as_of[np.asarray(ends["patient"], dtype=np.int64)] = np.asarray(ends["day"], dtype=np.int64) + EPOCH_ORDINAL
        last = np.full(n, -1, dtype=np.int64)
        np.maximum.at(last, patient, day)
        as_of = np.where(last >= 0, last, as_of)
    born = source.columns(
        # Where only the year or month is known, its middle.
        """
        SELECT make_date(year_of_birth, COALESCE(month_of_birth, 7), COALESCE(day_of_birth, 1))
            - DATE '1970-01-01' AS day FROM person ORDER BY person_id
        """
    )["day"]
    columns = {"age_years": (as_of - EPOCH_ORDINAL - np.asarray(born, dtype=np.int64)) / DAYS_PER_YEAR}
    gender = np.asarray(people["gender_concept_id"], dtype=np.int64)
    genders = concepts()["gender"]
    female = np.full(n, np.nan)
    female[gender == genders["female"].concept_id] = 1
    female[gender == genders["male"].concept_id] = 0
    columns["female"] = female
    columns["height_cm"] = _latest(source, n, "measurement", "height")
    columns["personal_best_litres_per_min"] = _latest(source, n, "measurement", "personal_best")
    columns["treatment_step"] = _latest(source, n, "observation", "treatment_step")
    columns["severe_attacks_last_year"] = _latest(source, n, "observation", "severe_attacks_last_year")
    for name, key, unit, texts in (
        ("eosinophils_per_microlitre", "blood_eosinophils", "cells_per_microlitre", EOSINOPHIL_UNITS),
        ("feno_ppb", "feno", "ppb", FENO_UNITS),
    ):
        columns[name] = _latest(source, n, "measurement", key, _factor(unit, texts))
    site = source.columns("SELECT COALESCE(care_site_id, 0) AS site FROM person ORDER BY person_id")["site"]
    clipped = {name: np.clip(values.astype(np.float32), *PROFILE_RANGES[name]) for name, values in columns.items()}
    return Profiles.of(n, hospital=np.asarray(site, dtype=np.int64) - 1, **clipped)


def _latest(source: OmopSource, patients: int, kind: str, key: str, factor: str = "1") -> NDArray[np.float64]:
    """The last value of a concept times `factor` (SQL; NULL leaves the row out), NaN where there is none."""
    found = source.columns(
        f"""
        SELECT patient, arg_max(value_as_number * {factor}, ({kind}_date, {kind}_id)) AS value
        FROM {kind} JOIN reading_person USING (person_id)
        WHERE value_as_number * {factor} IS NOT NULL AND ({kind}_source_concept_id IN ({_ids(kind, key)})
            OR ({kind}_concept_id IN ({_ids(kind, key)}) AND {kind}_concept_id <> 0)) GROUP BY patient
        """
    )
    values = np.full(patients, np.nan)
    values[np.asarray(found["patient"], dtype=np.int64)] = np.asarray(found["value"], dtype=np.float64)
    return values
