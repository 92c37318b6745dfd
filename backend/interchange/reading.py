"""What a resource of another system means to Soom. Pure: no unit is guessed, and what is not understood says why."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from backend.interchange import codes
from backend.interchange.codes import Quantity, Resource
from backend.interchange.errors import NotUnderstood

# Most precise first: the place of the instant differs by resource.
_WHEN = (
    "effectiveDateTime", "effectiveInstant", "onsetDateTime", "performedDateTime", "occurrenceDateTime", "authoredOn",
    "authored", "dateTime", "recordedDate", "created", "issued", "started", "date",
)  # fmt: skip
_PERIODS = ("effectivePeriod", "period", "performedPeriod", "billablePeriod", "onsetPeriod")
_WRONG = {"entered-in-error", "cancelled"}
EMERGENCY, INPATIENT = "EMER", {"IMP", "ACUTE", "NONAC"}


@dataclass(frozen=True)
class Number:
    """`name` of the quantity, its value in Soom's unit, and what the code says of a bronchodilator."""

    name: str
    value: float
    bronchodilator: str | None


@dataclass
class AsthmaEvidence:
    """Why a person is taken to have asthma: by weight, how many resources of which type say so."""

    found: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))

    @property
    def strongest(self) -> str | None:
        """diagnosis (a Condition says so), reason (asthma is the reason of a visit or claim), care, or None."""
        return next((weight for weight in ("diagnosis", "reason", "care") if weight in self.found), None)


def concepts(resource: object) -> Iterator[Resource]:
    """Every Coding in the resource, at any depth."""
    if isinstance(resource, dict):
        if isinstance(resource.get("code"), str) and isinstance(resource.get("system"), str):
            yield resource
        for content in resource.values():
            yield from concepts(content)
    elif isinstance(resource, list):
        for content in resource:
            yield from concepts(content)


def note_asthma(resource: Resource, evidence: AsthmaEvidence) -> None:
    """Add what the resource says of asthma, wherever in it: not every record of asthma has a Condition."""
    if _is_wrong(resource):
        return
    weights = set()
    for coding in concepts(resource):
        for known in codes.asthma():
            if coding["system"] == known.system and (
                coding["code"] in known.codes or (known.prefixes and coding["code"].startswith(known.prefixes))
            ):
                weights.add(known.weight)
    if "diagnosis" in weights and resource["resourceType"] != "Condition":
        # Named as the reason of a visit, a claim or a plan: strong, yet no diagnosis on its own.
        weights = weights - {"diagnosis"} | {"reason"}
    for weight in weights:
        evidence.found[weight][resource["resourceType"]] += 1


def _is_wrong(resource: Resource) -> bool:
    verified = resource.get("verificationStatus", {}).get("coding", [{}])
    return resource.get("status") in _WRONG or any(
        one.get("code") in {"entered-in-error", "refuted"} for one in verified
    )


def happened_at(resource: Resource) -> datetime | None:
    """When it was, in UTC; a bare date is taken as its noon in UTC. None if the resource does not say."""
    said = [resource.get(name) for name in _WHEN]
    said += [resource[name].get("start") for name in _PERIODS if isinstance(resource.get(name), dict)]
    for when in said:
        if isinstance(when, str) and (instant := instant_of(when)) is not None:
            return instant
    return None


def instant_of(when: str) -> datetime | None:
    """FHIR dateTime: a year, a month, a day or an instant."""
    padded = when + {4: "-01-01", 7: "-01"}.get(len(when), "")
    try:
        instant = datetime.fromisoformat(padded)
    except ValueError:
        return None
    if len(padded) == len("2026-11-20"):
        return instant.replace(hour=12, tzinfo=UTC)
    return None if instant.tzinfo is None else instant.astimezone(UTC)


def birth_date(person: Resource) -> date | None:
    """Only a full date: a year alone is no birthday."""
    try:
        return date.fromisoformat(person.get("birthDate", ""))
    except ValueError:
        return None


