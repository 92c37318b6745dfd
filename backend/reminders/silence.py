"""Phones that went silent become a task for the care team, and the patient reads of it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician
from backend.core.database import NewSession
from backend.core.errors import NotFound
from backend.notifications.service import close_message, tell
from backend.notifications.tables import MessageKind, MessageLevel
from backend.patients.store import visible_to
from backend.patients.tables import Patient
from backend.reminders.rules import SILENT_AFTER
from backend.reminders.tables import ContactTask
from backend.reminders.wording import silence_words

SILENCE_TAG = "phone_silent"
# Only who consents to care, has a plan and a phone that once reminded. One task a silence, done or not.
SILENT = """
    SELECT patient.id, patient.language, heard.at,
        (SELECT phone.time_zone FROM reminder_phone AS phone WHERE phone.patient_id = patient.id
            ORDER BY phone.reported_at DESC LIMIT 1) AS time_zone
    FROM patient
    JOIN LATERAL (SELECT max(device.last_seen_at) AS at FROM device WHERE device.patient_id = patient.id) AS heard
        ON TRUE
    WHERE heard.at < %(before)s
        AND EXISTS (SELECT 1 FROM reminder_phone AS phone WHERE phone.patient_id = patient.id)
        AND EXISTS (SELECT 1 FROM action_plan WHERE action_plan.patient_id = patient.id)
        AND EXISTS (SELECT 1 FROM consent WHERE consent.patient_id = patient.id AND consent.purpose = 'care'
            AND consent.withdrawn_at IS NULL)
        AND NOT EXISTS (SELECT 1 FROM contact_task AS task WHERE task.patient_id = patient.id
            AND (task.silent_since = heard.at OR (task.done_at IS NULL AND task.heard_again_at IS NULL)))
    ORDER BY patient.id LIMIT %(limit)s
    FOR NO KEY UPDATE OF patient SKIP LOCKED
"""
HEARD_AGAIN = """
    UPDATE contact_task AS task SET heard_again_at = heard.at
    FROM (SELECT patient_id, max(last_seen_at) AS at FROM device GROUP BY patient_id) AS heard
    WHERE heard.patient_id = task.patient_id AND task.heard_again_at IS NULL AND heard.at > task.silent_since
"""
# Long enough for the patient to read on the phone that came back.
CLOSE_AFTER = timedelta(days=3)
TO_CLOSE = """
    SELECT task.patient_id FROM contact_task AS task JOIN inbox_message AS message ON message.id = task.message_id
    WHERE task.heard_again_at < %(before)s AND message.resolved_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM contact_task AS later WHERE later.patient_id = task.patient_id
            AND later.silent_since > task.silent_since)
    ORDER BY task.patient_id LIMIT %(limit)s
"""


def notice_silence(new_session: NewSession, now: datetime, limit: int = 200) -> int:
    """Open a task for each phone newly silent, close those of phones heard again; how many were opened."""
    with new_session() as session:
        connection = session.connection()
        connection.exec_driver_sql(HEARD_AGAIN)
        silent = connection.exec_driver_sql(SILENT, {"before": now - SILENT_AFTER, "limit": limit}).mappings().all()
        for row in silent:
            _open_task(session, row["id"], row["language"], row["at"], ZoneInfo(row["time_zone"]), now)
        for patient_id in connection.exec_driver_sql(TO_CLOSE, {"before": now - CLOSE_AFTER, "limit": limit}).scalars():
            close_message(session, patient_id, SILENCE_TAG, now=now)
        session.commit()
    return len(silent)


def _open_task(
    session: Session, patient_id: UUID, language: str, silent_since: datetime, zone: ZoneInfo, now: datetime
) -> None:
    since = silent_since.astimezone(zone).date().isoformat()
    title, text = silence_words(language, since=since)
    message = tell(
        session,
        patient_id=patient_id,
        kind=MessageKind.PHONE_SILENT,
        level=MessageLevel.INFO,
        title=title,
        text=text,
        tag=SILENCE_TAG,
        data={"silent_since": silent_since.isoformat()},
        now=now,
    )
    session.add(ContactTask(patient_id=patient_id, silent_since=silent_since, opened_at=now, message_id=message.id))
    session.flush()


def open_tasks(session: Session, clinician: Clinician) -> list[tuple[ContactTask, Patient]]:
    """Of the clinician's patients, longest silence first; those done in the last week come after the open ones."""
    rows: Any = session.exec(
        select(ContactTask, Patient)
        .join(Patient, col(Patient.id) == col(ContactTask.patient_id))
        .where(visible_to(clinician), col(ContactTask.heard_again_at).is_(None))
        .order_by(col(ContactTask.done_at).is_not(None), col(ContactTask.silent_since))
    )
    return [(task, patient) for task, patient in rows]


def task_of(session: Session, clinician: Clinician, task_id: UUID) -> ContactTask:
    """Raises NotFound for an unknown task and for one of somebody else's patient: the two look the same."""
    task = session.exec(
        select(ContactTask)
        .join(Patient, col(Patient.id) == col(ContactTask.patient_id))
        .where(ContactTask.id == task_id, visible_to(clinician))
        .with_for_update(of=ContactTask)
    ).first()
    if task is None:
        raise NotFound
    return task


def mark_done(task: ContactTask, clinician: Clinician, note: str, *, now: datetime) -> None:
    """Somebody got in touch; a phone that stays silent after that makes no new task."""
    task.done_at, task.done_by, task.note = now, clinician.id, note


def mark_undone(task: ContactTask) -> None:
    """It waits again; the note stays."""
    task.done_at, task.done_by = None, None
