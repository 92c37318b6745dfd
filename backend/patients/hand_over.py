"""Handing patients to a colleague of the same hospital for a while. Callers commit."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import or_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician, Role
from backend.core import audit
from backend.core.audit import ActorKind
from backend.core.errors import NotFound, SoomError
from backend.patients.store import visible_to
from backend.patients.tables import CareRelation, CareRole, HandOver, Patient

MOST_DAYS = 60


class ColleagueUnknown(SoomError):
    status = 422
    code = "colleague_unknown"
    message = "Choose a colleague: an active clinician of your own hospital."


class NobodyToHandOver(SoomError):
    status = 409
    code = "nobody_to_hand_over"
    message = "You are not responsible for any patient, so there is nobody to hand over."


def colleagues(session: Session, clinician: Clinician) -> Sequence[Clinician]:
    """The other active clinicians of the hospital, by name."""
    return session.exec(
        select(Clinician)
        .where(
            Clinician.hospital_id == clinician.hospital_id,
            Clinician.role == Role.CLINICIAN.value,
            Clinician.active,
            Clinician.id != clinician.id,
        )
        .order_by(Clinician.name, Clinician.email)
    ).all()


def hand_over(
    session: Session,
    clinician: Clinician,
    to: UUID,
    patient_ids: Sequence[UUID],
    *,
    note: str,
    days: int,
    now: datetime,
    action: str,
) -> HandOver:
    """Let a colleague see these patients for `days` days. Callers have checked that the clinician sees them.

    A colleague who is responsible for one of them, or covers one for longer, keeps that. Raises ColleagueUnknown.
    """
    if to not in {colleague.id for colleague in colleagues(session, clinician)}:
        raise ColleagueUnknown
    handed = HandOver(
        from_clinician_id=clinician.id,
        to_clinician_id=to,
        note=note,
        began_at=now,
        ends_at=now + timedelta(days=days),
    )
    session.add(handed)
    session.flush()
    covers = insert(CareRelation).values(
        [
            {
                "id": uuid4(),
                "patient_id": patient_id,
                "clinician_id": to,
                "role": CareRole.COVERING.value,
                "began_at": now,
                "hand_over_id": handed.id,
                "ends_at": handed.ends_at,
            }
            for patient_id in patient_ids
        ]
    )
    session.connection().execute(
        covers.on_conflict_do_update(
            index_elements=["patient_id", "clinician_id"],
            index_where=col(CareRelation.ended_at).is_(None),
            set_={"hand_over_id": covers.excluded.hand_over_id, "ends_at": covers.excluded.ends_at},
            where=col(CareRelation.ends_at) <= covers.excluded.ends_at,
        )
    )
    _record(session, now, action, patient_ids, handed, clinician)
    return handed


def hand_over_all(session: Session, clinician: Clinician, to: UUID, *, note: str, days: int, now: datetime) -> HandOver:
    """All patients for whom the clinician is responsible now. Raises NobodyToHandOver or ColleagueUnknown."""
    own = session.exec(
        select(Patient.id)
        .join(CareRelation, col(CareRelation.patient_id) == col(Patient.id))
        .where(
            visible_to(clinician),
            CareRelation.clinician_id == clinician.id,
            CareRelation.role == CareRole.RESPONSIBLE.value,
            col(CareRelation.ended_at).is_(None),
        )
    ).all()
    if not own:
        raise NobodyToHandOver
    return hand_over(session, clinician, to, own, note=note, days=days, now=now, action="hand_over_patients")


def end_hand_over(session: Session, clinician: Clinician, hand_over_id: UUID, *, now: datetime) -> HandOver:
    """End it early, by either of the two; one that has ended stays as it is. Raises NotFound for anybody else."""
    handed = session.exec(
        select(HandOver)
        .where(
            HandOver.id == hand_over_id,
            or_(
                col(HandOver.from_clinician_id) == clinician.id,
                col(HandOver.to_clinician_id) == clinician.id,
            ),
        )
        .with_for_update()
    ).first()
    if handed is None:
        raise NotFound
    if handed.ended_at is not None or handed.ends_at <= now:
        return handed
    handed.ended_at = now
    covers = session.exec(
        select(CareRelation).where(CareRelation.hand_over_id == handed.id, col(CareRelation.ended_at).is_(None))
    ).all()
    for cover in covers:
        cover.ended_at = now
    session.flush()
    _record(session, now, "end_hand_over", [cover.patient_id for cover in covers], handed, clinician)
    return handed


def running(session: Session, clinician: Clinician, *, now: datetime) -> Sequence[HandOver]:
    """Those from and to the clinician that have not ended, the newest first."""
    return session.exec(
        select(HandOver)
        .where(
            or_(
                col(HandOver.from_clinician_id) == clinician.id,
                col(HandOver.to_clinician_id) == clinician.id,
            ),
            col(HandOver.ended_at).is_(None),
            col(HandOver.ends_at) > now,
        )
        .order_by(col(HandOver.began_at).desc())
    ).all()


def _record(
    session: Session,
    now: datetime,
    action: str,
    patient_ids: Sequence[UUID],
    handed: HandOver,
    clinician: Clinician,
) -> None:
    audit.record(
        session,
        now=now,
        actor_kind=ActorKind.CLINICIAN,
        actor_id=clinician.id,
        action=action,
        patient_ids=patient_ids,
        detail={"hand_over_id": str(handed.id), "to": str(handed.to_clinician_id)},
    )
