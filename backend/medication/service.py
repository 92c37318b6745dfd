"""Prescribing and stopping inhalers. Either reaches the patient's phones at their next sync."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlmodel import Session

from backend.clinical.medicines import Prescription, Product, Regimen, Use, inhalation_limits
from backend.medication.store import inhalers
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
    product_id: str | None = None,
    use: Use | None = None,
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
        product_id=product_id,
        use=None if use is None else use.value,
        prescribed_at=now,
        change=next_changes(session, patient_id),
    )
    session.add(inhaler)
    session.flush()
    return inhaler


def stop(session: Session, inhaler: Inhaler, *, now: datetime) -> None:
    """Doses already taken of it stay in the diary, and late entries of it are still accepted."""
    inhaler.active = False
    inhaler.stopped_at = now
    inhaler.change = next_changes(session, inhaler.patient_id)
    session.flush()


ROLE_OF_USE = {
    Use.AS_NEEDED: InhalerRole.RELIEVER,
    Use.MAINTENANCE: InhalerRole.CONTROLLER,
    Use.MAINTENANCE_AND_RELIEVER: InhalerRole.BOTH,
}
_DEVICES = {"pmdi": "metered dose inhaler", "dpi": "dry powder inhaler", "smi": "soft mist inhaler"}


def prescribe_regimen(
    session: Session, patient_id: UUID, regimen: Regimen, age_years: float, *, now: datetime
) -> list[Inhaler]:
    """Bring the patient's inhalers in line with a regimen that was signed; the active ones, in its order.

    What stays as it was keeps its row, so that the phone's diary of it goes on; all else is stopped or new.
    """
    active = [inhaler for inhaler in inhalers(session, patient_id) if inhaler.active]
    kept: list[Inhaler] = []
    for prescription in regimen.prescriptions:
        wanted = _columns(prescription, age_years)
        same = next((i for i in active if all(getattr(i, name) == value for name, value in wanted.items())), None)
        kept.append(same or prescribe(session, patient_id, now=now, **_arguments(wanted)))
    for inhaler in active:
        if inhaler not in kept:
            stop(session, inhaler, now=now)
    return kept


def _columns(prescription: Prescription, age_years: float) -> dict[str, Any]:
    product = prescription.product
    limits = inhalation_limits(prescription, age_years)
    return {
        "name": product.name,
        "role": ROLE_OF_USE[prescription.use].value,
        "drug": drug_name(product),
        "device": _DEVICES[product.device],
        "puffs_per_dose": prescription.inhalations,
        "doses_per_day": prescription.times_a_day,
        "max_puffs_per_day": limits.most_a_day,
        "warn_puffs_per_day": limits.warn_from,
        "product_id": product.id,
        "use": prescription.use.value,
    }


def _arguments(columns: dict[str, Any]) -> dict[str, Any]:
    return columns | {"role": InhalerRole(columns["role"]), "use": Use(columns["use"])}


def drug_name(product: Product) -> str:
    """`budesonide-formoterol`: what is inside, without the kind of device."""
    parts = [product.saba, product.ics, product.laba, product.lama]
    return "-".join(part.removesuffix("_dpi").replace("_", " ") for part in parts if part)
