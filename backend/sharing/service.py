"""Who may see a diary and who has: consents, links, carers, and the patient's reading of the audit trail."""

import secrets
from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import update
from sqlmodel import Session, col, select

from backend.accounts.errors import AccessTokenInvalid
from backend.accounts.tables import Clinician, Device, DeviceRole, RefreshToken
from backend.accounts.tokens import CODE_VALID, DeviceCaller, create_enrolment_code, hashed
from backend.core import audit, due
from backend.core.audit import ActorKind, AuditEntry
from backend.patients import service as patients
from backend.patients.store import next_changes
from backend.patients.tables import Patient
from backend.sharing.errors import CarerNotAllowed, LinkUnknown, PhoneUnknown, TooManyLinks
from backend.sharing.schemas import (
    AccessOut,
    CarerCodeOut,
    ConsentIn,
    LinkIn,
    LinkOut,
    NewLinkOut,
    PhoneOut,
)
from backend.sharing.tables import SharedLink

MOST_OPEN_LINKS = 10
ACCESS_DAYS = 365
MOST_ACCESSES = 200
OPENED_LINK = "open_shared_link"


def own_patient(session: Session, caller: DeviceCaller) -> Patient:
    """The patient of a phone that is the patient's own. Raises CarerNotAllowed or AccessTokenInvalid."""
    device = session.get(Device, (caller.device_id, caller.patient_id))
    if device is None or device.removed_at is not None:
        raise AccessTokenInvalid
    if device.role != DeviceRole.PATIENT:
        raise CarerNotAllowed
    return session.get_one(Patient, caller.patient_id)


# Consents


def decide(session: Session, caller: DeviceCaller, decision: ConsentIn, *, now: datetime) -> Patient:
    """Keep a consent or its withdrawal; the patient's other phones learn of it, and the forecast follows it."""
    patient = own_patient(session, caller)
    if decision.given:
        patients.grant(session, patient.id, decision.purpose, text_version=decision.text_version, now=now)
    else:
        patients.withdraw(session, patient.id, decision.purpose, now=now)
    patient.profile_change = next_changes(session, patient.id)
    session.flush()
    due.mark_due(session, "assess", [patient.id], due_at=now)
    action = "give_consent" if decision.given else "withdraw_consent"
    _record(session, caller, action, now, {"purpose": decision.purpose.value})
    return patient


# Who saw it


def accesses(session: Session, patient: Patient, *, now: datetime) -> list[AccessOut]:
    """Who opened or changed the patient's data in the last year, a line per person and day, newest first."""
    found = session.exec(
        select(AuditEntry.happened_at, AuditEntry.actor_kind, AuditEntry.detail, Clinician.name)
        .join(Clinician, col(Clinician.id) == col(AuditEntry.actor_id), isouter=True)
        .where(
            AuditEntry.patient_id == patient.id,
            AuditEntry.happened_at >= now - timedelta(days=ACCESS_DAYS),
            (col(AuditEntry.actor_kind) == ActorKind.CLINICIAN.value) | (col(AuditEntry.action) == OPENED_LINK),
        )
        .order_by(col(AuditEntry.id).desc())
    )
    zone = ZoneInfo(patient.time_zone)
    times: Counter[tuple[str, str, str]] = Counter()
    for happened_at, kind, detail, name in found:
        role = "clinician" if kind == ActorKind.CLINICIAN else "guest"
        who = (name or "") if role == "clinician" else str(detail.get("label", ""))
        times[happened_at.astimezone(zone).date().isoformat(), role, who] += 1
    newest_first = sorted(times.items(), key=lambda item: item[0][0], reverse=True)[:MOST_ACCESSES]
    return [
        AccessOut.model_validate({"on": day, "role": role, "name": who, "times": count})
        for (day, role, who), count in newest_first
    ]


# Links


def open_links(session: Session, patient_id: UUID, *, now: datetime) -> list[LinkOut]:
    """Those that neither expired nor were taken back, newest first."""
    found = session.exec(
        select(SharedLink)
        .where(SharedLink.patient_id == patient_id, SharedLink.expires_at > now, col(SharedLink.revoked_at).is_(None))
        .order_by(col(SharedLink.created_at).desc())
    )
    return [LinkOut.model_validate(link, from_attributes=True) for link in found]


