"""A page of what other systems sent of a patient, to be read: diagnoses, medicines, results, visits."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from backend.dashboard.viewer import CurrentViewer
from backend.interchange.store import imported_counts, imported_of_types
from backend.interchange.tables import ImportedResource
from backend.interchange.wording import Told, told
from backend.patients.store import visible_patient
from backend.patients.tables import Patient

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

AT_ONCE = 50


class Group(StrEnum):
    DIAGNOSES = "diagnoses"
    MEDICINES = "medicines"
    RESULTS = "results"
    VISITS = "visits"
    OTHER = "other"


_GROUP = {
    "Condition": Group.DIAGNOSES,
    "AllergyIntolerance": Group.DIAGNOSES,
    "MedicationRequest": Group.MEDICINES,
    "MedicationStatement": Group.MEDICINES,
    "MedicationAdministration": Group.MEDICINES,
    "MedicationDispense": Group.MEDICINES,
    "Immunization": Group.MEDICINES,
    "Observation": Group.RESULTS,
    "DiagnosticReport": Group.RESULTS,
    "Encounter": Group.VISITS,
    "Procedure": Group.VISITS,
    "CarePlan": Group.VISITS,
}
# The person stands on the patient's own page.
_NOT_LISTED = {"Patient"}


@dataclass(frozen=True)
class Line:
    """`kind` is FHIR's resource type; `became` what Soom made of it, None if it is only kept."""

    day: date
    kind: str
    told: Told
    became: str | None


@dataclass(frozen=True)
class Listing:
    group: Group
    counts: dict[Group, int]
    lines: list[Line]
    page: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.counts[self.group] // AT_ONCE))


@router.get("/patients/{patient_id}/records")
def records_page(
    viewer: CurrentViewer,
    patient_id: UUID,
    group: Group | None = None,
    page_number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    patient = visible_patient(viewer.session, viewer.clinician, patient_id)
    viewer.record("view_imported_records", [patient.id])
    counts = dict.fromkeys(Group, 0)
    types: dict[Group, list[str]] = {name: [] for name in Group}
    for resource_type, count in imported_counts(viewer.session, patient.id).items():
        if resource_type not in _NOT_LISTED:
            of = _GROUP.get(resource_type, Group.OTHER)
            counts[of] += count
            types[of].append(resource_type)
    shown = group or next((name for name in Group if counts[name]), Group.DIAGNOSES)
    rows = imported_of_types(
        viewer.session, patient.id, types[shown], limit=AT_ONCE, offset=AT_ONCE * (page_number - 1)
    )
    return viewer.page(
        "foreign_records.html",
        section="patients",
        patient=patient,
        listing=Listing(shown, counts, [_line(patient, row) for row in rows], page_number),
        address=lambda page: f"?group={shown.value}&page={page}",
    )


def _line(patient: Patient, row: ImportedResource) -> Line:
    day = row.happened_at.astimezone(ZoneInfo(patient.time_zone)).date()
    return Line(day, row.resource_type, told(row.content), row.became)
