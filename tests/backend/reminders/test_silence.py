"""A phone that went silent becomes somebody's task, and the patient reads of it."""

from datetime import timedelta

from sqlmodel import Session, select

from backend.accounts.tables import Clinician
from backend.core.database import NewSession
from backend.notifications.tables import InboxMessage
from backend.patients.tables import Patient
from backend.reminders.silence import notice_silence, open_tasks
from backend.reminders.tables import ContactTask
from tests.conftest import NOON
from tests.factories import clinic
from tests.factories import reminders as made

LATER = NOON + timedelta(days=3, minutes=1)


def tasks(session: Session) -> list[ContactTask]:
    session.expire_all()
    return list(session.exec(select(ContactTask)))


def test_a_phone_silent_for_three_days_is_a_task_once_and_a_message_to_the_patient(
    session: Session, new_session: NewSession, patient: Patient, doctor: Clinician
) -> None:
    made.plan_that_reminds(session, patient, doctor.id, signed_at=NOON)
    made.phone_of(session, patient, heard_at=NOON)
    session.commit()
    assert notice_silence(new_session, NOON + timedelta(days=3)) == 0
    assert notice_silence(new_session, LATER) == 1
    assert notice_silence(new_session, LATER + timedelta(days=9)) == 0
    [task] = tasks(session)
    assert task.silent_since == NOON
    message = session.exec(select(InboxMessage)).one()
    assert (message.kind, message.level) == ("phone_silent", "info")
    assert "2026-11-20" in message.text
    assert [(one.id, who.id) for one, who in open_tasks(session, doctor)] == [(task.id, patient.id)]
    stranger = clinic.clinician(session, clinic.hospital(session), now=NOON)
    assert open_tasks(session, stranger) == []


def test_a_phone_heard_again_closes_its_task_and_its_next_silence_is_a_new_one(
    session: Session, new_session: NewSession, patient: Patient, doctor: Clinician
) -> None:
    made.plan_that_reminds(session, patient, doctor.id, signed_at=NOON)
    device = made.phone_of(session, patient, heard_at=NOON)
    session.commit()
    notice_silence(new_session, LATER)
    device.last_seen_at = LATER + timedelta(hours=1)
    session.add(device)
    session.commit()
    notice_silence(new_session, LATER + timedelta(hours=2))
    [task] = tasks(session)
    assert task.heard_again_at == LATER + timedelta(hours=1)
    assert open_tasks(session, doctor) == []
    assert session.exec(select(InboxMessage)).one().resolved_at is None, "to be read on the phone that came back"
    assert notice_silence(new_session, LATER + timedelta(days=4)) == 1
    assert len(tasks(session)) == 2


def test_nobody_is_called_about_a_phone_that_never_reminded_or_a_patient_without_a_plan(
    session: Session, new_session: NewSession, patient: Patient
) -> None:
    made.phone_of(session, patient, heard_at=NOON)
    session.commit()
    assert notice_silence(new_session, LATER) == 0
