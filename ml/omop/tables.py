"""The tables of OMOP CDM 5.4 that Soom writes: their columns as Arrow types; what is not nullable is required."""

import pyarrow as pa

_TYPES = {
    "int": pa.int32(),
    "number": pa.float64(),
    "date": pa.date32(),
    "instant": pa.timestamp("us"),
    "text": pa.string(),
}


def _schema(columns: str) -> pa.Schema:
    """From "name type, …"; a type that ends in ! is required."""
    fields = []
    for column in columns.split(","):
        name, kind = column.split()
        fields.append(pa.field(name, _TYPES[kind.rstrip("!")], nullable=not kind.endswith("!")))
    return pa.schema(fields)


SCHEMAS: dict[str, pa.Schema] = {
    "person": _schema(
        "person_id int!, gender_concept_id int!, year_of_birth int!, month_of_birth int, day_of_birth int,"
        "birth_datetime instant, race_concept_id int!, ethnicity_concept_id int!, care_site_id int,"
        "person_source_value text, gender_source_value text, gender_source_concept_id int"
    ),
    "observation_period": _schema(
        "observation_period_id int!, person_id int!, observation_period_start_date date!,"
        "observation_period_end_date date!, period_type_concept_id int!"
    ),
    "visit_occurrence": _schema(
        "visit_occurrence_id int!, person_id int!, visit_concept_id int!, visit_start_date date!,"
        "visit_end_date date!, visit_type_concept_id int!, care_site_id int, visit_source_value text"
    ),
    "condition_occurrence": _schema(
        "condition_occurrence_id int!, person_id int!, condition_concept_id int!, condition_start_date date!,"
        "condition_end_date date, condition_type_concept_id int!, visit_occurrence_id int, condition_source_value text"
    ),
    "drug_exposure": _schema(
        "drug_exposure_id int!, person_id int!, drug_concept_id int!, drug_exposure_start_date date!,"
        "drug_exposure_end_date date!, drug_type_concept_id int!, quantity number, days_supply int, sig text,"
        "drug_source_value text, drug_source_concept_id int"
    ),
    "measurement": _schema(
        "measurement_id int!, person_id int!, measurement_concept_id int!, measurement_date date!,"
        "measurement_datetime instant, measurement_type_concept_id int!, value_as_number number, unit_concept_id int,"
        "measurement_source_value text, measurement_source_concept_id int, unit_source_value text"
    ),
    "observation": _schema(
        "observation_id int!, person_id int!, observation_concept_id int!, observation_date date!,"
        "observation_datetime instant, observation_type_concept_id int!, value_as_number number, value_as_string text,"
        "observation_source_value text, observation_source_concept_id int"
    ),
    "death": _schema("person_id int!, death_date date!, death_type_concept_id int"),
    "care_site": _schema("care_site_id int!, care_site_name text, care_site_source_value text"),
    "cdm_source": _schema(
        "cdm_source_name text!, cdm_source_abbreviation text!, cdm_holder text!, source_description text,"
        "source_release_date date!, cdm_release_date date!, cdm_version text, cdm_version_concept_id int!,"
        "vocabulary_version text!"
    ),
    "concept": _schema(
        "concept_id int!, concept_name text!, domain_id text!, vocabulary_id text!, concept_class_id text!,"
        "standard_concept text, concept_code text!, valid_start_date date!, valid_end_date date!"
    ),
    "vocabulary": _schema("vocabulary_id text!, vocabulary_name text!, vocabulary_concept_id int!"),
    "domain": _schema("domain_id text!, domain_name text!, domain_concept_id int!"),
    "concept_class": _schema("concept_class_id text!, concept_class_name text!, concept_class_concept_id int!"),
}
# Of the tables that studies read: concept column, first date.
EVENT_COLUMNS = {
    "condition": ("condition_occurrence", "condition_concept_id", "condition_start_date"),
    "drug": ("drug_exposure", "drug_concept_id", "drug_exposure_start_date"),
    "measurement": ("measurement", "measurement_concept_id", "measurement_date"),
    "observation": ("observation", "observation_concept_id", "observation_date"),
    "visit": ("visit_occurrence", "visit_concept_id", "visit_start_date"),
}
