"""Bundles of other systems: taken without loss, once, and with every refusal told."""

import json
from pathlib import Path
from uuid import UUID

import pytest
from sqlmodel import Session, select

from backend.accounts.tables import Clinician
from backend.diary.tables import Attack, PeakFlow
from backend.interchange.bundle import read_bundle
from backend.interchange.errors import ImportRefused
from backend.interchange.importing import import_resources
from backend.interchange.report import ImportReport
from backend.interchange.tables import ImportedResource
from backend.measurements.tables import Measurement
from backend.medication.tables import Inhaler
from backend.patients.store import visible_patient
from backend.patients.tables import Patient
from backend.plans.store import add_on_courses
from tests.conftest import NOON
from tests.factories import clinic
from tests.factories.fhir import LOINC, SNOMED, bundle, observation, person


@pytest.fixture
def doctor(session: Session) -> Clinician:
    return clinic.clinician(session, clinic.hospital(session), now=NOON)


def taken(session: Session, doctor: Clinician, *resources: object) -> ImportReport:
    return import_resources(session, doctor, read_bundle(bundle(*resources)), now=NOON)


def test_the_six_published_bundles_come_in_without_loss_and_asthma_is_found_in_each(
    session: Session, doctor: Clinician, shared_data: Path
) -> None:
    files = sorted((shared_data / "synthea").glob("*.json"))
    assert len(files) == 6
    with_a_condition = 0
    for file in files:
        resources = read_bundle(file.read_bytes())
        report = import_resources(session, doctor, resources, now=NOON)
        assert report.not_taken == []
        stored = session.exec(select(ImportedResource).where(ImportedResource.patient_id == report.patient_id)).all()
        by_id = {(one.resource_type, one.source_id): one.content for one in stored}
        assert by_id == {(one["resourceType"], one["id"]): one for one in resources}
        assert report.asthma.strongest in {"diagnosis", "reason"}
        with_a_condition += report.asthma.strongest == "diagnosis"
        again = import_resources(session, doctor, read_bundle(file.read_bytes()), now=NOON)
        assert (again.is_new_patient, again.unchanged) == (False, len(resources))
    assert with_a_condition == 3


def test_an_emergency_visit_because_of_asthma_becomes_an_attack_of_the_record(
    session: Session, doctor: Clinician, shared_data: Path
) -> None:
    for file in sorted((shared_data / "synthea").glob("*.json")):
        import_resources(session, doctor, read_bundle(file.read_bytes()), now=NOON)
    attacks = session.exec(select(Attack)).all()
    assert [(one.source, one.emergency_visit, one.hospital_admission) for one in attacks] == [
        ("record", True, False)
    ] * 2


def test_a_new_person_joins_the_care_of_who_imports_and_has_consented_to_nothing(
    session: Session, doctor: Clinician
) -> None:
    report = taken(session, doctor, person())
    patient = visible_patient(session, doctor, report.patient_id)
    assert (patient.display_name, str(patient.born_on), patient.sex) == ("Mari Tamm", "1984-02-03", "female")


@pytest.mark.parametrize(
    ("code", "value", "unit", "kind", "stored"),
    [
        ("711-2", 420, "/uL", "blood_eosinophils", 420),
        ("711-2", 0.42, "10*3/uL", "blood_eosinophils", 420),
        ("711-2", 0.42, "10*9/L", "blood_eosinophils", 420),
        ("711-2", 420, "10*6/L", "blood_eosinophils", 420),
        ("96269-6", 38, "[ppb]", "feno", 38),
        ("96269-6", 38, "ppb", "feno", 38),
        ("19113-0", 120, "[IU]/mL", "total_ige", 120),
        ("20150-9", 2510, "mL", "fev1", 2.51),
        ("33452-4", 7.5, "L/s", "spirometer_peak_flow", 450),
    ],
)
def test_a_value_in_a_unit_that_is_understood_becomes_a_measurement(
    session: Session, doctor: Clinician, code: str, value: float, unit: str, kind: str, stored: float
) -> None:
    report = taken(session, doctor, person(), observation(code, value, unit))
    [row] = session.exec(select(Measurement).where(Measurement.patient_id == report.patient_id)).all()
    assert row.kind == kind
    assert row.value == pytest.approx(stored)


