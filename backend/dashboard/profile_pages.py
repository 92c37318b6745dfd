"""The page on which a clinician changes a patient's profile and writes down consents."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError

from backend.core.errors import InvalidFields
from backend.dashboard.patient_schemas import ConsentIn, PatientIn, ProfileIn
from backend.dashboard.patient_view import consent_ledger
from backend.dashboard.profiles import changed_profile, noted_consent, profile_out
from backend.dashboard.viewer import CurrentViewer, Viewer
from backend.patients.errors import ProfileChangedMeanwhile
from backend.patients.store import visible_patient
from backend.patients.tables import Patient, Purpose
from backend.plans.store import plan_in_force

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


async def _sent(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


@router.get("/patients/{patient_id}/profile")
def profile_page(viewer: CurrentViewer, patient_id: UUID, saved: bool = False) -> Response:
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    viewer.record("view_profile", [patient.id])
    return _page(viewer, patient, saved=saved)


@router.post("/patients/{patient_id}/profile")
def change_profile(
    viewer: CurrentViewer, patient_id: UUID, sent: Annotated[dict[str, str], Depends(_sent)]
) -> Response:
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    named = {*PatientIn.model_fields, "profile_change"}
    values = {name: value for name, value in sent.items() if name in named}
    try:
        changed_profile(viewer, patient, ProfileIn.model_validate({k: v for k, v in values.items() if v.strip()}))
    except ValidationError as error:
        return _page(viewer, patient, values=values, problems={str(problem["loc"][0]) for problem in error.errors()})
    except InvalidFields as error:
        return _page(viewer, patient, values=values, problems={field.path for field in error.fields})
    except ProfileChangedMeanwhile:
        return _page(viewer, patient, values=values, problems={"profile_change"}, status=409)
    return Response(status_code=204, headers={"HX-Redirect": f"/patients/{patient_id}/profile?saved=1"})


@router.post("/patients/{patient_id}/consents")
def note_consent(
    viewer: CurrentViewer, patient_id: UUID, purpose: Annotated[Purpose, Form()], given: Annotated[bool, Form()]
) -> Response:
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    noted_consent(viewer, patient, ConsentIn(purpose=purpose, given=given))
    return Response(status_code=204, headers={"HX-Refresh": "true"})


def _page(
    viewer: Viewer,
    patient: Patient,
    *,
    saved: bool = False,
    values: dict[str, str] | None = None,
    problems: set[str] = frozenset(),  # type: ignore[assignment]
    status: int = 422,
) -> Response:
    profile = profile_out(viewer, patient)
    known = {name: "" if value is None else str(value) for name, value in profile.model_dump(mode="json").items()}
    plan = plan_in_force(viewer.session, patient.id)
    answer = viewer.page(
        "profile_form.html" if problems else "profile.html",
        section="patients",
        status=status if problems else 200,
        patient=patient,
        profile=profile,
        plan=plan,
        values=values if values is not None else known,
        problems=problems,
        saved=saved,
        ledger=consent_ledger(viewer.session, patient.id),
        purposes=list(Purpose),
    )
    if problems:
        answer.headers.update({"HX-Retarget": "#profile", "HX-Reswap": "outerHTML", "X-Form-Problems": "1"})
    return answer
