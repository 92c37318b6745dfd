"""A hospital with people in it, the smallest that a test needs."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from fastapi.testclient import TestClient
from sqlmodel import Session

from backend.accounts import sign_in, tokens
from backend.accounts.tables import Clinician, Hospital, Role
from backend.patients import service, store
from backend.patients.tables import Patient

PASSWORD = "a long enough password"


def hospital(session: Session, name: str | None = None) -> Hospital:
    row = Hospital(name=name or f"Hospital {uuid.uuid4().hex[:8]}")
    session.add(row)
    session.flush()
    return row


def clinician(
    session: Session, at: Hospital, *, now: datetime, role: Role = Role.CLINICIAN, email: str | None = None
) -> Clinician:
    row = Clinician(
        hospital_id=at.id,
        email=email or f"{uuid.uuid4().hex[:8]}@hospital.example",
        name="Dr Kim",
        role=role.value,
        password_hash=_hash_of_the_password(),
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


@lru_cache(maxsize=1)
def _hash_of_the_password() -> str:
    """Argon2 is slow on purpose; once is enough for all accounts of a test run."""
    return sign_in.hash_of(PASSWORD)


def patient(session: Session, at: Hospital, *, now: datetime, cared_for_by: Clinician | None = None) -> Patient:
    row = service.add_patient(session, hospital_id=at.id, display_name="Minji Lee", now=now)
    if cared_for_by is not None:
        store.add_to_care(session, row.id, cared_for_by.id, now=now)
    return row


@dataclass
class Phone:
    """A phone that has enrolled over HTTP."""

    client: TestClient
    device_id: uuid.UUID
    patient_id: str
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}


def enrolled_phone(client: TestClient, session: Session, of: Patient, *, now: datetime) -> Phone:
    code = tokens.create_enrolment_code(session, of.id, created_by=None, now=now)
    session.commit()
    device_id = uuid.uuid4()
    answer = client.post("/v1/enrol", json=enrol_body(code, device_id))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return Phone(client, device_id, body["patient_id"], body["access_token"], body["refresh_token"])


def enrol_body(code: str, device_id: uuid.UUID | None = None) -> dict[str, object]:
    return {
        "code": code,
        "device": {"id": str(device_id or uuid.uuid4()), "name": "Minji's phone", "platform": "android"},
    }
