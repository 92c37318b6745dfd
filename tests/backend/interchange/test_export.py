"""What leaves as FHIR R4 is valid by the official definitions, and comes back as the identical diary."""

import json
import uuid
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician
from backend.clinical.medicines import AddOn, catalogue
from backend.diary.tables import PeakFlow
from backend.interchange import codes, diary_resources, record_resources
from backend.interchange.bundle import read_bundle
from backend.interchange.exporting import resources_of, validated
from backend.interchange.importing import import_resources
from backend.interchange.tables import ImportedResource
from backend.measurements.tables import Measurement
from backend.medication.service import drug_name
from backend.medication.tables import Inhaler
from backend.patients.tables import Consent, Patient
from backend.plans.store import AddOnCourse
from tests.conftest import NOON
from tests.databases import new_database, unpooled_engine
from tests.factories import clinic, entries, fhir
from tests.factories.full_clinic import full_clinic
from tests.factories.step_five import bring_to_step_five


@pytest.fixture
def written(session: Session) -> Patient:
    """A patient with every kind of entry, a tombstone, plans with inhalers and add-ons, consents and forecasts."""
    made = full_clinic(session, now=NOON, most_days=12)
    patient = made.in_danger
    bring_to_step_five(session, patient, made.doctor, now=NOON)
    attack = entries.attack(session, patient, taken_at=NOON - timedelta(days=3), systemic_steroids=True)
    attack.systemic_steroid_days = 5
    gone = entries.peak_flow(session, patient, 300, taken_at=NOON - timedelta(days=2))
    for column in PeakFlow.model_fields:
        if column in {
            "blows_litres_per_min",
            "litres_per_min",
            "meter",
            "scale",
            "bronchodilator",
            "action_zone",
            "plan_version",
        }:
            setattr(gone, column, None)
    gone.deleted, gone.revision = True, 2
    session.flush()
    return patient


def test_everything_exported_is_valid_by_the_official_definitions(session: Session, written: Patient) -> None:
    content = fhir.exported(session, written)
    verdict = fhir.official_verdict(content)
    assert verdict["problems"] == []
    types = {entry["resource"]["resourceType"] for entry in json.loads(content)["entry"]}
    assert {
        "Patient",
        "Observation",
        "MedicationStatement",
        "MedicationRequest",
        "Condition",
        "CarePlan",
        "Consent",
    } <= types
    assert "RiskAssessment" in types


def test_the_official_definitions_do_find_faults() -> None:
    verdict = fhir.official_verdict(fhir.bundle({"resourceType": "Observation", "id": "x", "status": "finished"}))
    assert verdict["problems"]


def test_export_and_import_elsewhere_give_the_identical_diary(session: Session, written: Patient) -> None:
    content = fhir.exported(session, written)
    before = fhir.diary_hash(session, written.id)
    inhalers = session.exec(select(Inhaler).where(Inhaler.patient_id == written.id)).all()
    with new_database() as url, Session(unpooled_engine(url)) as elsewhere:
        doctor = clinic.clinician(elsewhere, clinic.hospital(elsewhere), now=NOON)
        report = import_resources(elsewhere, doctor, read_bundle(content), now=NOON)
        assert report.is_new_patient
        assert report.not_taken == []
        assert fhir.diary_hash(elsewhere, report.patient_id) == before
        copies = elsewhere.exec(select(Inhaler).where(Inhaler.patient_id == report.patient_id)).all()
        kept = {(one.id, one.name, one.role, one.puffs_per_dose, one.doses_per_day) for one in inhalers}
        assert {(one.id, one.name, one.role, one.puffs_per_dose, one.doses_per_day) for one in copies} == kept
        # What was agreed to elsewhere is no consent here.
        assert elsewhere.exec(select(Consent).where(Consent.patient_id == report.patient_id)).all() == []
        # Plans and add-on treatment are kept to be read: in force is what a clinician signs here.
        assert report.kept["CarePlan"] == 5
        assert report.kept["MedicationRequest"] == 4
        add_ons = elsewhere.exec(
            select(ImportedResource.content).where(
                ImportedResource.resource_type == "MedicationRequest", col(ImportedResource.became).is_(None)
            )
        ).all()
        sent = {entry["resource"]["id"]: entry["resource"] for entry in json.loads(content)["entry"]}
        assert all(one == sent[one["id"]] for one in add_ons)
        again = import_resources(elsewhere, doctor, read_bundle(content), now=NOON)
        assert not again.is_new_patient
        assert dict(again.became) == {}
        assert fhir.diary_hash(elsewhere, report.patient_id) == before


