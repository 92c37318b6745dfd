"""Plans are signed, versioned, and never changed."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from backend.clinical.peak_flow import ZoneThresholds
from backend.clinical.personal_best import BestBasis
from backend.core.due import DueWork
from backend.plans.schemas import PlanOut
from backend.plans.service import sign
from backend.plans.store import plan_in_force
from backend.plans.tables import ActionPlan
from backend.plans.wording import standard_instructions
from tests.conftest import NOON
from tests.factories import clinic


def signed(session: Session, times: int = 1) -> list[ActionPlan]:
    at = clinic.hospital(session)
    doctor = clinic.clinician(session, at, now=NOON)
    patient = clinic.patient(session, at, now=NOON, cared_for_by=doctor)
    return [
        sign(
            session,
            patient.id,
            doctor,
            personal_best_litres_per_min=500 + number,
            personal_best_basis=BestBasis.CLINICIAN,
            meter="Mini-Wright",
            thresholds=ZoneThresholds(400, 250),
            instructions=standard_instructions("119"),
            review_on=None,
            now=NOON,
        )
        for number in range(times)
    ]


def test_each_signature_makes_a_new_version_and_the_newest_is_in_force(session: Session) -> None:
    plans = signed(session, times=3)
    assert [plan.version for plan in plans] == [1, 2, 3]
    in_force = plan_in_force(session, plans[0].patient_id)
    assert in_force is not None
    assert in_force.personal_best_litres_per_min == 502


def test_a_signature_has_the_patient_assessed_by_the_new_plan(session: Session) -> None:
    [plan] = signed(session)
    assert "assess" in session.exec(select(DueWork.kind).where(DueWork.key == plan.patient_id)).all()


def test_the_database_itself_refuses_to_change_a_signed_plan(session: Session) -> None:
    signed(session)
    with pytest.raises(DBAPIError, match="sign a new version"):
        session.connection().execute(text("UPDATE action_plan SET personal_best_litres_per_min = 900"))


def test_a_plan_without_the_patients_language_is_read_in_english(session: Session) -> None:
    [plan] = signed(session)
    shown = PlanOut.of(plan, signed_by="Dr Kim", language="fr")
    assert shown.language == "en"
    assert shown.instructions.red


@pytest.mark.parametrize("language", ["en", "ko", "et"])
def test_each_language_has_instructions_for_each_zone_and_the_red_ones_name_the_emergency_number(
    language: str,
) -> None:
    zones = standard_instructions("112")[language]
    assert set(zones) == {"green", "yellow", "red"}
    assert all(sentence.strip() for sentences in zones.values() for sentence in sentences)
    assert any("112" in sentence for sentence in zones["red"])
