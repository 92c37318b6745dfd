"""The one-page report behind a patient's link: read-only, in a browser, without an account."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, Response
from sqlmodel import Session

from backend.accounts import throttle
from backend.core.clock import Now
from backend.core.database import DatabaseSession
from backend.core.errors import TooManyAttempts
from backend.dashboard.story import story
from backend.dashboard.templating import language_of, page
from backend.dashboard.visit_report import VisitReport, as_pdf, visit_report
from backend.dashboard.words import words
from backend.patients.tables import Patient
from backend.sharing import service
from backend.sharing.errors import LinkUnknown
from backend.sharing.tables import SharedLink

router = APIRouter(prefix="/shared", include_in_schema=False, default_response_class=HTMLResponse)

LOG_DAYS = 14
# Neither search engines nor a page that is led to from here learn of the address.
PRIVATE = {"X-Robots-Tag": "noindex, nofollow, noarchive", "Referrer-Policy": "no-referrer"}
Token = Annotated[str, Path(min_length=20, max_length=80)]


@router.get("/{token}")
def shared_report(request: Request, token: Token, session: DatabaseSession, now: Now) -> Response:
    """The report as a page."""
    try:
        link, report = _opened(request, session, token, now)
    except (LinkUnknown, TooManyAttempts) as error:
        key = "shared.too_many" if isinstance(error, TooManyAttempts) else "shared.problem"
        answer = page("shared_problem.html", language_of(request), status=error.status, key=key)
    else:
        chosen = words(link.language)
        answer = page(
            "shared_report.html",
            link.language,
            token=token,
            expires_at=link.expires_at,
            patient=report.patient,
            report=report,
            today=report.today,
            now=now,
            days=[day for day in report.days if report.today - day.day < timedelta(days=LOG_DAYS)][::-1],
            story=story(report.patient, chosen, now=now, today=report.today),
        )
    answer.headers.update(PRIVATE)
    return answer


@router.get("/{token}/report.pdf")
def shared_report_as_pdf(request: Request, token: Token, session: DatabaseSession, now: Now) -> Response:
    """The same report on one sheet."""
    link, report = _opened(request, session, token, now)
    name = f"soom-{report.today.isoformat()}.pdf"
    return Response(
        as_pdf(report, link.language),
        media_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{name}"', **PRIVATE},
    )


def _opened(request: Request, session: Session, token: str, now: Now) -> tuple[SharedLink, VisitReport]:
    """Raises TooManyAttempts after some wrong tokens from one address, LinkUnknown for a wrong one."""
    subject = f"shared:{request.client.host if request.client else 'unknown'}"
    throttle.refuse_too_many(session, subject, now=now)
    link = service.opened_link(session, token, now=now)
    if link is None:
        throttle.record_failure(session, subject, now=now)
        raise LinkUnknown
    patient = session.get_one(Patient, link.patient_id)
    return link, visit_report(session, patient, now=now, language=link.language)
