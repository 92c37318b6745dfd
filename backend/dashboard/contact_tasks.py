"""Patients whose phones went silent, for whoever gets in touch: as a page, and as JSON under `/v1/clinician/`."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from backend.accounts.tables import Clinician
from backend.core.web import REFUSALS
from backend.dashboard.viewer import CurrentViewer, Viewer
from backend.patients.store import visible_patient
from backend.patients.tables import Patient
from backend.reminders import silence
from backend.reminders.account import ReminderAccount, account_of
from backend.reminders.tables import ContactTask

router = APIRouter(prefix="/v1/clinician", tags=["clinician"], responses=REFUSALS)
pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


class ContactTaskOut(BaseModel):
    """`silent_since` is when a phone of the patient was last heard of; `time_zone` is the patient's."""

    id: UUID
    patient_id: UUID
    patient_name: str
    time_zone: str
    silent_since: datetime
    opened_at: datetime
    done_at: datetime | None
    done_by: str | None
    note: str

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "b7a2e9c4-0c55-4f6e-9a3b-1f2f5b0f7d11",
                    "patient_id": "3f0d6a52-6f0a-4b7e-9a53-5a5d1e1b8f10",
                    "patient_name": "윤태양",
                    "time_zone": "Asia/Seoul",
                    "silent_since": "2026-11-06T22:14:00Z",
                    "opened_at": "2026-11-16T00:00:00Z",
                    "done_at": "2026-11-17T02:20:00Z",
                    "done_by": "Dr. Seo-yeon Han",
                    "note": "Changed the phone; enrolled again.",
                }
            ]
        }
    )


class ContactDoneIn(BaseModel):
    """How it went, for whoever looks next."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"note": "Called: a new phone."}]})

    note: Annotated[str, Field(max_length=2000)] = ""


@router.get("/contact-tasks")
def list_contact_tasks(viewer: CurrentViewer) -> list[ContactTaskOut]:
    """Of the caller's patients with a silent phone: those to be contacted first, then those that were."""
    return _tasks(viewer)


@router.post("/contact-tasks/{task_id}/done")
def mark_done(viewer: CurrentViewer, task_id: UUID, body: ContactDoneIn) -> ContactTaskOut:
    """Somebody got in touch. Doing it again only changes the note."""
    return _done(viewer, task_id, body.note)


@router.post("/contact-tasks/{task_id}/undone")
def mark_undone(viewer: CurrentViewer, task_id: UUID) -> ContactTaskOut:
    """It waits again, with its note."""
    return _undone(viewer, task_id)


@router.get("/patients/{patient_id}/reminders")
def reminder_account(viewer: CurrentViewer, patient_id: UUID) -> ReminderAccount:
    """What became of the reminders of the last four weeks."""
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    viewer.record("view_reminders", [patient.id])
    return account_of(viewer.session, patient.id, viewer.now)


@pages.get("/contacts")
def contacts_page(viewer: CurrentViewer) -> Response:
    return viewer.page("contacts.html", section="contacts", tasks=_tasks(viewer))


@pages.post("/contacts/{task_id}/done")
def mark_done_on_page(
    viewer: CurrentViewer, task_id: UUID, note: Annotated[str, Form(max_length=2000)] = ""
) -> Response:
    _done(viewer, task_id, note)
    return viewer.page("contacts.html", section="contacts", tasks=_tasks(viewer))


@pages.post("/contacts/{task_id}/undone")
def mark_undone_on_page(viewer: CurrentViewer, task_id: UUID) -> Response:
    _undone(viewer, task_id)
    return viewer.page("contacts.html", section="contacts", tasks=_tasks(viewer))


def _tasks(viewer: Viewer) -> list[ContactTaskOut]:
    found = silence.open_tasks(viewer.session, viewer.clinician)
    viewer.record("view_contact_tasks", [patient.id for _, patient in found])
    return [_out(viewer, task, patient) for task, patient in found]


def _done(viewer: Viewer, task_id: UUID, note: str) -> ContactTaskOut:
    task = silence.task_of(viewer.session, viewer.clinician, task_id)
    silence.mark_done(task, viewer.clinician, note.strip(), now=viewer.now)
    return _changed(viewer, task, "finish_contact_task")


def _undone(viewer: Viewer, task_id: UUID) -> ContactTaskOut:
    task = silence.task_of(viewer.session, viewer.clinician, task_id)
    silence.mark_undone(task)
    return _changed(viewer, task, "reopen_contact_task")


def _changed(viewer: Viewer, task: ContactTask, action: str) -> ContactTaskOut:
    viewer.session.add(task)
    viewer.session.flush()
    viewer.record(action, [task.patient_id])
    return _out(viewer, task, viewer.session.get_one(Patient, task.patient_id))


def _out(viewer: Viewer, task: ContactTask, patient: Patient) -> ContactTaskOut:
    done_by = None if task.done_by is None else viewer.session.get_one(Clinician, task.done_by).name
    return ContactTaskOut(
        id=task.id,
        patient_id=patient.id,
        patient_name=patient.display_name,
        time_zone=patient.time_zone,
        silent_since=task.silent_since,
        opened_at=task.opened_at,
        done_at=task.done_at,
        done_by=done_by,
        note=task.note,
    )
