"""A signed draft: prescriptions on the phone, a readable difference, reminders; a signed version never changes."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session

from backend.accounts.tables import Clinician
from backend.clinical.action_plan import LANGUAGES
from backend.clinical.medicines import Prescription, Regimen, Use
from backend.medication.store import inhalers
from backend.patients.tables import Patient
from backend.plans.difference import differences
from backend.plans.draft import OralSteroidIn, OwnSentences, PlanRefused
from backend.plans.errors import PlanChangedMeanwhile
from backend.plans.schemas import PlanOut
from backend.plans.service import sign_draft
from backend.plans.store import content_of_plan, plan_in_force, regimen_of
from backend.plans.tables import ActionPlan
from tests.conftest import NOON
from tests.factories import clinic, treatment

REVIEW = NOON.date() + timedelta(days=60)


@pytest.fixture
def doctor(session: Session) -> Clinician:
    return clinic.clinician(session, clinic.hospital(session), now=NOON)


@pytest.fixture
def patient(session: Session, doctor: Clinician) -> Patient:
    return treatment.patient(session, doctor, now=NOON)


def sign(
    session: Session, patient: Patient, doctor: Clinician, regimen: Regimen, *, based_on: int, **more: Any
) -> ActionPlan:
    draft = treatment.draft(regimen, based_on=based_on, review_on=REVIEW, **more)
    return sign_draft(session, patient, doctor, draft, reason="Because.", now=NOON)


def test_what_stays_keeps_its_inhaler_and_what_changes_gets_a_new_one(
    session: Session, patient: Patient, doctor: Clinician
) -> None:
    sign(session, patient, doctor, treatment.LOW_ICS, based_on=0)
    steroid, saba = inhalers(session, patient.id)
    stronger = Regimen((Prescription("budesonide_200_dpi", Use.MAINTENANCE, 1, 2), treatment.LOW_ICS.prescriptions[1]))
    sign(session, patient, doctor, stronger, based_on=1)
    active = {one.id: one for one in inhalers(session, patient.id) if one.active}
    assert len(active) == 2
    assert saba.id in active
    assert steroid.id not in active
    assert {(one.role, one.doses_per_day) for one in active.values()} == {("controller", 2), ("reliever", 0)}


def test_the_phone_gets_difference_prescriptions_and_reminders_in_its_language(
    session: Session, patient: Patient, doctor: Clinician
) -> None:
    first = sign(session, patient, doctor, treatment.AIR, based_on=0)
    assert first.difference == {language: [] for language in LANGUAGES}
    second = sign(
        session,
        patient,
        doctor,
        treatment.MART_LOW,
        based_on=1,
        best=460,
        oral_steroid=OralSteroidIn(milligrams_a_day=40, days=5),
        extra_instructions=OwnSentences(yellow=["측정기를 가져오세요."]),
    )
    wire = PlanOut.of(second, signed_by=doctor.name, language="ko")
    assert wire.difference[0].startswith("바뀜: Budesonide-formoterol 200/6")
    assert any("460 L/min" in line for line in wire.difference)
    assert any("40 mg" in line for line in wire.difference)
    assert wire.instructions.yellow[-1] == "측정기를 가져오세요."
    assert [(one.kind, one.at) for one in wire.reminders] == [
        ("take_inhaler", "08:00"),
        ("take_inhaler", "20:00"),
        ("measure_peak_flow", "08:00"),
    ]
    [active] = [one for one in inhalers(session, patient.id) if one.active]
    assert wire.reminders[0].inhaler_id == wire.prescriptions[0].inhaler_id == active.id


def test_nothing_new_is_said_in_one_calm_sentence_in_each_language(
    session: Session, patient: Patient, doctor: Clinician
) -> None:
    plan = sign(session, patient, doctor, treatment.MART_LOW, based_on=0)
    found = differences(content_of_plan(plan), content_of_plan(plan))
    assert [len(found[language]) for language in LANGUAGES] == [1, 1, 1]
    assert len({found[language][0] for language in LANGUAGES}) == 3


@pytest.mark.parametrize("based_on", [0, 2, 7])
def test_a_stale_version_is_never_signed(session: Session, patient: Patient, doctor: Clinician, based_on: int) -> None:
    sign(session, patient, doctor, treatment.MART_LOW, based_on=0)
    with pytest.raises(PlanChangedMeanwhile):
        sign(session, patient, doctor, treatment.MART_MEDIUM, based_on=based_on)
    assert regimen_of(plan_in_force(session, patient.id)) == treatment.MART_LOW


def test_a_regimen_that_the_rules_refuse_is_named_at_its_field(
    session: Session, patient: Patient, doctor: Clinician
) -> None:
    too_much = Regimen((Prescription(treatment.BUDESONIDE_FORMOTEROL, Use.MAINTENANCE_AND_RELIEVER, 1, 2, 20),))
    with pytest.raises(PlanRefused) as refused:
        sign(session, patient, doctor, too_much, based_on=0)
    assert "regimen.prescriptions[0].most_inhalations_a_day" in {field.path for field in refused.value.fields}
    assert inhalers(session, patient.id) == []
    assert plan_in_force(session, patient.id) is None
