"""Puffs, answers and zones of a day, by the rules that the forecast uses too."""

from datetime import date
from typing import Any

import pytest
from sqlmodel import Session

from backend.dashboard.diary_days import diary_days
from backend.dashboard.patient_schemas import DiaryDay
from backend.dashboard.roster_schemas import PlanLines
from backend.dashboard.words import words
from backend.medication.tables import InhalerRole
from backend.patients.tables import Patient
from tests.conftest import NOON
from tests.factories import clinic, entries

PLAN = PlanLines(
    version=1, personal_best_litres_per_min=500, yellow_below_litres_per_min=400, red_below_litres_per_min=250
)
TODAY = date(2026, 11, 20)


@pytest.fixture
def patient(session: Session) -> Patient:
    return clinic.patient(session, clinic.hospital(session), now=NOON)


def today(session: Session, patient: Patient, plan: PlanLines | None = PLAN) -> DiaryDay:
    (day,) = diary_days(session, patient.id, first_day=TODAY, last_day=TODAY, plan=plan)
    return day


@pytest.mark.parametrize(
    ("uses", "fewest", "most"),
    [
        ([{"puffs": 2}, {"puffs": 1}], 3, 3),
        ([{"puffs": 2}, {"puffs": 5, "source": "day_recall"}], 5, 5),
        ([{"puffs": 4}, {"puffs": 1, "source": "day_recall"}], 4, 4),
        ([{"puffs": 0, "source": "day_recall"}], 0, 0),
        ([{"puffs": 4, "puffs_at_most": 6, "source": "day_recall"}], 4, 6),
        ([{"puffs": 8, "puffs_at_most": 99, "source": "day_recall"}], 8, 99),
        ([{"puffs": 2, "purpose": "before_exercise"}], None, None),
        ([{"puffs": 2, "purpose": "before_exercise"}, {"puffs": 1}], 1, 1),
        ([{"amount": "none", "source": "day_recall"}], 0, 0),
        ([{"amount": "more", "source": "day_recall"}], None, None),
    ],
)
def test_reliever_puffs_of_a_day(
    session: Session, patient: Patient, uses: list[dict[str, Any]], fewest: int | None, most: int | None
) -> None:
    reliever = entries.inhaler(session, patient, InhalerRole.RELIEVER, now=NOON)
    for use in uses:
        entries.inhaler_use(session, patient, reliever, taken_at=NOON, **use)
    day = today(session, patient)
    assert (day.reliever_puffs, day.reliever_puffs_at_most) == (fewest, most)


def test_one_inhaler_for_both_counts_relief_apart_from_maintenance(session: Session, patient: Patient) -> None:
    both = entries.inhaler(session, patient, InhalerRole.BOTH, now=NOON)
    entries.inhaler_use(session, patient, both, taken_at=NOON, puffs=2, purpose="maintenance")
    entries.inhaler_use(session, patient, both, taken_at=NOON, puffs=3, purpose="relief")
    day = today(session, patient)
    assert (day.reliever_puffs, day.controller_puffs) == (3, 2)


def test_what_was_said_in_words_is_kept_as_words(session: Session, patient: Patient) -> None:
    reliever = entries.inhaler(session, patient, InhalerRole.RELIEVER, now=NOON)
    controller = entries.inhaler(session, patient, InhalerRole.CONTROLLER, now=NOON)
    for which, amount in ((reliever, "more"), (controller, "less"), (controller, "less")):
        entries.inhaler_use(
            session, patient, which, taken_at=NOON, amount=amount, source="day_recall", purpose="unknown"
        )
    day = today(session, patient)
    assert (day.reliever_amounts, day.controller_amounts) == (["more"], ["less"])
    assert words("en").reliever(day) == "more than prescribed"


def test_the_worst_answer_of_a_day_stands_and_an_unanswered_question_changes_none(
    session: Session, patient: Patient
) -> None:
    entries.symptoms(session, patient, taken_at=NOON, daytime=None, severity=2, night_waking=True)
    entries.symptoms(session, patient, taken_at=NOON, daytime=False, severity=None, night_waking=None)
    day = today(session, patient)
    assert (day.daytime_symptoms, day.symptom_severity, day.night_waking, day.activity_limited) == (
        False,
        2,
        True,
        None,
    )


def test_the_zone_shown_on_the_phone_is_kept_and_otherwise_the_plan_decides(session: Session, patient: Patient) -> None:
    for value, frozen in ((410, "yellow"), (249, None), (250, None), (400, None)):
        entries.peak_flow(session, patient, value, taken_at=NOON, action_zone=frozen)
    readings = {reading.litres_per_min: reading for reading in today(session, patient).readings}
    assert {value: (reading.zone, reading.zone_from) for value, reading in readings.items()} == {
        410: ("yellow", "phone"),
        249: ("red", "plan"),
        250: ("yellow", "plan"),
        400: ("green", "plan"),
    }
    without_plan = {reading.litres_per_min: reading.zone for reading in today(session, patient, None).readings}
    assert without_plan[249] is None


def test_a_deleted_entry_is_gone(session: Session, patient: Patient) -> None:
    entries.peak_flow(session, patient, 410, taken_at=NOON)
    deleted = entries.peak_flow(session, patient, 420, taken_at=NOON)
    for column in ("blows_litres_per_min", "litres_per_min", "meter", "scale", "bronchodilator"):
        setattr(deleted, column, None)
    deleted.deleted = True
    session.flush()
    assert [reading.litres_per_min for reading in today(session, patient).readings] == [410]
