"""The /fhir endpoint: a clinician's own patients, searched, paged, and audited."""

import uuid
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, select

from backend.core.audit import AuditEntry
from backend.interchange.bundle import read_bundle
from backend.interchange.importing import import_resources
from backend.patients.tables import Patient
from tests.backend.dashboard.conftest import signed_in
from tests.conftest import NOON
from tests.factories import clinic, entries, fhir
from tests.factories.full_clinic import FullClinic, full_clinic
from tests.factories.step_five import bring_to_step_five


@pytest.fixture
def made(session: Session) -> FullClinic:
    return full_clinic(session, now=NOON, most_days=12)


@pytest.fixture
def browser(client: TestClient, session: Session, made: FullClinic) -> TestClient:
    return signed_in(client, session, made, now=NOON).client


def found(client: TestClient, resource_type: str, patient: Patient, **asked: str | int) -> list[dict[str, object]]:
    """All pages."""
    answer = client.get(f"/fhir/{resource_type}", params={"patient": str(patient.id), **asked})
    resources = []
    while True:
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/fhir+json"
        page = answer.json()
        resources += [entry["resource"] for entry in page.get("entry", [])]
        more = [link["url"] for link in page["link"] if link["relation"] == "next"]
        if not more:
            return resources
        parts = urlsplit(more[0])
        answer = client.get(f"{parts.path}?{parts.query}")


def test_metadata_says_what_can_be_asked_and_is_valid(client: TestClient) -> None:
    answer = client.get("/fhir/metadata")
    assert answer.json()["fhirVersion"] == "4.0.1"
    bundle = fhir.bundle(answer.json())
    assert fhir.official_verdict(bundle)["problems"] == []


def test_pages_of_any_size_hold_the_same_observations_newest_first(browser: TestClient, made: FullClinic) -> None:
    whole = found(browser, "Observation", made.in_danger, _count=200)
    assert len(whole) > 30
    assert [one["id"] for one in found(browser, "Observation", made.in_danger, _count=7)] == [
        one["id"] for one in whole
    ]
    instants = [str(one["effectiveDateTime"]) for one in whole]
    assert len({one["id"] for one in whole}) == len(whole)
    assert instants[0] > instants[-1]


def test_a_code_and_dates_narrow_the_search(browser: TestClient, made: FullClinic) -> None:
    patient = made.in_danger
    readings = found(browser, "Observation", patient, code="http://loinc.org|19935-6", _count=5)
    assert readings
    assert {one["valueQuantity"]["code"] for one in readings} == {"L/min"}  # type: ignore[index]
    assert found(browser, "Observation", patient, code="19935-6") == readings
    assert found(browser, "Observation", patient, code="http://snomed.info/sct|19935-6") == []
    day = (NOON - timedelta(days=4)).date().isoformat()
    some = found(browser, "Observation", patient, date=f"ge{day}")
    older = found(browser, "Observation", patient, date=f"lt{day}")
    assert some
    assert older
    assert len(some) + len(older) == len(found(browser, "Observation", patient))
    assert found(browser, "Observation", patient, date="ge2031-01-01") == []


@pytest.mark.parametrize(
    "resource_type",
    ["Patient", "MedicationRequest", "MedicationStatement", "CarePlan", "Consent", "RiskAssessment", "Observation"],
)
def test_each_resource_found_can_be_read_by_its_id(browser: TestClient, made: FullClinic, resource_type: str) -> None:
    resources = found(browser, resource_type, made.in_danger)
    assert resources
    for resource in resources[:5]:
        answer = browser.get(f"/fhir/{resource_type}/{resource['id']}")
        assert answer.status_code == 200, resource["id"]
        assert answer.json() == resource


def test_add_on_treatment_is_found_by_its_atc_code_and_read_by_its_id(
    browser: TestClient, session: Session, made: FullClinic
) -> None:
    bring_to_step_five(session, made.in_danger, made.doctor, now=NOON)
    courses = found(browser, "MedicationRequest", made.in_danger, code="http://www.whocc.no/atc|R03DC03")
    assert [one["status"] for one in courses] == ["active", "stopped"]
    assert [browser.get(f"/fhir/MedicationRequest/{one['id']}").json() for one in courses] == courses
    nobodys = f"montelukast-2-{uuid.uuid4().hex}"
    assert browser.get(f"/fhir/MedicationRequest/{nobodys}").status_code == 404


def test_records_of_other_systems_are_found_too(browser: TestClient, session: Session, made: FullClinic) -> None:
    temperature = fhir.observation("8331-1", 37.0, "Cel", source_id="warm")
    report = import_resources(session, made.doctor, read_bundle(fhir.bundle(fhir.person(), temperature)), now=NOON)
    patient = session.get_one(Patient, report.patient_id)
    assert found(browser, "Observation", patient) == [temperature]
    assert browser.get("/fhir/Observation/warm").json() == temperature
    # Another system gave the same id to a record of somebody else: neither is shown for the other.
    somebody = fhir.person("MRN-8", name=[{"text": "Jaan Kask"}])
    import_resources(session, made.doctor, read_bundle(fhir.bundle(somebody, temperature)), now=NOON)
    assert browser.get("/fhir/Observation/warm").status_code == 404


def test_a_deleted_entry_is_not_found(browser: TestClient, session: Session, made: FullClinic) -> None:
    attack = entries.attack(session, made.in_danger, taken_at=NOON, emergency_visit=True)
    [condition] = [one for one in found(browser, "Condition", made.in_danger) if str(attack.id) in str(one["id"])]
    attack.deleted = True
    session.flush()
    assert condition not in found(browser, "Condition", made.in_danger)


def test_another_hospitals_patient_looks_like_none(browser: TestClient, session: Session) -> None:
    stranger = clinic.patient(session, clinic.hospital(session), now=NOON)
    reading = entries.peak_flow(session, stranger, 300, taken_at=NOON)
    assert browser.get("/fhir/Observation", params={"patient": str(stranger.id)}).status_code == 404
    assert browser.get(f"/fhir/Observation/peak-flow-{reading.id}").status_code == 404
    assert browser.get(f"/fhir/Patient/{stranger.id}").status_code == 404


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 422),
        ({"patient": "somebody"}, 400),
        ({"date": "yesterday"}, 400),
        ({"date": "ge2026-01-01T10:00:00"}, 400),
        ({"_after": "not~ours"}, 400),
        ({"_count": "0"}, 422),
    ],
)
def test_a_search_that_is_not_understood_says_what_it_wants(
    browser: TestClient, made: FullClinic, asked: dict[str, str], status: int
) -> None:
    given = asked if "patient" in asked or not asked else {"patient": str(made.in_danger.id), **asked}
    answer = browser.get("/fhir/Observation", params=given)
    assert answer.status_code == status
    assert answer.json()["message"]


def test_unknown_types_and_ids_are_not_found(browser: TestClient) -> None:
    assert browser.get("/fhir/Observation/peak-flow-nonsense").status_code == 404
    assert browser.get("/fhir/CarePlan/plan-x-y").status_code == 404
    assert browser.get("/fhir/Condition/other").status_code == 404
    assert browser.get("/fhir/Spaceship?patient=x").status_code == 422


def test_every_access_is_in_the_audit_trail(browser: TestClient, session: Session, made: FullClinic) -> None:
    found(browser, "Observation", made.in_danger, _count=200)
    entry = session.exec(select(AuditEntry).where(AuditEntry.action == "fhir.read")).one()
    assert (entry.actor_id, entry.patient_id) == (made.doctor.id, made.in_danger.id)
    assert entry.detail["type"] == "Observation"
