"""Operations as JSON for administrators, and `/metrics` for Prometheus."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from backend.core.clock import Now
from backend.core.database import DatabaseSession
from backend.operations.access import CallingAdministrator, MayScrape
from backend.operations.metrics import as_text
from backend.operations.service import AlertSettingsIO, SwitchIn, change_settings, read_settings, switch
from backend.operations.snapshot import Snapshot, read_snapshot

router = APIRouter(tags=["operations"])


class SwitchOut(BaseModel):
    model_id: str
    mode: str
    reason: str


@router.get("/metrics", dependencies=[MayScrape], response_class=Response)
def metrics(session: DatabaseSession, now: Now) -> Response:
    """With SOOM_METRICS_TOKEN for its bearer, without it for callers on this machine."""
    return Response(as_text(read_snapshot(session, now)), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/administrator/operations")
def operations(session: DatabaseSession, who: CallingAdministrator, now: Now) -> Snapshot:
    """The installation's work; alert rates and models of the caller's hospital."""
    return read_snapshot(session, now, who.hospital_id)


@router.get("/v1/administrator/alert-settings")
def show_settings(session: DatabaseSession, who: CallingAdministrator) -> AlertSettingsIO:
    return read_settings(session, who.hospital_id)


@router.put("/v1/administrator/alert-settings")
def put_settings(
    session: DatabaseSession, who: CallingAdministrator, now: Now, body: AlertSettingsIO
) -> AlertSettingsIO:
    change_settings(session, who, body, now)
    return read_settings(session, who.hospital_id)


@router.post("/v1/administrator/models/{model_id}/mode")
def set_mode(
    session: DatabaseSession,
    who: CallingAdministrator,
    now: Now,
    model_id: Annotated[str, Path(min_length=1, max_length=80)],
    body: SwitchIn,
) -> SwitchOut:
    """Turn a model on, into the shadow or off at the caller's hospital. Rules and their alerts go on."""
    row = switch(session, who, model_id, body, now)
    return SwitchOut(model_id=row.model_id, mode=row.mode, reason=row.reason)
