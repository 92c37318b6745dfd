"""What the FHIR endpoint can do, for programs that ask before they connect."""

from datetime import datetime
from typing import Any

from backend.interchange.search import TYPES


def statement(*, address: str, now: datetime) -> dict[str, Any]:
    """A CapabilityStatement of FHIR R4 (4.0.1)."""
    by_patient = [
        {"name": "patient", "type": "reference", "documentation": "Required: whose records."},
        {"name": "date", "type": "date", "documentation": "When it was; eq, ge, gt, le, lt."},
    ]
    code = [{"name": "code", "type": "token", "documentation": "system|code or code; a comma means or."}]
    coded = {"Observation", "Condition", "MedicationRequest", "MedicationStatement", "MedicationAdministration"}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": now.isoformat(),
        "kind": "instance",
        "software": {"name": "Soom"},
        "implementation": {"description": "Soom: diary, treatment and forecasts of asthma", "url": f"{address}/fhir"},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "security": {"description": "A clinician's session of the dashboard; only patients in their care."},
                "resource": [
                    {
                        "type": name,
                        "interaction": [{"code": "read"}, {"code": "search-type"}],
                        "searchParam": by_patient[: 1 if name == "Patient" else 2] + (code if name in coded else []),
                    }
                    for name in TYPES
                ],
            }
        ],
    }
