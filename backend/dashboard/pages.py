"""The dashboard's pages. Those that write are called by htmx, which carries the session's CSRF token."""

from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

import segno
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from markupsafe import Markup
from pydantic import ValidationError
from starlette.types import Scope

from backend.accounts import sign_in as sign_in_service
from backend.accounts.errors import SignInFailed
from backend.accounts.permissions import SESSION_COOKIE, SignedIn
from backend.accounts.tables import DeviceRole, Role
from backend.alerts import service as alerts
from backend.core import audit
from backend.core.clock import Now
from backend.core.database import DatabaseSession
from backend.core.errors import TooManyAttempts
from backend.dashboard import patient_view
from backend.dashboard.enrolment import add_patient, new_code
from backend.dashboard.hand_overs import one_alert_out
from backend.dashboard.patient_schemas import PatientIn
from backend.dashboard.peak_flow_spread import SPREAD_DAYS, spread
from backend.dashboard.profiles import birth_is_plausible
from backend.dashboard.roster import SPARKLINE_DAYS, roster
from backend.dashboard.roster_schemas import Show
from backend.dashboard.routes import report_answer
from backend.dashboard.story import story
from backend.dashboard.templating import LANGUAGE_COOKIE, STATIC, language_of, page
from backend.dashboard.translations import LANGUAGES, translator
from backend.dashboard.viewer import CurrentViewer, refuse_foreign_origin, set_session_cookie
from backend.dashboard.visits import open_page
from backend.dashboard.words import words
from backend.patients.store import visible_patient, visible_to
from backend.patients.tables import Patient
from backend.recommendations.store import open_recommendation
from backend.reminders.account import account_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

LOG_DAYS = SPREAD_DAYS
YEAR_SECONDS = 365 * 24 * 3600


class StaticFilesByDigest(StaticFiles):
    """An address with a digest (`?v=`) never changes its content, so a browser need not ask for it again."""

    def file_response(self, *args: object, **keywords: object) -> Response:
        answer = super().file_response(*args, **keywords)  # type: ignore[arg-type]
        scope: Scope = args[2] if len(args) > 2 else keywords["scope"]  # type: ignore[assignment]
        if b"v=" in scope["query_string"] or scope["path"].endswith(".woff2"):
            answer.headers["Cache-Control"] = f"public, max-age={YEAR_SECONDS}, immutable"
        return answer


def static_files() -> StaticFiles:
    return StaticFilesByDigest(directory=STATIC)


@router.get("/")
def home() -> Response:
    return RedirectResponse("/patients", status_code=303)


@router.get("/sign-in")
def sign_in_page(
    request: Request, expired: bool = False, signed_out: bool = False, language: str | None = None
) -> Response:
    if language in LANGUAGES:
        answer: Response = RedirectResponse("/sign-in", status_code=303)
        answer.set_cookie(LANGUAGE_COOKIE, language, max_age=YEAR_SECONDS, httponly=True, samesite="lax")
        return answer
    return _sign_in_form(request, expired=expired, signed_out=signed_out)


