"""What the pages show, as JSON: `/v1/clinician/`. The same cookie session, the same objects, the same audit."""

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from backend.accounts import sign_in as sign_in_service
from backend.accounts.permissions import SESSION_COOKIE, SignedIn
from backend.accounts.tables import DeviceRole
from backend.alerts import service as alerts
from backend.core import audit
from backend.core.clock import Now
from backend.core.database import DatabaseSession
from backend.core.errors import FieldError, InvalidFields
from backend.core.web import REFUSALS
from backend.dashboard import enrolment, patient_view
from backend.dashboard.hand_overs import one_alert_out
from backend.dashboard.patient_schemas import (
    AuditOut,
    DiaryOut,
    EnrolmentCodeOut,
    ForecastsOut,
    PatientAdded,
    PatientIn,
    PatientOut,
)
from backend.dashboard.profiles import birth_is_plausible
from backend.dashboard.roster import PAGE_SIZE, roster
from backend.dashboard.roster_schemas import RosterOut, Show
from backend.dashboard.schemas import AcknowledgeIn, AlertOut, AlertsOut, SignedInOut, SignInIn
from backend.dashboard.viewer import CurrentViewer, Viewer, refuse_foreign_origin, set_session_cookie
from backend.dashboard.visit_report import as_pdf, visit_report
from backend.dashboard.visits import Since, since_visit
from backend.patients.store import visible_patient, visible_to
from backend.patients.tables import Language, Patient

router = APIRouter(prefix="/v1/clinician", tags=["clinician"], responses=REFUSALS)

DEFAULT_DAYS = 90
MOST_DAYS = 3 * 366

FirstDay = Annotated[date | None, Query(alias="from", description="First local day, included.")]
LastDay = Annotated[date | None, Query(alias="to", description="Last local day, included; today if not given.")]


@router.post("/sign-in")
def sign_in(request: Request, answer: Response, body: SignInIn, session: DatabaseSession, now: Now) -> SignedInOut:
    """Open a session: the answer sets its cookie."""
    refuse_foreign_origin(request)
    settings = request.app.state.settings
    address = request.client.host if request.client else "unknown"
    clinician, token, csrf_token = sign_in_service.sign_in(
        session, settings, email=body.email, password=body.password, address=address, now=now
    )
    audit.record(session, now=now, actor_kind=audit.ActorKind.CLINICIAN, actor_id=clinician.id, action="sign_in")
    set_session_cookie(answer, settings, token)
    return SignedInOut(
        name=clinician.name, email=clinician.email, language=Language(clinician.language), csrf_token=csrf_token
    )


@router.post("/sign-out", status_code=204)
def sign_out(request: Request, answer: Response, session: DatabaseSession, now: Now, caller: SignedIn) -> None:
    sign_in_service.sign_out(session, request.cookies[SESSION_COOKIE])
    audit.record(session, now=now, actor_kind=audit.ActorKind.CLINICIAN, actor_id=caller[0].id, action="sign_out")
    answer.delete_cookie(SESSION_COOKIE)


