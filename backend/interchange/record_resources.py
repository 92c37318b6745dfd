"""What the clinic keeps of a patient as FHIR R4: person, medicines, plan, measurements, consents, forecasts."""

from collections.abc import Iterator, Sequence
from typing import Any

from backend.accounts.tables import Hospital
from backend.interchange import codes
from backend.interchange.codes import Resource
from backend.measurements.tables import Measurement
from backend.medication.tables import Inhaler
from backend.patients.tables import Consent, Patient, Purpose
from backend.plans.difference import add_on_text
from backend.plans.store import AddOnCourse
from backend.plans.tables import ActionPlan
from backend.risk.tables import Assessment, ForecastStatus

PATIENT = "urn:soom:patient"
INHALER = "urn:soom:fhir:inhaler"
THRESHOLD = "urn:soom:fhir:plan-threshold"
PLAN_VERSION = "urn:soom:plan-version"
PURPOSE = "urn:soom:consent-purpose"
HORIZON_DAYS = 7
# Columns of an inhaler that have no place of their own in a MedicationRequest.
_INHALER_COLUMNS = (
    "name", "role", "drug", "device", "puffs_per_dose", "doses_per_day", "max_puffs_per_day", "warn_puffs_per_day",
    "product_id", "use",
)  # fmt: skip
_SCOPE = {Purpose.CARE: "treatment", Purpose.FORECASTING: "treatment"}


def _reference(patient: Patient) -> Resource:
    return {"reference": f"Patient/{patient.id}"}


def person(patient: Patient, hospital: Hospital) -> Resource:
    made: Resource = {
        "resourceType": "Patient",
        "id": str(patient.id),
        "identifier": [{"system": PATIENT, "value": str(patient.id)}],
        "active": True,
        "name": [{"text": patient.display_name}],
        "gender": patient.sex,
        "communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": patient.language}]}}],
        "managingOrganization": {"display": hospital.name},
    }
    if patient.born_on is not None:
        made["birthDate"] = patient.born_on.isoformat()
    return made


def prescription(patient: Patient, inhaler: Inhaler) -> Resource:
    daily = inhaler.doses_per_day
    timing = {"timing": {"repeat": {"frequency": daily, "period": 1, "periodUnit": "d"}}} if daily else {}
    dose = {"value": inhaler.puffs_per_dose, "unit": "puff", "system": codes.system("ucum"), "code": "{puff}"}
    details: list[Resource] = []
    for column in _INHALER_COLUMNS:
        content = getattr(inhaler, column)
        if content is not None:
            details.append({"url": column, "valueInteger" if isinstance(content, int) else "valueString": content})
    return {
        "resourceType": "MedicationRequest",
        "id": f"inhaler-{inhaler.id}",
        "extension": [{"url": INHALER, "extension": details}],
        "status": "active" if inhaler.active else "stopped",
        "intent": "order",
        "medicationCodeableConcept": codes.medicine(inhaler.name, inhaler.drug),
        "subject": _reference(patient),
        "authoredOn": inhaler.prescribed_at.isoformat(),
        "dosageInstruction": [
            timing | {"asNeededBoolean": inhaler.role != "controller", "doseAndRate": [{"doseQuantity": dose}]}
        ],
    }


def add_on_id(patient: Patient, course: AddOnCourse) -> str:
    """At most 64 characters, as FHIR allows."""
    return f"{course.kind.value.replace('_', '-')}-{course.from_version}-{patient.id.hex}"


def add_on_prescription(patient: Patient, course: AddOnCourse) -> Resource:
    """No dose: the plan names the kind of treatment alone."""
    return {
        "resourceType": "MedicationRequest",
        "id": add_on_id(patient, course),
        "status": "active" if course.ended_at is None else "stopped",
        "intent": "order",
        "medicationCodeableConcept": codes.add_on(course.kind, add_on_text(course.kind, patient.language)),
        "subject": _reference(patient),
        "authoredOn": course.began_at.isoformat(),
    }


def _prescribed_by(patient: Patient, plan: ActionPlan, courses: Sequence[AddOnCourse]) -> Iterator[str]:
    """Ids of what a version of the plan prescribes; one from before prescriptions were structured names none."""
    if plan.regimen is None:
        return
    for written in plan.regimen["prescriptions"]:
        yield f"inhaler-{written['inhaler_id']}"
    for kind in sorted(set(plan.regimen["add_ons"])):
        begun = [one for one in courses if one.kind == kind and one.from_version <= plan.version]
        yield add_on_id(patient, begun[-1])


