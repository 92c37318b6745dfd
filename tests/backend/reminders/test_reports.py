"""What phones report of their reminders, over HTTP, and what the ledger makes of it."""

from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from fastapi.testclient import TestClient
from sqlmodel import Session, select

from backend.core.due import DueWork
from backend.patients.tables import Patient
from backend.reminders.tables import PLAN_REMINDERS, ReminderOccurrence, ReminderPhone, ReminderSettings
from tests.conftest import NOON
from tests.factories import clinic

KEY = "dose:6f1f7c80-0000-4000-8000-000000000001:0"


def occurrence(**more: Any) -> dict[str, Any]:
    return {
        "key": KEY,
        "local_date": "2026-11-20",
        "due_at": "2026-11-20T11:00:00Z",
        "time_zone": "Asia/Seoul",
        "revision": 1,
        "state": "armed",
        "at": "2026-11-20T06:00:00Z",
    } | more


def send(by: clinic.Phone, **more: Any) -> dict[str, Any]:
    answer = by.client.post("/v1/sync", headers=by.headers, json={"sent_at": NOON.isoformat(), "entries": []} | more)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def settings_entry(patient_id: UUID | str, **body: Any) -> dict[str, Any]:
    return {
        "kind": "reminder_settings",
        "id": str(uuid5(NAMESPACE_OID, f"{patient_id}:reminder_settings")),
        "revision": 1,
        "taken_at": NOON.isoformat(),
        "time_zone": "Asia/Seoul",
        "utc_offset_minutes": 540,
        "local_date": "2026-11-20",
        "body": {"day_starts_at": "04:00", "quiet_from": "22:00", "quiet_until": "07:00", "times": {}} | body,
    }


def ledger(session: Session) -> ReminderOccurrence:
    session.expire_all()
    return session.exec(select(ReminderOccurrence)).one()


def test_each_occurrence_gets_a_receipt_in_order_and_a_bad_one_costs_no_other(
    phone: clinic.Phone, session: Session
) -> None:
    sent = [occurrence(state="rang"), occurrence(), "nonsense", occurrence(local_date="2026-11-28")]
    receipts = send(phone, occurrences=sent)["occurrence_receipts"]
    assert [one["outcome"] for one in receipts] == ["refused", "accepted", "refused", "refused"]
    assert [one["reason"] and one["reason"]["code"] for one in receipts] == [
        "invalid_field",
        None,
        "invalid_field",
        "due_too_far",
    ]
    assert receipts[0]["reason"]["field"] == "state"
    assert receipts[1]["key"] == KEY
    assert ledger(session).state == "armed"


def test_the_same_report_again_changes_nothing_and_an_older_one_neither(phone: clinic.Phone, session: Session) -> None:
    send(phone, occurrences=[occurrence(revision=2, state="fired")])
    for late in (occurrence(revision=2, state="fired"), occurrence(revision=1)):
        [receipt] = send(phone, occurrences=[late])["occurrence_receipts"]
        assert receipt["outcome"] == "unchanged"
    assert ledger(session).state == "fired"


def test_of_two_versions_in_one_request_the_greater_revision_counts(phone: clinic.Phone, session: Session) -> None:
    receipts = send(phone, occurrences=[occurrence(revision=3, state="acted", action="taken"), occurrence(revision=2)])[
        "occurrence_receipts"
    ]
    assert [one["outcome"] for one in receipts] == ["accepted", "unchanged"]
    assert (ledger(session).state, ledger(session).action) == ("acted", "taken")


def test_what_one_phone_did_stands_above_what_another_missed(
    phone: clinic.Phone, session: Session, patient: Patient, client: TestClient
) -> None:
    other = clinic.enrolled_phone(client, session, patient, now=NOON)
    send(phone, occurrences=[occurrence(state="shown")])
    send(other, occurrences=[occurrence(state="missed", cause="phone_off", revision=9)])
    assert ledger(session).state == "shown"
    send(other, occurrences=[occurrence(state="acted", action="taken", revision=10)])
    assert ledger(session).state == "acted"
    send(other, occurrences=[occurrence(state="missed", cause="phone_off", revision=11)])
    assert ledger(session).state == "shown", "the dose was taken back"