def name_of(person: Resource) -> str:
    """The official name as text; what is missing stays out. NotUnderstood when nobody is named."""
    names = person.get("name") or [{}]
    name = next((one for one in names if one.get("use") == "official"), names[0])
    said = name.get("text") or " ".join([*name.get("given", []), name.get("family", "")]).strip()
    if not said:
        raise NotUnderstood("The person has no name.", "Patient.name")
    return str(said)[:80]


def number(observation: Resource) -> Number | None:
    """A measurement or body size that Soom keeps, in its unit; None for observations that it does not know.

    Raises NotUnderstood for a known code whose value has no unit, or one that can't be converted.
    """
    if observation.get("resourceType") != "Observation" or _is_wrong(observation):
        return None
    quantity, bronchodilator = _meant(observation, [*codes.measurements().values(), *codes.body().values()])
    if quantity is None:
        return None
    return Number(
        quantity.name, _converted(observation, quantity), bronchodilator or _said_of_bronchodilator(observation)
    )


def peak_flow(observation: Resource) -> int | None:
    """A patient's own reading in whole L/min from another system; None for other observations."""
    code = codes.diary()["peak_flow"]
    if observation.get("resourceType") != "Observation" or _is_wrong(observation):
        return None
    if not any((coding["system"], coding["code"]) == (code.system, code.code) for coding in _codings(observation)):
        return None
    flow = Quantity("peak_flow", (code,), "L/min", {"L/min": 1.0, "L/s": 60.0})
    return round(_converted(observation, flow))


def _codings(observation: Resource) -> list[Resource]:
    return [one for one in observation.get("code", {}).get("coding", []) if "system" in one and "code" in one]


def code_of(observation: Resource) -> str:
    """system|code of its first coding, or its text where it has none."""
    first = next(iter(_codings(observation)), None)
    return f"{first['system']}|{first['code']}" if first else str(observation["code"].get("text", "no code"))


def _meant(observation: Resource, known: Iterable[Quantity]) -> tuple[Quantity | None, str | None]:
    for coding in _codings(observation):
        for quantity in known:
            for code in quantity.codes:
                if (coding["system"], coding["code"]) == (code.system, code.code):
                    return quantity, code.bronchodilator
    return None, None


def _said_of_bronchodilator(observation: Resource) -> str | None:
    said = observation.get("method", {}).get("text", "")
    return next((when for when in ("before", "after") if said.startswith(f"{when} bronchodilator")), None)


def _converted(observation: Resource, quantity: Quantity) -> float:
    value = observation.get("valueQuantity")
    if not isinstance(value, dict) or not isinstance(value.get("value"), int | float):
        raise NotUnderstood(f"{quantity.name} has no number.", "Observation.valueQuantity.value")
    if value.get("comparator"):
        raise NotUnderstood(
            f"{quantity.name} is a bound ({value['comparator']} {value['value']}), not what was measured.",
            "Observation.valueQuantity.comparator",
        )
    unit = str(value.get("code") or value.get("unit") or "")
    if unit not in quantity.factors:
        accepted = ", ".join(quantity.factors)
        raise NotUnderstood(
            f"{quantity.name} comes in {unit or 'no unit'}; understood are {accepted}. No unit is guessed.",
            "Observation.valueQuantity.code",
        )
    return float(value["value"]) * quantity.factors[unit]


def attack(encounter: Resource) -> dict[str, bool] | None:
    """Consequences of an attack that an encounter tells of: an emergency visit or a stay because of asthma."""
    if encounter.get("resourceType") != "Encounter" or _is_wrong(encounter):
        return None
    evidence = AsthmaEvidence()
    note_asthma(encounter, evidence)
    place = encounter.get("class", {}).get("code")
    if evidence.strongest is None or place not in {EMERGENCY, *INPATIENT}:
        return None
    return {"emergency_visit": place == EMERGENCY, "hospital_admission": place in INPATIENT}
