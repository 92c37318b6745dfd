"""Everything that Soom keeps of a patient as one FHIR R4 bundle, written as it is read."""

import json
from collections.abc import Iterator
from typing import IO, Any

from fhir.resources.R4B import get_fhir_model_class
from sqlmodel import Session, col, select

from backend.accounts.tables import Hospital
from backend.interchange import codes, diary_resources, record_resources, store
from backend.interchange.codes import Resource
from backend.interchange.tables import ImportedResource
from backend.measurements.tables import Measurement
from backend.patients.tables import Consent, Patient
from backend.plans.store import add_on_courses
from backend.plans.tables import ActionPlan
from backend.risk.tables import Assessment


def validated(resource: Resource) -> Resource:
    """The resource itself, checked against FHIR R4. Raises pydantic's ValidationError: a fault of Soom's own."""
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    return resource


def resources_of(session: Session, patient: Patient) -> Iterator[Resource]:
    """The person first, then medicines, plans, measurements, consents, forecasts, foreign records, and the diary."""
    hospital = session.get_one(Hospital, patient.hospital_id)
    yield record_resources.person(patient, hospital)
    inhalers = store.inhalers_by_id(session, patient.id)
    for inhaler in inhalers.values():
        yield record_resources.prescription(patient, inhaler)
    courses = add_on_courses(session, patient.id)
    for course in courses:
        yield record_resources.add_on_prescription(patient, course)
    plans = session.exec(
        select(ActionPlan).where(ActionPlan.patient_id == patient.id).order_by(col(ActionPlan.version))
    ).all()
    for plan in plans:
        yield record_resources.care_plan(patient, plan, courses, in_force=plan is plans[-1])
    for measurement in session.exec(select(Measurement).where(Measurement.patient_id == patient.id)):
        yield record_resources.measured(patient, measurement)
    for given in session.exec(select(Consent).where(Consent.patient_id == patient.id)):
        yield record_resources.consent(patient, given)
    for assessment in session.exec(
        select(Assessment).where(Assessment.patient_id == patient.id).order_by(col(Assessment.as_of))
    ):
        yield record_resources.forecast(patient, assessment)
    for foreign in session.exec(
        select(ImportedResource).where(
            ImportedResource.patient_id == patient.id, col(ImportedResource.became).is_(None)
        )
    ):
        yield foreign.content
    names = {inhaler_id: codes.medicine(inhaler.name, inhaler.drug) for inhaler_id, inhaler in inhalers.items()}
    for entry in store.whole_diary(session, patient):
        yield diary_resources.from_entry(entry, patient.id, names)


def write_bundle(session: Session, patient: Patient, file: IO[str]) -> int:
    """Write a Bundle of type collection and return the number of resources."""
    file.write('{"resourceType": "Bundle", "type": "collection", "entry": [')
    count = 0
    for resource in resources_of(session, patient):
        file.write(",\n" if count else "\n")
        file.write(json.dumps({"resource": validated(resource)}, ensure_ascii=False))
        count += 1
    file.write("\n]}\n")
    return count


def searchset(resources: list[Resource], *, self_url: str, next_url: str | None, base: str) -> dict[str, Any]:
    """A Bundle of type searchset; a page does not count what lies beyond it."""
    links = [{"relation": "self", "url": self_url}]
    if next_url is not None:
        links.append({"relation": "next", "url": next_url})
    made: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if resources:
        made["entry"] = [
            {
                "fullUrl": f"{base}/{one['resourceType']}/{one['id']}",
                "resource": one,
                "search": {"mode": "match"},
            }
            for one in resources
        ]
    return made
