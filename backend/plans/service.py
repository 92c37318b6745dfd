"""Signing plans: each signature makes a new version, which reaches the patient's phones at their next sync."""

from datetime import date, datetime
from uuid import UUID

from sqlmodel import Session

from backend.accounts.tables import Clinician
from backend.clinical.peak_flow import ZoneThresholds
from backend.clinical.personal_best import BestBasis
from backend.core import due
from backend.patients.store import next_changes
from backend.plans.store import plan_in_force
from backend.plans.tables import ActionPlan
from backend.plans.wording import Instructions


def sign(
    session: Session,
    patient_id: UUID,
    clinician: Clinician,
    *,
    personal_best_litres_per_min: int,
    personal_best_basis: BestBasis,
    meter: str,
    thresholds: ZoneThresholds,
    instructions: Instructions,
    review_on: date | None,
    now: datetime,
) -> ActionPlan:
    """Put a new version in force and have the patient assessed by it. Callers check that the patient is theirs."""
    # Locks the patient's row, so that two signatures at once get two versions.
    change = next_changes(session, patient_id)
    before = plan_in_force(session, patient_id)
    plan = ActionPlan(
        patient_id=patient_id,
        version=1 if before is None else before.version + 1,
        signed_at=now,
        signed_by=clinician.id,
        personal_best_litres_per_min=personal_best_litres_per_min,
        personal_best_basis=personal_best_basis.value,
        meter=meter,
        yellow_below_litres_per_min=thresholds.yellow_below_litres_per_min,
        red_below_litres_per_min=thresholds.red_below_litres_per_min,
        instructions=instructions,
        review_on=review_on,
        change=change,
    )
    session.add(plan)
    session.flush()
    due.mark_due(session, "assess", [patient_id], due_at=now)
    return plan