def test_a_missed_occurrence_without_a_cause_is_missed_for_an_unknown_cause(
    phone: clinic.Phone, session: Session
) -> None:
    send(phone, occurrences=[occurrence(state="missed")])
    assert ledger(session).cause == "unknown"


def test_the_phone_tells_where_it_is_and_a_flight_has_the_reminders_planned_anew(
    phone: clinic.Phone, session: Session
) -> None:
    def planning_is_due() -> bool:
        work = session.exec(select(DueWork).where(DueWork.kind == PLAN_REMINDERS)).all()
        for one in work:
            session.delete(one)
        session.commit()
        return bool(work)

    about = {"time_zone": "Asia/Seoul", "notifications_allowed": True, "armed_count": 42}
    send(phone, phone=about)
    assert planning_is_due()
    send(phone, phone=about | {"notifications_allowed": False})
    assert not planning_is_due()
    send(phone, phone=about | {"time_zone": "America/Los_Angeles"})
    assert planning_is_due()
    send(phone, phone=about | {"time_zone": "Mars/Olympus_Mons"})
    session.expire_all()
    assert session.exec(select(ReminderPhone)).one().time_zone == "America/Los_Angeles"


def test_reminder_settings_are_an_entry_like_any_other_with_one_fixed_id(phone: clinic.Phone, session: Session) -> None:
    body = {"times": {KEY: {"weekday": "07:30", "weekend": "09:00"}}, "paused_until": "2026-12-01", "check_in_at": None}
    [receipt] = send(phone, entries=[settings_entry(phone.patient_id, **body)])["receipts"]
    assert receipt["outcome"] == "accepted", receipt
    kept = session.exec(select(ReminderSettings)).one()
    assert kept.times == body["times"]
    assert kept.follow_habit is True
    assert kept.check_in_at is None
    pulled = phone.client.get("/v1/sync", headers=phone.headers).json()["entries"]
    assert [one["kind"] for one in pulled] == ["reminder_settings"]
    assert pulled[0]["body"]["times"] == body["times"]
    [receipt] = send(phone, entries=[settings_entry(UUID(int=7))])["receipts"]
    assert (receipt["outcome"], receipt["reason"]["code"]) == ("refused", "settings_id")


def test_settings_that_cannot_be_are_refused_with_the_field(phone: clinic.Phone) -> None:
    for body, field in (
        ({"quiet_from": "25:00"}, "body.quiet_from"),
        ({"times": {KEY: {"weekday": "07:30"}}}, f"body.times.{KEY}.weekend"),
        ({"paused_until": "2026-02-30"}, "body.paused_until"),
    ):
        [receipt] = send(phone, entries=[settings_entry(phone.patient_id, **body)])["receipts"]
        assert receipt["outcome"] == "refused"
        assert receipt["reason"]["field"] == field


def test_too_many_occurrences_in_one_request_are_too_large_a_batch(phone: clinic.Phone) -> None:
    answer = phone.client.post(
        "/v1/sync",
        headers=phone.headers,
        json={"sent_at": NOON.isoformat(), "entries": [], "occurrences": [occurrence()] * 201},
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "batch_too_large")


def test_an_armed_occurrence_is_looked_at_45_minutes_after_it_was_due(phone: clinic.Phone, session: Session) -> None:
    send(phone, occurrences=[occurrence(due_at="2026-11-20T11:30:00Z")])
    assert ledger(session).judge_at == NOON + timedelta(minutes=15)
    send(phone, occurrences=[occurrence(due_at="2026-11-20T11:30:00Z", revision=2, state="fired")])
    assert ledger(session).judge_at is None


def test_an_alarm_is_due_when_its_phone_says_and_a_later_word_of_it_moves_the_look_at_it(
    phone: clinic.Phone, session: Session
) -> None:
    for revision, due_at in enumerate(("2026-11-20T13:00:00Z", "2026-11-20T14:30:00Z"), start=1):
        send(phone, occurrences=[occurrence(due_at=due_at, revision=revision)])
    assert ledger(session).due_at == NOON + timedelta(hours=2, minutes=30)
    assert ledger(session).judge_at == NOON + timedelta(hours=3, minutes=15)
