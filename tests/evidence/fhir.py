"""What goes out as FHIR R4 and what comes in: validity by the official definitions, round trip, and foreign bundles."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlmodel import Session, select

from backend.accounts.tables import Clinician
from backend.core.settings import Settings
from backend.diary.tables import Attack
from backend.interchange.bundle import read_bundle
from backend.interchange.importing import import_resources
from backend.interchange.tables import ImportedResource
from tests.conftest import NOON
from tests.databases import new_database, unpooled_engine
from tests.factories import clinic, fhir
from tests.factories.full_clinic import full_clinic
from tests.factories.step_five import bring_to_step_five
from tests.figures import Figure, figure


def figures() -> Iterator[Figure]:
    with new_database() as here, Session(unpooled_engine(here)) as session:
        made = full_clinic(session, now=NOON)
        for patient in list(made.patients.values())[:6]:
            bring_to_step_five(session, patient, made.doctor, now=NOON)
        bundles = {patient.id: fhir.exported(session, patient) for patient in made.patients.values()}
        hashes = {patient_id: fhir.diary_hash(session, patient_id) for patient_id in bundles}
    yield from _validity(bundles.values())
    with new_database() as elsewhere, Session(unpooled_engine(elsewhere)) as session:
        doctor = _doctor(session)
        identical = 0
        for patient_id, content in bundles.items():
            report = import_resources(session, doctor, read_bundle(content), now=NOON)
            identical += not report.not_taken and fhir.diary_hash(session, report.patient_id) == hashes[patient_id]
    yield figure(
        "fhir.round_trip_identical",
        identical,
        "patients whose diary hash is identical after export and import",
        baseline=len(bundles),
        goal="all of them (baseline)",
        met=identical == len(bundles),
    )
    yield from _synthea(Settings().shared_data / "synthea")


def _doctor(session: Session) -> Clinician:
    return clinic.clinician(session, clinic.hospital(session), now=NOON)


def _validity(bundles: Iterable[bytes]) -> Iterator[Figure]:
    verdicts = [fhir.official_verdict(content) for content in bundles]
    problems = sum(len(verdict["problems"]) for verdict in verdicts)
    yield figure("fhir.exported_resources", sum(verdict["checked"] for verdict in verdicts), "resources validated")
    yield figure(
        "fhir.exported_invalid",
        problems,
        "resources that FHIR R4's own definitions refuse",
        goal="0",
        met=problems == 0,
    )


def _synthea(folder: Path) -> Iterator[Figure]:
    files = sorted(folder.glob("*.json"))
    sent = kept = with_asthma = with_diagnosis = again_new = 0
    with new_database() as url, Session(unpooled_engine(url)) as session:
        doctor = _doctor(session)
        for file in files:
            resources = read_bundle(file.read_bytes())
            report = import_resources(session, doctor, resources, now=NOON)
            stored = session.exec(
                select(ImportedResource).where(ImportedResource.patient_id == report.patient_id)
            ).all()
            contents = {json.dumps(one.content, sort_keys=True) for one in stored}
            sent += len(resources)
            kept += sum(json.dumps(resource, sort_keys=True) in contents for resource in resources)
            with_asthma += report.asthma.strongest is not None
            with_diagnosis += report.asthma.strongest == "diagnosis"
            again = import_resources(session, doctor, resources, now=NOON)
            again_new += len(resources) - again.unchanged
        attacks = len(session.exec(select(Attack)).all())
    yield figure(
        "fhir.synthea_kept", kept, "resources stored as they came", baseline=sent, goal="all sent", met=kept == sent
    )
    yield figure("fhir.synthea_again_new", again_new, "resources new at a second import", goal="0", met=again_new == 0)
    yield figure(
        "fhir.synthea_asthma_found",
        with_asthma,
        "people with asthma found",
        baseline=with_diagnosis,
        goal=f"all {len(files)}; the baseline is those with a Condition that says it",
        met=with_asthma == len(files),
    )
    yield figure(
        "fhir.synthea_attacks", attacks, "emergency visits because of asthma that became attacks of the record"
    )
