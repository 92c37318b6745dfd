"""Prescribing and stopping inhalers. Either reaches the patient's phones at their next sync."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlmodel import Session

from backend.medication.tables import Inhaler, InhalerRole
from backend.patients.store import next_changes


def prescribe(
    session: Session,
    patient_id: UUID,
    *,
    name: str,
    role: InhalerRole,
    drug: str,
    device: str,
    now: datetime,
    puffs_per_dose: int = 1,
    doses_per_day: int = 0,
    max_puffs_per_day: int | None = None,
    warn_puffs_per_day: int | None = None,
    inhaler_id: UUID | None = None,
) -> Inhaler:
    """Add an inhaler. `doses_per_day` 0 means when needed; `inhaler_id` is for importers that run again."""
    inhaler = Inhaler(
        id=inhaler_id or uuid4(),
        patient_id=patient_id,
        name=name,
        role=role.value,
        drug=drug,
        device=device,
        puffs_per_dose=puffs_per_dose,
        doses_per_day=doses_per_day,
        max_puffs_per_day=max_puffs_per_day,
        warn_puffs_per_day=warn_puffs_per_day,
        prescribed_at=now,
        change=next_changes(session, patient_id),
    )
    session.add(inhaler)
    session.flush()
    return inhaler


def stop(session: Session, inhaler: Inhaler) -> None:
    """Doses already taken of it stay in the diary, and late entries of it are still accepted."""
    inhaler.active = False
    inhaler.change = next_changes(session, inhaler.patient_id)
    session.flush()