@pytest.mark.parametrize(
    ("resource", "path", "says"),
    [
        (observation("711-2", 0.42, "furlong"), "Observation.valueQuantity.code", "furlong"),
        (observation("711-2", 0.42, None), "Observation.valueQuantity.code", "no unit"),
        (observation("711-2", None, None), "Observation.valueQuantity.value", "no number"),
        (observation("711-2", 90000, "/uL"), "Observation.valueQuantity", "outside"),
        (observation("8302-2", 12, "cm"), "Observation.valueQuantity.value", "no person's height"),
        (observation("19935-6", 7.5, "L/min"), "body.blows_litres_per_min", "litres per second"),
        (observation("96269-6", 0.038, "[ppm]"), "Observation.valueQuantity.code", "understood are [ppb], ppb"),
        (
            observation("96269-6", None, None, valueQuantity={"value": 5, "comparator": "<", "code": "[ppb]"}),
            "Observation.valueQuantity.comparator",
            "a bound (< 5)",
        ),
        (
            observation("96269-6", 38, "[ppb]", effectiveDateTime="2027-02-01"),
            "Observation.effectiveDateTime",
            "2027-02-01 has not come yet",
        ),
        (
            observation("96269-6", 38, "[ppb]", subject={"reference": "Patient/somebody-else"}),
            "Observation.subject",
            "another patient, Patient/somebody-else",
        ),
    ],
)
def test_what_is_not_understood_is_told_with_its_place_and_kept_as_it_came(
    session: Session, doctor: Clinician, resource: dict[str, object], path: str, says: str
) -> None:
    report = taken(session, doctor, person(), resource)
    [refused] = report.not_taken
    assert (refused.place, refused.path, refused.kept) == (1, path, True)
    assert says in refused.why
    assert session.exec(select(Measurement).where(Measurement.patient_id == report.patient_id)).all() == []
    kept = session.exec(select(ImportedResource).where(ImportedResource.resource_type == "Observation")).one()
    assert kept.content == resource


def test_one_bundle_in_two_hospitals_gives_each_patient_a_measurement_of_their_own(
    session: Session, doctor: Clinician
) -> None:
    other = clinic.clinician(session, clinic.hospital(session), now=NOON)
    told = [
        observation("96269-6", 38, "[ppb]", source_id=one) for one in ("measurement-1", f"measurement-{UUID(int=7)}")
    ]
    here, there = (taken(session, one, person(), *told) for one in (doctor, other))
    for report in (here, there):
        kept = session.exec(select(Measurement).where(Measurement.patient_id == report.patient_id)).all()
        assert [one.value for one in kept] == [38.0, 38.0]


def test_codes_that_nothing_here_stands_for_are_counted_in_the_report(session: Session, doctor: Clinician) -> None:
    # The code that FeNO was once mistaken for: a respiratory rate.
    rates = [observation("76270-8", 18, "/min", source_id=one) for one in ("r1", "r2")]
    report = taken(session, doctor, person(), *rates, observation("96269-6", 0.038, "[ppm]", source_id="f"))
    assert report.as_json()["unknown_codes"] == {"http://loinc.org|76270-8": 2}


def test_a_home_reading_of_another_system_becomes_a_diary_entry_in_litres_per_minute(
    session: Session, doctor: Clinician
) -> None:
    report = taken(session, doctor, person(), observation("19935-6", 6.5, "L/s"))
    reading = session.exec(select(PeakFlow).where(PeakFlow.patient_id == report.patient_id)).one()
    assert reading.litres_per_min == 390
    assert reading.taken_at.isoformat() == "2026-11-02T07:00:00+00:00"


@pytest.mark.parametrize(
    "medicine",
    [
        {"text": "Salbutamol 100"},
        {"coding": [{"system": "http://www.whocc.no/atc", "code": "R03DX05", "display": "omalizumab"}]},
        {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "88249"}]},
    ],
)
def test_prescriptions_of_others_are_kept_and_never_put_in_force(
    session: Session, doctor: Clinician, medicine: dict[str, object]
) -> None:
    order = {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": medicine,
        "subject": {"reference": "Patient/person-MRN-7"},
    }
    report = taken(session, doctor, person(), order)
    assert report.kept["MedicationRequest"] == 1
    kept = session.exec(select(ImportedResource).where(ImportedResource.resource_type == "MedicationRequest")).one()
    assert kept.content == order
    assert session.exec(select(Inhaler).where(Inhaler.patient_id == report.patient_id)).all() == []
    assert add_on_courses(session, report.patient_id) == []


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ({"resourceType": "Observation", "id": "o", "status": "final"}, "Observation.code"),
        ({"resourceType": "Spaceship", "id": "s"}, "resourceType"),
        (["not", "a", "resource"], "resourceType"),
        (None, "resourceType"),
        ({k: v for k, v in observation("711-2", 420, "/uL").items() if k != "id"}, "Observation.id"),
    ],
)
def test_a_resource_that_is_no_fhir_is_refused_alone(
    session: Session, doctor: Clinician, resource: object, path: str
) -> None:
    report = taken(session, doctor, person(), resource, observation("96269-6", 38, "[ppb]", source_id="good"))
    [refused] = report.not_taken
    assert (refused.place, refused.kept) == (1, False)
    assert refused.path == path
    assert report.became["feno"] == 1


@pytest.mark.parametrize(
    "reference", ["Patient/person-MRN-7", "https://other.example/fhir/Patient/person-MRN-7/_history/2", "urn:uuid:7"]
)
def test_the_patient_of_the_bundle_may_be_named_in_any_of_fhirs_ways(
    session: Session, doctor: Clinician, reference: str
) -> None:
    report = taken(session, doctor, person(), observation("96269-6", 38, "[ppb]", subject={"reference": reference}))
    assert (report.not_taken, report.became["feno"]) == ([], 1)


