"""What another system sent, before anything of it is taken: a bundle? Each resource FHIR R4, and of its patient?"""

import json
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from backend.interchange import reading
from backend.interchange.codes import Resource
from backend.interchange.errors import ImportRefused, NotUnderstood


def read_bundle(content: bytes) -> list[Any]:
    """The resources of a FHIR R4 bundle with one patient, in their order. Raises ImportRefused."""
    if not content.strip():
        raise ImportRefused("The file is empty; nothing was imported.")
    try:
        bundle = json.loads(content.decode(), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise ImportRefused("The file is not UTF-8 text; nothing was imported.") from error
    except json.JSONDecodeError as error:
        raise ImportRefused(
            f"The file is not whole JSON (line {error.lineno}, column {error.colno}); nothing was imported. "
            "It may have been cut off: send it again."
        ) from error
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise ImportRefused("The file is no FHIR bundle; nothing was imported.")
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise ImportRefused("The bundle's entry is no list; nothing was imported.")
    if not entries:
        raise ImportRefused("The bundle is empty; nothing was imported.")
    return [entry.get("resource") if isinstance(entry, dict) else None for entry in entries]


def _no_number(constant: str) -> None:
    raise ImportRefused(f"The file holds {constant}, which is no number in JSON; nothing was imported.")


def person_of(resources: list[Any]) -> Resource:
    """The one person of a bundle, who may stand in it several times alike. Raises ImportRefused."""
    people = [one for one in resources if isinstance(one, dict) and one.get("resourceType") == "Patient"]
    different = [one for place, one in enumerate(people) if one not in people[:place]]
    if len(different) != 1:
        raise ImportRefused(
            f"The bundle holds {len(different)} patients; send one bundle for each. Nothing was imported."
        )
    problem = fault(different[0]) or _namelessness(different[0])
    if problem is not None:
        raise ImportRefused(f"The patient can't be read: {problem[1]} ({problem[0]}). Nothing was imported.")
    return different[0]


def fault(resource: Any) -> tuple[str, str] | None:
    """Path and sentence of what is wrong with a resource by FHIR R4, or None."""
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        return "resourceType", "This is no FHIR resource."
    kind = resource["resourceType"]
    try:
        model = get_fhir_model_class(kind)
    except (AttributeError, LookupError, ValueError):
        return "resourceType", f"FHIR R4 has no resource {kind[:40]}."
    try:
        model.model_validate(resource)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        path = ".".join([kind, *(str(part) for part in first["loc"])])
        return path, f"FHIR R4 does not allow this: {first['msg'].removeprefix('Value error, ')}"
    if not isinstance(resource.get("id"), str):
        return f"{kind}.id", "Without an id a second import could not tell it from the first."
    return None


def _namelessness(person: Resource) -> tuple[str, str] | None:
    try:
        reading.name_of(person)
    except NotUnderstood as problem:
        return problem.path, problem.why
    return None


def demand_patient(resource: Resource, person_id: str) -> None:
    """Raise NotUnderstood where a resource names another patient than the bundle's.

    A urn:uuid stands for an entry of the bundle, which has one patient alone.
    """
    for name in ("subject", "patient"):
        pointed = resource.get(name)
        reference = pointed.get("reference") if isinstance(pointed, dict) else None
        if isinstance(reference, str):
            before, _, named = reference.split("/_history/")[0].rpartition("/")
            if before.rpartition("/")[2] == "Patient" and named != person_id:
                raise NotUnderstood(
                    f"It is of another patient, {reference[:80]}.", f"{resource['resourceType']}.{name}"
                )
