"""Signing plans: each signature makes a new version, which reaches the patient's phones at their next sync."""

from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import Session

from backend.accounts.tables import Clinician, Hospital
from backend.clinical.ladder import describe
from backend.clinical.peak_flow import ZoneThresholds
from backend.clinical.personal_best import BestBasis
from backend.core import due
from backend.medication.service import prescribe_regimen
from backend.patients.age import age_years
from backend.patients.store import next_changes
from backend.patients.tables import Patient
from backend.plans.draft import About, Checked, PlanDraft, check, content_of, refuse_what_the_rules_refuse
from backend.plans.errors import PlanChangedMeanwhile
from backend.plans.store import content_of_plan, plan_in_force
from backend.plans.tables import ActionPlan
from backend.plans.wording import Instructions


def about(session: Session, patient: Patient, now: datetime) -> About:
    """What the checks of a draft need to know of the patient."""
    before = plan_in_force(session, patient.id)
    today = now.astimezone(ZoneInfo(patient.time_zone)).date()
    return About(
        age_years=None if patient.born_on is None else age_years(patient.born_on, today),
        weight_kg=patient.weight_kg,
        country=session.get_one(Hospital, patient.hospital_id).country,
        before=None if before is None else content_of_plan(before),
    )


def check_draft(session: Session, patient: Patient, draft: PlanDraft, *, now: datetime) -> Checked:
    """What the editor shows while a plan is written; nothing is stored."""
    return check(draft, about(session, patient, now), now.astimezone(ZoneInfo(patient.time_zone)).date())


def sign_draft(
    session: Session, patient: Patient, clinician: Clinician, draft: PlanDraft, *, reason: str, now: datetime
) -> ActionPlan:
    """Put a draft in force, its prescriptions on the phone's list. Callers have asked for the password again.

    Raises PlanChangedMeanwhile where the draft was written against an older version, and PlanRefused where the rules
    refuse it; then nothing is stored.
    """
    # Locks the patient's row: of two who sign at once, the second meets the first one's version.
    next_changes(session, patient.id)
    in_force = plan_in_force(session, patient.id)
    if draft.based_on_version != (0 if in_force is None else in_force.version):
        raise PlanChangedMeanwhile
    known = about(session, patient, now)
    checked = check(draft, known, now.astimezone(ZoneInfo(patient.time_zone)).date())
    refuse_what_the_rules_refuse(checked)
    regimen, years = draft.regimen.read(), known.age_years or 0.0
    inhalers = prescribe_regimen(session, patient.id, regimen, years, now=now)
    written = draft.regimen.model_dump(mode="json")
    for prescription, inhaler in zip(written["prescriptions"], inhalers, strict=True):
        prescription["inhaler_id"] = str(inhaler.id)
    rung = describe(regimen, years)
    patient.treatment_step = None if rung is None else rung.step.number
    session.add(patient)
    return sign(
        session,
        patient.id,
        clinician,
        personal_best_litres_per_min=draft.personal_best_litres_per_min,
        personal_best_basis=draft.personal_best_basis,
        meter=draft.meter,
        thresholds=ZoneThresholds(draft.yellow_below_litres_per_min, draft.red_below_litres_per_min),
        instructions=checked.instructions,
        review_on=draft.review_on,
        now=now,
        more={
            "regimen": written,
            "oral_steroid": None if draft.oral_steroid is None else draft.oral_steroid.model_dump(mode="json"),
            "extra_instructions": content_of(draft).extra,
            "reminders": [reminder.model_dump(mode="json") for reminder in draft.reminders],
            "difference": checked.difference,
            "reason": reason,
            "edition": checked.edition,
        },
    )


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
    more: dict[str, Any] | None = None,
) -> ActionPlan:
    """Put a new version in force and have the patient assessed by it. Callers check that the patient is theirs.

    `more`: further columns, as a checked draft fills them.
    """
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
        **(more or {}),
    )
    session.add(plan)
    session.flush()
    due.mark_due(session, "assess", [patient_id], due_at=now)
    due.mark_due(session, "plan_reminders", [patient_id], due_at=now)
    return plan