def test_the_same_person_twice_is_one_person(session: Session, doctor: Clinician) -> None:
    report = taken(session, doctor, person(), person(), observation("96269-6", 38, "[ppb]"))
    assert (report.not_taken, report.unchanged, report.became["feno"]) == ([], 1, 1)


def test_the_same_resource_twice_counts_once_and_two_under_one_id_are_told(session: Session, doctor: Clinician) -> None:
    first = observation("96269-6", 38, "[ppb]")
    report = taken(session, doctor, person(), first, first, observation("96269-6", 55, "[ppb]"))
    assert (report.became["feno"], report.unchanged) == (1, 1)
    [refused] = report.not_taken
    assert (refused.place, refused.why) == (3, "The bundle holds this twice, with different content.")


def test_a_corrected_resource_is_kept_beside_the_first(session: Session, doctor: Clinician) -> None:
    taken(session, doctor, person(), observation("8331-1", 37.0, "Cel"))
    taken(session, doctor, person(), observation("8331-1", 37.4, "Cel"))
    assert len(session.exec(select(ImportedResource).where(ImportedResource.source_id == "o1")).all()) == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (bundle(person(), observation("711-2", 420, "/uL"))[:-40], "cut off"),
        (b"\xff\xfe", "UTF-8"),
        (b" \n", "The file is empty"),
        (bundle(person(), observation("711-2", float("nan"), "/uL")), "NaN, which is no number"),
        (b'{"resourceType": "Bundle", "entry": {"resource": {}}}', "entry is no list"),
        (b'{"resourceType": "Patient"}', "no FHIR bundle"),
        (b'{"resourceType": "Bundle", "entry": []}', "empty"),
    ],
)
def test_a_file_that_is_no_whole_bundle_is_refused_and_nothing_is_imported(content: bytes, says: str) -> None:
    with pytest.raises(ImportRefused) as refused:
        read_bundle(content)
    assert says in refused.value.message
    assert "othing was imported" in refused.value.message


@pytest.mark.parametrize(
    ("people", "says"),
    [
        ([person(), person("MRN-8")], "2 patients"),
        ([], "0 patients"),
        ([person(name=[])], "can't be read"),
        ([person(birthDate="yesterday")], "can't be read"),
    ],
)
def test_a_bundle_without_exactly_one_readable_person_is_refused(
    session: Session, doctor: Clinician, people: list[dict[str, object]], says: str
) -> None:
    before = len(session.exec(select(Patient)).all())
    with pytest.raises(ImportRefused) as refused:
        taken(session, doctor, *people, observation("711-2", 420, "/uL"))
    assert says in refused.value.message
    assert len(session.exec(select(Patient)).all()) == before


def test_a_namesake_with_another_number_is_asked_about_and_can_be_named(session: Session, doctor: Clinician) -> None:
    first = taken(session, doctor, person())
    stranger = person("MRN-99")
    with pytest.raises(ImportRefused) as refused:
        taken(session, doctor, stranger)
    assert str(first.patient_id) in refused.value.message
    told = import_resources(session, doctor, read_bundle(bundle(stranger)), now=NOON, patient_id=first.patient_id)
    assert (told.patient_id, told.is_new_patient) == (first.patient_id, False)
    # From now on the new number is known.
    assert taken(session, doctor, stranger).patient_id == first.patient_id


def test_a_diagnosis_entered_in_error_or_refuted_is_no_asthma(session: Session, doctor: Clinician) -> None:
    status = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "refuted"}]}
    refuted = {
        "resourceType": "Condition",
        "id": "c1",
        "verificationStatus": status,
        "code": {"coding": [{"system": SNOMED, "code": "195967001"}]},
        "subject": {"reference": "Patient/person-MRN-7"},
    }
    assert taken(session, doctor, person(), refuted).asthma.strongest is None


@pytest.mark.parametrize(("system", "code"), [("icd-10", "J45.9"), ("icd-10", "J46"), ("icd-10-cm", "J45.901")])
def test_icd_codes_of_asthma_are_known_by_their_beginning(
    session: Session, doctor: Clinician, system: str, code: str
) -> None:
    condition = {
        "resourceType": "Condition",
        "id": "c1",
        "code": {"coding": [{"system": f"http://hl7.org/fhir/sid/{system}", "code": code}]},
        "subject": {"reference": "Patient/person-MRN-7"},
    }
    assert taken(session, doctor, person(), condition).asthma.strongest == "diagnosis"


def test_the_report_is_json_with_every_refusal(session: Session, doctor: Clinician) -> None:
    report = taken(session, doctor, person(), observation("711-2", 1, "furlong"))
    told = json.loads(json.dumps(report.as_json()))
    assert told["resources"] == 2
    assert told["not_taken"][0]["path"] == "Observation.valueQuantity.code"
    assert LOINC not in json.dumps(told["not_taken"])
