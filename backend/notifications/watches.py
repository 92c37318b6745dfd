"""The watch over a child, handed from one carer's phone to another's. It comes back by itself: nobody can forget it."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, delete, select

from backend.accounts.tables import Device, DeviceRole
from backend.core import audit
from backend.core.errors import SoomError
from backend.notifications.tables import Watch

LONGEST_WATCH = timedelta(days=14)


class PhoneUnknown(SoomError):
    status = 422
    code = "phone_unknown"
    message = "Choose another phone that is enrolled for the same patient."


class WatchTooLong(SoomError):
    status = 422
    code = "watch_too_long"
    message = "Choose a time within the next 14 days."


def hand_watch(
    session: Session, patient_id: UUID, device_id: UUID, to_device_id: UUID, *, until: datetime, now: datetime
) -> Watch:
    """Until then only red alerts ring on the calling phone. Again: the newer one holds.

    Raises WatchTooLong, or PhoneUnknown also for a phone that has itself handed the watch away: somebody must hear.
    """
    if not now < until <= now + LONGEST_WATCH:
        raise WatchTooLong
    # Locked, so that two carers cannot hand the watch to each other at the same moment.
    phones = session.exec(
        select(Device.id)
        .where(Device.patient_id == patient_id, col(Device.removed_at).is_(None))
        .order_by(col(Device.id))
        .with_for_update()
    ).all()
    resting = running_watches(session, patient_id, now=now)
    if to_device_id == device_id or to_device_id not in phones or to_device_id in {one.device_id for one in resting}:
        raise PhoneUnknown
    row = {
        "device_id": device_id,
        "patient_id": patient_id,
        "to_device_id": to_device_id,
        "began_at": now,
        "until": until,
    }
    statement = insert(Watch).values(row)
    session.connection().execute(
        statement.on_conflict_do_update(
            index_elements=["device_id", "patient_id"],
            set_={name: statement.excluded[name] for name in ("to_device_id", "began_at", "until")},
        )
    )
    _record(session, patient_id, "hand_watch", now, device_id, to=str(to_device_id))
    return Watch.model_validate(row)


def take_watch_back(session: Session, patient_id: UUID, device_id: UUID, *, now: datetime) -> None:
    """From now on everything rings again on the calling phone. Without a watch handed away nothing changes."""
    session.exec(delete(Watch).where(col(Watch.patient_id) == patient_id, col(Watch.device_id) == device_id))
    _record(session, patient_id, "take_watch_back", now, device_id)


def phones_of(session: Session, patient_id: UUID) -> list[Device]:
    """Every phone that warnings can reach, the patient's own before those of carers, then as they came."""
    return list(
        session.exec(
            select(Device)
            .where(Device.patient_id == patient_id, col(Device.removed_at).is_(None))
            .order_by(col(Device.role) != DeviceRole.PATIENT.value, col(Device.enrolled_at), col(Device.id))
        ).all()
    )


def running_watches(session: Session, patient_id: UUID, *, now: datetime) -> list[Watch]:
    return list(
        session.exec(select(Watch).where(Watch.patient_id == patient_id, *running(now)).order_by(col(Watch.began_at)))
    )


def running(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Which watches rest at an instant: a phone that was shut out since can hear nothing for another."""
    still_there = (
        select(Device.id)
        .where(
            col(Device.id) == col(Watch.to_device_id),
            col(Device.patient_id) == col(Watch.patient_id),
            col(Device.removed_at).is_(None),
        )
        .exists()
    )
    return col(Watch.began_at) <= now, col(Watch.until) > now, still_there


def _record(session: Session, patient_id: UUID, action: str, now: datetime, device_id: UUID, **detail: object) -> None:
    audit.record(
        session,
        now=now,
        actor_kind=audit.ActorKind.PATIENT,
        actor_id=patient_id,
        action=action,
        patient_ids=[patient_id],
        detail={"device_id": str(device_id), **detail},
    )
