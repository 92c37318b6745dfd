"""Entries of a diary as FHIR R4 resources, and back without loss.

What FHIR has a place for stands there (a peak flow in L/min, puffs as a dose, answers as items). What it has none for,
as the revision, the phone or the patient's own calendar day, travels in one extension, so that export and import give
the identical diary.
"""

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Any

from backend.interchange import codes
from backend.interchange.codes import Resource
from backend.interchange.errors import NotUnderstood

ENTRY = "urn:soom:fhir:diary-entry"
BLOW = "blow"
QUESTIONNAIRE = "urn:soom:questionnaire:"
ANSWER_UNIT = "L/min"

Entry = Mapping[str, Any]


def resource_type(entry: Entry) -> str:
    """Of a wire entry: which FHIR resource says it best."""
    if entry["kind"] == "attack":
        return "Condition"
    if entry["kind"] == "questionnaire":
        return "QuestionnaireResponse"
    if entry["kind"] == "inhaler_use":
        # A sensor saw it happen; all else is what the patient says.
        sensed = entry["body"] is not None and entry["body"]["source"] == "sensor"
        return "MedicationAdministration" if sensed else "MedicationStatement"
    return "Observation"


def resource_id(entry: Entry) -> str:
    """Kind and id: ids are unique only within a kind. At most 64 characters."""
    return f"{entry['kind'].replace('_', '-')}-{entry['id']}"


def from_entry(entry: Entry, patient_id: object, inhaler_names: Mapping[str, Resource]) -> Resource:
    """The resource of one version of an entry. A deleted entry is one "entered in error", without content.

    `entry` is as on the wire; `inhaler_names`: inhaler id → CodeableConcept.
    """
    made: Resource = {
        "resourceType": resource_type(entry),
        "id": resource_id(entry),
        "extension": [_envelope(entry)],
    }
    subject = {"reference": f"Patient/{patient_id}"}
    match made["resourceType"]:
        case "Condition":
            made |= _condition(entry) | {"subject": subject}
        case "QuestionnaireResponse":
            made |= _answers(entry) | {"subject": subject}
        case "MedicationAdministration" | "MedicationStatement":
            made |= _use(entry, inhaler_names) | {"subject": subject}
        case _:
            made |= _observation(entry) | {"subject": subject}
    return made


def to_entry(resource: Resource) -> dict[str, Any]:
    """The entry that a resource of ours stands for, its device included. Raises NotUnderstood."""
    try:
        [envelope] = [one for one in resource.get("extension", []) if one.get("url") == ENTRY]
        told = {
            part["url"]: next(content for name, content in part.items() if name != "url")
            for part in envelope["extension"]
        }
        deleted = bool(told["deleted"])
        entry = {
            "kind": told["kind"],
            "id": told["id"],
            "revision": told["revision"],
            "device_id": told["device"],
            "deleted": deleted,
            "taken_at": told["takenAt"],
            "time_zone": told["timeZone"],
            "utc_offset_minutes": told["utcOffsetMinutes"],
            "local_date": told["localDate"],
        }
        entry["body"] = None if deleted else {**json.loads(told.get("more", "{}")), **_native(told["kind"], resource)}
    except (KeyError, ValueError, TypeError, StopIteration) as error:
        raise NotUnderstood("The diary entry in the extension is incomplete.", f"extension[{ENTRY}]") from error
    return entry


def is_entry(resource: Resource) -> bool:
    return any(isinstance(one, dict) and one.get("url") == ENTRY for one in resource.get("extension") or ())


