"""What leaves as FHIR R4 is valid by the official definitions, and comes back as the identical diary."""

import json
import uuid
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, select

from backend.accounts.tables import Clinician
from backend.diary.tables import PeakFlow
from backend.interchange import diary_resources
from backend.interchange.exporting import resources_of, validated
from backend.interchange.importing import import_resources, read_bundle
from backend.medication.tables import Inhaler
from backend.patients.tables import Consent, Patient
from tests.conftest import NOON
from tests.databases import new_database, unpooled_engine
from tests.factories import clinic, entries, fhir
from tests.factories.full_clinic import full_clinic


@pytest.fixture
def written(session: Session) -> Patient:
    """A patient with every kind of entry, a tombstone, an inhaler, a plan, consents and forecasts."""
    made = full_clinic(session, now=NOON, most_days=12)
    patient = made.in_danger
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
        again = import_resources(elsewhere, doctor, read_bundle(content), now=NOON)
        assert not again.is_new_patient
        assert dict(again.became) == {}
        assert fhir.diary_hash(elsewhere, report.patient_id) == before


def test_a_deleted_entry_leaves_as_entered_in_error_without_its_content(session: Session, written: Patient) -> None:
    [gone] = [
        one
        for one in resources_of(session, written)
        if one["resourceType"] == "Observation" and one["status"] == "entered-in-error"
    ]
    assert "valueQuantity" not in gone
    assert "component" not in gone


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
