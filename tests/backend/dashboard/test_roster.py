from datetime import timedelta
from typing import Any

from fastapi.testclient import TestClient
from sqlmodel import Session, select

from backend.core.audit import AuditEntry
from tests.backend.dashboard.conftest import Desk, counted_statements, signed_in
from tests.conftest import SettableClock
from tests.factories import clinic
from tests.factories.full_clinic import PEOPLE, Person, full_clinic


def roster(desk: Desk, **query: str | int) -> dict[str, Any]:
    answer = desk.client.get("/v1/clinician/patients", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def names(shown: dict[str, Any]) -> list[str]:
    return [row["display_name"] for row in shown["patients"]]


def test_the_most_urgent_come_first(full_desk: Desk) -> None:
    shown = roster(full_desk)
    by_name = {row["display_name"]: row["urgency"] for row in shown["patients"]}
    assert by_name["이서준"] == "now"
    assert by_name["Mari Tamm"] == by_name["김민지"] == "today"
    assert by_name["Omar Khan"] == by_name["박하은"] == "watch"
    assert by_name["Grace Hughes"] == by_name["정수빈"] == "steady"
    assert by_name["윤태양"] == "waiting"
    order = ["now", "today", "watch", "steady", "waiting"]
    ranks = [order.index(row["urgency"]) for row in shown["patients"]]
    assert ranks == sorted(ranks)


def test_acknowledging_a_red_alert_moves_the_patient_from_now_to_today(desk: Desk) -> None:
    first = roster(desk)["patients"][0]
    assert first["urgency"] == "now"
    path = f"/v1/clinician/alerts/{first['alert']['id']}/acknowledge"
    assert desk.client.post(path, json={"note": None}, headers=desk.csrf).status_code == 200
    assert roster(desk)["patients"][0]["urgency"] == "today"


def test_each_filter_shows_what_its_count_promises(full_desk: Desk) -> None:
    counts = roster(full_desk)["counts"]
    assert counts == {
        "all": 12,
        "alerts": 3,
        "red": 1,
        "yellow": 3,
        "raised": 4,
        "silent": 1,
        "waiting": 1,
        "changed": 0,
    }
    for show, count in counts.items():
        assert len(roster(full_desk, show=show)["patients"]) == count, show


def test_a_search_finds_part_of_a_name_and_takes_signs_literally(full_desk: Desk) -> None:
    assert names(roster(full_desk, search="tamm")) == ["Mari Tamm"]
    assert names(roster(full_desk, search="서")) == ["이서준"]
    assert names(roster(full_desk, search="%")) == []
    assert names(roster(full_desk, search="_")) == []


def test_pages_cover_everybody_once_and_the_last_page_stands_for_any_beyond(full_desk: Desk) -> None:
    pages = [roster(full_desk, page=page, page_size=5) for page in (1, 2, 3)]
    together = [name for page in pages for name in names(page)]
    assert sorted(together) == sorted(full_desk.clinic.patients)
    assert names(roster(full_desk, page=99, page_size=5)) == names(pages[2])


def test_a_reading_older_than_two_days_says_nothing_of_todays_zone(
    desk: Desk, session: Session, clock: SettableClock
) -> None:
    assert roster(desk)["patients"][0]["zone"] == "red"
    clock.now += timedelta(days=3)
    desk = signed_in(desk.client, session, desk.clinic, now=clock.now)
    row = next(row for row in roster(desk)["patients"] if row["display_name"] == "이서준")
    assert row["zone"] is None
    assert row["newest_reading"]["fresh"] is False
    assert row["silent"] is True
    page = desk.page("/patients").text
    assert "No recent reading" in page


def test_patients_of_others_are_neither_shown_nor_counted(desk: Desk, session: Session, clock: SettableClock) -> None:
    elsewhere = clinic.hospital(session)
    stranger = clinic.clinician(session, elsewhere, now=clock.now)
    clinic.patient(session, elsewhere, now=clock.now, cared_for_by=stranger)
    shown = roster(desk)
    assert "Minji Lee" not in names(shown)
    assert shown["counts"]["all"] == 3


def test_every_patient_shown_leaves_one_audit_entry(desk: Desk, session: Session) -> None:
    desk.page("/patients")
    entries = session.exec(select(AuditEntry).where(AuditEntry.action == "view_roster")).all()
    assert sorted(str(entry.patient_id) for entry in entries) == sorted(
        str(patient.id) for patient in desk.clinic.patients.values()
    )
    assert {entry.actor_id for entry in entries} == {desk.clinic.doctor.id}


def test_the_number_of_queries_does_not_grow_with_the_patients(
    client: TestClient, session: Session, clock: SettableClock
) -> None:
    counts: dict[str, list[int]] = {"/patients": [], "/v1/clinician/patients?page_size=100": []}
    for number in (5, 50):
        session.connection().exec_driver_sql("UPDATE clinician SET email = id::text")
        people = tuple(
            Person(f"Patient {one}", 500, PEOPLE[0].born_on, PEOPLE[0].sex, days=2, alert=("red", "red_zone"))
            for one in range(number)
        )
        session.connection().exec_driver_sql("UPDATE hospital SET name = id::text")
        desk = signed_in(client, session, full_clinic(session, now=clock.now, people=people), now=clock.now)
        for path, found in counts.items():
            with counted_statements(session) as statements:
                assert desk.page(path).status_code == 200
            found.append(len(statements))
    for few, many in counts.values():
        assert few == many <= 8


def test_a_clinician_without_patients_is_told_how_to_begin(
    client: TestClient, session: Session, clock: SettableClock
) -> None:
    desk = signed_in(client, session, full_clinic(session, now=clock.now, people=()), now=clock.now)
    assert "No patients yet" in desk.page("/patients").text
    assert "Nobody found" in desk.page("/patients?search=zzz").text


def test_typing_in_the_search_brings_only_the_list(desk: Desk) -> None:
    part = desk.client.get("/patients?search=김", headers={"HX-Request": "true", "HX-Target": "roster"})
    assert part.text.lstrip().startswith('<div id="roster">')
    assert "김민지" in part.text
    assert "이서준" not in part.text


def test_a_silent_worker_is_announced_on_every_page(desk: Desk, clock: SettableClock) -> None:
    assert "Assessments have stopped." not in desk.page("/patients").text
    clock.now += timedelta(minutes=4)
    assert "last answered 4 min ago" in desk.page("/patients").text