def test_what_comes_back_to_where_it_came_from_changes_nothing(session: Session, written: Patient) -> None:
    doctor = session.exec(select(Clinician)).one()
    before = fhir.exported(session, written)
    wrong = session.exec(select(Measurement).where(Measurement.patient_id == written.id)).first()
    assert wrong is not None
    wrong.withdrawn_at, wrong.withdrawn_by = NOON, doctor.id
    session.flush()
    current = fhir.exported(session, written)
    report = import_resources(session, doctor, read_bundle(before), now=NOON)
    assert (report.not_taken, dict(report.became), dict(report.kept)) == ([], {"patient": 1}, {})
    assert fhir.exported(session, written) == current


def test_a_deleted_entry_leaves_as_entered_in_error_without_its_content(session: Session, written: Patient) -> None:
    [gone] = [
        one
        for one in resources_of(session, written)
        if one["resourceType"] == "Observation" and one["status"] == "entered-in-error"
    ]
    assert "valueQuantity" not in gone
    assert "component" not in gone


def test_add_on_treatment_leaves_as_prescriptions_from_the_plan_that_began_it_to_the_one_that_left_it_out(
    session: Session, written: Patient
) -> None:
    found = [
        (one["medicationCodeableConcept"]["coding"], one["authoredOn"], one["status"])
        for one in resources_of(session, written)
        if one["resourceType"] == "MedicationRequest" and not one["id"].startswith("inhaler-")
    ]
    assert [
        ([(coding["system"].rsplit("/", 1)[-1], coding["code"]) for coding in coded], begun, status)
        for coded, begun, status in found
    ] == [
        ([("urn:soom:codes", kind), ("atc", atc)], (NOON - timedelta(days=days_ago)).isoformat(), status)
        for kind, atc, days_ago, status in (
            ("montelukast", "R03DC03", 40, "stopped"),
            # Which antibody against IL-5 it is, the plan does not say: ATC's group of them.
            ("anti-il5", "R03DX", 30, "active"),
            ("oral-steroid-maintenance", "H02AB", 20, "stopped"),
            ("montelukast", "R03DC03", 10, "active"),
        )
    ]


def test_each_version_of_the_plan_points_to_what_it_prescribes(session: Session, written: Patient) -> None:
    resources = {f"{one['resourceType']}/{one['id']}": one for one in resources_of(session, written)}
    prescribed = {
        one["title"]: {
            resources[activity["reference"]["reference"]]["medicationCodeableConcept"]["coding"][0]["code"]
            for activity in one["activity"]
            if "reference" in activity
        }
        for one in resources.values()
        if one["resourceType"] == "CarePlan"
    }
    inhalers = {"R03AK07", "R03BB04"}
    assert prescribed == {
        # Signed before prescriptions were structured.
        "Asthma action plan, version 1": set(),
        "Asthma action plan, version 2": inhalers | {"montelukast"},
        "Asthma action plan, version 3": inhalers | {"montelukast", "anti-il5"},
        "Asthma action plan, version 4": inhalers | {"anti-il5", "oral-steroid-maintenance"},
        "Asthma action plan, version 5": inhalers | {"anti-il5", "montelukast"},
    }
    [in_force] = [one for one in resources.values() if one["resourceType"] == "CarePlan" and one["status"] == "active"]
    references = [one["reference"]["reference"] for one in in_force["activity"] if "reference" in one]
    assert {resources[one]["status"] for one in references} == {"active"}


def test_every_medicine_of_the_catalogue_leaves_with_its_atc_code_but_the_one_without() -> None:
    without = {product.id for product in catalogue().values() if "coding" not in codes.medicine("", drug_name(product))}
    assert without == {"salbutamol_budesonide_90_80_pmdi"}


def test_every_kind_of_add_on_leaves_valid_and_with_atc_where_its_kind_was_recorded() -> None:
    patient = Patient(hospital_id=uuid.uuid4(), display_name="Mari Tamm", sex="female", created_at=NOON)
    made = {
        kind: record_resources.add_on_prescription(patient, AddOnCourse(kind, 99_999, NOON, None)) for kind in AddOn
    }
    assert fhir.official_verdict(fhir.bundle(*made.values()))["problems"] == []
    atc = {kind: one["medicationCodeableConcept"]["coding"][1:] for kind, one in made.items()}
    assert [kind for kind, coded in atc.items() if not coded] == [AddOn.BIOLOGIC]