@router.post("/sign-in")
def sign_in(
    request: Request,
    session: DatabaseSession,
    now: Now,
    email: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    refuse_foreign_origin(request)
    settings, t = request.app.state.settings, translator(language_of(request))
    address = request.client.host if request.client else "unknown"
    try:
        clinician, token, _ = sign_in_service.sign_in(
            session, settings, email=email, password=password, address=address, now=now
        )
    except SignInFailed:
        return _sign_in_form(request, status=401, problem=t("sign_in.failed"), email=email)
    except TooManyAttempts as error:
        minutes = -(-(error.retry_after_seconds or 60) // 60)
        problem = t("sign_in.throttled", count=minutes)
        answer = _sign_in_form(request, status=429, problem=problem, email=email)
        answer.headers["Retry-After"] = str(error.retry_after_seconds or 60)
        return answer
    audit.record(session, now=now, actor_kind=audit.ActorKind.CLINICIAN, actor_id=clinician.id, action="sign_in")
    # An administrator sees no patients, but how Soom works; a researcher what wants to run on their data.
    homes = {Role.ADMINISTRATOR.value: "/operations", Role.RESEARCHER.value: "/research"}
    answer = RedirectResponse(homes.get(clinician.role, "/patients"), status_code=303)
    set_session_cookie(answer, settings, token)
    return answer


def _sign_in_form(
    request: Request,
    *,
    status: int = 200,
    problem: str = "",
    email: str = "",
    expired: bool = False,
    signed_out: bool = False,
) -> Response:
    return page(
        "sign_in.html",
        language_of(request),
        status=status,
        problem=problem,
        email=email,
        expired=expired,
        signed_out=signed_out,
    )


@router.post("/sign-out")
def sign_out(request: Request, session: DatabaseSession, now: Now, caller: SignedIn) -> Response:
    sign_in_service.sign_out(session, request.cookies[SESSION_COOKIE])
    audit.record(session, now=now, actor_kind=audit.ActorKind.CLINICIAN, actor_id=caller[0].id, action="sign_out")
    answer = Response(status_code=204, headers={"HX-Redirect": "/sign-in?signed_out=1"})
    answer.delete_cookie(SESSION_COOKIE)
    return answer


@router.post("/language")
def choose_language(session: DatabaseSession, caller: SignedIn, language: Annotated[str, Form()] = "") -> Response:
    if language in LANGUAGES:
        caller[0].language = language
        session.add(caller[0])
    answer = Response(status_code=204, headers={"HX-Refresh": "true"})
    answer.set_cookie(LANGUAGE_COOKIE, caller[0].language, max_age=YEAR_SECONDS, httponly=True, samesite="lax")
    return answer


@router.get("/patients")
def roster_page(
    request: Request,
    viewer: CurrentViewer,
    search: Annotated[str, Query(max_length=80)] = "",
    show: Show = Show.ALL,
    page_number: Annotated[int, Query(alias="page", ge=1)] = 1,
) -> Response:
    found = roster(
        viewer.session,
        viewer.clinician,
        now=viewer.now,
        language=viewer.language,
        search=search.strip(),
        show=show,
        page=page_number,
    )
    viewer.record("view_roster", [row.id for row in found.patients])
    searching = request.headers.get("HX-Target") == "roster"
    return viewer.page(
        "roster_list.html" if searching else "roster.html",
        section="patients",
        roster=found,
        show=show,
        search=search,
        sparkline_days=SPARKLINE_DAYS,
        address=_roster_address(search, show),
    )


def _roster_address(search: str, show: Show) -> Callable[..., str]:
    def address(page: int = 1, show: Show = show) -> str:
        asked = {"search": search, "show": "" if show is Show.ALL else show.value, "page": page if page > 1 else ""}
        query = urlencode({name: value for name, value in asked.items() if value})
        return f"/patients?{query}" if query else "/patients"

    return address


@router.get("/patients/new")
def new_patient_page(viewer: CurrentViewer) -> Response:
    values = {"language": viewer.language, "time_zone": PatientIn.model_fields["time_zone"].default}
    return viewer.page("new_patient.html", section="patients", values=values, problems={})


@router.post("/patients")
def add_patient_form(
    request: Request,
    viewer: CurrentViewer,
    display_name: Annotated[str, Form()] = "",
    born_on: Annotated[str, Form()] = "",
    sex: Annotated[str, Form()] = "unknown",
    height_cm: Annotated[str, Form()] = "",
    weight_kg: Annotated[str, Form()] = "",
    language: Annotated[str, Form()] = "en",
    time_zone: Annotated[str, Form()] = "",
    treatment_step: Annotated[str, Form()] = "",
    severe_attacks_last_year: Annotated[str, Form()] = "",
) -> Response:
    values = {
        "display_name": display_name,
        "born_on": born_on,
        "sex": sex,
        "height_cm": height_cm,
        "weight_kg": weight_kg,
        "language": language,
        "time_zone": time_zone,
        "treatment_step": treatment_step,
        "severe_attacks_last_year": severe_attacks_last_year,
    }
    today = viewer.now.date()
    try:
        asked = PatientIn.model_validate({name: value for name, value in values.items() if value.strip()})
        problems = {"born_on": "born_on"} if asked.born_on and not birth_is_plausible(asked.born_on, today) else {}
    except ValidationError as error:
        problems = {str(problem["loc"][0]): str(problem["loc"][0]) for problem in error.errors()}
    if problems:
        answer = viewer.page("new_patient_form.html", section="patients", status=422, values=values, problems=problems)
        answer.headers.update({"HX-Retarget": "#new-patient", "HX-Reswap": "outerHTML", "X-Form-Problems": "1"})
        return answer
    patient = add_patient(viewer.session, viewer.clinician, asked, now=viewer.now)
    shown = _code_page(request, viewer, patient)
    shown.headers["HX-Push-Url"] = f"/patients/{patient.id}"
    return shown


@router.post("/patients/{patient_id}/enrolment-codes")
def new_code_page(
    request: Request, viewer: CurrentViewer, patient_id: UUID, role: DeviceRole = DeviceRole.PATIENT
) -> Response:
    return _code_page(request, viewer, visible_patient(viewer.session, viewer.clinician, patient_id), role)


def _code_page(
    request: Request, viewer: CurrentViewer, patient: Patient, role: DeviceRole = DeviceRole.PATIENT
) -> Response:
    code = new_code(viewer.session, viewer.clinician, patient, now=viewer.now, role=role)
    link = f"soom://enrol?code={code.code}&server={request.app.state.settings.address}"
    drawing = segno.make(link, error="m", micro=False).svg_inline(omitsize=True, border=2)
    return viewer.page(
        "enrolment_code.html",
        section="patients",
        patient=patient,
        role=role,
        code=code.code,
        expires_at=code.expires_at,
        server=request.app.state.settings.address,
        # Drawn by segno from the code and our own address.
        qr=Markup(drawing),  # noqa: S704
    )


@router.get("/patients/{patient_id}")
def patient_page(viewer: CurrentViewer, patient_id: UUID) -> Response:
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    shown, days = patient_view.patient_and_log(
        viewer.session, patient, now=viewer.now, language=viewer.language, log_days=LOG_DAYS
    )
    today = patient_view.local_today(patient, viewer.now)
    viewer.record("view_patient", [patient.id])
    since = open_page(viewer.session, viewer.clinician, patient.id, viewer.now)
    return viewer.page(
        "patient.html",
        section="patients",
        since=since,
        patient=shown,
        today=today,
        days=days[::-1],
        log_days=LOG_DAYS,
        spread=spread(days, shown.plan, shown.born_on, today),
        reminders=account_of(viewer.session, patient.id, viewer.now),
        decision_waiting=open_recommendation(viewer.session, patient.id) is not None,
        story=story(shown, words(viewer.language), now=viewer.now, today=today),
    )


@router.get("/patients/{patient_id}/report.pdf")
def report_page(viewer: CurrentViewer, patient_id: UUID) -> Response:
    return report_answer(viewer, patient_id)


@router.get("/patients/{patient_id}/audit")
def audit_page(
    viewer: CurrentViewer, patient_id: UUID, page_number: Annotated[int, Query(alias="page", ge=1)] = 1
) -> Response:
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    viewer.record("view_audit_trail", [patient.id])
    trail = patient_view.audit_trail(viewer.session, patient, page=page_number)
    return viewer.page("audit.html", section="patients", patient=patient, trail=trail)


@router.get("/alerts")
def alerts_page(viewer: CurrentViewer) -> Response:
    found = patient_view.alerts_of(
        viewer.session, visible_to(viewer.clinician), now=viewer.now, language=viewer.language
    )
    viewer.record("view_alerts", {alert.patient_id for alert in [*found.open, *found.ended]})
    return viewer.page("alerts.html", section="alerts", alerts=found)


@router.post("/alerts/{alert_id}/acknowledge")
def acknowledge_alert(
    viewer: CurrentViewer,
    alert_id: UUID,
    note: Annotated[str, Form(max_length=2000)] = "",
    named: Annotated[bool, Query()] = False,
) -> Response:
    """Answers the alert's card anew; `named` says that the card names its patient, as on the page of all alerts."""
    alert = alerts.acknowledge(viewer.session, viewer.clinician, alert_id, note.strip() or None, viewer.now)
    card = one_alert_out(viewer.session, alert, viewer.language)
    return viewer.page("alert_card.html", section="alerts", alert=card, named=named, just_acknowledged=True)
