"""A biologic by its kind: offered by the biomarkers, ordered by the model, signed, and told to the patient."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from backend.accounts.tables import Clinician
from backend.clinical.medicines import AddOn, Prescription, Regimen, Use
from backend.measurements.schemas import MeasurementsIn
from backend.measurements.service import enter
from backend.patients.tables import Patient
from backend.plans.store import plan_in_force
from backend.recommendations.decisions import answer_checks, sign_treatment
from backend.recommendations.rules import CHECKLIST
from backend.recommendations.schemas import ChecksIn
from backend.recommendations.service import look_again
from backend.recommendations.store import open_recommendation
from backend.recommendations.tables import Recommendation
from tests.conftest import NOON
from tests.factories import clinic, treatment

START = NOON - timedelta(days=90)
INHALERS = (*treatment.MART_MEDIUM.prescriptions, Prescription("tiotropium_2_5_smi", Use.MAINTENANCE, 2, 1))
WITH_LAMA = Regimen(INHALERS)


@pytest.fixture
def doctor(session: Session) -> Clinician:
    return clinic.clinician(session, clinic.hospital(session), now=START)


def severe(session: Session, doctor: Clinician, regimen: Regimen = WITH_LAMA) -> Patient:
    """Ninety days at step 5, uncontrolled, with two severe attacks in the year before."""
    return treatment.uncontrolled(session, doctor, regimen, since=START, until=NOON, severe_attacks_last_year=2)


def measured(session: Session, patient: Patient, doctor: Clinician, eosinophils: float, total_ige: float) -> None:
    values = [
        {"kind": "blood_eosinophils", "value": eosinophils, "unit": "cells/uL"},
        {"kind": "total_ige", "value": total_ige, "unit": "kU/L"},
        {"kind": "feno", "value": 60, "unit": "ppb"},
    ]
    given = MeasurementsIn.model_validate({"measured_on": NOON.date(), "measurements": values})
    enter(session, patient.id, doctor.id, given, today=NOON.date(), now=NOON)


def recommended(session: Session, patient: Patient) -> Recommendation:
    return treatment.recommended(session, patient, NOON)


def test_without_biomarkers_the_referral_says_what_to_measure_first(session: Session, doctor: Clinician) -> None:
    row = recommended(session, severe(session, doctor))
    assert [option["code"] for option in row.options] == ["keep", "refer"]
    assert row.options[-1]["measure_first"] == ["blood_eosinophils", "total_ige"]


def test_each_kind_that_fits_is_offered_with_its_own_benefit_and_what_speaks_against_it(
    session: Session, doctor: Clinician
) -> None:
    patient = severe(session, doctor)
    measured(session, patient, doctor, eosinophils=600, total_ige=900)
    row = recommended(session, patient)
    offered = {option["code"]: option for option in row.options}
    assert set(offered) == {"keep", "up:T1.5:anti_il5", "up:T1.5:anti_il4r", "up:T1.5:anti_tslp", "refer"}
    assert row.advice["status"] != "not_covered"
    benefits = [
        offered[f"up:T1.5:{kind}"]["benefit"]["attacks_averted"]["expected"] for kind in ("anti_il5", "anti_tslp")
    ]
    assert min(benefits) > 0
    assert benefits[0] != benefits[1]
    il5 = offered["up:T1.5:anti_il5"]
    assert il5["regimen"]["add_ons"] == ["anti_il5"]
    assert il5["needs_checklist"]
    assert "injections" in il5["against"]
    assert any(source.startswith("Holguin F") for source in il5["sources"])


def test_a_signed_biologic_reaches_the_patient_in_words_and_stays_known_to_the_model(
    session: Session, doctor: Clinician
) -> None:
    patient = severe(session, doctor)
    measured(session, patient, doctor, eosinophils=600, total_ige=900)
    row = recommended(session, patient)
    answers = [{"code": item, "holds": True} for item in CHECKLIST]
    answer_checks(session, patient, doctor, ChecksIn.model_validate({"answers": answers}), now=NOON)
    regimen = Regimen(INHALERS, frozenset({AddOn.ANTI_IL5}))
    row = recommended(session, patient)
    sign_treatment(
        session,
        patient,
        doctor,
        treatment.draft(regimen, based_on=1, review_on=(NOON + timedelta(days=91)).date()),
        reason="Two attacks a year at step 5, eosinophils 600.",
        recommendation_id=row.id,
        option="up:T1.5:anti_il5",
        despite_checklist=False,
        now=NOON,
    )
    assert row.state == "approved"
    plan = plan_in_force(session, patient.id)
    assert plan is not None
    for language in ("en", "ko", "et"):
        assert any("mepolizumab" in sentence for sentence in plan.instructions[language]["green"])
        assert any("mepolizumab" in sentence for sentence in plan.difference[language])
    later = NOON + timedelta(days=100)
    treatment.diary(
        session, patient, first_day=NOON.date() + timedelta(days=1), last_day=later.date(), ill_days_a_week=4
    )
    look_again(session, [patient.id], later)
    again = open_recommendation(session, patient.id)
    assert again is not None
    assert again.advice["status"] != "not_covered"
    assert [option["code"] for option in again.options] == ["keep", "refer"]


def test_a_biologic_of_unrecorded_kind_is_kept_and_not_guessed_by_the_model(
    session: Session, doctor: Clinician
) -> None:
    patient = severe(session, doctor, Regimen(INHALERS, frozenset({AddOn.BIOLOGIC})))
    row = recommended(session, patient)
    assert row.advice["status"] == "not_covered"
    assert [finding["code"] for finding in row.picture["findings"]] == ["biologic_kind_unknown"]
