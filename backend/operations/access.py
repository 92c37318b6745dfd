"""Who sees operations: the administrators of a hospital by their session, and Prometheus by a token or from here."""

import ipaddress
import secrets
from typing import Annotated

from fastapi import Depends, Request

from backend.accounts.permissions import SignedIn
from backend.accounts.tables import Clinician, Role
from backend.core.errors import NotAllowed
from backend.core.settings import Settings


def calling_administrator(caller: SignedIn) -> Clinician:
    if caller[0].role != Role.ADMINISTRATOR:
        raise NotAllowed
    return caller[0]


def may_scrape(request: Request) -> None:
    """With SOOM_METRICS_TOKEN its bearer alone; without, a caller on this very machine that came through no proxy."""
    settings: Settings = request.app.state.settings
    if settings.metrics_token is not None:
        sent = request.headers.get("authorization", "").removeprefix("Bearer ")
        if secrets.compare_digest(sent.encode(), settings.metrics_token.get_secret_value().encode()):
            return
        raise NotAllowed
    forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip"))
    if forwarded or request.client is None or not _is_loopback(request.client.host):
        raise NotAllowed


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


CallingAdministrator = Annotated[Clinician, Depends(calling_administrator)]
MayScrape = Depends(may_scrape)