def test_a_forecast_without_enough_data_says_so_and_carries_no_number(session: Session) -> None:
    made = full_clinic(session, now=NOON, most_days=3)
    patient = next(p for p in made.patients.values() if p.display_name == "강지호")
    found = [one for one in resources_of(session, patient) if one["resourceType"] == "RiskAssessment"]
    assert found
    assert all("prediction" not in one and one["note"] for one in found)


instants = st.integers(0, 10**15).map(lambda microseconds: NOON - timedelta(microseconds=microseconds))
words = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(str.strip)
answers = st.one_of(st.none(), st.booleans())
bodies: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "peak_flow": st.fixed_dictionaries(
        {
            "blows_litres_per_min": st.lists(st.integers(30, 900), min_size=1, max_size=3),
            "meter": words,
            "scale": st.sampled_from(["eu", "wright", "unknown"]),
            "bronchodilator": st.sampled_from(["before", "after", "unknown"]),
            "action_zone": st.sampled_from([None, "green", "yellow", "red"]),
            "plan_version": st.one_of(st.none(), st.integers(1, 99)),
        }
    ),
    "symptoms": st.fixed_dictionaries(
        {
            "daytime": st.booleans(),
            "night_waking": answers,
            "activity_limited": answers,
            "severity": st.one_of(st.none(), st.integers(0, 3)),
            "red_flags": st.lists(st.sampled_from(["blue_lips", "cannot_speak_sentence"]), unique=True),
        }
    ),
    "inhaler_use": st.fixed_dictionaries(
        {
            "inhaler_id": st.uuids().map(str),
            "puffs": st.one_of(st.none(), st.integers(1, 99)),
            "puffs_at_most": st.none(),
            "amount": st.sampled_from([None, "none", "as_usual"]),
            "purpose": st.just("relief"),
            "source": st.sampled_from(["logged", "sensor", "day_recall"]),
        }
    ),
    "questionnaire": st.fixed_dictionaries(
        {
            "instrument": st.sampled_from(["weekly_review", "control_check"]),
            "period_days": st.integers(1, 31),
            "answers": st.dictionaries(st.sampled_from(["night", "day", "score"]), st.integers(0, 5)),
            "score": st.one_of(st.none(), st.floats(0, 30, width=16)),
        }
    ),
    "attack": st.fixed_dictionaries(
        {
            "systemic_steroids": answers,
            "systemic_steroid_days": st.none(),
            "emergency_visit": st.just(True),
            "hospital_admission": answers,
            "unscheduled_visit": answers,
            "source": st.sampled_from(["self", "clinician"]),
        }
    ),
    "note": st.fixed_dictionaries({"text": words}),
    "trigger": st.fixed_dictionaries({"trigger": st.just("pollen"), "note": st.one_of(st.none(), words)}),
}


@st.composite
def wire_entries(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(sorted(bodies)))
    deleted = draw(st.booleans())
    return {
        "kind": kind,
        "id": draw(st.uuids()),
        "revision": draw(st.integers(1, 2**31 - 1)),
        "device_id": draw(st.uuids()),
        "deleted": deleted,
        "taken_at": draw(instants),
        "time_zone": draw(st.sampled_from(["Asia/Seoul", "Europe/Tallinn", "America/St_Johns"])),
        "utc_offset_minutes": draw(st.integers(-720, 840)),
        "local_date": draw(st.dates(date(2020, 1, 1), date(2030, 1, 1))),
        "body": None if deleted else draw(bodies[kind]),
    }


@given(entry=wire_entries())
def test_any_entry_comes_back_from_fhir_as_it_was(entry: dict[str, Any]) -> None:
    resource = json.loads(json.dumps(validated(diary_resources.from_entry(entry, uuid.UUID(int=1), {}))))
    back = diary_resources.to_entry(resource)
    assert back["id"] == str(entry["id"])
    assert back["device_id"] == str(entry["device_id"])
    assert datetime.fromisoformat(back["taken_at"]) == entry["taken_at"]
    assert back["local_date"] == entry["local_date"].isoformat()
    for name in ("kind", "revision", "deleted", "time_zone", "utc_offset_minutes"):
        assert back[name] == entry[name]
    if entry["body"] is None:
        assert back["body"] is None
    else:
        given_fields = {name: content for name, content in entry["body"].items() if content is not None}
        assert {name: content for name, content in back["body"].items() if content is not None} == given_fields


def test_the_export_names_nobody_but_the_patient(session: Session, written: Patient) -> None:
    others = session.exec(select(Patient.display_name).where(Patient.id != written.id)).all()
    doctors = session.exec(select(Clinician.email)).all()
    content = fhir.exported(session, written).decode()
    assert not [name for name in [*others, *doctors] if name in content]