def _envelope(entry: Entry) -> Resource:
    parts: list[Resource] = [
        {"url": "kind", "valueCode": entry["kind"]},
        {"url": "id", "valueString": str(entry["id"])},
        {"url": "revision", "valuePositiveInt": entry["revision"]},
        {"url": "device", "valueString": str(entry["device_id"])},
        {"url": "deleted", "valueBoolean": entry["deleted"]},
        # The instant as it is kept: FHIR's own fields carry it with the offset of the patient's place.
        {"url": "takenAt", "valueString": entry["taken_at"].isoformat()},
        {"url": "timeZone", "valueString": entry["time_zone"]},
        {"url": "utcOffsetMinutes", "valueInteger": entry["utc_offset_minutes"]},
        {"url": "localDate", "valueDate": _iso(entry["local_date"])},
    ]
    if entry["body"] is not None:
        native = _native_fields(entry["kind"])
        more = {name: content for name, content in entry["body"].items() if name not in native and content is not None}
        if more:
            parts.append(
                {"url": "more", "valueString": json.dumps(more, sort_keys=True, ensure_ascii=False, default=str)}
            )
    return {"url": ENTRY, "extension": parts}


def _iso(day: date | str) -> str:
    return day if isinstance(day, str) else day.isoformat()


def _local(entry: Entry) -> str:
    taken_at: datetime = entry["taken_at"]
    return taken_at.astimezone(timezone(timedelta(minutes=entry["utc_offset_minutes"]))).isoformat()


def _native_fields(kind: str) -> frozenset[str]:
    """Fields of the body that stand in FHIR's own places and are read back from there."""
    return {
        "peak_flow": frozenset({"blows_litres_per_min"}),
        "inhaler_use": frozenset({"inhaler_id", "puffs"}),
        "questionnaire": frozenset({"instrument", "answers", "score"}),
        "note": frozenset({"text"}),
    }.get(kind, frozenset())


def _native(kind: str, resource: Resource) -> dict[str, Any]:
    match kind:
        case "peak_flow":
            blows = [part["valueQuantity"]["value"] for part in resource["component"] if _is_blow(part)]
            return {"blows_litres_per_min": [int(blow) for blow in blows]}
        case "inhaler_use":
            order = resource["request"] if "request" in resource else resource["basedOn"][0]
            dosage = resource.get("dosage")
            dose = (
                dosage[0]["doseAndRate"][0]["doseQuantity"] if isinstance(dosage, list) else (dosage or {}).get("dose")
            )
            return {
                "inhaler_id": order["reference"].rpartition("/inhaler-")[2],
                **({"puffs": int(dose["value"])} if dose else {}),
            }
        case "questionnaire":
            items = {item["linkId"]: item["answer"][0]["valueDecimal"] for item in resource.get("item", [])}
            return {
                "instrument": resource["questionnaire"].removeprefix(QUESTIONNAIRE),
                "score": items.pop("score", None),
                "answers": {link.removeprefix("answer-"): answer for link, answer in items.items()},
            }
        case "note":
            return {"text": resource["valueString"]}
        case _:
            return {}


def _is_blow(part: Resource) -> bool:
    return any(coding.get("code") == BLOW for coding in part["code"].get("coding", []))


def _quantity(value: float, unit: str, ucum: str | None = None) -> Resource:
    return {"value": value, "unit": unit, "system": codes.system("ucum"), "code": ucum or unit}


def _soom(code: str, display: str) -> Resource:
    return {"coding": [{"system": codes.system("soom"), "code": code, "display": display}], "text": display}


