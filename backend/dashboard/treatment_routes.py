"""The treatment loop as JSON: `/v1/clinician/`. The pages do the same through the same functions."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from backend.accounts.sign_in import confirm_password
from backend.core import audit
from backend.core.web import REFUSALS
from backend.dashboard.patient_view import local_today
from backend.dashboard.treatment_view import (
    MeasurementOut,
    ProductOut,
    TreatmentOut,
    VersionOut,
    measurements_out,
    medicines,
    treatment_view,
    versions_out,
)
from backend.dashboard.viewer import CurrentViewer, Viewer
from backend.measurements import service as measurement_service
from backend.measurements.schemas import MeasurementsIn
from backend.patients.store import visible_patient
from backend.patients.tables import Patient
from backend.plans import saved_drafts
from backend.plans.draft import Checked, PlanDraft
from backend.plans.schemas import SavedDraftIn, SavedDraftOut
from backend.plans.service import check_draft
from backend.recommendations import decisions
from backend.recommendations.drafting import StartingPoint, starting_point
from backend.recommendations.schemas import (
    ChecksIn,
    RejectionIn,
    ReviewOut,
    SignatureIn,
    VerdictIn,
)
from backend.recommendations.service import look_again

router = APIRouter(prefix="/v1/clinician", tags=["treatment"], responses=REFUSALS)


class SignedOut(BaseModel):
    version: int
    signed_at: datetime

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 2, "signed_at": "2026-11-20T03:12:44Z"}]})


@router.get("/medicines")
def list_medicines(viewer: CurrentViewer) -> list[ProductOut]:
    """The catalogue that prescriptions are made from, with the source of every strength."""
    return medicines()


@router.get("/patients/{patient_id}/treatment")
def show_treatment(viewer: CurrentViewer, patient_id: UUID) -> TreatmentOut:
    """Control, adherence, risks, the open recommendation, checks, measurements, signed versions and their outcome."""
    patient = _opened(viewer, patient_id, "view_treatment")
    return treatment_view(viewer.session, patient, now=viewer.now, language=viewer.language)


@router.post("/patients/{patient_id}/checks")
def answer_checks(viewer: CurrentViewer, patient_id: UUID, body: ChecksIn) -> TreatmentOut:
    """Answer items of the checklist, circumstances and risk factors. The newest answer of each counts."""
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    decisions.answer_checks(viewer.session, patient, viewer.clinician, body, now=viewer.now)
    return treatment_view(viewer.session, patient, now=viewer.now, language=viewer.language)


@router.get("/patients/{patient_id}/plan-draft")
def start_draft(
    viewer: CurrentViewer,
    patient_id: UUID,
    option: Annotated[str | None, Query(max_length=40, description="Code of an option of the recommendation.")] = None,
) -> StartingPoint:
    """What a new plan would start from: the plan in force, with the regimen of `option` where one is named."""
    patient = _opened(viewer, patient_id, "view_treatment")
    return starting_point(viewer.session, patient, option, now=viewer.now)


@router.post("/patients/{patient_id}/plan-draft/check")
def check_plan(viewer: CurrentViewer, patient_id: UUID, body: PlanDraft) -> Checked:
    """What the rules say of a draft, field by field, and what the patient would read. Stores nothing."""
    patient = _opened(viewer, patient_id, "view_treatment")
    return check_draft(viewer.session, patient, body, now=viewer.now)


@router.get("/patients/{patient_id}/plan-draft/saved")
def show_saved_draft(viewer: CurrentViewer, patient_id: UUID) -> SavedDraftOut | None:
    """What the caller has written of a plan and not signed yet; null when there is nothing."""
    patient = _opened(viewer, patient_id, "view_treatment")
    saved = saved_drafts.saved_draft(viewer.session, viewer.clinician.id, patient.id)
    return None if saved is None else SavedDraftOut.model_validate(saved, from_attributes=True)


@router.post("/patients/{patient_id}/plan-draft/saved")
def save_draft(viewer: CurrentViewer, patient_id: UUID, body: SavedDraftIn) -> SavedDraftOut:
    """Keep a half-written plan, for the caller alone. 409 `draft_changed_meanwhile` when another editor has saved."""
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    saved = saved_drafts.save(
        viewer.session,
        viewer.clinician.id,
        patient.id,
        body.fields,
        based_on_version=body.based_on_version,
        editor=body.editor,
        seen_at=body.seen_at,
        now=viewer.now,
    )
    return SavedDraftOut.model_validate(saved, from_attributes=True)


@router.post("/patients/{patient_id}/plan-draft/discard", status_code=204)
def discard_draft(viewer: CurrentViewer, patient_id: UUID) -> None:
    """Throw the caller's saved draft away; nothing happens where there is none."""
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    saved_drafts.discard(viewer.session, viewer.clinician.id, patient.id)


