"""What happens to entries that a phone sends."""

import gzip
import json
from datetime import timedelta
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, col, select

from backend.accounts.tables import Device
from backend.core.audit import AuditEntry
from backend.core.due import DueWork
from backend.diary.tables import PeakFlow, Symptoms
from backend.medication.tables import Inhaler
from backend.patients.tables import Patient
from tests.conftest import NOON
from tests.factories import clinic
from tests.factories.diary import BODIES, entry, outcomes, pull, send

MORNING = NOON - timedelta(hours=4)


@pytest.mark.parametrize("kind", sorted(set(BODIES) - {"plan_receipt"}))
def test_an_entry_of_each_kind_comes_back_as_it_was_sent(phone: clinic.Phone, reliever: Inhaler, kind: str) -> None:
    sent = entry(kind, taken_at=MORNING)
    if kind == "inhaler_use":
        sent["body"]["inhaler_id"] = str(reliever.id)
    assert outcomes(send(phone, sent, sent_at=NOON)) == ["accepted"]
    [got] = pull(phone)["entries"]
    assert UUID(got.pop("device_id")) == phone.device_id
    assert got.pop("taken_at") == "2026-11-20T08:00:00Z"
    sent.pop("taken_at")
    assert got == sent


def test_the_value_of_a_session_is_its_best_blow(phone: clinic.Phone, session: Session) -> None:
    send(phone, entry(taken_at=MORNING, blows_litres_per_min=[71, 557, 525]), sent_at=NOON)
    assert session.exec(select(PeakFlow.litres_per_min)).one() == 557


def test_second_upload_of_the_same_reading_changes_nothing(phone: clinic.Phone, session: Session) -> None:
    reading = entry(taken_at=MORNING)
    send(phone, reading, sent_at=NOON)
    cursor = pull(phone)["cursor"]
    assert outcomes(send(phone, reading, sent_at=NOON)) == ["unchanged"]
    assert pull(phone, cursor)["entries"] == []
    assert len(session.exec(select(PeakFlow)).all()) == 1


def test_an_edit_replaces_and_a_deletion_leaves_an_empty_tombstone(phone: clinic.Phone, session: Session) -> None:
    reading = entry(taken_at=MORNING)
    edited = reading | {"revision": 2, "body": {**reading["body"], "blows_litres_per_min": [300]}}
    gone = reading | {"revision": 3, "deleted": True, "body": None}
    for version in (reading, edited, gone):
        assert outcomes(send(phone, version, sent_at=NOON)) == ["accepted"]
    assert outcomes(send(phone, edited, reading, sent_at=NOON)) == ["superseded", "superseded"]
    stored = session.exec(select(PeakFlow)).one()
    assert (stored.revision, stored.deleted, stored.litres_per_min, stored.meter) == (3, True, None, None)
    revived = reading | {"revision": 4}
    assert outcomes(send(phone, revived, sent_at=NOON)) == ["accepted"]


def test_versions_of_one_revision_are_ordered_by_device(
    client: TestClient, session: Session, patient: Patient, phone: clinic.Phone
) -> None:
    other = clinic.enrolled_phone(client, session, patient, now=NOON)
    lower, higher = sorted((phone, other), key=lambda one: one.device_id.hex)
    reading = entry(taken_at=MORNING)
    assert outcomes(send(lower, reading, sent_at=NOON)) == ["accepted"]
    assert outcomes(send(higher, reading, sent_at=NOON)) == ["accepted"]
    assert outcomes(send(lower, reading, sent_at=NOON)) == ["superseded"]


def test_versions_of_one_entry_in_one_batch_end_with_the_newest(phone: clinic.Phone, session: Session) -> None:
    reading = entry(taken_at=MORNING)
    second = reading | {"revision": 2, "body": {**reading["body"], "blows_litres_per_min": [333]}}
    answer = send(phone, reading, second, second, reading, sent_at=NOON)
    assert outcomes(answer) == ["superseded", "accepted", "unchanged", "superseded"]
    assert session.exec(select(PeakFlow.litres_per_min, PeakFlow.revision)).one() == (333, 2)


def test_one_bad_entry_costs_no_other(phone: clinic.Phone) -> None:
    bad = entry(taken_at=MORNING, blows_litres_per_min=[7])
    answer = send(phone, entry(taken_at=MORNING), bad, "rubbish", entry("note", taken_at=MORNING), sent_at=NOON)
    assert outcomes(answer) == ["accepted", "looks_like_litres_per_second", "invalid_field", "accepted"]
    assert answer["receipts"][1]["id"] == bad["id"]
    assert answer["receipts"][1]["reason"]["field"] == "body.blows_litres_per_min"


