import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session

from backend.patients.tables import Patient
from tests.conftest import NOON
from tests.factories import clinic


@pytest.fixture
def patient(session: Session) -> Patient:
    at = clinic.hospital(session)
    return clinic.patient(session, at, now=NOON, cared_for_by=clinic.clinician(session, at, now=NOON))


@pytest.fixture
def phone(client: TestClient, session: Session, patient: Patient) -> clinic.Phone:
    return clinic.enrolled_phone(client, session, patient, now=NOON)
