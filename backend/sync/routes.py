"""The phone's one conversation with the server."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from backend.accounts.permissions import CallingDevice
from backend.core.clock import Now
from backend.core.database import DatabaseSession, NewSession
from backend.sync import service, store
from backend.sync.schemas import ChangesOut, SyncIn, SyncOut

router = APIRouter(prefix="/v1", tags=["phone"])


@router.post("/sync")
def receive(request: Request, body: SyncIn, caller: CallingDevice, now: Now) -> SyncOut:
    """Take the phone's entries; each gets a receipt, in order. A phone may forget its copy when it has the receipt."""
    new_session: NewSession = request.app.state.new_session
    with new_session() as session:
        with store.pipeline(session) as connection:
            answer = service.accept(session, connection, caller, body, now=now)
        session.commit()
    return answer


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
