"""What a kept resource of another system says, in its own words, in one line. Pure: nothing translated or guessed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

# Where FHIR R4 says what a resource is about, the most telling first.
_SUBJECTS = ("code", "medicationCodeableConcept", "vaccineCode", "description", "title", "type", "category", "class")
_STATUSES = ("clinicalStatus", "status")


@dataclass(frozen=True)
class Told:
    """`subject` and `detail` as the other system wrote them, empty where it wrote none; `status` is FHIR's code."""

    subject: str
    detail: str
    status: str | None


def told(resource: dict[str, Any]) -> Told:
    """Never raises: another system's content may be of any shape."""
    subject = next((text for name in _SUBJECTS if (text := _text(resource.get(name)))), "")
    reference = resource.get("medicationReference")
    if not subject and isinstance(reference, dict):
        subject = _text(reference)
    status = next((code for name in _STATUSES if (code := _code(resource.get(name)))), None)
    return Told(subject, "; ".join(_details(resource)), status)


def _details(resource: dict[str, Any]) -> Iterator[str]:
    value = _value(resource)
    if value:
        yield value
    for part in _dictionaries(resource.get("component")):
        name, value = _text(part.get("code")), _value(part)
        if name and value:
            yield f"{name} {value}"
    for dosage in _dictionaries(resource.get("dosageInstruction")):
        if isinstance(dosage.get("text"), str):
            yield dosage["text"]
    for reason in _dictionaries(resource.get("reasonCode")):
        if said := _text(reason):
            yield said
    if isinstance(resource.get("conclusion"), str):
        yield resource["conclusion"]


def _value(holder: dict[str, Any]) -> str:
    quantity = holder.get("valueQuantity")
    if isinstance(quantity, dict) and isinstance(quantity.get("value"), int | float):
        number = f"{quantity.get('comparator') or ''}{quantity['value']:g}"
        return f"{number} {quantity.get('unit') or quantity.get('code') or ''}".strip()
    if isinstance(holder.get("valueString"), str):
        return str(holder["valueString"])
    return _text(holder.get("valueCodeableConcept"))


def _text(concept: Any) -> str:
    """Of a CodeableConcept, a Coding, a Reference, plain text, or the first of a list of them."""
    if isinstance(concept, list):
        return next((text for one in concept if (text := _text(one))), "")
    if isinstance(concept, str):
        return concept
    if not isinstance(concept, dict):
        return ""
    for name in ("text", "display"):
        if isinstance(concept.get(name), str) and concept[name]:
            return str(concept[name])
    return _text(concept.get("coding")) or (str(concept["code"]) if isinstance(concept.get("code"), str) else "")


def _code(status: Any) -> str | None:
    if isinstance(status, str):
        return status
    codings = status.get("coding") if isinstance(status, dict) else None
    return next((str(one["code"]) for one in _dictionaries(codings) if isinstance(one.get("code"), str)), None)


def _dictionaries(found: Any) -> Iterable[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
