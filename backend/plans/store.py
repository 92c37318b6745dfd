"""Queries on action plans, and a stored plan read back into the terms of the rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from backend.clinical.action_plan import OralSteroid
from backend.clinical.medicines import AddOn, Regimen
from backend.medication.schemas import RegimenIn
from backend.plans.difference import PlanContent
from backend.plans.tables import ActionPlan, PlanReceipt

ADD_ON_COURSES = (Path(__file__).parent / "add_on_courses.sql").read_text(encoding="utf-8")


@dataclass(frozen=True)
class AddOnCourse:
    """An add-on treatment from the version of the plan that began it until the one that left it out; None: goes on."""

    kind: AddOn
    from_version: int
    began_at: datetime
    ended_at: datetime | None


def plan_in_force(session: Session, patient_id: UUID) -> ActionPlan | None:
    return session.exec(
        select(ActionPlan).where(ActionPlan.patient_id == patient_id).order_by(col(ActionPlan.version).desc()).limit(1)
    ).first()


def receipts_of(session: Session, patient_id: UUID) -> Sequence[PlanReceipt]:
    """What the patient has read, oldest first."""
    return session.exec(
        select(PlanReceipt)
        .where(PlanReceipt.patient_id == patient_id, col(PlanReceipt.deleted).is_(False))
        .order_by(col(PlanReceipt.taken_at))
    ).all()


def plan_versions(session: Session, patient_id: UUID) -> Sequence[ActionPlan]:
    """Newest first."""
    return session.exec(
        select(ActionPlan).where(ActionPlan.patient_id == patient_id).order_by(col(ActionPlan.version).desc())
    ).all()


def add_on_courses(session: Session, patient_id: UUID) -> list[AddOnCourse]:
    """Oldest first."""
    found = session.connection().execute(text(ADD_ON_COURSES), {"patient_ids": [patient_id]})
    return [AddOnCourse(AddOn(row.kind), row.from_version, row.began_at, row.ended_at) for row in found]


def regimen_of(plan: ActionPlan | None) -> Regimen | None:
    """The signed regimen; None for a plan from before prescriptions were structured."""
    return None if plan is None or plan.regimen is None else read_regimen(plan.regimen)


def read_regimen(stored: dict[str, Any]) -> Regimen:
    """A regimen as it is kept in a plan, where each prescription also names the phone's inhaler."""
    written = [
        {name: value for name, value in prescription.items() if name != "inhaler_id"}
        for prescription in stored["prescriptions"]
    ]
    return RegimenIn.model_validate({**stored, "prescriptions": written}).read()


def content_of_plan(plan: ActionPlan) -> PlanContent:
    return PlanContent(
        personal_best_litres_per_min=plan.personal_best_litres_per_min,
        meter=plan.meter,
        yellow_below_litres_per_min=plan.yellow_below_litres_per_min,
        red_below_litres_per_min=plan.red_below_litres_per_min,
        regimen=regimen_of(plan),
        oral_steroid=None if plan.oral_steroid is None else OralSteroid(**plan.oral_steroid),
        extra=plan.extra_instructions,
        review_on=plan.review_on,
    )
