"""The last line of defence: what the database itself refuses, whoever writes."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from backend.diary.tables import Attack, Note, PeakFlow, Symptoms
from backend.medication.service import prescribe
from backend.medication.tables import InhalerRole, InhalerUse
from backend.patients.tables import Patient
from tests.conftest import NOON
from tests.factories import clinic

READING = {
    "blows_litres_per_min": [400, 420],
    "litres_per_min": 420,
    "meter": "Mini-Wright",
    "scale": "eu",
    "bronchodilator": "unknown",
}


@pytest.fixture
def patient(session: Session) -> Patient:
    return clinic.patient(session, clinic.hospital(session), now=NOON)


def envelope(patient_id: UUID) -> dict[str, Any]:
    return {
        "patient_id": patient_id,
        "id": uuid4(),
        "revision": 1,
        "device_id": uuid4(),
        "taken_at": NOON,
        "time_zone": "Asia/Seoul",
        "utc_offset_minutes": 540,
        "local_date": NOON.date(),
        "received_at": NOON,
        "change": 1,
    }


def store(session: Session, table: type[Any], patient_id: UUID, **body: Any) -> None:
    session.add(table(**envelope(patient_id), **body))
    session.flush()


def test_a_whole_reading_and_an_empty_tombstone_are_kept(session: Session, patient: Patient) -> None:
    store(session, PeakFlow, patient.id, **READING)
    store(session, PeakFlow, patient.id, deleted=True)


@pytest.mark.parametrize(
    ("table", "body"),
    [
        (PeakFlow, {**READING, "litres_per_min": 400}),
        (PeakFlow, {**READING, "blows_litres_per_min": [29, 420]}),
        (PeakFlow, {**READING, "blows_litres_per_min": [420, 901], "litres_per_min": 901}),
        (PeakFlow, {**READING, "blows_litres_per_min": []}),
        (PeakFlow, {**READING, "blows_litres_per_min": [420] * 4}),
        (PeakFlow, {**READING, "scale": "mini"}),
        (PeakFlow, {}),
        (Symptoms, {"red_flags": []}),
        (Symptoms, {"red_flags": ["tired"]}),
        (Symptoms, {"red_flags": [], "severity": 4}),
        (Attack, {"source": "self", "systemic_steroids": False}),
        (Attack, {"source": "self", "emergency_visit": True, "systemic_steroid_days": 5}),
        (Note, {"text": ""}),
        (Note, {"text": "x", "revision": 0}),
    ],
)
def test_the_database_refuses_what_cannot_be(
    session: Session, patient: Patient, table: type[Any], body: dict[str, Any]
) -> None:
    session.add(table(**{**envelope(patient.id), **body}))
    with pytest.raises(IntegrityError):
        session.flush()


def test_nobodys_dose_can_be_of_another_patients_inhaler(session: Session, patient: Patient) -> None:
    stranger = clinic.patient(session, clinic.hospital(session), now=NOON)
    theirs = prescribe(
        session, stranger.id, name="Ventolin", role=InhalerRole.RELIEVER, drug="salbutamol", device="pmdi", now=NOON
    )
    dose = {"inhaler_id": theirs.id, "puffs": 2, "purpose": "relief", "source": "logged"}
    store(session, InhalerUse, stranger.id, **dose)
    with pytest.raises(IntegrityError):
        store(session, InhalerUse, patient.id, **dose)
