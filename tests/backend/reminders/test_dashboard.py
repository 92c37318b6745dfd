"""What the care team is shown: the account of a patient's reminders, and the patients whose phones went silent."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, select

from backend.accounts.tables import Device
from backend.core.audit import AuditEntry
from backend.core.database import NewSession
from backend.reminders.silence import notice_silence
from backend.reminders.tables import ContactTask, ReminderOccurrence
from tests.backend.dashboard.conftest import FEW, Desk, counted_statements, signed_in
from tests.conftest import SettableClock
from tests.factories import reminders as made
from tests.factories.full_clinic import full_clinic


@pytest.fixture
def desk(client: TestClient, session: Session, clock: SettableClock) -> Desk:
    return signed_in(client, session, full_clinic(session, now=clock.now, people=FEW, most_days=3), now=clock.now)


def test_the_account_of_the_last_four_weeks_counts_each_end_and_cause(
    desk: Desk, session: Session, clock: SettableClock
) -> None:
    patient = next(iter(desk.clinic.patients.values()))
    made.phone_of(session, patient, heard_at=clock.now - timedelta(hours=5))
    for back, (state, cause, action) in enumerate(
        (
            ("acted", None, "taken"),
            ("acted", None, "skipped"),
            ("shown", None, None),
            ("missed", "phone_off", None),
            ("missed", "phone_off", None),
            ("missed", "unknown", None),
            ("cancelled", None, None),
            ("due", None, None),
        )
    ):
        due_at = clock.now - timedelta(days=back, hours=1)
        session.add(
            ReminderOccurrence(
                patient_id=patient.id,
                key="check_in",
                local_date=due_at.date(),
                due_at=due_at,
                time_zone="Asia/Seoul",
                expected=True,
                state=state,
                cause=cause,
                action=action,
                at=due_at,
            )
        )
    session.commit()
    with counted_statements(session) as statements:
        account = desk.client.get(f"/v1/clinician/patients/{patient.id}/reminders").json()
    assert len([one for one in statements if "reminder_occurrence" in one]) == 1
    assert (account["due"], account["reached"], account["done"], account["skipped"]) == (7, 3, 1, 1)
    assert (account["missed"], account["waiting"]) == (3, 1)
    assert list(account["missed_by_cause"].items()) == [("phone_off", 2), ("unknown", 1)]
    page = desk.page(f"/patients/{patient.id}").text
    assert "phone off: 2" in page
    assert "1 done, 1 skipped" in page


def test_a_silent_phone_is_listed_with_since_when_and_can_be_done_and_opened_again(
    desk: Desk, session: Session, clock: SettableClock, new_session: NewSession
) -> None:
    patient = next(one for one in desk.clinic.patients.values())
    made.plan_that_reminds(session, patient, desk.clinic.doctor.id, signed_at=clock.now, version=90)
    for device in session.exec(select(Device).where(Device.patient_id == patient.id)):
        device.last_seen_at = clock.now - timedelta(days=5)
        session.add(device)
    made.phone_of(session, patient, heard_at=clock.now - timedelta(days=4))
    session.commit()
    notice_silence(new_session, clock.now)
    [task] = desk.client.get("/v1/clinician/contact-tasks").json()
    assert (task["patient_name"], task["done_at"]) == (patient.display_name, None)
    assert patient.display_name in desk.page("/contacts").text
    answer = desk.post(f"/contacts/{task['id']}/done", note=" Called: a new phone. ")
    assert answer.status_code == 200
    assert "Called: a new phone." in answer.text
    kept = session.exec(select(ContactTask)).one()
    assert kept.done_by == desk.clinic.doctor.id
    undone = desk.client.post(f"/v1/clinician/contact-tasks/{task['id']}/undone", headers=desk.csrf).json()
    assert (undone["done_at"], undone["note"]) == (None, "Called: a new phone.")
    actions = set(session.exec(select(AuditEntry.action)))
    assert {"view_contact_tasks", "finish_contact_task", "reopen_contact_task"} <= actions