def new_link(session: Session, caller: DeviceCaller, asked: LinkIn, *, address: str, now: datetime) -> NewLinkOut:
    """A link to the report, on the server at `address`. Raises TooManyLinks."""
    patient = own_patient(session, caller)
    if len(open_links(session, patient.id, now=now)) >= MOST_OPEN_LINKS:
        raise TooManyLinks
    token = secrets.token_urlsafe(32)
    link = SharedLink(
        patient_id=patient.id,
        token_hash=hashed(token),
        label=asked.label,
        language=asked.language.value,
        created_at=now,
        expires_at=now + timedelta(days=asked.days),
    )
    session.add(link)
    session.flush()
    _record(session, caller, "share_link", now, {"link_id": str(link.id)})
    shown = LinkOut.model_validate(link, from_attributes=True)
    return NewLinkOut(**shown.model_dump(), address=f"{address}/shared/{token}")


def revoke_link(session: Session, caller: DeviceCaller, link_id: UUID, *, now: datetime) -> None:
    """Raises LinkUnknown for one that is not the patient's. Taking back twice changes nothing."""
    patient = own_patient(session, caller)
    link = session.get(SharedLink, link_id)
    if link is None or link.patient_id != patient.id:
        raise LinkUnknown
    if link.revoked_at is None:
        link.revoked_at = now
        _record(session, caller, "end_shared_link", now, {"link_id": str(link.id)})


def opened_link(session: Session, token: str, *, now: datetime) -> SharedLink | None:
    """The link of a token, counted and audited as opened; None if it does not open, or no longer."""
    link = session.exec(select(SharedLink).where(SharedLink.token_hash == hashed(token)).with_for_update()).first()
    if link is None or link.revoked_at is not None or link.expires_at <= now:
        return None
    link.opened_count += 1
    link.last_opened_at = now
    audit.record(
        session,
        now=now,
        actor_kind=ActorKind.GUEST,
        actor_id=link.id,
        action=OPENED_LINK,
        patient_ids=[link.patient_id],
        detail={"link_id": str(link.id), "label": link.label},
    )
    return link


# Carers


def carer_code(session: Session, caller: DeviceCaller, *, address: str, now: datetime) -> CarerCodeOut:
    """A code that lets a carer's phone in."""
    patient = own_patient(session, caller)
    code = create_enrolment_code(session, patient.id, created_by=None, now=now, role=DeviceRole.CARER)
    _record(session, caller, "create_carer_code", now)
    return CarerCodeOut(code=code, expires_at=now + CODE_VALID, link=f"soom://enrol?code={code}&server={address}")


def phones(session: Session, caller: DeviceCaller) -> list[PhoneOut]:
    """The patient's phones and those of carers, newest first."""
    patient = own_patient(session, caller)
    found = session.exec(
        select(Device)
        .where(Device.patient_id == patient.id, col(Device.removed_at).is_(None))
        .order_by(col(Device.enrolled_at).desc())
    )
    return [
        PhoneOut.model_validate({**device.model_dump(), "is_this_phone": device.id == caller.device_id})
        for device in found
    ]


def remove_carer(session: Session, caller: DeviceCaller, device_id: UUID, *, now: datetime) -> None:
    """Shut a carer's phone out; what it wrote stays. Raises PhoneUnknown."""
    patient = own_patient(session, caller)
    device = session.get(Device, (device_id, patient.id))
    if device is None or device.removed_at is not None or device.role != DeviceRole.CARER:
        raise PhoneUnknown
    device.removed_at, device.push_token = now, None
    session.connection().execute(
        update(RefreshToken)
        .where(
            col(RefreshToken.device_id) == device_id,
            col(RefreshToken.patient_id) == patient.id,
            col(RefreshToken.revoked_at).is_(None),
        )
        .values(revoked_at=now)
    )
    _record(session, caller, "remove_carer", now, {"device_id": str(device_id)})


def _record(
    session: Session, caller: DeviceCaller, action: str, now: datetime, detail: dict[str, str] | None = None
) -> None:
    audit.record(
        session,
        now=now,
        actor_kind=ActorKind.PATIENT,
        actor_id=caller.patient_id,
        action=action,
        patient_ids=[caller.patient_id],
        detail={"device_id": str(caller.device_id)} | (detail or {}),
    )
