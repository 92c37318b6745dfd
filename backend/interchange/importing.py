"""A bundle of another system becomes one patient's records: whole or not at all, and twice is the same as once.

Every resource is stored as it came. What Soom has a place for becomes a record of its own as well: sizes, laboratory
and spirometry, peak flow, attacks that led to an emergency visit or a stay, and everything that Soom itself exported.
Prescriptions and plans of others are kept to be read; what is in force here is what a clinician signs here.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlmodel import Session, select

from backend.accounts.tables import Clinician, Hospital
from backend.accounts.tokens import DeviceCaller
from backend.core import audit, due
from backend.interchange import diary_resources, reading, store
from backend.interchange.bundle import demand_patient, fault, person_of
from backend.interchange.codes import Resource
from backend.interchange.errors import ImportRefused, NotUnderstood
from backend.interchange.record_resources import INHALER, PATIENT, PLAN_VERSION
from backend.interchange.report import ImportReport, NotTaken
from backend.interchange.search import read_own
from backend.interchange.tables import ImportedResource, PatientIdentifier
from backend.measurements.rules import LIMITS, MeasurementKind, Value, refusals
from backend.measurements.tables import Measurement
from backend.medication.tables import Inhaler
from backend.patients.service import add_patient
from backend.patients.store import add_to_care, next_changes
from backend.patients.tables import Patient, Sex
from backend.sync.judging import Circumstances, Refused, judge
from backend.sync.store import pipeline, store_newer

# Ids of what is made from foreign records follow from the records, so that a second import finds them.
NAMESPACE = UUID("6f2c1f0e-52f5-4f0a-9f57-1d8f0a6c2b11")
# Where the day has begun already, its noon lies ahead of us.
A_DAY = timedelta(days=1)
LOWEST_HEIGHT_CM, HIGHEST_HEIGHT_CM = 50, 250
LOWEST_WEIGHT_KG, HIGHEST_WEIGHT_KG = 5, 400


def import_resources(
    session: Session,
    clinician: Clinician,
    resources: list[Any],
    *,
    now: datetime,
    patient_id: UUID | None = None,
) -> ImportReport:
    """Take a bundle's resources for one patient of the clinician's hospital. The caller commits.

    `patient_id` names the patient where the bundle's own identifiers are new here. Raises ImportRefused, and then
    nothing was stored: no or several people, a person who may be here already, identifiers of two patients.
    """
    person = person_of(resources)
    hospital = session.get_one(Hospital, clinician.hospital_id)
    patient, is_new = _patient(session, hospital, clinician, person, now=now, named=patient_id)
    taking = _Taking(session, patient, clinician, ImportReport(patient.id, is_new, len(resources)), person["id"], now)
    taking.take(resources)
    audit.record(
        session,
        now=now,
        actor_kind=audit.ActorKind.CLINICIAN,
        actor_id=clinician.id,
        action="fhir.imported",
        patient_ids=[patient.id],
        detail={"resources": len(resources), "not_taken": len(taking.report.not_taken)},
    )
    return taking.report


def _patient(
    session: Session, hospital: Hospital, clinician: Clinician, person: Resource, *, now: datetime, named: UUID | None
) -> tuple[Patient, bool]:
    identifiers = [
        (str(one["system"]), str(one["value"]))
        for one in person.get("identifier", [])
        if {"system", "value"} <= one.keys()
    ] or [("urn:uuid", str(person["id"]))]
    known = {
        found.patient_id
        for system, value in identifiers
        for found in session.exec(
            select(PatientIdentifier).where(
                PatientIdentifier.hospital_id == hospital.id,
                PatientIdentifier.system == system,
                PatientIdentifier.value == value,
            )
        )
    }
    own = _own_id(identifiers)
    home = None if own is None else session.get(Patient, own)
    if home is not None and home.hospital_id == hospital.id:
        known.add(home.id)
    if named is not None:
        known.add(named)
    if len(known) > 1:
        raise ImportRefused("The identifiers belong to two patients here. Nothing was imported.")
    name, born_on = reading.name_of(person), reading.birth_date(person)
    if known:
        patient = session.get_one(Patient, known.pop())
        if patient.hospital_id != hospital.id:
            raise ImportRefused("This patient is of another hospital. Nothing was imported.")
        is_new = False
    else:
        namesake = session.exec(
            select(Patient.id).where(
                Patient.hospital_id == hospital.id, Patient.display_name == name, Patient.born_on == born_on
            )
        ).first()
        if namesake is not None:
            raise ImportRefused(
                f"Somebody with this name and birth date is here already. If it is the same person, import with "
                f"--patient {namesake}. Nothing was imported."
            )
        sex = person.get("gender")
        patient = add_patient(
            session,
            hospital_id=hospital.id,
            display_name=name,
            born_on=born_on,
            sex=Sex(sex) if sex in {Sex.FEMALE, Sex.MALE} else Sex.UNKNOWN,
            now=now,
            # Who comes from another Soom keeps the id, which some entries' ids follow from.
            patient_id=own if home is None else None,
            # Consent is given here or not at all; what was agreed to elsewhere is only kept.
            consents=(),
        )
        add_to_care(session, patient.id, clinician.id, now=now)
        is_new = True
    for system, value in identifiers:
        session.merge(PatientIdentifier(patient_id=patient.id, system=system, value=value, hospital_id=hospital.id))
    session.flush()
    return patient, is_new


def _own_id(identifiers: list[tuple[str, str]]) -> UUID | None:
    try:
        return next((UUID(value) for system, value in identifiers if system == PATIENT), None)
    except ValueError as error:
        raise ImportRefused(f"An identifier of {PATIENT} is no UUID. Nothing was imported.") from error


@dataclass
class _Taking:
    """One bundle on its way in."""

    session: Session
    patient: Patient
    clinician: Clinician
    report: ImportReport
    # As the bundle calls the patient.
    person_id: str
    now: datetime
    # Place in the bundle, whether the resource itself is kept, and the entry.
    _entries: list[tuple[int, bool, dict[str, Any]]] = field(default_factory=list)

    def take(self, resources: list[Any]) -> None:
        stored = store.imported_hashes(self.session, self.patient.id)
        first_of: dict[tuple[str, str], bytes] = {}
        plan_versions = store.plan_versions(self.session, self.patient.id)
        sound: list[tuple[int, Resource, bytes]] = []
        for place, resource in enumerate(resources):
            problem = fault(resource)
            if problem is not None:
                self._refuse(place, resource, *problem, kept=False)
                continue
            digest = hashlib.sha256(json.dumps(resource, sort_keys=True).encode()).digest()
            name = (resource["resourceType"], resource["id"])
            if first_of.setdefault(name, digest) != digest:
                self._refuse(place, resource, "id", "The bundle holds this twice, with different content.", kept=False)
            else:
                sound.append((place, resource, digest))
        # Inhalers come first: what was taken points to them.
        sound.sort(key=lambda one: one[1]["resourceType"] != "MedicationRequest")
        for place, resource, digest in sound:
            reading.note_asthma(resource, self.report.asthma)
            plan_versions |= _plan_version(resource)
            if diary_resources.is_entry(resource):
                self._read_entry(place, resource)
            elif digest in stored or self._is_ours(resource):
                self.report.unchanged += 1
            else:
                stored.add(digest)
                self._keep(place, resource, digest)
        self._store_entries(plan_versions)

    def _is_ours(self, resource: Resource) -> bool:
        """True for a record that Soom has of this patient already: it came from here, and as it is here it stays."""
        kind = resource["resourceType"]
        return kind != "Patient" and read_own(self.session, [self.patient], kind, resource["id"]) is not None

    def _refuse(self, place: int, resource: Any, path: str, why: str, *, kept: bool) -> None:
        named = resource if isinstance(resource, dict) else {}
        self.report.not_taken.append(
            NotTaken(place, str(named.get("resourceType"))[:40], str(named.get("id"))[:64], path, why, kept)
        )

    def _read_entry(self, place: int, resource: Resource) -> None:
        try:
            demand_patient(resource, self.person_id)
            self._entries.append((place, False, diary_resources.to_entry(resource)))
        except NotUnderstood as problem:
            self._refuse(place, resource, problem.path, problem.why, kept=False)

    def _keep(self, place: int, resource: Resource, digest: bytes) -> None:
        became = None
        try:
            became = self._become(place, resource, digest)
            if became is None and resource["resourceType"] == "Observation":
                self.report.unknown_codes[reading.code_of(resource)] += 1
        except NotUnderstood as problem:
            self._refuse(place, resource, problem.path, problem.why, kept=True)
        self.session.add(
            ImportedResource(
                patient_id=self.patient.id,
                resource_type=resource["resourceType"],
                source_id=resource["id"],
                content_hash=digest,
                content=resource,
                happened_at=reading.happened_at(resource) or self.now,
                received_at=self.now,
                became=became,
            )
        )
        if became is None:
            self.report.kept[resource["resourceType"]] += 1
        elif not became.startswith("diary."):
            # Entries count once they are stored.
            self.report.became[became] += 1

    def _become(self, place: int, resource: Resource, digest: bytes) -> str | None:
        """The record of Soom's own that the resource turned into, or None. Raises NotUnderstood."""
        if resource["resourceType"] == "Patient":
            return "patient"
        if resource["resourceType"] == "MedicationRequest":
            return self._restore_inhaler(resource)
        number = reading.number(resource)
        if number is not None:
            demand_patient(resource, self.person_id)
            if number.name in {"height_cm", "weight_kg"}:
                return self._size(number)
            return self._measure(resource, number, digest)
        taken_at = reading.happened_at(resource)
        flow = reading.peak_flow(resource)
        if flow is not None:
            demand_patient(resource, self.person_id)
            body = {
                "blows_litres_per_min": [flow],
                "meter": "imported",
                "scale": "unknown",
                "bronchodilator": "unknown",
            }
            return self._write("peak_flow", place, body, taken_at, digest)
        consequences = reading.attack(resource)
        if consequences is not None:
            demand_patient(resource, self.person_id)
            return self._write("attack", place, {**consequences, "source": "record"}, taken_at, digest)
        return None

    def _write(self, kind: str, place: int, body: dict[str, Any], taken_at: datetime | None, digest: bytes) -> str:
        if taken_at is None:
            raise NotUnderstood("It does not say when this was.", "effectiveDateTime")
        local = taken_at.astimezone(ZoneInfo(self.patient.time_zone))
        offset = local.utcoffset() or timedelta(0)
        entry = {
            "kind": kind,
            "id": str(uuid5(NAMESPACE, digest.hex())),
            "revision": 1,
            "device_id": str(uuid5(NAMESPACE, str(self.patient.hospital_id))),
            "deleted": False,
            "taken_at": taken_at.isoformat(),
            "time_zone": self.patient.time_zone,
            "utc_offset_minutes": round(offset.total_seconds() / 60),
            "local_date": local.date().isoformat(),
            "body": body,
        }
        self._entries.append((place, True, entry))
        return f"diary.{kind}"

    def _size(self, number: reading.Number) -> str | None:
        """Fills in what is unknown; what a clinician here wrote down stands."""
        value = round(number.value)
        if number.name == "height_cm":
            if not LOWEST_HEIGHT_CM <= value <= HIGHEST_HEIGHT_CM:
                raise NotUnderstood(f"{value} cm is no person's height.", "Observation.valueQuantity.value")
            self.patient.height_cm = self.patient.height_cm or value
        else:
            if not LOWEST_WEIGHT_KG <= value <= HIGHEST_WEIGHT_KG:
                raise NotUnderstood(f"{value} kg is no person's weight.", "Observation.valueQuantity.value")
            self.patient.weight_kg = self.patient.weight_kg or value
        return number.name

    def _measure(self, resource: Resource, number: reading.Number, digest: bytes) -> str:
        kind = MeasurementKind(number.name)
        unit = LIMITS[kind].unit
        value = round(number.value, 6)
        for refusal in refusals([Value(kind, value, unit)]):
            raise NotUnderstood(refusal.message, "Observation.valueQuantity")
        taken_at = reading.happened_at(resource)
        if taken_at is None:
            raise NotUnderstood("It does not say when this was measured.", "Observation.effectiveDateTime")
        if taken_at > self.now + A_DAY:
            raise NotUnderstood(f"{taken_at.date()} has not come yet.", "Observation.effectiveDateTime")
        self.session.add(
            Measurement(
                id=self._measurement_id(resource["id"], digest),
                patient_id=self.patient.id,
                kind=kind.value,
                value=value,
                unit=unit,
                bronchodilator=number.bronchodilator,
                measured_on=taken_at.astimezone(ZoneInfo(self.patient.time_zone)).date()
                if "T" in resource.get("effectiveDateTime", "T")
                else taken_at.date(),
                entered_at=self.now,
                entered_by=self.clinician.id,
            )
        )
        return kind.value

    def _measurement_id(self, source_id: str, digest: bytes) -> UUID:
        """The one that another Soom gave it, if nobody here has it; else one that follows from patient and content."""
        prefix, _, given = source_id.partition("-")
        try:
            own = UUID(given) if prefix == "measurement" else None
        except ValueError:
            own = None
        if own is not None and self.session.get(Measurement, own) is None:
            return own
        return uuid5(NAMESPACE, f"{self.patient.id} {digest.hex()}")

    def _restore_inhaler(self, resource: Resource) -> str | None:
        """An inhaler that Soom itself exported comes back; others' prescriptions are kept, never put in force."""
        details = next((one for one in resource.get("extension", []) if one.get("url") == INHALER), None)
        if details is None:
            return None
        try:
            said = {part["url"]: part.get("valueInteger", part.get("valueString")) for part in details["extension"]}
            inhaler_id = UUID(resource["id"].removeprefix("inhaler-"))
            prescribed_at = datetime.fromisoformat(resource["authoredOn"])
            if self.session.get(Inhaler, inhaler_id) is not None:
                raise NotUnderstood("This inhaler is another patient's here.", "MedicationRequest.id")
            self.session.add(
                Inhaler(
                    id=inhaler_id,
                    patient_id=self.patient.id,
                    active=resource["status"] == "active",
                    prescribed_at=prescribed_at,
                    stopped_at=None if resource["status"] == "active" else self.now,
                    change=next_changes(self.session, self.patient.id),
                    **said,
                )
            )
            self.session.flush()
        except (KeyError, ValueError, TypeError) as error:
            raise NotUnderstood("The inhaler in the extension is incomplete.", f"extension[{INHALER}]") from error
        return "inhaler"

    def _store_entries(self, plan_versions: set[int]) -> None:
        """Judged as if a phone had sent them; each keeps the phone that made it."""
        self.session.flush()
        circumstances = Circumstances(
            patient_id=self.patient.id,
            now=self.now,
            clock_ahead=timedelta(0),
            born_on=self.patient.born_on,
            inhaler_ids={UUID(one) for one in store.inhalers_by_id(self.session, self.patient.id)},
            plan_versions=plan_versions,
        )
        rows: dict[UUID, dict[str, dict[UUID, dict[str, Any]]]] = defaultdict(lambda: defaultdict(dict))
        judged = 0
        for place, is_kept, entry in self._entries:
            try:
                device_id = UUID(str(entry.pop("device_id")))
                kind, entry_id, row = judge(entry, circumstances)
            except (Refused, ValueError) as refused:
                reason = refused.reason if isinstance(refused, Refused) else None
                why, path = (reason.message, reason.field) if reason else ("The phone has no valid id.", "device")
                self._refuse(place, {"resourceType": entry["kind"], "id": entry["id"]}, path, why, kept=is_kept)
                continue
            known = rows[device_id][kind].get(entry_id)
            if known is None or known["revision"] < row["revision"]:
                rows[device_id][kind][entry_id] = row
                judged += 1
        if not judged:
            return
        change = next_changes(self.session, self.patient.id, judged)
        for by_kind in rows.values():
            for by_id in by_kind.values():
                for row in by_id.values():
                    row["change"] = change
                    change += 1
        self.session.flush()
        newer: dict[str, int] = defaultdict(int)
        with pipeline(self.session) as connection:
            for device_id, by_kind in rows.items():
                caller = DeviceCaller(patient_id=self.patient.id, device_id=device_id)
                for kind, ids in store_newer(connection, caller, by_kind, now=self.now).items():
                    newer[kind] += len(ids)
        self.report.became.update({f"diary.{kind}": count for kind, count in newer.items() if count})
        self.report.unchanged += judged - sum(newer.values())
        due.mark_due(self.session, "assess", [self.patient.id], due_at=self.now)


def _plan_version(resource: Mapping[str, Any]) -> set[int]:
    if resource["resourceType"] != "CarePlan":
        return set()
    return {
        int(one["value"])
        for one in resource.get("identifier", [])
        if one.get("system") == PLAN_VERSION and str(one.get("value", "")).isdigit()
    }
