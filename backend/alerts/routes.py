"""What a phone may ask about alerts: let an amber one rest, and hand the watch to another carer's phone."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from backend.accounts.permissions import CallingDevice
from backend.alerts import service
from backend.core.clock import Now
from backend.core.database import DatabaseSession
from backend.notifications import watches
from backend.notifications.tables import Watch

router = APIRouter(prefix="/v1/patient", tags=["phone"])


class SnoozeIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"hours": 12}]})

    hours: int = Field(description="1 to 72")


class SnoozeOut(BaseModel):
    alert_id: UUID
    snoozed_until: datetime | None


class WatchIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    to_device_id: UUID
    until: AwareDatetime = Field(description="Within 14 days; then everything rings again by itself.")


class WatchOut(BaseModel):
    device_id: UUID
    to_device_id: UUID
    began_at: datetime
    until: datetime

    @classmethod
    def of(cls, watch: Watch) -> "WatchOut":
        return cls.model_validate(watch, from_attributes=True)


@router.post("/alerts/{alert_id}/snooze")
def snooze(session: DatabaseSession, caller: CallingDevice, now: Now, alert_id: UUID, body: SnoozeIn) -> SnoozeOut:
    """Remind the patient again later. 409 for a red alert, which cannot be snoozed."""
    alert = service.snooze_by_patient(session, caller.patient_id, alert_id, body.hours, now)
    return SnoozeOut(alert_id=alert.id, snoozed_until=alert.snoozed_until)


@router.get("/watch")
def running(session: DatabaseSession, caller: CallingDevice, now: Now) -> list[WatchOut]:
    """Which phones have handed the watch away, to whom and until when."""
    return [WatchOut.of(watch) for watch in watches.running_watches(session, caller.patient_id, now=now)]


@router.post("/watch")
def hand_over(session: DatabaseSession, caller: CallingDevice, now: Now, body: WatchIn) -> WatchOut:
    """Until then this phone rings for red alerts alone, and the other one for all."""
    return WatchOut.of(
        watches.hand_watch(session, caller.patient_id, caller.device_id, body.to_device_id, until=body.until, now=now)
    )


@router.delete("/watch", status_code=204)
def take_back(session: DatabaseSession, caller: CallingDevice, now: Now) -> Response:
    watches.take_watch_back(session, caller.patient_id, caller.device_id, now=now)
    return Response(status_code=204)
