"""The signed-in reader of a page: who, in which language, and what the frame around every page shows."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import func
from sqlmodel import Session, col, select

from backend.accounts.permissions import SESSION_COOKIE, CallingClinician, SignedIn
from backend.accounts.tables import Clinician, Hospital
from backend.alerts.tables import Alert, AlertState
from backend.core import audit
from backend.core.clock import Now
from backend.core.database import DatabaseSession
from backend.core.errors import SoomError
from backend.core.heartbeat import SILENT_AFTER, WorkerHeartbeat
from backend.core.settings import Settings
from backend.dashboard.templating import language_of, page
from backend.patients.store import end_due_covers, visible_to
from backend.patients.tables import Patient
from backend.risk.sites import switches
from backend.risk.tables import ModelMode, ModelSwitch


class ForeignOrigin(SoomError):
    status = 403
    code = "foreign_origin"
    message = "This sign-in did not come from Soom's own page. Open the page and sign in there."


@dataclass(frozen=True)
class Viewer:
    session: Session
    clinician: Clinician
    csrf_token: str
    now: datetime
    language: str

    def page(self, template: str, *, section: str, status: int = 200, **context: object) -> HTMLResponse:
        """A whole page, or the part of one that htmx asked for, with what the frame needs."""
        hospital_name, unseen_alerts, worker_seen_at, any_switch = self._frame()
        # Hardly any hospital ever switches a model, so hardly any page asks for the switches themselves.
        switched = switches(self.session, self.clinician.hospital_id) if any_switch else []
        return page(
            template,
            self.language,
            status=status,
            section=section,
            clinician=self.clinician,
            csrf_token=self.csrf_token,
            hospital_name=hospital_name,
            unseen_alerts=unseen_alerts,
            worker_seen_at=worker_seen_at,
            silent_models=[switch for switch in switched if switch.mode != ModelMode.ON],
            worker_silent=worker_seen_at is None or self.now - worker_seen_at > SILENT_AFTER,
            now=self.now,
            **context,
        )

    def record(self, action: str, patient_ids: Collection[UUID]) -> None:
        """Leave an entry in the audit for each patient whose data the caller is shown."""
        if patient_ids:
            audit.record(
                self.session,
                now=self.now,
                actor_kind=audit.ActorKind.CLINICIAN,
                actor_id=self.clinician.id,
                action=action,
                patient_ids=list(patient_ids),
            )

    def _frame(self) -> tuple[str, int, datetime | None, bool]:
        hospital = select(Hospital.name).where(Hospital.id == self.clinician.hospital_id).scalar_subquery()
        alerts = (
            select(func.count())
            .select_from(Alert)
            .join(Patient, col(Patient.id) == col(Alert.patient_id))
            .where(
                visible_to(self.clinician),
                col(Alert.state) != AlertState.RESOLVED.value,
                col(Alert.acknowledged_at).is_(None),
                col(Alert.snoozed_until).is_(None),
            )
            .scalar_subquery()
        )
        seen = select(func.max(WorkerHeartbeat.seen_at)).scalar_subquery()
        switched = select(ModelSwitch.id).where(ModelSwitch.hospital_id == self.clinician.hospital_id).exists()
        name, count, seen_at, any_switch = self.session.exec(select(hospital, alerts, seen, switched)).one()
        return str(name), int(count or 0), seen_at, bool(any_switch)


def _viewer(
    request: Request, session: DatabaseSession, now: Now, caller: SignedIn, clinician: CallingClinician
) -> Viewer:
    end_due_covers(session, now)
    return Viewer(session, clinician, caller[1].csrf_token, now, language_of(request, clinician))


CurrentViewer = Annotated[Viewer, Depends(_viewer)]


def refuse_foreign_origin(request: Request) -> None:
    """Sign-in has no session yet, so no CSRF token. A browser names the origin of every POST, and it must be ours.

    Without the header the caller is no browser and cannot have been led here by a foreign page.
    """
    origin = request.headers.get("origin")
    settings: Settings = request.app.state.settings
    own = {request.headers.get("host", "")} | ({urlsplit(settings.public_url).netloc} if settings.public_url else set())
    if origin is not None and urlsplit(origin).netloc not in own:
        raise ForeignOrigin


def set_session_cookie(answer: Response, settings: Settings, token: str) -> None:
    answer.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=settings.clinician_session_hours * 3600,
        httponly=True,
        samesite="lax",
        secure=settings.address.startswith("https://"),
    )