def care_plan(patient: Patient, plan: ActionPlan, courses: Sequence[AddOnCourse], *, in_force: bool) -> Resource:
    """Zones as activities in the patient's language, thresholds in L/min, then what is prescribed.

    Signed by a person, so it is an order. `courses` of add-on treatment, oldest first.
    """
    said: dict[str, list[str]] = plan.instructions.get(patient.language) or next(iter(plan.instructions.values()), {})
    limits = {
        "personal-best": plan.personal_best_litres_per_min,
        "yellow-below": plan.yellow_below_litres_per_min,
        "red-below": plan.red_below_litres_per_min,
    }
    return {
        "resourceType": "CarePlan",
        "id": f"plan-{plan.version}-{patient.id}",
        "extension": [
            {
                "url": THRESHOLD,
                "extension": [
                    {
                        "url": name,
                        "valueQuantity": {
                            "value": litres,
                            "unit": "L/min",
                            "system": codes.system("ucum"),
                            "code": "L/min",
                        },
                    }
                    for name, litres in limits.items()
                ],
            }
        ],
        "identifier": [{"system": PLAN_VERSION, "value": str(plan.version)}],
        "status": "active" if in_force else "revoked",
        "intent": "order",
        "category": [
            {"coding": [{"system": codes.system("snomed"), "code": "699728000", "display": "Asthma self management"}]}
        ],
        "title": f"Asthma action plan, version {plan.version}",
        "subject": _reference(patient),
        "created": plan.signed_at.isoformat(),
        "activity": [
            {"detail": {"status": "scheduled", "code": {"text": f"{zone} zone"}, "description": "\n".join(sentences)}}
            for zone, sentences in said.items()
            if sentences
        ]
        + [
            {"reference": {"reference": f"MedicationRequest/{prescribed}"}}
            for prescribed in _prescribed_by(patient, plan, courses)
        ],
    }


def measured(patient: Patient, measurement: Measurement) -> Resource:
    quantity = codes.measurements()[measurement.kind]
    code = next((one for one in quantity.codes if one.bronchodilator == measurement.bronchodilator), quantity.codes[0])
    made: Resource = {
        "resourceType": "Observation",
        "id": f"measurement-{measurement.id}",
        "status": "final" if measurement.withdrawn_at is None else "entered-in-error",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}
        ],
        "code": code.concept,
        "subject": _reference(patient),
        "effectiveDateTime": measurement.measured_on.isoformat(),
        "issued": measurement.entered_at.isoformat(),
        "valueQuantity": {
            "value": measurement.value,
            "unit": measurement.unit,
            "system": codes.system("ucum"),
            "code": quantity.unit,
        },
    }
    if measurement.bronchodilator is not None:
        made["method"] = {"text": f"{measurement.bronchodilator} bronchodilator"}
    return made


def consent(patient: Patient, given: Consent) -> Resource:
    made: Resource = {
        "resourceType": "Consent",
        "id": f"consent-{given.id}",
        "status": "active" if given.withdrawn_at is None else "inactive",
        "scope": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/consentscope",
                    "code": _SCOPE.get(Purpose(given.purpose), "research"),
                }
            ]
        },
        "category": [{"coding": [{"system": codes.system("loinc"), "code": "59284-0", "display": "Consent Document"}]}],
        "patient": _reference(patient),
        "dateTime": given.granted_at.isoformat(),
        "policyRule": {"coding": [{"system": PURPOSE, "code": given.purpose}], "text": f"text {given.text_version}"},
        "provision": {"type": "permit", "period": {"start": given.granted_at.isoformat()}},
    }
    if given.withdrawn_at is not None:
        made["provision"]["period"]["end"] = given.withdrawn_at.isoformat()
    return made


def forecast(patient: Patient, assessment: Assessment) -> Resource:
    """A day without a probability says why there is none; it never says zero."""
    made: Resource = {
        "resourceType": "RiskAssessment",
        "id": f"assessment-{assessment.id}",
        "status": "final",
        "subject": _reference(patient),
        "occurrenceDateTime": assessment.assessed_at.isoformat(),
        "code": {"text": f"Chance of a severe asthma attack within {HORIZON_DAYS} days"},
    }
    if assessment.status == ForecastStatus.READY and assessment.probability_7_days is not None:
        made["method"] = {"text": f"{assessment.model_id} {assessment.model_version}"}
        prediction: dict[str, Any] = {
            "outcome": codes.diary()["attack"].concept,
            "probabilityDecimal": assessment.probability_7_days,
            "qualitativeRisk": {"text": assessment.level},
            "rationale": "; ".join(
                f"{reason['code']} {reason['value']} {reason['unit']}".strip() for reason in assessment.reasons
            ),
        }
        made["prediction"] = [{name: content for name, content in prediction.items() if content}]
    else:
        made["note"] = [{"text": assessment.status}]
    return made
