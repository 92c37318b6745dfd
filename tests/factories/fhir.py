"""Bundles as other systems write them, the official definitions' verdict on ours, and the hash of a diary."""

import hashlib
import io
import json
import subprocess
from typing import Any
from uuid import UUID

from sqlmodel import Session

from backend.core.settings import PROJECT_ROOT
from backend.interchange.exporting import write_bundle
from backend.interchange.store import whole_diary
from backend.patients.tables import Patient

VALIDATOR = PROJECT_ROOT / "tests" / "fhir_validator" / "validate.mjs"
LOINC, UCUM, SNOMED = "http://loinc.org", "http://unitsofmeasure.org", "http://snomed.info/sct"


def person(number: str = "MRN-7", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": f"person-{number}",
        "identifier": [{"system": "urn:hospital:numbers", "value": number}],
        "name": [{"use": "official", "family": "Tamm", "given": ["Mari"]}],
        "gender": "female",
        "birthDate": "1984-02-03",
        **more,
    }


def observation(
    code: str, value: float | None, unit: str | None, *, source_id: str = "o1", **more: Any
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "id": source_id,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "effectiveDateTime": "2026-11-02T09:00:00+02:00",
    }
    if value is not None:
        made["valueQuantity"] = {"value": value, "system": UCUM} | ({"code": unit} if unit else {})
    return made | more


def bundle(*resources: Any) -> bytes:
    entries = [{"resource": one} for one in resources]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def exported(session: Session, patient: Patient) -> bytes:
    file = io.StringIO()
    write_bundle(session, patient, file)
    return file.getvalue().encode()


def official_verdict(content: bytes) -> dict[str, Any]:
    """{"checked": n, "problems": [...]} by FHIR R4's own StructureDefinitions."""
    run = subprocess.run(["node", str(VALIDATOR)], input=content, capture_output=True, check=True)
    verdict: dict[str, Any] = json.loads(run.stdout)
    return verdict


def diary_hash(session: Session, patient_id: UUID) -> str:
    """SHA-256 over every version kept, tombstones included, as the phone's own hash has it."""
    patient = session.get_one(Patient, patient_id)
    rows = sorted(whole_diary(session, patient), key=lambda row: (row["kind"], str(row["id"])))
    return hashlib.sha256(json.dumps(rows, sort_keys=True, default=str).encode()).hexdigest()


# Of another system, about the person whom its bundle calls p.
DIAGNOSIS = {
    "resourceType": "Condition",
    "id": "c1",
    "clinicalStatus": {"coding": [{"code": "resolved"}]},
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "36971009", "display": "Sinusitis"}]},
    "subject": {"reference": "Patient/p"},
    "onsetDateTime": "2020-02-03",
}
PRESCRIPTION = {
    "resourceType": "MedicationRequest",
    "id": "m1",
    "status": "stopped",
    "intent": "order",
    "medicationCodeableConcept": {"text": "Montelukast 10 mg"},
    "subject": {"reference": "Patient/p"},
    "authoredOn": "2021-05-06",
    "dosageInstruction": [{"text": "one tablet each evening"}],
}


def vaccination(number: int, name: str = "Influenza") -> dict[str, Any]:
    return {
        "resourceType": "Immunization",
        "id": f"v{number}",
        "status": "completed",
        "vaccineCode": {"text": name},
        "patient": {"reference": "Patient/p"},
        "occurrenceDateTime": f"{1950 + number}-10-01",
    }
