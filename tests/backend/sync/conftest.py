from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session

from backend.medication import service as medication
from backend.medication.tables import Inhaler, InhalerRole
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


@pytest.fixture
def reliever(session: Session, patient: Patient) -> Inhaler:
    return medication.prescribe(
        session,
        patient.id,
        name="Ventolin",
        role=InhalerRole.RELIEVER,
        drug="salbutamol",
        device="pmdi",
        now=NOON - timedelta(days=90),
    )
