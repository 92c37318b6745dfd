"""What a phone may ask about alerts: let an amber one rest, and hand the watch to another carer's phone."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlmodel import Session

from backend.accounts.permissions import CallingDevice
from backend.accounts.tables import DeviceRole
from backend.accounts.tokens import DeviceCaller
from backend.alerts import service
from backend.core.clock import Now
from backend.core.database import DatabaseSession
from backend.notifications import watches

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
    model_config = ConfigDict(from_attributes=True)

    device_id: UUID
    to_device_id: UUID
    began_at: datetime
    until: datetime


class WatchPhoneOut(BaseModel):
    """A phone that warnings can reach, so that carers see by name who hears them."""

    id: UUID
    name: str
    role: DeviceRole
    is_this_phone: bool


class WatchesOut(BaseModel):
    """`watches`: which phones have handed the watch away, to whom and until when. All others hear everything."""

    phones: list[WatchPhoneOut]
    watches: list[WatchOut]

    @classmethod
    def of(cls, session: Session, caller: DeviceCaller, now: datetime) -> "WatchesOut":
        return cls(
            phones=[
                WatchPhoneOut.model_validate({**phone.model_dump(), "is_this_phone": phone.id == caller.device_id})
                for phone in watches.phones_of(session, caller.patient_id)
            ],
            watches=[
                WatchOut.model_validate(watch) for watch in watches.running_watches(session, caller.patient_id, now=now)
            ],
        )


@router.post("/alerts/{alert_id}/snooze")
def snooze(session: DatabaseSession, caller: CallingDevice, now: Now, alert_id: UUID, body: SnoozeIn) -> SnoozeOut:
    """Remind the patient again later. 409 for a red alert, which cannot be snoozed."""
    alert = service.snooze_by_patient(session, caller.patient_id, alert_id, body.hours, now)
    return SnoozeOut(alert_id=alert.id, snoozed_until=alert.snoozed_until)


@router.delete("/alerts/{alert_id}/snooze")
def end_snooze(session: DatabaseSession, caller: CallingDevice, now: Now, alert_id: UUID) -> SnoozeOut:
    """Take back what a phone of this patient snoozed; a clinician's snooze stays."""
    alert = service.end_snooze_by_patient(session, caller.patient_id, alert_id, now)
    return SnoozeOut(alert_id=alert.id, snoozed_until=alert.snoozed_until)


@router.get("/watch")
def running(session: DatabaseSession, caller: CallingDevice, now: Now) -> WatchesOut:
    """Who gets the warnings now."""
    return WatchesOut.of(session, caller, now)


@router.post("/watch")
def hand_over(session: DatabaseSession, caller: CallingDevice, now: Now, body: WatchIn) -> WatchesOut:
    """Until then this phone rings for red alerts alone, and the other one for all."""
    watches.hand_watch(session, caller.patient_id, caller.device_id, body.to_device_id, until=body.until, now=now)
    return WatchesOut.of(session, caller, now)


@router.delete("/watch")
def take_back(session: DatabaseSession, caller: CallingDevice, now: Now) -> WatchesOut:
    watches.take_watch_back(session, caller.patient_id, caller.device_id, now=now)
    return WatchesOut.of(session, caller, now)
