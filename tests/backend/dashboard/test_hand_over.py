from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician, Hospital
from backend.core.audit import AuditEntry
from backend.patients.store import add_to_care, visible_to
from backend.patients.tables import CareRelation, Patient
from tests.backend.dashboard.conftest import Desk, counted_statements, signed_in
from tests.conftest import SettableClock
from tests.factories import clinic
from tests.factories.full_clinic import FullClinic


@pytest.fixture
def colleague(desk: Desk, session: Session, clock: SettableClock) -> Clinician:
    hospital = session.get_one(Hospital, desk.clinic.doctor.hospital_id)
    made = clinic.clinician(session, hospital, now=clock.now)
    made.name = "Dr Park"
    session.commit()
    return made


def give(desk: Desk, path: str, to: Clinician, days: int = 7) -> Any:
    body = {"to": str(to.id), "days": days, "note": "On leave."}
    return desk.client.post(f"/v1/clinician{path}", json=body, headers=desk.csrf)


def seen_by(session: Session, clinician: Clinician) -> set[str]:
    return set(session.exec(select(Patient.display_name).where(visible_to(clinician))).all())


def desk_of(client: TestClient, session: Session, desk: Desk, who: Clinician, clock: SettableClock) -> Desk:
    return signed_in(client, session, FullClinic(who, desk.clinic.patients), now=clock.now)


def test_a_colleague_sees_all_patients_while_covering_and_none_after(
    desk: Desk, session: Session, colleague: Clinician, client: TestClient, clock: SettableClock
) -> None:
    assert seen_by(session, colleague) == set()
    assert give(desk, "/hand-overs", colleague).status_code == 201
    assert seen_by(session, colleague) == set(desk.clinic.patients) == seen_by(session, desk.clinic.doctor)
    clock.now += timedelta(days=7)
    theirs = desk_of(client, session, desk, colleague, clock)
    assert theirs.client.get("/v1/clinician/patients").json()["counts"]["all"] == 0
    ended = session.exec(select(AuditEntry).where(AuditEntry.action == "end_cover")).all()
    assert {entry.patient_id for entry in ended} == {patient.id for patient in desk.clinic.patients.values()}


def test_each_patient_handed_over_leaves_an_audit_entry(desk: Desk, session: Session, colleague: Clinician) -> None:
    give(desk, "/hand-overs", colleague)
    entries = session.exec(select(AuditEntry).where(AuditEntry.action == "hand_over_patients")).all()
    assert {entry.patient_id for entry in entries} == {patient.id for patient in desk.clinic.patients.values()}
    assert {entry.detail["to"] for entry in entries} == {str(colleague.id)}


def test_an_alert_handed_over_shows_its_note_and_opens_that_patient_alone(
    desk: Desk, session: Session, colleague: Clinician
) -> None:
    alert = desk.client.get("/v1/clinician/alerts").json()["open"][0]
    handed = give(desk, f"/alerts/{alert['id']}/hand-over", colleague, days=1).json()["hand_over"]
    assert (handed["to_name"], handed["note"]) == ("Dr Park", "On leave.")
    assert seen_by(session, colleague) == {alert["patient_name"]}
    assert "Handed over by" in desk.page(f"/patients/{alert['patient_id']}").text
    of_alert = desk.client.get("/v1/clinician/patients").json()["patients"][0]["alert"]
    assert of_alert["hand_over"]["to_name"] == "Dr Park"


def test_a_shorter_hand_over_never_shortens_a_longer_one(desk: Desk, session: Session, colleague: Clinician) -> None:
    give(desk, "/hand-overs", colleague, days=14)
    give(desk, "/hand-overs", colleague, days=1)
    relations = session.exec(select(CareRelation).where(CareRelation.clinician_id == colleague.id)).all()
    assert len(relations) == len(desk.clinic.patients)
    assert {cover.ends_at - cover.began_at for cover in relations if cover.ends_at} == {timedelta(days=14)}
    assert len(desk.client.get("/v1/clinician/hand-overs").json()) == 1


