import uuid
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, select

from backend.accounts.tables import Device, EnrolmentCode, RefreshToken
from backend.accounts.throttle import ALLOWED_FAILURES
from backend.accounts.tokens import create_enrolment_code
from backend.core.audit import AuditEntry
from backend.patients.tables import Patient
from tests.conftest import SettableClock
from tests.factories import clinic


@pytest.fixture
def minji(session: Session, clock: SettableClock) -> Patient:
    return clinic.patient(session, clinic.hospital(session), now=clock.now)


def test_a_code_enrols_one_phone_and_is_then_used(
    client: TestClient, session: Session, minji: Patient, clock: SettableClock
) -> None:
    code = create_enrolment_code(session, minji.id, created_by=None, now=clock.now)
    session.commit()

    first = client.post("/v1/enrol", json=clinic.enrol_body(code.lower().replace("-", " ")))
    second = client.post("/v1/enrol", json=clinic.enrol_body(code))

    assert first.status_code == 200
    assert first.json()["patient_id"] == str(minji.id)
    assert session.exec(select(Device).where(Device.patient_id == minji.id)).one().name == "Minji's phone"
    assert (second.status_code, second.json()["code"]) == (410, "enrolment_code_used")
    actions = session.exec(select(AuditEntry.action).where(AuditEntry.patient_id == minji.id)).all()
    assert "phone.enrolled" in actions


def test_a_code_is_kept_as_a_hash_and_ends_after_a_week(
    client: TestClient, session: Session, minji: Patient, clock: SettableClock
) -> None:
    code = create_enrolment_code(session, minji.id, created_by=None, now=clock.now)
    session.commit()
    stored = session.exec(select(EnrolmentCode)).one()
    assert code.replace("-", "").encode() not in stored.code_hash

    clock.now += timedelta(days=7)
    answer = client.post("/v1/enrol", json=clinic.enrol_body(code))
    assert (answer.status_code, answer.json()["code"]) == (410, "enrolment_code_expired")


def test_guessing_codes_is_slowed_down_and_says_when_to_come_back(client: TestClient, clock: SettableClock) -> None:
    for _ in range(ALLOWED_FAILURES):
        assert client.post("/v1/enrol", json=clinic.enrol_body("AAAA-AAAA")).status_code == 404

    blocked = client.post("/v1/enrol", json=clinic.enrol_body("AAAA-AAAA"))
    assert (blocked.status_code, blocked.json()["code"]) == (429, "too_many_attempts")

    clock.now += timedelta(seconds=int(blocked.headers["Retry-After"]))
    assert client.post("/v1/enrol", json=clinic.enrol_body("AAAA-AAAA")).status_code == 404


def test_a_refresh_token_works_once_and_its_replay_ends_the_whole_family(
    client: TestClient, session: Session, minji: Patient, clock: SettableClock
) -> None:
    phone = clinic.enrolled_phone(client, session, minji, now=clock.now)

    rotated = client.post("/v1/token", json={"refresh_token": phone.refresh_token})
    replayed = client.post("/v1/token", json={"refresh_token": phone.refresh_token})
    newest = client.post("/v1/token", json={"refresh_token": rotated.json()["refresh_token"]})

    assert rotated.status_code == 200
    assert (replayed.status_code, replayed.json()["code"]) == (401, "refresh_token_reused")
    assert (newest.status_code, newest.json()["code"]) == (401, "refresh_token_reused")


def test_a_lost_answer_can_be_asked_for_again_with_the_same_attempt(
    client: TestClient, session: Session, minji: Patient, clock: SettableClock
) -> None:
    phone = clinic.enrolled_phone(client, session, minji, now=clock.now)
    ask = {"refresh_token": phone.refresh_token, "attempt_id": str(uuid.uuid4())}

    lost = client.post("/v1/token", json=ask).json()
    repeated = client.post("/v1/token", json=ask)
    assert repeated.status_code == 200

    # The lost pair is dead, the repeated one lives; and once it was used, the attempt is over.
    assert client.post("/v1/token", json={"refresh_token": repeated.json()["refresh_token"]}).status_code == 200
    assert client.post("/v1/token", json=ask).json()["code"] == "refresh_token_reused"
    assert client.post("/v1/token", json={"refresh_token": lost["refresh_token"]}).status_code == 401


def test_a_refresh_token_ends_after_its_days_and_is_stored_as_a_hash(
    client: TestClient, session: Session, minji: Patient, clock: SettableClock
) -> None:
    phone = clinic.enrolled_phone(client, session, minji, now=clock.now)
    stored = session.exec(select(RefreshToken)).one()
    assert phone.refresh_token.encode() not in stored.token_hash

    clock.now += timedelta(days=60)
    answer = client.post("/v1/token", json={"refresh_token": phone.refresh_token})
    assert (answer.status_code, answer.json()["code"]) == (401, "refresh_token_expired")
    unknown = client.post("/v1/token", json={"refresh_token": "no such token"})
    assert (unknown.status_code, unknown.json()["code"]) == (401, "refresh_token_unknown")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{not json", 400, "malformed_json"),
        (b"{}", 422, "invalid_fields"),
        (b'{"code": "X", "device": {"id": "7", "name": "", "platform": "toaster"}}', 422, "invalid_fields"),
    ],
)
def test_a_bad_enrolment_body_gets_a_specific_answer(client: TestClient, body: bytes, status: int, code: str) -> None:
    answer = client.post("/v1/enrol", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
