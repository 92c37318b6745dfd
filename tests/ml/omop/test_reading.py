"""OMOP tables of any origin: what is read, what is refused with a reason, and what a quality report says of them."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from ml.omop.cohort import read_cohort
from ml.omop.concepts import LOCAL_FROM, concept, concepts
from ml.omop.diaries import OmopDiaries, read_diaries
from ml.omop.quality import FIELD_LIST, QualityReport, check_quality, read_field_list
from ml.omop.source import OmopSource, OmopUnreadable
from ml.omop.tables import SCHEMAS
from ml.omop.vocabulary import vocabulary_tables
from ml.rwe.simulated_hospital import simulated_hospital

DAY = datetime.date(2025, 5, 1)


def rows(table: str, *content: dict[str, Any]) -> pa.Table:
    """Rows with an id and the columns that are required but of no interest filled in."""
    filled = []
    for number, row in enumerate(content, 1):
        base: dict[str, Any] = {}
        for field in SCHEMAS[table]:
            if field.nullable:
                continue
            base[field.name] = DAY if field.type == pa.date32() else 0 if field.type == pa.int32() else "?"
        filled.append({**base, f"{table}_id": number, "person_id": 1, **row})
    if table == "person":
        filled = [
            {"year_of_birth": 1980, **row} | {"year_of_birth": row.get("year_of_birth") or 1980} for row in filled
        ]
    return pa.Table.from_pylist(filled, SCHEMAS[table])


def read(**tables: pa.Table) -> OmopDiaries:
    whole = {
        "person": rows("person", {"gender_concept_id": 8532}),
        "observation_period": rows("observation_period", {}),
        **tables,
    }
    with OmopSource.of_tables(whole, "somewhere") as source:
        return read_diaries(source)


def peak_flow(value: float | None, unit: int | None = 8698, text: str | None = None, hour: int = 8) -> dict[str, Any]:
    return {
        "measurement_concept_id": 3023329,
        "measurement_date": DAY,
        "measurement_datetime": datetime.datetime.combine(DAY, datetime.time(hour)),
        "value_as_number": value,
        "unit_concept_id": unit,
        "unit_source_value": text,
    }


def test_litres_a_second_become_litres_a_minute_and_halves_of_the_day_are_kept_apart() -> None:
    found = read(
        measurement=rows(
            "measurement",
            peak_flow(7.5, None, "L/s"),
            peak_flow(7.2, 32700),
            peak_flow(430, hour=12),
            peak_flow(410, hour=19),
        )
    )
    assert found.diaries.morning_litres_per_min.tolist() == [450]
    assert found.diaries.evening_litres_per_min.tolist() == [430]
    assert found.refused == ()


def test_a_peak_flow_without_a_unit_or_with_an_impossible_value_is_refused_and_counted() -> None:
    found = read(
        measurement=rows(
            "measurement", peak_flow(430, None), peak_flow(430, None, "furlongs"), peak_flow(7.5), peak_flow(None)
        )
    )
    assert len(found.diaries) == 0
    told = {one.reason.split(";")[0]: one.rows for one in found.refused}
    assert told == {
        "peak flow without a value": 1,
        "peak flow in a unit that is not told or not known": 2,
        "peak flow outside 30 to 900 L/min": 1,
    }


@pytest.mark.parametrize(("unit", "value"), [(8647, 410.0), (8785, 410.0), (8848, 0.41), (9444, 0.41)])
def test_eosinophils_are_read_in_every_unit_that_laboratories_count_in(unit: int, value: float) -> None:
    counted = {
        "measurement_concept_id": concept("measurement", "blood_eosinophils").concept_id,
        "value_as_number": value,
        "unit_concept_id": unit,
    }
    profiles = read(measurement=rows("measurement", counted)).profiles
    np.testing.assert_allclose(profiles.eosinophils_per_microlitre, [410])


def test_biomarkers_come_in_the_units_that_are_told_and_the_latest_counts() -> None:
    eosinophils = concept("measurement", "blood_eosinophils").concept_id
    thousands: dict[str, Any] = {
        "measurement_concept_id": eosinophils,
        "value_as_number": 0.41,
        "unit_source_value": "10*3/uL",
    }
    older: dict[str, Any] = {"measurement_concept_id": eosinophils, "value_as_number": 150.0, "unit_concept_id": 8784}
    unitless: dict[str, Any] = {"measurement_concept_id": eosinophils, "value_as_number": 3.0}
    dated = [
        row | {"measurement_date": DAY + datetime.timedelta(days=day)}
        for day, row in enumerate((older, thousands, unitless))
    ]
    feno = {
        "measurement_source_concept_id": concept("measurement", "feno").source_concept_id,
        "value_as_number": 38.0,
        "unit_source_value": "[ppb]",
    }
    profiles = read(measurement=rows("measurement", *dated, feno)).profiles
    np.testing.assert_allclose(profiles.eosinophils_per_microlitre, [410])
    np.testing.assert_allclose(profiles.feno_ppb, [38])


def test_an_emergency_visit_counts_only_with_an_exacerbation_during_it() -> None:
    visits = rows(
        "visit_occurrence",
        {"visit_concept_id": 9203, "visit_start_date": DAY, "visit_end_date": DAY},
        {
            "visit_concept_id": 9203,
            "visit_start_date": DAY + datetime.timedelta(30),
            "visit_end_date": DAY + datetime.timedelta(30),
        },
    )
    conditions = rows("condition_occurrence", {"condition_concept_id": 45771045, "condition_start_date": DAY})
    found = read(visit_occurrence=visits, condition_occurrence=conditions).diaries
    assert found.day.tolist() == [DAY.toordinal()]
    assert found.emergency_visit.tolist() == [1]
    assert np.isnan(found.hospital_admission).all()


def test_a_steroid_course_of_three_days_is_an_attack_and_one_of_two_days_is_not() -> None:
    drugs = rows(
        "drug_exposure",
        {"drug_concept_id": 1550557, "drug_exposure_start_date": DAY, "days_supply": 3},
        {"drug_concept_id": 1550557, "drug_exposure_start_date": DAY + datetime.timedelta(40), "days_supply": 2},
    )
    found = read(drug_exposure=drugs).diaries
    assert (found.day.tolist(), found.systemic_steroids.tolist()) == ([DAY.toordinal()], [1])


def test_a_birthday_of_which_only_the_year_is_known_is_taken_as_its_middle() -> None:
    found = read()
    assert found.profiles.age_years[0] == pytest.approx(44.83, abs=0.01)
    assert found.profiles.female.tolist() == [1]
    assert np.isnan(found.profiles.height_cm).all()


def test_a_cohort_ends_with_the_observation_or_the_last_entry() -> None:
    with OmopSource.of_tables(simulated_hospital(2, 4, 60), "simulated") as source:
        cohort, refused = read_cohort(source)
    assert refused == ()
    assert (cohort.last_day[cohort.diaries.patient_index] >= cohort.diaries.day).all()


def test_columns_that_another_system_leaves_out_or_types_differently_are_read_all_the_same() -> None:
    drugs = rows("drug_exposure", {"drug_concept_id": 1550557, "drug_exposure_start_date": DAY, "days_supply": 5})
    course = drugs.select(["person_id", "drug_concept_id", "days_supply"]).append_column(
        "drug_exposure_start_date", pa.array([DAY.isoformat()])
    )
    assert read(drug_exposure=course).diaries.day.tolist() == [DAY.toordinal()]


def test_a_persons_number_may_have_64_bits() -> None:
    number = 9_000_000_000_000
    tables = {}
    for name in ("person", "observation_period"):
        table = rows(name, {"gender_concept_id": 8532} if name == "person" else {})
        place = table.schema.get_field_index("person_id")
        tables[name] = table.set_column(place, "person_id", pa.array([number]))
    assert read(**tables).person_id.tolist() == [number]


def test_a_table_without_its_dates_or_with_nonsense_for_them_is_refused_by_column() -> None:
    drugs = rows("drug_exposure", {"drug_concept_id": 1550557})
    with pytest.raises(OmopUnreadable, match="drug_exposure has no column drug_exposure_start_date"):
        read(drug_exposure=drugs.drop_columns("drug_exposure_start_date"))
    place = drugs.schema.get_field_index("drug_exposure_start_date")
    nonsense = drugs.set_column(place, "drug_exposure_start_date", pa.array(["last Tuesday"]))
    with pytest.raises(OmopUnreadable, match=r"drug_exposure_start_date holds 1 values that are no DATE"):
        read(drug_exposure=nonsense)


def report(**tables: pa.Table) -> QualityReport:
    whole = {
        "person": rows("person", {"gender_concept_id": 8532}),
        "observation_period": rows("observation_period", {}),
        **vocabulary_tables(),
        **tables,
    }
    with OmopSource.of_tables(whole, "somewhere") as source:
        return check_quality(source)


def failing(found: QualityReport) -> set[str]:
    return {f"{one.table}: {one.what}" for one in found.checks if not one.passed}


def test_a_sound_set_of_tables_passes() -> None:
    assert failing(report(measurement=rows("measurement", peak_flow(430)))) == set()


@pytest.mark.parametrize(
    ("table", "row", "what"),
    [
        ("measurement", {"measurement_concept_id": 99}, "measurement_concept_id is found in concept"),
        ("measurement", {"person_id": 2}, "person_id is found in person"),
        ("drug_exposure", {"drug_exposure_end_date": DAY - datetime.timedelta(1)}, "ends after it began"),
        ("condition_occurrence", {"condition_start_date": datetime.date(1979, 1, 1)}, "happened after birth"),
        ("observation", {"observation_date": DAY + datetime.timedelta(1)}, "happened while observed (at least 95 %)"),
        ("drug_exposure", {"drug_source_value": "?"}, "is mapped to a concept (at least 95 %)"),
    ],
)
def test_each_kind_of_flaw_is_found(table: str, row: dict[str, Any], what: str) -> None:
    assert f"{table}: {what}" in failing(report(**{table: rows(table, row)}))


def test_a_peak_flow_in_the_wrong_unit_is_implausible() -> None:
    found = failing(report(measurement=rows("measurement", peak_flow(7.5))))
    assert found == {"measurement: peak flow in L/min lies between 30 and 900"}


def test_a_repeated_key_and_a_strange_column_are_found() -> None:
    twice = rows("measurement", peak_flow(430), {**peak_flow(430), "measurement_id": 1})
    strange = twice.append_column("mood", pa.array(["good", "bad"]))
    found = failing(report(measurement=strange))
    assert "measurement: measurement_id is unique" in found
    assert "measurement: has only columns of OMOP CDM 5.4 (not: mood)" in found


def test_unmapped_words_are_listed_when_enough_rows_share_them() -> None:
    common = [{"drug_source_value": "Herbal spray"}] * 5
    found = report(drug_exposure=rows("drug_exposure", *common, {"drug_source_value": "something rare"}))
    assert [(one.source_value, one.rows) for one in found.unmapped] == [("Herbal spray", 5)]


def test_the_official_field_list_holds_a_simulated_hospital_too(shared_data: Path) -> None:
    fields = read_field_list(shared_data / "omop_cdm54" / FIELD_LIST)
    with OmopSource.of_tables(simulated_hospital(1, 0, 200), "simulated") as source:
        assert failing(check_quality(source, fields)) == set()


def test_a_file_that_is_no_parquet_is_refused_by_name(tmp_path: Path) -> None:
    parquet.write_table(rows("person", {}), tmp_path / "person.parquet")
    (tmp_path / "measurement.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(OmopUnreadable, match=r"measurement\.parquet"):
        OmopSource.of_folder(tmp_path)


def test_local_concepts_lie_in_omops_local_range_and_no_id_serves_two_things() -> None:
    entries = [one for kind in concepts().values() for one in kind.values()]
    local = [one.local_id for one in entries if one.local_id]
    assert min(local) > LOCAL_FROM
    assert len(set(local)) == len(local)
    assert all(one.mark in {"V", "M", "L", "A"} for one in entries)
    assert all((one.mark == "L") == (one.concept_id == 0) for one in entries)
    assert all((one.mark == "V") == bool(one.source) for one in entries)
    assert concept("condition", "asthma").concept_id == 317009