@router.get("/patients")
def list_patients(
    viewer: CurrentViewer,
    search: Annotated[str, Query(max_length=80, description="Part of the name.")] = "",
    show: Show = Show.ALL,
    page: Annotated[int, Query(ge=1)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = PAGE_SIZE,
) -> RosterOut:
    """The roster, the most urgent first."""
    found = roster(
        viewer.session,
        viewer.clinician,
        now=viewer.now,
        language=viewer.language,
        search=search.strip(),
        show=show,
        page=page,
        page_size=page_size,
    )
    viewer.record("view_roster", [row.id for row in found.patients])
    return found


@router.post("/patients", status_code=201)
def add_patient(viewer: CurrentViewer, body: PatientIn) -> PatientAdded:
    today = viewer.now.date()
    if body.born_on and not birth_is_plausible(body.born_on, today):
        raise InvalidFields(fields=[FieldError("born_on", "The day of birth must lie in the past.")])
    return PatientAdded(id=enrolment.add_patient(viewer.session, viewer.clinician, body, now=viewer.now).id)


@router.get("/patients/{patient_id}")
def show_patient(viewer: CurrentViewer, patient_id: UUID) -> PatientOut:
    patient = _opened(viewer, patient_id, "view_patient")
    return patient_view.patient_view(viewer.session, patient, now=viewer.now, language=viewer.language)


@router.get("/patients/{patient_id}/changes")
def show_changes(viewer: CurrentViewer, patient_id: UUID) -> Since | None:
    """What is new since the caller last sat before the patient's page; null before the second time."""
    patient = _opened(viewer, patient_id, "view_patient")
    return since_visit(viewer.session, viewer.clinician, patient.id, viewer.now)


@router.get("/patients/{patient_id}/diary", response_model=DiaryOut)
def show_diary(
    viewer: CurrentViewer, patient_id: UUID, first_day: FirstDay = None, last_day: LastDay = None
) -> Response:
    """The diary by local day: 90 days if not asked otherwise, three years at most."""
    patient = _opened(viewer, patient_id, "view_diary")
    first_day, last_day = _window(viewer, patient, first_day, last_day)
    return _json(
        patient_view.diary_view(
            viewer.session, patient, first_day=first_day, last_day=last_day, language=viewer.language
        )
    )


@router.get("/patients/{patient_id}/forecasts", response_model=ForecastsOut)
def show_forecasts(
    viewer: CurrentViewer, patient_id: UUID, first_day: FirstDay = None, last_day: LastDay = None
) -> Response:
    """The forecast of each day, with its reasons and model."""
    patient = _opened(viewer, patient_id, "view_forecasts")
    first_day, last_day = _window(viewer, patient, first_day, last_day)
    return _json(
        patient_view.forecasts_view(
            viewer.session, patient, first_day=first_day, last_day=last_day, language=viewer.language
        )
    )


@router.get(
    "/patients/{patient_id}/report.pdf",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}, "description": "One A4 page."}},
)
def show_report(viewer: CurrentViewer, patient_id: UUID) -> Response:
    """The visit report in the caller's language: zones and plan, 90 days of diary, control, adherence, forecast."""
    return report_answer(viewer, patient_id)


@router.get("/patients/{patient_id}/audit")
def show_audit_trail(viewer: CurrentViewer, patient_id: UUID, page: Annotated[int, Query(ge=1)] = 1) -> AuditOut:
    """Who touched this patient's data, newest first, 50 a page."""
    return patient_view.audit_trail(viewer.session, _opened(viewer, patient_id, "view_audit_trail"), page=page)


@router.post("/patients/{patient_id}/enrolment-codes", status_code=201)
def create_enrolment_code(
    viewer: CurrentViewer, patient_id: UUID, role: DeviceRole = DeviceRole.PATIENT
) -> EnrolmentCodeOut:
    """A one-time code for the patient's phone, or for a carer's, which may write and not correct or delete."""
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    return enrolment.new_code(viewer.session, viewer.clinician, patient, now=viewer.now, role=role)


@router.get("/alerts")
def list_alerts(viewer: CurrentViewer) -> AlertsOut:
    found = patient_view.alerts_of(
        viewer.session, visible_to(viewer.clinician), now=viewer.now, language=viewer.language
    )
    viewer.record("view_alerts", {alert.patient_id for alert in [*found.open, *found.ended]})
    return found


@router.post("/alerts/{alert_id}/acknowledge")
def acknowledge_alert(viewer: CurrentViewer, alert_id: UUID, body: AcknowledgeIn) -> AlertOut:
    """Say that you have seen it. A repeat with the same note changes nothing."""
    alert = alerts.acknowledge(viewer.session, viewer.clinician, alert_id, body.note, viewer.now)
    return one_alert_out(viewer.session, alert, viewer.language)


def report_answer(viewer: Viewer, patient_id: UUID) -> Response:
    patient = _opened(viewer, patient_id, "view_report")
    report = visit_report(viewer.session, patient, now=viewer.now, language=viewer.language)
    return Response(
        as_pdf(report, viewer.language),
        media_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="soom-{report.today.isoformat()}.pdf"'},
    )


def _json(body: BaseModel) -> Response:
    """What FastAPI would answer, without its second validation: three years of diary take half the time."""
    return Response(body.model_dump_json(), media_type="application/json")


def _opened(viewer: CurrentViewer, patient_id: UUID, action: str) -> Patient:
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    viewer.record(action, [patient.id])
    return patient


def _window(
    viewer: CurrentViewer, patient: Patient, first_day: date | None, last_day: date | None
) -> tuple[date, date]:
    last_day = last_day or patient_view.local_today(patient, viewer.now)
    first_day = first_day or last_day - timedelta(days=DEFAULT_DAYS - 1)
    if not 0 <= (last_day - first_day).days < MOST_DAYS:
        raise InvalidFields(
            fields=[FieldError("from", f"Must be `to` or a day of up to {MOST_DAYS - 1} days before it.")]
        )
    return first_day, last_day
