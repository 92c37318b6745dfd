"""A phone's way in: enrolment by one-time code, and the exchange of tokens."""

from fastapi import APIRouter, Request

from backend.accounts import tokens
from backend.accounts.schemas import EnrolIn, TokenIn, TokensOut
from backend.core import audit
from backend.core.clock import Now
from backend.core.database import DatabaseSession

router = APIRouter(prefix="/v1", tags=["phone"])


@router.post("/enrol")
def enrol(request: Request, body: EnrolIn, session: DatabaseSession, now: Now) -> TokensOut:
    """Bind this phone to the patient for whom a clinic made the code."""
    address = request.client.host if request.client else "unknown"
    issued = tokens.enrol(session, request.app.state.settings, body.code, body.device, address=address, now=now)
    audit.record(
        session,
        now=now,
        actor_kind=audit.ActorKind.PATIENT,
        actor_id=issued.patient_id,
        action="phone.enrolled",
        patient_ids=[issued.patient_id],
        detail={"device_id": str(body.device.id)},
    )
    return issued


@router.post("/token")
def exchange(request: Request, body: TokenIn, session: DatabaseSession, now: Now) -> TokensOut:
    """Exchange a refresh token for a new pair; the old one is spent."""
    return tokens.refresh(session, request.app.state.settings, body.refresh_token, attempt_id=body.attempt_id, now=now)
