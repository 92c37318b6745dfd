"""FHIR R4, read only: a clinician's own patients, one page at a time, every access in the audit trail."""

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse
from sqlmodel import select

from backend.accounts.permissions import CallingClinician
from backend.core import audit
from backend.core.clock import Now
from backend.core.database import DatabaseSession
from backend.core.errors import NotFound
from backend.interchange import capability
from backend.interchange.errors import SearchRefused
from backend.interchange.exporting import searchset, validated
from backend.interchange.search import TYPES, read, search, window_of
from backend.patients.store import visible_patient, visible_to
from backend.patients.tables import Patient

FHIR_JSON = "application/fhir+json"

router = APIRouter(prefix="/fhir", tags=["FHIR R4"])

ResourceType = Annotated[str, Path(pattern="^(" + "|".join(TYPES) + ")$", examples=["Observation"])]


class FhirJson(JSONResponse):
    media_type = FHIR_JSON


@router.get("/metadata", response_class=FhirJson)
def metadata(request: Request, now: Now) -> FhirJson:
    """The CapabilityStatement. It names no patient, so anybody may read it."""
    return FhirJson(validated(capability.statement(address=request.app.state.settings.address, now=now)))


@router.get("/{resource_type}", response_class=FhirJson)
def find(
    request: Request,
    resource_type: ResourceType,
    clinician: CallingClinician,
    session: DatabaseSession,
    now: Now,
    patient: Annotated[str, Query(description="Patient/ID or ID: whose records.", max_length=60)],
    code: Annotated[str, Query(description="system|code or code; a comma means or.", max_length=500)] = "",
    date: Annotated[list[str] | None, Query(description="ge2026-01-01; may be given twice.")] = None,
    count: Annotated[int, Query(alias="_count", ge=1, le=200)] = 50,
    after: Annotated[str, Query(alias="_after", max_length=200)] = "",
) -> FhirJson:
    """Resources of one patient, newest first, as a searchset Bundle with a link to the next page."""
    try:
        patient_id = UUID(patient.removeprefix("Patient/"))
    except ValueError as error:
        raise SearchRefused("patient is Patient/ID with the ID of one of your patients.") from error
    of = visible_patient(session, clinician, patient_id)
    codes = [one for one in code.split(",") if one]
    page = search(session, of, resource_type, codes, window_of(date or [], count, after))
    _note(session, clinician.id, [of.id], resource_type, len(page.resources), now)
    base = f"{request.app.state.settings.address}/fhir"
    asked: list[tuple[str, str]] = [("patient", str(of.id)), ("_count", str(count))]
    asked += [("code", code)] if code else []
    asked += [("date", one) for one in date or []]
    url = f"{base}/{resource_type}?"
    more = None if page.after is None else url + urlencode([*asked, ("_after", page.after)])
    self_url = url + urlencode([*asked, *([("_after", after)] if after else [])])
    return FhirJson(validated(searchset(page.resources, self_url=self_url, next_url=more, base=base)))


@router.get("/{resource_type}/{resource_id}", response_class=FhirJson)
def one(
    resource_type: ResourceType,
    resource_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9.-]{1,80}$")],
    clinician: CallingClinician,
    session: DatabaseSession,
    now: Now,
) -> FhirJson:
    """One resource; 404 for one that is not of the clinician's patients."""
    patients = session.exec(select(Patient).where(visible_to(clinician))).all()
    found = read(session, patients, resource_type, resource_id)
    if found is None:
        raise NotFound
    patient, resource = found
    _note(session, clinician.id, [patient.id], resource_type, 1, now)
    return FhirJson(validated(resource))


def _note(session: Any, clinician_id: UUID, patient_ids: list[UUID], resource_type: str, count: int, now: Any) -> None:
    audit.record(
        session,
        now=now,
        actor_kind=audit.ActorKind.CLINICIAN,
        actor_id=clinician_id,
        action="fhir.read",
        patient_ids=patient_ids,
        detail={"type": resource_type, "count": count},
    )
