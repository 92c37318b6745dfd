"""Dependencies that turn a request into a caller; every protected route takes one of them."""

import secrets
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from backend.accounts.errors import AccessTokenInvalid, CsrfTokenInvalid
from backend.accounts.sign_in import open_session
from backend.accounts.tables import Clinician, ClinicianSession, Role
from backend.accounts.tokens import DeviceCaller, read_access_token
from backend.core.clock import Now
from backend.core.database import DatabaseSession
from backend.core.errors import NotAllowed, NotSignedIn

SESSION_COOKIE = "soom_session"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_bearer = HTTPBearer(auto_error=False, description="A phone's short-lived access token.")
_cookie = APIKeyCookie(name=SESSION_COOKIE, auto_error=False, description="A clinician's browser session.")


# Async as it only computes: no trip through the thread pool.
async def calling_device(
    request: Request, now: Now, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> DeviceCaller:
    if credentials is None:
        raise AccessTokenInvalid
    return read_access_token(request.app.state.settings, credentials.credentials, now=now)


def signed_in(
    request: Request, session: DatabaseSession, now: Now, cookie: Annotated[str | None, Depends(_cookie)]
) -> tuple[Clinician, ClinicianSession]:
    """The caller's account and browser session; every writing request must carry the session's CSRF token."""
    found = open_session(session, cookie, now=now) if cookie else None
    if found is None:
        raise NotSignedIn
    if request.method not in SAFE_METHODS:
        sent = request.headers.get(CSRF_HEADER, "")
        if not secrets.compare_digest(sent.encode(), found[1].csrf_token.encode()):
            raise CsrfTokenInvalid
    return found


SignedIn = Annotated[tuple[Clinician, ClinicianSession], Depends(signed_in)]


def calling_clinician(caller: SignedIn) -> Clinician:
    """Only the clinician role sees patients; researchers and administrators do not."""
    if caller[0].role != Role.CLINICIAN:
        raise NotAllowed
    return caller[0]


CallingDevice = Annotated[DeviceCaller, Depends(calling_device)]
CallingClinician = Annotated[Clinician, Depends(calling_clinician)]
