"""Who may see a diary, over HTTP: consents, links, carers, and what the patient reads of the audit trail."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import Session, select

from backend.accounts.tables import Clinician, DeviceRole
from backend.accounts.tokens import create_enrolment_code
from backend.core import audit
from backend.core.audit import AuditEntry
from backend.patients.store import has_consented
from backend.patients.tables import Patient, Purpose
from backend.sharing.tables import SharedLink
from tests.conftest import SettableClock
from tests.factories import clinic


@dataclass
class Place:
    client: TestClient
    session: Session
    doctor: Clinician
    minji: Patient
    phone: clinic.Phone
    clock: SettableClock

    def ask(self, method: str, path: str, body: Any = None, phone: clinic.Phone | None = None) -> Any:
        answer = self.client.request(method, path, json=body, headers=(phone or self.phone).headers)
        return answer.status_code, (answer.json() if answer.content else None)

    def actions(self) -> list[str]:
        self.session.expire_all()
        found = self.session.exec(
            select(AuditEntry.action).where(AuditEntry.patient_id == self.minji.id).order_by(AuditEntry.id)  # type: ignore[arg-type]
        )
        return list(found)

    def carer(self) -> clinic.Phone:
        status, told = self.ask("POST", "/v1/patient/carer-codes")
        assert status == 201
        device_id = uuid4()
        answer = self.client.post("/v1/enrol", json=clinic.enrol_body(told["code"], device_id))
        body = answer.json()
        assert body["role"] == "carer"
        return clinic.Phone(self.client, device_id, body["patient_id"], body["access_token"], body["refresh_token"])

    def send(self, entry: dict[str, Any], phone: clinic.Phone | None = None) -> Any:
        body = {"sent_at": self.clock.now.isoformat(), "entries": [entry]}
        return self.ask("POST", "/v1/sync", body, phone)


def note(clock: SettableClock, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "note",
        "id": str(uuid4()),
        "revision": 1,
        "deleted": False,
        "taken_at": clock.now.isoformat(),
        "time_zone": "UTC",
        "utc_offset_minutes": 0,
        "local_date": clock.now.date().isoformat(),
        "body": {"text": "Slept well."},
    } | changes


@pytest.fixture
def place(app: FastAPI, client: TestClient, session: Session, clock: SettableClock) -> Place:
    clock.now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    hospital = clinic.hospital(session)
    doctor = clinic.clinician(session, hospital, now=clock.now)
    minji = clinic.patient(session, hospital, now=clock.now, cared_for_by=doctor)
    phone = clinic.enrolled_phone(client, session, minji, now=clock.now)
    return Place(client, session, doctor, minji, phone, clock)


def given(answer: dict[str, Any]) -> set[str]:
    return {one["purpose"] for one in answer["consents"] if one["given"]}


def test_a_withdrawn_consent_is_kept_takes_effect_and_reaches_the_other_phone(place: Place) -> None:
    other = clinic.enrolled_phone(place.client, place.session, place.minji, now=place.clock.now)
    _, first = place.ask("GET", "/v1/sync", phone=other)
    assert given(first) == {"care", "forecasting"}
    decision = {"purpose": "forecasting", "given": False, "text_version": "2026-11"}
    status, answer = place.ask("POST", "/v1/patient/consents", decision)
    assert status == 200
    assert given(answer) == {"care"}
    assert not has_consented(place.session, place.minji.id, Purpose.FORECASTING)
    _, then = place.ask("GET", f"/v1/sync?cursor={first['cursor']}", phone=other)
    assert given(then) == {"care"}
    assert "withdraw_consent" in place.actions()


def test_giving_and_withdrawing_research_leaves_the_history_in_the_ledger(place: Place) -> None:
    for is_given in (True, True, False, True):
        place.clock.now += timedelta(minutes=1)
        decision = {"purpose": "research", "given": is_given, "text_version": "2026-11"}
        _, answer = place.ask("POST", "/v1/patient/consents", decision)
        assert ("research" in given(answer)) is is_given
    since = {one["purpose"]: one["since"] for one in answer["consents"]}
    assert datetime.fromisoformat(since["research"]) == place.clock.now


def test_without_consent_to_care_nothing_is_taken_and_the_reason_is_said(place: Place) -> None:
    place.ask("POST", "/v1/patient/consents", {"purpose": "care", "given": False, "text_version": "2026-11"})
    status, problem = place.send(note(place.clock))
    assert (status, problem["code"]) == (403, "consent_withdrawn")
    place.ask("POST", "/v1/patient/consents", {"purpose": "care", "given": True, "text_version": "2026-11"})
    status, answer = place.send(note(place.clock))
    assert answer["receipts"][0]["outcome"] == "accepted"


def test_the_patient_reads_who_saw_the_diary_by_day_and_name(place: Place) -> None:
    for hours_ago in (30, 20, 1):
        audit.record(
            place.session,
            now=place.clock.now - timedelta(hours=hours_ago),
            actor_kind=audit.ActorKind.CLINICIAN,
            actor_id=place.doctor.id,
            action="view_patient",
            patient_ids=[place.minji.id],
        )
    place.session.commit()
    _, answer = place.ask("GET", "/v1/patient/accesses")
    # Seoul is nine hours ahead: 16:00 UTC on the 19th is already the 20th there.
    assert answer["accesses"] == [
        {"on": "2026-11-20", "role": "clinician", "name": "Dr Kim", "times": 2},
        {"on": "2026-11-19", "role": "clinician", "name": "Dr Kim", "times": 1},
    ]


def test_a_link_shows_the_report_without_an_account_and_the_opening_is_on_record(place: Place) -> None:
    _, link = place.ask("POST", "/v1/patient/links", {"label": "Dr Lee", "days": 3, "language": "en"})
    path = link["address"].partition("/shared/")[2]
    assert len(path) >= 40
    kept = place.session.exec(select(SharedLink)).one()
    assert path.encode() not in kept.token_hash
    page = place.client.get(f"/shared/{path}")
    assert page.status_code == 200
    assert "Minji Lee" in page.text
    assert "noindex" in page.headers["X-Robots-Tag"]
    assert "<form" not in page.text
    document = place.client.get(f"/shared/{path}/report.pdf")
    assert document.content.startswith(b"%PDF")
    _, listed = place.ask("GET", "/v1/patient/links")
    assert [one["opened_count"] for one in listed["links"]] == [2]
    _, seen = place.ask("GET", "/v1/patient/accesses")
    assert seen["accesses"] == [{"on": "2026-11-20", "role": "guest", "name": "Dr Lee", "times": 2}]


@pytest.mark.parametrize("language", ["en", "ko", "et"])
def test_the_shared_page_speaks_three_languages(place: Place, language: str) -> None:
    _, link = place.ask("POST", "/v1/patient/links", {"days": 1, "language": language})
    page = place.client.get("/shared/" + link["address"].rpartition("/")[2])
    assert page.status_code == 200
    assert f'lang="{language}"' in page.text


def test_a_link_ends_with_its_days_and_when_it_is_taken_back(place: Place) -> None:
    _, short = place.ask("POST", "/v1/patient/links", {"days": 1})
    _, long = place.ask("POST", "/v1/patient/links", {"days": 7})
    place.clock.now += timedelta(days=1)
    assert place.client.get("/shared/" + short["address"].rpartition("/")[2]).status_code == 404
    assert place.client.get("/shared/" + long["address"].rpartition("/")[2]).status_code == 200
    fresh = clinic.enrolled_phone(place.client, place.session, place.minji, now=place.clock.now)
    status, left = place.ask("POST", f"/v1/patient/links/{long['id']}/end", phone=fresh)
    assert (status, left["links"]) == (200, [])
    gone = place.client.get("/shared/" + long["address"].rpartition("/")[2])
    assert gone.status_code == 404
    assert "Minji" not in gone.text


def test_a_link_lasts_a_week_at_most_and_ten_may_be_open(place: Place) -> None:
    assert place.ask("POST", "/v1/patient/links", {"days": 8})[0] == 422
    for _ in range(10):
        assert place.ask("POST", "/v1/patient/links", {"days": 1})[0] == 201
    status, problem = place.ask("POST", "/v1/patient/links", {"days": 1})
    assert (status, problem["code"]) == (409, "too_many_links")


def test_guessing_links_is_slowed_down(place: Place) -> None:
    statuses = [place.client.get(f"/shared/{'x' * 30}{number}").status_code for number in range(10)]
    assert statuses == [404] * 8 + [429] * 2


def test_a_carer_writes_and_may_neither_correct_nor_delete(place: Place) -> None:
    carer = place.carer()
    written = note(place.clock)
    _, answer = place.send(written, carer)
    assert answer["receipts"][0]["outcome"] == "accepted"
    _, answer = place.send(written | {"revision": 2}, carer)
    assert answer["receipts"][0]["reason"]["code"] == "carer_may_not_correct"
    _, answer = place.send(written | {"revision": 2, "deleted": True, "body": None}, carer)
    assert answer["receipts"][0]["reason"]["code"] == "carer_may_not_delete"
    _, answer = place.send(written | {"revision": 2})
    assert answer["receipts"][0]["outcome"] == "accepted"


def test_a_carer_decides_nothing_about_the_diary(place: Place) -> None:
    carer = place.carer()
    for method, path, body in (
        ("POST", "consents", {"purpose": "care", "given": False, "text_version": "2026-11"}),
        ("GET", "accesses", None),
        ("POST", "links", {"days": 1}),
        ("POST", "carer-codes", None),
        ("GET", "phones", None),
    ):
        status, problem = place.ask(method, f"/v1/patient/{path}", body, carer)
        assert (status, problem["code"]) == (403, "carer_not_allowed"), path


def test_a_removed_carer_is_out_at_once_and_what_they_wrote_stays(place: Place) -> None:
    carer = place.carer()
    place.send(note(place.clock), carer)
    _, listed = place.ask("GET", "/v1/patient/phones")
    assert sorted((one["role"], one["is_this_phone"]) for one in listed["phones"]) == [
        ("carer", False),
        ("patient", True),
    ]
    status, left = place.ask("POST", f"/v1/patient/phones/{carer.device_id}/removal")
    assert (status, len(left["phones"])) == (200, 1)
    assert place.send(note(place.clock), carer)[0] == 401
    assert place.ask("GET", "/v1/sync", phone=carer)[0] == 401
    renewal = place.client.post("/v1/token", json={"refresh_token": carer.refresh_token})
    assert renewal.status_code == 401
    _, diary = place.ask("GET", "/v1/sync")
    assert len(diary["entries"]) == 1
    assert place.ask("POST", f"/v1/patient/phones/{place.phone.device_id}/removal")[0] == 404


def test_the_clinics_code_for_a_carer_makes_a_carers_phone(place: Place) -> None:
    code = create_enrolment_code(
        place.session, place.minji.id, created_by=place.doctor.id, now=place.clock.now, role=DeviceRole.CARER
    )
    place.session.commit()
    assert place.client.post("/v1/enrol", json=clinic.enrol_body(code)).json()["role"] == "carer"
