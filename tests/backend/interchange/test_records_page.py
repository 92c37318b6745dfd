"""What other systems sent, as a clinician reads it: in its own words, by kind, newest first, every look audited."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from backend.core.audit import AuditEntry
from backend.interchange.bundle import read_bundle
from backend.interchange.importing import import_resources
from backend.interchange.wording import told
from backend.patients.tables import Patient
from tests.backend.dashboard.conftest import Desk, signed_in
from tests.backend.dashboard.test_patient_page import visible_text
from tests.conftest import NOON
from tests.factories.fhir import DIAGNOSIS, PRESCRIPTION, vaccination
from tests.factories.full_clinic import PEOPLE, full_clinic


@pytest.fixture
def desk(client: TestClient, session: Session) -> Desk:
    return signed_in(client, session, full_clinic(session, now=NOON, people=(PEOPLE[0],), most_days=8), now=NOON)


def sent(session: Session, desk: Desk, *resources: dict[str, Any]) -> Patient:
    patient = desk.clinic.in_danger
    person = {"resourceType": "Patient", "id": "p", "name": [{"text": patient.display_name}]}
    import_resources(session, desk.clinic.doctor, [person, *resources], now=NOON, patient_id=patient.id)
    session.commit()
    return patient


def test_without_a_record_the_page_says_how_records_come(desk: Desk) -> None:
    text = visible_text(desk.page(f"/patients/{desk.clinic.in_danger.id}/records").text)
    assert "No other system has sent a record" in text


def test_records_are_read_in_their_own_words_by_kind(desk: Desk, session: Session) -> None:
    patient = sent(session, desk, DIAGNOSIS, PRESCRIPTION, vaccination(1))
    diagnoses = visible_text(desk.page(f"/patients/{patient.id}/records").text)
    assert "3 Feb 2020 Sinusitis Diagnosis Resolved" in diagnoses
    assert "Montelukast" not in diagnoses
    medicines = visible_text(desk.page(f"/patients/{patient.id}/records?group=medicines").text)
    assert "6 May 2021 Montelukast 10 mg one tablet each evening Prescription Stopped" in medicines
    assert "Influenza Vaccination Completed" in medicines
    assert f"/patients/{patient.id}/records" in desk.page(f"/patients/{patient.id}").text


def test_a_corrected_record_stands_there_once_as_it_is_now(desk: Desk, session: Session) -> None:
    sent(session, desk, vaccination(1, "Influensa"))
    patient = desk.clinic.in_danger
    person = {"resourceType": "Patient", "id": "p", "name": [{"text": patient.display_name}]}
    later = NOON.replace(hour=NOON.hour + 1)
    import_resources(session, desk.clinic.doctor, [person, vaccination(1)], now=later, patient_id=patient.id)
    session.commit()
    text = visible_text(desk.page(f"/patients/{patient.id}/records?group=medicines").text)
    assert "Influenza Vaccination" in text
    assert "Influensa" not in text
    assert "Medicines and vaccinations 1" in text


def test_many_records_come_in_pages_newest_first(desk: Desk, session: Session) -> None:
    patient = sent(session, desk, *[vaccination(number, f"Dose {number}.") for number in range(60)])
    pages = [desk.page(f"/patients/{patient.id}/records?page={page}").text for page in (1, 2, 3)]
    shown = [visible_text(page) for page in pages]
    assert "Dose 59." in shown[0]
    assert "Dose 9." not in shown[0]
    assert "Dose 9." in shown[1]
    assert "Page 1 of 2" in shown[0]
    assert "There is no record of this kind" in shown[2]


@pytest.mark.parametrize("language", ["en", "ko", "et"])
def test_real_bundles_can_be_read_in_every_language(
    desk: Desk, session: Session, shared_data: Path, language: str
) -> None:
    bundle = min((shared_data / "synthea").glob("*.json"), key=lambda path: path.stat().st_size)
    report = import_resources(session, desk.clinic.doctor, read_bundle(bundle.read_bytes()), now=NOON)
    session.commit()
    desk.post("/language", language=language)
    for group in ("diagnoses", "medicines", "results", "visits", "other"):
        answer = desk.page(f"/patients/{report.patient_id}/records?group={group}")
        assert (answer.status_code, f'<html lang="{language}">' in answer.text) == (200, True)


def test_markup_in_a_foreign_record_is_shown_as_text_and_the_look_is_audited(desk: Desk, session: Session) -> None:
    patient = sent(session, desk, vaccination(1, "<script>alert(1)</script>"))
    html = desk.page(f"/patients/{patient.id}/records").text
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
    newest = session.exec(select(AuditEntry).order_by(col(AuditEntry.id).desc())).first()
    assert newest is not None
    assert newest.action == "view_imported_records"


NESTED = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["text", "display", "coding", "code", "value", "unit", "valueQuantity", "component"]), inner
        )
    ),
    max_leaves=8,
)
FIELDS = (
    "code", "status", "clinicalStatus", "valueQuantity", "valueCodeableConcept", "component", "dosageInstruction",
    "reasonCode", "medicationReference", "conclusion",
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), NESTED))
def test_no_shape_of_a_foreign_record_stops_the_page(content: dict[str, Any]) -> None:
    found = told(content)
    assert isinstance(found.subject, str)
    assert isinstance(found.detail, str)
    assert found.status is None or isinstance(found.status, str)
