"""Queries on patients. `visible_to()` is the only access filter: every query for a clinician goes through it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, text
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician
from backend.core import audit
from backend.core.errors import NotFound
from backend.patients.tables import CareRelation, CareRole, Consent, Patient, Purpose


def visible_to(clinician: Clinician) -> ColumnElement[bool]:
    """SQL condition: the patient is of the clinician's hospital and in an open care relation with the clinician."""
    in_care = select(CareRelation.patient_id).where(
        CareRelation.clinician_id == clinician.id, col(CareRelation.ended_at).is_(None)
    )
    return (col(Patient.hospital_id) == clinician.hospital_id) & col(Patient.id).in_(in_care)


def visible_patient(session: Session, clinician: Clinician, patient_id: UUID) -> Patient:
    """Raises NotFound for an unknown patient and for one that is not the clinician's: the two look the same."""
    patient = session.exec(select(Patient).where(Patient.id == patient_id, visible_to(clinician))).first()
    if patient is None:
        raise NotFound
    return patient


def next_changes(session: Session, patient_id: UUID, count: int = 1) -> int:
    """Reserve `count` consecutive change numbers and return the first.

    The patient's row stays locked until the commit, so numbers become visible in their order and a phone that has
    seen number n has seen all before it.
    """
    last = session.connection().execute(
        text("UPDATE patient SET last_change = last_change + :count WHERE id = :patient_id RETURNING last_change"),
        {"count": count, "patient_id": patient_id},
    )
    return int(last.scalar_one()) - count + 1


def care_team(session: Session, patient_id: UUID) -> Sequence[Clinician]:
    return session.exec(
        select(Clinician)
        .join(CareRelation, col(CareRelation.clinician_id) == col(Clinician.id))
        .where(CareRelation.patient_id == patient_id, col(CareRelation.ended_at).is_(None), Clinician.active)
        .order_by(Clinician.name)
    ).all()


def add_to_care(
    session: Session,
    patient_id: UUID,
    clinician_id: UUID,
    *,
    now: datetime,
    role: CareRole = CareRole.RESPONSIBLE,
) -> None:
    session.add(CareRelation(patient_id=patient_id, clinician_id=clinician_id, role=role.value, began_at=now))
    session.flush()


def end_due_covers(session: Session, now: datetime) -> None:
    """Close the covers whose time is over. Each request of a clinician begins with it: none outlives its end."""
    ended = session.connection().execute(
        text(
            "UPDATE care_relation SET ended_at = ends_at"
            " WHERE ended_at IS NULL AND ends_at <= :now RETURNING patient_id"
        ),
        {"now": now},
    )
    patient_ids = list(ended.scalars())
    if patient_ids:
        audit.record(
            session,
            now=now,
            actor_kind=audit.ActorKind.SYSTEM,
            actor_id=None,
            action="end_cover",
            patient_ids=patient_ids,
        )


def has_consented(session: Session, patient_id: UUID, purpose: Purpose) -> bool:
    return (
        session.exec(
            select(Consent.id).where(
                Consent.patient_id == patient_id, Consent.purpose == purpose.value, col(Consent.withdrawn_at).is_(None)
            )
        ).first()
        is not None
    )
