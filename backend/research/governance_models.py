"""A model from elsewhere that was judged on a hospital's own patients is used there, or declined.

Forecasts of an installation come from one model. Where several hospitals share an installation, the model comes into
use when the last of them has adopted it.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician
from backend.core import audit
from backend.core.errors import SoomError
from backend.patients.tables import Patient
from backend.research.governance import decided_once
from backend.research.governance_tables import ModelCheck, ModelDecision
from ml.registry import NotInRegistry, Registry


class ModelUnfit(SoomError):
    """The model cannot be judged or used; the message says why."""

    status = 422
    code = "model_unfit"
    message = "The model cannot be used as it is."


def decide(
    session: Session,
    who: Clinician,
    registry_folder: Path,
    check_id: int,
    decision: ModelDecision,
    reason: str,
    *,
    now: datetime,
) -> ModelCheck:
    """Use the model or decline it, once. Raises NotAllowed, NotFound, AlreadyDecided, ModelUnfit."""
    row = decided_once(session, who, ModelCheck, check_id, decision, reason, now=now)
    record(session, who, "adopt_model" if decision is ModelDecision.ADOPTED else "decline_model", row, now)
    if decision is ModelDecision.ADOPTED and not _hospitals_without(session, row):
        registry = Registry(registry_folder)
        try:
            if registry.champion() != row.model:
                registry.approve(row.model, by=who.email, now=now, reason=reason)
        except NotInRegistry as error:
            raise ModelUnfit(f"{row.model} is no longer in the registry; check it again.") from error
    return row


def _hospitals_without(session: Session, row: ModelCheck) -> set[UUID]:
    """Hospitals of the installation with patients that have not adopted this very model."""
    adopted = select(ModelCheck.hospital_id).where(
        ModelCheck.model == row.model,
        ModelCheck.model_hash == row.model_hash,
        ModelCheck.decision == ModelDecision.ADOPTED.value,
    )
    return {*session.exec(select(Patient.hospital_id).distinct()).all()} - {*session.exec(adopted).all()}


def checks(session: Session, hospital_id: UUID) -> Sequence[ModelCheck]:
    """Of one hospital, the newest first."""
    return session.exec(
        select(ModelCheck).where(ModelCheck.hospital_id == hospital_id).order_by(col(ModelCheck.id).desc())
    ).all()


def record(session: Session, who: Clinician, action: str, row: ModelCheck, now: datetime) -> None:
    audit.record(
        session,
        now=now,
        actor_kind=audit.ActorKind.CLINICIAN,
        actor_id=who.id,
        action=action,
        detail={"check": row.id, "model": row.model, "hash": row.model_hash, "verdict": row.figures["verdict"]},
    )