def test_an_id_of_another_patients_entry_touches_nothing_of_theirs(
    client: TestClient, session: Session, patient: Patient, phone: clinic.Phone
) -> None:
    at = clinic.hospital(session)
    stranger = clinic.enrolled_phone(client, session, clinic.patient(session, at, now=NOON), now=NOON)
    reading = entry(taken_at=MORNING)
    send(phone, reading, sent_at=NOON)
    mine = reading | {"revision": 9, "deleted": True, "body": None}
    assert outcomes(send(stranger, mine, sent_at=NOON)) == ["accepted"]
    [still_there] = pull(phone)["entries"]
    assert not still_there["deleted"]


def test_a_batch_marks_the_assessment_due_only_if_something_was_accepted(
    phone: clinic.Phone, session: Session, patient: Patient
) -> None:
    due = select(DueWork.kind, DueWork.due_at).where(DueWork.key == patient.id)
    send(phone, entry(taken_at=MORNING, blows_litres_per_min=[5]), sent_at=NOON)
    assert session.exec(due).all() == []
    reading = entry(taken_at=MORNING)
    send(phone, reading, sent_at=NOON)
    assert session.exec(due).all() == [("assess", NOON)]
    session.exec(select(DueWork)).one().generation = 1
    session.flush()
    send(phone, reading, sent_at=NOON)
    session.expire_all()
    assert session.exec(select(DueWork.generation)).one() == 1


def test_the_phones_life_clock_and_push_token_are_recorded(phone: clinic.Phone, session: Session) -> None:
    send(phone, sent_at=NOON + timedelta(minutes=7), push_token="token-1")
    send(phone, sent_at=NOON + timedelta(minutes=7), push_token=None)
    device = session.exec(select(Device).where(Device.id == phone.device_id)).one()
    assert (device.last_seen_at, device.clock_ahead_seconds, device.push_token) == (NOON, 420, "token-1")


def test_a_push_token_belongs_to_the_last_phone_that_sent_it(
    client: TestClient, session: Session, phone: clinic.Phone
) -> None:
    new_owner = clinic.patient(session, clinic.hospital(session), now=NOON)
    other = clinic.enrolled_phone(client, session, new_owner, now=NOON)
    send(phone, sent_at=NOON, push_token="token-1")
    send(other, sent_at=NOON, push_token="token-1")
    tokens = dict(session.exec(select(Device.id, Device.push_token)).all())
    assert tokens == {phone.device_id: None, other.device_id: "token-1"}


def test_each_exchange_leaves_an_audit_entry_without_health_data(phone: clinic.Phone, session: Session) -> None:
    send(phone, entry(taken_at=MORNING), sent_at=NOON)
    pull(phone)
    trail = session.exec(
        select(AuditEntry).where(col(AuditEntry.action).like("diary.%")).order_by(col(AuditEntry.id))
    ).all()
    assert [one.action for one in trail] == ["diary.received", "diary.sent_to_phone"]
    assert trail[0].detail == {"device_id": str(phone.device_id), "entries": 1, "accepted": 1}
    assert {str(one.patient_id) for one in trail} == {phone.patient_id}


def test_a_packed_batch_is_taken_and_a_long_answer_comes_packed(phone: clinic.Phone) -> None:
    body = {"sent_at": NOON.isoformat(), "entries": [entry(taken_at=MORNING) for _ in range(30)]}
    packed = gzip.compress(json.dumps(body).encode())
    headers = {**phone.headers, "Content-Encoding": "gzip", "Content-Type": "application/json"}
    answer = phone.client.post("/v1/sync", content=packed, headers=headers | {"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    assert answer.headers["Content-Encoding"] == "gzip"
    assert [one["outcome"] for one in answer.json()["receipts"]] == ["accepted"] * 30


def test_a_phone_that_was_removed_is_no_longer_heard(phone: clinic.Phone, session: Session) -> None:
    session.delete(session.get_one(Device, {"id": phone.device_id, "patient_id": UUID(phone.patient_id)}))
    session.commit()
    assert send(phone, entry(taken_at=MORNING), sent_at=NOON, status=401)["code"] == "access_token_invalid"
    answer = phone.client.get("/v1/sync", headers=phone.headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "access_token_invalid")


def test_back_dated_entries_keep_their_own_day(phone: clinic.Phone, session: Session) -> None:
    three_years_ago = NOON - timedelta(days=1100)
    send(phone, entry("symptoms", taken_at=three_years_ago), sent_at=NOON)
    stored = session.exec(select(Symptoms)).one()
    assert (stored.taken_at, stored.received_at) == (three_years_ago, NOON)


def test_an_instant_keeps_its_microseconds(phone: clinic.Phone, session: Session) -> None:
    exact = MORNING + timedelta(microseconds=123456)
    send(phone, entry(taken_at=exact), sent_at=NOON)
    assert pull(phone)["entries"][0]["taken_at"] == "2026-11-20T08:00:00.123456Z"
