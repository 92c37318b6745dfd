"""Profile and consents of a patient as JSON."""

from uuid import UUID

from fastapi import APIRouter

from backend.core.web import REFUSALS
from backend.dashboard.patient_schemas import ConsentEntryOut, ConsentIn, PersonOut, ProfileIn
from backend.dashboard.patient_view import consent_ledger
from backend.dashboard.profiles import changed_profile, noted_consent, profile_out
from backend.dashboard.viewer import CurrentViewer
from backend.patients.store import visible_patient

router = APIRouter(prefix="/v1/clinician", tags=["clinician"], responses=REFUSALS)


@router.get("/patients/{patient_id}/profile")
def show_profile(viewer: CurrentViewer, patient_id: UUID) -> PersonOut:
    """What is known of the person, and the peak flow that an equation predicts from it."""
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    viewer.record("view_profile", [patient.id])
    return profile_out(viewer, patient)


@router.post("/patients/{patient_id}/profile")
def change_profile(viewer: CurrentViewer, patient_id: UUID, body: ProfileIn) -> PersonOut:
    """Change it. 409 `profile_changed_meanwhile` when somebody else did since you read it; nothing is stored then."""
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    changed_profile(viewer, patient, body)
    return profile_out(viewer, patient)


@router.get("/patients/{patient_id}/consents")
def list_consents(viewer: CurrentViewer, patient_id: UUID) -> list[ConsentEntryOut]:
    """Every consent ever given, by purpose, the newest first, with who wrote it down and its withdrawal."""
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    viewer.record("view_profile", [patient.id])
    return consent_ledger(viewer.session, patient.id)


@router.post("/patients/{patient_id}/consents")
def note_consent(viewer: CurrentViewer, patient_id: UUID, body: ConsentIn) -> list[ConsentEntryOut]:
    """Write down what the patient decided. What stands already changes nothing."""
    return noted_consent(viewer, visible_patient(viewer.session, viewer.clinician, patient_id), body)