def _category(code: str) -> list[Resource]:
    return [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": code}]}]


def _observation(entry: Entry) -> Resource:
    kind, body = entry["kind"], entry["body"]
    code = codes.diary().get(kind)
    made: Resource = {
        "status": "final" if body is not None else "entered-in-error",
        "category": _category("vital-signs" if kind == "peak_flow" else "survey"),
        "code": code.concept if code else _soom(kind.replace("_", "-"), kind.replace("_", " ").capitalize()),
        "effectiveDateTime": _local(entry),
    }
    if body is None:
        return made
    if kind == "peak_flow":
        blows = body["blows_litres_per_min"]
        made["valueQuantity"] = _quantity(max(blows), ANSWER_UNIT)
        made["component"] = [
            {"code": _soom(BLOW, "One blow of the session"), "valueQuantity": _quantity(blow, ANSWER_UNIT)}
            for blow in blows
        ]
        made["method"] = {"text": f"{body['meter']}; {body['scale']} scale; {body['bronchodilator']} bronchodilator"}
    elif kind == "note":
        made["valueString"] = body["text"]
    else:
        made["component"] = [
            {"code": _soom(name.replace("_", "-"), name.replace("_", " ").capitalize())} | _value(content)
            for name, content in body.items()
            if content is not None and content != []
        ]
        if not made["component"]:
            del made["component"]
    return made


def _value(content: Any) -> Resource:
    if isinstance(content, bool):
        return {"valueBoolean": content}
    if isinstance(content, int):
        return {"valueInteger": content}
    if isinstance(content, list | dict):
        return {"valueString": json.dumps(content, ensure_ascii=False)}
    return {"valueString": str(content)}


def _condition(entry: Entry) -> Resource:
    body = entry["body"]
    made: Resource = {"code": codes.diary()["attack"].concept, "onsetDateTime": _local(entry)}
    status = "http://terminology.hl7.org/CodeSystem/condition-"
    if body is None:
        # FHIR forbids a clinical status beside "entered in error" (con-5).
        made["verificationStatus"] = {"coding": [{"system": f"{status}ver-status", "code": "entered-in-error"}]}
        return made
    verified = "unconfirmed" if body["source"] == "self" else "confirmed"
    made["verificationStatus"] = {"coding": [{"system": f"{status}ver-status", "code": verified}]}
    made["clinicalStatus"] = {"coding": [{"system": f"{status}clinical", "code": "resolved"}]}
    done = [name.replace("_", " ") for name in CONSEQUENCES if body.get(name)]
    made["note"] = [{"text": "; ".join(done)}]
    return made


CONSEQUENCES = ("systemic_steroids", "emergency_visit", "hospital_admission", "unscheduled_visit")


def _answers(entry: Entry) -> Resource:
    body = entry["body"]
    if body is None:
        return {"status": "entered-in-error", "authored": _local(entry)}
    items = [
        {"linkId": f"answer-{code}", "answer": [{"valueDecimal": answer}]} for code, answer in body["answers"].items()
    ]
    if body["score"] is not None:
        items.append({"linkId": "score", "answer": [{"valueDecimal": body["score"]}]})
    made: Resource = {
        "status": "completed",
        "questionnaire": QUESTIONNAIRE + body["instrument"],
        "authored": _local(entry),
    }
    return made | ({"item": items} if items else {})


def _use(entry: Entry, inhaler_names: Mapping[str, Resource]) -> Resource:
    body = entry["body"]
    if body is None:
        return {
            "status": "entered-in-error",
            "medicationCodeableConcept": {"text": "withdrawn"},
            "effectiveDateTime": _local(entry),
        }
    inhaler_id = str(body["inhaler_id"])
    medicine = inhaler_names.get(inhaler_id, {"text": "inhaler"})
    order = {"reference": f"MedicationRequest/inhaler-{inhaler_id}"}
    dose = None if body["puffs"] is None else _quantity(body["puffs"], "puff", "{puff}")
    if body["source"] == "sensor":
        return {
            "status": "completed",
            "medicationCodeableConcept": medicine,
            "effectiveDateTime": _local(entry),
            "request": order,
            **({} if dose is None else {"dosage": {"dose": dose}}),
        }
    return {
        # A whole day's amount in words may also say that nothing was taken.
        "status": "not-taken" if body["amount"] == "none" or body["puffs"] == 0 else "completed",
        "medicationCodeableConcept": medicine,
        "effectiveDateTime": _local(entry),
        "basedOn": [order],
        **({} if dose is None else {"dosage": [{"doseAndRate": [{"doseQuantity": dose}]}]}),
    }
