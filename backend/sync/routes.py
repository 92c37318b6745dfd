"""The phone's one conversation with the server."""

from typing import Annotated

from fastapi import APIRouter, Query

from backend.accounts.permissions import CallingDevice
from backend.core.clock import Now
from backend.core.database import DatabaseSession
from backend.sync import service
from backend.sync.schemas import ChangesOut, SyncIn, SyncOut

router = APIRouter(prefix="/v1", tags=["phone"])


@router.post("/sync")
def receive(body: SyncIn, caller: CallingDevice, session: DatabaseSession, now: Now) -> SyncOut:
    """Take the phone's entries; each gets a receipt, in order. Nothing is forgotten by the phone before its receipt."""
    return service.accept(session, caller, body, now=now)


@router.get("/sync")
def send(
    caller: CallingDevice,
    session: DatabaseSession,
    now: Now,
    cursor: Annotated[str, Query()] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> ChangesOut:
    """What changed after the cursor. Ask again with the new cursor while `more` is true."""
    return service.changes_since(session, caller, cursor, limit=limit, now=now)