@router.get("/patients/{patient_id}/plans")
def list_plans(viewer: CurrentViewer, patient_id: UUID) -> list[VersionOut]:
    """Every signed version, newest first, with its difference and read receipt."""
    patient = _opened(viewer, patient_id, "view_treatment")
    return versions_out(viewer.session, patient.id, viewer.language)


@router.post("/patients/{patient_id}/plans", status_code=201)
def sign_plan(viewer: CurrentViewer, patient_id: UUID, body: SignatureIn) -> SignedOut:
    """Sign a draft: a new version, on the patient's phone at its next sync.

    403 `password_not_confirmed`; 409 `plan_changed_meanwhile`, `recommendation_no_longer_open`; 422 `plan_refused`,
    `checklist_open`, `checklist_not_in_order`, `option_not_offered`. Nothing is stored then.
    """
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    return signed(viewer, patient, body)


def signed(viewer: Viewer, patient: Patient, body: SignatureIn) -> SignedOut:
    confirm_password(viewer.session, viewer.clinician, body.password, now=viewer.now)
    plan = decisions.sign_treatment(
        viewer.session,
        patient,
        viewer.clinician,
        body.draft,
        reason=body.reason,
        recommendation_id=body.recommendation_id,
        option=body.option,
        despite_checklist=body.despite_checklist,
        now=viewer.now,
    )
    saved_drafts.discard(viewer.session, viewer.clinician.id, patient.id)
    return SignedOut(version=plan.version, signed_at=plan.signed_at)


@router.post("/patients/{patient_id}/recommendation/rejection")
def reject_recommendation(viewer: CurrentViewer, patient_id: UUID, body: RejectionIn) -> TreatmentOut:
    """Decide against the open recommendation, with a reason. 409 when it is no longer open."""
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    decisions.reject(
        viewer.session, patient, viewer.clinician, body.recommendation_id, reason=body.reason, now=viewer.now
    )
    return treatment_view(viewer.session, patient, now=viewer.now, language=viewer.language)


@router.post("/patients/{patient_id}/outcome-review")
def give_verdict(viewer: CurrentViewer, patient_id: UUID, body: VerdictIn) -> ReviewOut:
    """Answer the review of a signed version once it is due. 409 before that, and after it was answered."""
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    row = decisions.give_verdict(viewer.session, patient, viewer.clinician, body, now=viewer.now)
    return ReviewOut.model_validate(row, from_attributes=True)


@router.get("/patients/{patient_id}/measurements")
def list_measurements(viewer: CurrentViewer, patient_id: UUID) -> list[MeasurementOut]:
    """Biomarkers and spirometry, newest first, without what was withdrawn."""
    patient = _opened(viewer, patient_id, "view_measurements")
    return measurements_out(viewer.session, patient.id)


@router.post("/patients/{patient_id}/measurements", status_code=201)
def enter_measurements(viewer: CurrentViewer, patient_id: UUID, body: MeasurementsIn) -> list[MeasurementOut]:
    """Enter what was measured on one day; all of it or nothing. 422 `measurement_refused` names the field."""
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    entered(viewer, patient, body)
    return measurements_out(viewer.session, patient.id)


def entered(viewer: Viewer, patient: Patient, body: MeasurementsIn) -> None:
    today = local_today(patient, viewer.now)
    measurement_service.enter(viewer.session, patient.id, viewer.clinician.id, body, today=today, now=viewer.now)
    _wrote(viewer, patient, "measurement.entered", entries=len(body.measurements))


class WithdrawalIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"measurement_id": "5f0a9b11-6d5e-4a57-8a7c-8f3c8f3a0a6f"}]},
    )

    measurement_id: UUID


@router.post("/patients/{patient_id}/measurements/withdrawal")
def withdraw_measurement(viewer: CurrentViewer, patient_id: UUID, body: WithdrawalIn) -> list[MeasurementOut]:
    """Take back a measurement entered by mistake; it stays on record and no longer counts."""
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    withdrawn(viewer, patient, body.measurement_id)
    return measurements_out(viewer.session, patient.id)


def withdrawn(viewer: Viewer, patient: Patient, measurement_id: UUID) -> None:
    measurement_service.withdraw(viewer.session, patient.id, measurement_id, viewer.clinician.id, now=viewer.now)
    _wrote(viewer, patient, "measurement.withdrawn")


def _wrote(viewer: Viewer, patient: Patient, action: str, **detail: int) -> None:
    audit.record(
        viewer.session,
        now=viewer.now,
        actor_kind=audit.ActorKind.CLINICIAN,
        actor_id=viewer.clinician.id,
        action=action,
        patient_ids=[patient.id],
        detail=dict(detail),
    )
    look_again(viewer.session, [patient.id], viewer.now)


def _opened(viewer: Viewer, patient_id: UUID, action: str) -> Patient:
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    viewer.record(action, [patient.id])
    return patient