def test_who_is_responsible_stays_so_when_a_cover_ends(
    desk: Desk, session: Session, colleague: Clinician, clock: SettableClock
) -> None:
    shared = desk.clinic.patients["김민지"]
    add_to_care(session, shared.id, colleague.id, now=clock.now)
    given = give(desk, "/hand-overs", colleague).json()
    path = f"/v1/clinician/hand-overs/{given['id']}/end"
    assert desk.client.post(path, headers=desk.csrf).json()["ended_at"] is not None
    session.expire_all()
    assert seen_by(session, colleague) == {"김민지"}


def test_the_colleague_may_give_back_early_and_a_stranger_may_not(
    desk: Desk, session: Session, colleague: Clinician, client: TestClient, clock: SettableClock
) -> None:
    given = give(desk, "/hand-overs", colleague).json()
    path = f"/v1/clinician/hand-overs/{given['id']}/end"
    hospital = session.get_one(Hospital, colleague.hospital_id)
    stranger = desk_of(client, session, desk, clinic.clinician(session, hospital, now=clock.now), clock)
    assert stranger.client.post(path, headers=stranger.csrf).status_code == 404
    theirs = desk_of(client, session, desk, colleague, clock)
    assert theirs.client.get("/v1/clinician/hand-overs").json()[0]["patients"] == len(desk.clinic.patients)
    assert theirs.client.post(path, headers=theirs.csrf).status_code == 200
    session.expire_all()
    assert seen_by(session, colleague) == set()
    assert theirs.client.get("/v1/clinician/hand-overs").json() == []


def test_nobody_can_be_handed_to_another_hospital_or_to_oneself(
    desk: Desk, session: Session, clock: SettableClock
) -> None:
    elsewhere = clinic.clinician(session, clinic.hospital(session), now=clock.now)
    for person in (elsewhere, desk.clinic.doctor):
        answer = give(desk, "/hand-overs", person)
        assert (answer.status_code, answer.json()["code"]) == (422, "colleague_unknown")
    assert not session.exec(select(CareRelation).where(col(CareRelation.hand_over_id).is_not(None))).all()


def test_who_covers_cannot_hand_on_the_whole_list(
    desk: Desk, session: Session, colleague: Clinician, client: TestClient, clock: SettableClock
) -> None:
    give(desk, "/hand-overs", colleague)
    theirs = desk_of(client, session, desk, colleague, clock)
    assert give(theirs, "/hand-overs", desk.clinic.doctor).json()["code"] == "nobody_to_hand_over"


def test_the_page_hands_over_and_ends(desk: Desk, colleague: Clinician) -> None:
    assert "Nobody is covering for you" in desk.page("/hand-overs").text
    shown = desk.post("/hand-overs", to=str(colleague.id), days="3", note="On leave.")
    assert "3 patients" in shown.text
    assert "On leave." in shown.text
    running = desk.client.get("/v1/clinician/hand-overs").json()
    assert "Nobody is covering for you" in desk.post(f"/hand-overs/{running[0]['id']}/end").text


def test_the_card_of_an_alert_offers_the_colleagues(desk: Desk, colleague: Clinician) -> None:
    alert = desk.client.get("/v1/clinician/alerts").json()["open"][0]
    assert "Dr Park" in desk.page(f"/alerts/{alert['id']}/hand-over").text
    card = desk.post(f"/alerts/{alert['id']}/hand-over", to=str(colleague.id), days="1", note="Please call.")
    assert "Please call." in card.text


def test_handing_over_takes_as_many_statements_for_many_patients_as_for_few(
    desk: Desk, session: Session, colleague: Clinician, clock: SettableClock
) -> None:
    counts = []
    for _ in range(2):
        with counted_statements(session) as statements:
            assert give(desk, "/hand-overs", colleague).status_code == 201
        counts.append(len(statements))
        for _ in range(20):
            hospital = session.get_one(Hospital, colleague.hospital_id)
            clinic.patient(session, hospital, now=clock.now, cared_for_by=desk.clinic.doctor)
    assert counts[0] == counts[1]
