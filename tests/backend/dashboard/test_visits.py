"""What is new since the clinician last looked: on the roster, on the patient's page and as JSON."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, col, update

from backend.accounts.tables import Hospital
from backend.alerts.tables import Alert
from backend.dashboard.visits import SITTING, since_visit
from backend.patients import store
from backend.patients.entry import Entry
from backend.patients.tables import Patient
from backend.recommendations.tables import ControlChange
from backend.risk.tables import Assessment
from tests.backend.dashboard.conftest import Desk, counted_statements, signed_in
from tests.conftest import SettableClock
from tests.factories import clinic, entries
from tests.factories.full_clinic import PEOPLE, full_clinic


def row_of(desk: Desk, patient: Patient, **query: str) -> dict[str, Any]:
    rows = desk.client.get("/v1/clinician/patients", params=query).json()["patients"]
    return dict(next(row for row in rows if row["id"] == str(patient.id)))


def changes(desk: Desk, patient: Patient) -> dict[str, Any] | None:
    answer = desk.client.get(f"/v1/clinician/patients/{patient.id}/changes")
    assert answer.status_code == 200, answer.text
    return None if answer.json() is None else dict(answer.json())


@pytest.fixture
def seen(desk: Desk, clock: SettableClock) -> Patient:
    """A patient whose page the doctor opened two days ago."""
    patient = desk.clinic.in_danger
    assert "You open this page for the first time." in desk.page(f"/patients/{patient.id}").text
    clock.now += timedelta(hours=6)
    return patient


def arrived(session: Session, entry: Entry) -> None:
    """Gives the entry the next change number of its patient, as a phone's upload does."""
    entry.change = store.next_changes(session, entry.patient_id)
    session.add(entry)
    session.commit()


def an_attack(session: Session, patient: Patient, clock: SettableClock) -> None:
    arrived(session, entries.attack(session, patient, taken_at=clock.now, emergency_visit=True))


def test_a_first_look_has_nothing_to_be_compared_with(desk: Desk) -> None:
    patient = desk.clinic.in_danger
    assert row_of(desk, patient)["since_last_look"] is None
    assert changes(desk, patient) is None


def test_after_a_look_nothing_is_new_until_something_happens(desk: Desk, seen: Patient) -> None:
    since = row_of(desk, seen)["since_last_look"]
    assert (since["alerts"], since["attacks"], since["entries"], since["recommendation"]) == (0, 0, 0, False)
    page = desk.page(f"/patients/{seen.id}").text
    assert "Since your last visit" in page
    assert "Nothing new." in page


def test_an_attack_and_new_entries_are_told_and_the_filter_finds_the_patient(
    desk: Desk, session: Session, seen: Patient, clock: SettableClock
) -> None:
    assert desk.client.get("/v1/clinician/patients").json()["counts"]["changed"] == 0
    an_attack(session, seen, clock)
    since = row_of(desk, seen, show="changed")["since_last_look"]
    assert (since["attacks"], since["entries"]) == (1, 1)
    assert "1 attack" in desk.page("/patients").text
    assert "1 attack" in desk.page(f"/patients/{seen.id}").text


def test_new_entries_alone_are_told_but_do_not_call(
    desk: Desk, session: Session, seen: Patient, clock: SettableClock
) -> None:
    arrived(session, entries.symptoms(session, seen, taken_at=clock.now, daytime=True))
    assert row_of(desk, seen)["since_last_look"]["entries"] == 1
    assert desk.client.get("/v1/clinician/patients").json()["counts"]["changed"] == 0


def test_another_zone_an_alert_and_another_control_class_are_news(
    desk: Desk, session: Session, seen: Patient, clock: SettableClock
) -> None:
    session.add(
        ControlChange(
            patient_id=seen.id,
            noted_at=clock.now - timedelta(days=3),
            as_of=clock.now.date(),
            control_class="partly_controlled",
        )
    )
    session.add(
        ControlChange(patient_id=seen.id, noted_at=clock.now, as_of=clock.now.date(), control_class="uncontrolled")
    )
    session.exec(
        update(Assessment)
        .where(col(Assessment.patient_id) == seen.id)
        .values(zone="yellow", newest_reading_at=clock.now)
    )
    session.exec(update(Alert).where(col(Alert.patient_id) == seen.id).values(triggered_at=clock.now))
    session.commit()
    since = row_of(desk, seen, show="changed")["since_last_look"]
    assert (since["zone_before"], since["zone_now"], since["alerts"]) == ("red", "yellow", 1)
    assert (since["control_before"], since["control_now"]) == ("partly_controlled", "uncontrolled")
    page = desk.page(f"/patients/{seen.id}").text
    assert "Red zone → Yellow zone" in page
    assert "1 new alert" in page


def test_a_plan_read_on_the_phone_is_news(desk: Desk, session: Session, seen: Patient, clock: SettableClock) -> None:
    arrived(session, entries.plan_receipt(session, seen, 1, taken_at=clock.now))
    assert row_of(desk, seen, show="changed")["since_last_look"]["plan_read"] == 1
    assert "Plan 1 was read on the phone" in desk.page(f"/patients/{seen.id}").text


def test_reloading_the_page_within_a_sitting_still_shows_what_was_new(
    desk: Desk, session: Session, seen: Patient, clock: SettableClock
) -> None:
    an_attack(session, seen, clock)
    for _ in range(3):
        assert "1 attack" in desk.page(f"/patients/{seen.id}").text
        clock.now += timedelta(minutes=20)
    assert (changes(desk, seen) or {})["attacks"] == 1
    # The roster asks what has come since she last looked at all.
    assert row_of(desk, seen)["since_last_look"]["attacks"] == 0
    clock.now += SITTING
    signed_in(desk.client, session, desk.clinic, now=clock.now)
    assert "Nothing new." in desk.page(f"/patients/{seen.id}").text


def test_json_does_not_count_as_a_look(desk: Desk, session: Session, seen: Patient, clock: SettableClock) -> None:
    an_attack(session, seen, clock)
    for path in ("", "/diary", "/forecasts", "/changes"):
        assert desk.client.get(f"/v1/clinician/patients/{seen.id}{path}").status_code == 200
    assert row_of(desk, seen)["since_last_look"]["attacks"] == 1


def test_what_one_doctor_has_seen_is_still_new_to_another(
    desk: Desk, session: Session, seen: Patient, clock: SettableClock
) -> None:
    an_attack(session, seen, clock)
    doctor = desk.clinic.doctor
    colleague = clinic.clinician(session, session.get_one(Hospital, doctor.hospital_id), now=clock.now)
    store.add_to_care(session, seen.id, colleague.id, now=clock.now)
    assert since_visit(session, colleague, seen.id, clock.now) is None
    mine = since_visit(session, doctor, seen.id, clock.now)
    assert mine is not None
    assert mine.attacks == 1


def test_the_roster_asks_no_more_statements_for_more_patients_that_were_looked_at(
    client: TestClient, session: Session, clock: SettableClock
) -> None:
    counts = []
    for people in (PEOPLE[:2], PEOPLE):
        session.connection().exec_driver_sql("UPDATE clinician SET email = id::text")
        session.connection().exec_driver_sql("UPDATE hospital SET name = id::text")
        made = full_clinic(session, now=clock.now, people=people, most_days=3)
        desk = signed_in(client, session, made, now=clock.now)
        for patient in made.patients.values():
            desk.page(f"/patients/{patient.id}")
        clock.now += timedelta(hours=1)
        with counted_statements(session) as statements:
            assert "you looked" in desk.page("/patients").text
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 9
