"""Search and read of FHIR resources: each page is read from the tables, nothing is collected in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import String, cast, func
from sqlmodel import Session, col, select

from backend.accounts.tables import Hospital
from backend.interchange import codes, diary_resources, record_resources, store
from backend.interchange.codes import Resource
from backend.interchange.errors import SearchRefused
from backend.interchange.store import Window
from backend.measurements.tables import Measurement
from backend.medication.tables import Inhaler
from backend.patients.tables import Consent, Patient
from backend.plans.store import add_on_courses
from backend.plans.tables import ActionPlan
from backend.risk.tables import Assessment
from backend.sync.store import TABLE_OF_KIND

LARGEST_PAGE = 200
TYPES = (
    "CarePlan", "Condition", "Consent", "MedicationAdministration", "MedicationRequest", "MedicationStatement",
    "Observation", "Patient", "QuestionnaireResponse", "RiskAssessment",
)  # fmt: skip
# Entries of these kinds can become the resource.
KINDS = {
    "Condition": ("attack",),
    "QuestionnaireResponse": ("questionnaire",),
    "MedicationAdministration": ("inhaler_use",),
    "MedicationStatement": ("inhaler_use",),
    "Observation": tuple(kind for kind in TABLE_OF_KIND if kind not in {"attack", "questionnaire", "inhaler_use"}),
}
PREFIXES = ("eq", "ge", "gt", "le", "lt")

Found = tuple[datetime, str, Resource]
Source = Callable[[Session, Patient, Window], list[Found]]


@dataclass(frozen=True)
class Page:
    """`after` continues the search, or None at its end."""

    resources: list[Resource]
    after: str | None


def window_of(dates: Sequence[str], count: int, after: str | None) -> Window:
    """From FHIR's `date` parameters (ge2026-01-01, lt2026-02-01T00:00:00Z; no prefix: that day), in UTC.

    Raises SearchRefused.
    """
    if not 1 <= count <= LARGEST_PAGE:
        raise SearchRefused(f"_count lies between 1 and {LARGEST_PAGE}.")
    window = Window(limit=count)
    for given in dates:
        prefix, said = (given[:2], given[2:]) if given[:2] in PREFIXES else ("eq", given)
        begin, end = _span(said)
        if prefix in {"eq", "ge"}:
            window = replace(window, since=max(window.since, begin))
        if prefix == "gt":
            window = replace(window, since=max(window.since, end))
        if prefix in {"eq", "le"}:
            window = replace(window, until=min(window.until, end))
        if prefix == "lt":
            window = replace(window, until=min(window.until, begin))
    if after:
        at, _, record_id = after.partition("~")
        try:
            window = replace(window, before_at=datetime.fromisoformat(at), before_id=record_id)
        except ValueError as error:
            raise SearchRefused("This page link is not one of ours; begin the search again.") from error
        if window.before_at.tzinfo is None:
            raise SearchRefused("This page link is not one of ours; begin the search again.")
    return window


def _span(said: str) -> tuple[datetime, datetime]:
    try:
        if len(said) == len("2026-11-20"):
            begin = datetime.combine(date.fromisoformat(said), time(), UTC)
            return begin, begin + timedelta(days=1)
        instant = datetime.fromisoformat(said.replace(" ", "+"))
    except ValueError as error:
        raise SearchRefused("date is like ge2026-01-31 or lt2026-02-01T00:00:00Z.") from error
    if instant.tzinfo is None:
        raise SearchRefused("A time of day needs its offset from UTC, as 2026-02-01T00:00:00Z.")
    return instant, instant + timedelta(microseconds=1)


def search(session: Session, patient: Patient, resource_type: str, wanted_codes: Sequence[str], window: Window) -> Page:
    """Resources of one type and patient, newest first. `wanted_codes`: `system|code` or `code`; any of them matches."""
    if resource_type == "Patient":
        hospital = session.get_one(Hospital, patient.hospital_id)
        return Page([record_resources.person(patient, hospital)], None)
    found: list[Found] = []
    # A page whose codes match little is filled from further windows, never from the whole history at once.
    ask = replace(window, limit=window.limit + 1)
    while True:
        batch = sorted(
            (one for source in _sources(resource_type) for one in source(session, patient, ask)),
            key=lambda one: (one[0], one[1]),
            reverse=True,
        )[: ask.limit]
        found += [one for one in batch if _matches(one[2], wanted_codes)]
        if len(batch) < ask.limit or len(found) > window.limit:
            break
        ask = replace(ask, before_at=batch[-1][0], before_id=batch[-1][1])
    page = found[: window.limit]
    after = f"{page[-1][0].isoformat()}~{page[-1][1]}" if len(found) > window.limit else None
    return Page([one[2] for one in page], after)


def _matches(resource: Resource, wanted_codes: Sequence[str]) -> bool:
    if not wanted_codes:
        return True
    place = resource.get("code") or resource.get("medicationCodeableConcept") or {}
    has = {(one.get("system"), one.get("code")) for one in place.get("coding", [])}
    for wanted in wanted_codes:
        system, bar, code = wanted.rpartition("|")
        if (system, code) in has or (not bar and any(one[1] == code for one in has)):
            return True
    return False


def _sources(resource_type: str) -> list[Source]:
    sources: list[Source] = [_entries_as(resource_type, kind) for kind in KINDS.get(resource_type, ())]
    sources.append(_imported_as(resource_type))
    own: dict[str, Source] = {
        "Observation": _measurements,
        "MedicationRequest": _prescriptions,
        "CarePlan": _plans,
        "Consent": _consents,
        "RiskAssessment": _forecasts,
    }
    if resource_type in own:
        sources.append(own[resource_type])
    return sources


def _entries_as(resource_type: str, kind: str) -> Source:
    def found(session: Session, patient: Patient, window: Window) -> list[Found]:
        names = medicines(session, patient.id) if kind == "inhaler_use" else {}
        made: list[Found] = []
        ask = window
        while len(made) < window.limit:
            rows = store.entries_in(session, patient.id, kind, ask)
            for row in rows:
                if diary_resources.resource_type(row) == resource_type:
                    made.append(
                        (
                            row["taken_at"],
                            diary_resources.resource_id(row),
                            diary_resources.from_entry(row, patient.id, names),
                        )
                    )
            if len(rows) < ask.limit:
                break
            ask = replace(ask, before_at=rows[-1]["taken_at"], before_id=diary_resources.resource_id(rows[-1]))
        return made[: window.limit]

    return found


def medicines(session: Session, patient_id: UUID) -> dict[str, Resource]:
    """Inhaler id → the medicine as a CodeableConcept."""
    return {
        inhaler_id: codes.medicine(inhaler.name, inhaler.drug)
        for inhaler_id, inhaler in store.inhalers_by_id(session, patient_id).items()
    }


def _imported_as(resource_type: str) -> Source:
    def found(session: Session, patient: Patient, window: Window) -> list[Found]:
        rows = store.imported_in(session, patient.id, resource_type, window)
        return [(row.happened_at, f"imported-{row.content_hash.hex()}", row.content) for row in rows]

    return found


def _measurements(session: Session, patient: Patient, window: Window) -> list[Found]:
    rows = session.exec(
        select(Measurement).where(Measurement.patient_id == patient.id, col(Measurement.withdrawn_at).is_(None))
    ).all()
    made = [
        (
            # A day without a time stands at its noon in UTC, as reading.happened_at has it.
            datetime.combine(row.measured_on, time(12), UTC),
            f"measurement-{row.id}",
            record_resources.measured(patient, row),
        )
        for row in rows
    ]
    return _within(made, window)


def _prescriptions(session: Session, patient: Patient, window: Window) -> list[Found]:
    rows = session.exec(select(Inhaler).where(Inhaler.patient_id == patient.id)).all()
    made = [(row.prescribed_at, f"inhaler-{row.id}", record_resources.prescription(patient, row)) for row in rows]
    for course in add_on_courses(session, patient.id):
        resource = record_resources.add_on_prescription(patient, course)
        made.append((course.began_at, resource["id"], resource))
    return _within(made, window)


def _plans(session: Session, patient: Patient, window: Window) -> list[Found]:
    rows = session.exec(select(ActionPlan).where(ActionPlan.patient_id == patient.id)).all()
    newest = max((row.version for row in rows), default=0)
    courses = add_on_courses(session, patient.id)
    return _within(
        [
            (
                row.signed_at,
                f"plan-{row.version}-{patient.id}",
                record_resources.care_plan(patient, row, courses, in_force=row.version == newest),
            )
            for row in rows
        ],
        window,
    )


def _consents(session: Session, patient: Patient, window: Window) -> list[Found]:
    rows = session.exec(select(Consent).where(Consent.patient_id == patient.id)).all()
    return _within(
        [(row.granted_at, f"consent-{row.id}", record_resources.consent(patient, row)) for row in rows], window
    )


def _within(found: list[Found], window: Window) -> list[Found]:
    """For what a patient has few of: read whole, then cut to the window."""
    kept = [
        one
        for one in found
        if window.since <= one[0] < window.until and (one[0], one[1]) < (window.before_at, window.before_id)
    ]
    return sorted(kept, key=lambda one: (one[0], one[1]), reverse=True)[: window.limit]


def _forecasts(session: Session, patient: Patient, window: Window) -> list[Found]:
    record_id = func.concat("assessment-", cast(col(Assessment.id), String))
    rows = session.exec(
        select(Assessment)
        .where(Assessment.patient_id == patient.id, store.page_of(window, col(Assessment.assessed_at), record_id))
        .order_by(col(Assessment.assessed_at).desc(), record_id.collate("C").desc())
        .limit(window.limit)
    ).all()
    return [(row.assessed_at, f"assessment-{row.id}", record_resources.forecast(patient, row)) for row in rows]


def read(
    session: Session, patients: Sequence[Patient], resource_type: str, resource_id: str
) -> tuple[Patient, Resource] | None:
    """One resource of one of the `patients`, Soom's own or kept as another system sent it, or None."""
    own = read_own(session, patients, resource_type, resource_id)
    if own is not None:
        return own
    by_id = {patient.id: patient for patient in patients}
    kept = store.imported_named(session, list(by_id), resource_type, resource_id)
    return None if kept is None else (by_id[kept.patient_id], kept.content)


def read_own(
    session: Session, patients: Sequence[Patient], resource_type: str, resource_id: str
) -> tuple[Patient, Resource] | None:
    by_id = {patient.id: patient for patient in patients}
    if resource_type == "Patient":
        found = next((patient for patient in patients if str(patient.id) == resource_id), None)
        if found is None:
            return None
        return found, record_resources.person(found, session.get_one(Hospital, found.hospital_id))
    for kind in KINDS.get(resource_type, ()):
        prefix = kind.replace("_", "-") + "-"
        entry_id = _uuid(resource_id.removeprefix(prefix)) if resource_id.startswith(prefix) else None
        if entry_id is not None:
            row = store.entry_of(session, list(by_id), kind, entry_id)
            if row is None or diary_resources.resource_type(row) != resource_type:
                return None
            patient = by_id[row.pop("patient_id")]
            return patient, diary_resources.from_entry(row, patient.id, medicines(session, patient.id))
    return _read_record(session, by_id, resource_type, resource_id)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _read_record(
    session: Session, by_id: dict[UUID, Patient], resource_type: str, resource_id: str
) -> tuple[Patient, Resource] | None:
    if resource_type == "CarePlan" and resource_id.startswith("plan-"):
        version, _, owner = resource_id.removeprefix("plan-").partition("-")
        patient = by_id.get(_uuid(owner) or UUID(int=0))
        plan = session.get(ActionPlan, (patient.id, int(version))) if patient and version.isdigit() else None
        if patient is None or plan is None:
            return None
        newest = max(store.plan_versions(session, patient.id))
        courses = add_on_courses(session, patient.id)
        return patient, record_resources.care_plan(patient, plan, courses, in_force=plan.version == newest)
    if resource_type == "MedicationRequest" and not resource_id.startswith("inhaler-"):
        return _read_add_on(session, by_id, resource_id)
    if resource_type not in _RECORDS:
        return None
    prefix, table, made = _RECORDS[resource_type]
    record_id = _uuid(resource_id.removeprefix(prefix)) if resource_id.startswith(prefix) else None
    row = None if record_id is None else session.get(table, record_id)
    owner_of = None if row is None else by_id.get(row.patient_id)
    return None if row is None or owner_of is None else (owner_of, made(owner_of, row))


def _read_add_on(session: Session, by_id: dict[UUID, Patient], resource_id: str) -> tuple[Patient, Resource] | None:
    patient = by_id.get(_uuid(resource_id.rpartition("-")[2]) or UUID(int=0))
    if patient is None:
        return None
    made = [record_resources.add_on_prescription(patient, one) for one in add_on_courses(session, patient.id)]
    return next(((patient, one) for one in made if one["id"] == resource_id), None)


_RECORDS: dict[str, tuple[str, Any, Callable[[Patient, Any], Resource]]] = {
    "Observation": ("measurement-", Measurement, record_resources.measured),
    "MedicationRequest": ("inhaler-", Inhaler, record_resources.prescription),
    "Consent": ("consent-", Consent, record_resources.consent),
    "RiskAssessment": ("assessment-", Assessment, record_resources.forecast),
}
