"""The treatment loop below the pages: picture, recommendation, decision, outcome."""

from datetime import date, datetime, timedelta

import pytest
from sqlmodel import Session, select

from backend.accounts.tables import Clinician
from backend.clinical.medicines import Regimen
from backend.core import due
from backend.medication.schemas import RegimenIn
from backend.medication.store import inhalers
from backend.patients.tables import Patient
from backend.plans.errors import PlanChangedMeanwhile
from backend.plans.store import plan_in_force, plan_versions, regimen_of
from backend.recommendations.decisions import answer_checks, give_verdict, reject, sign_treatment
from backend.recommendations.errors import (
    ChecklistNotInOrder,
    ChecklistOpen,
    OptionNotOffered,
    RecommendationNoLongerOpen,
    ReviewNotReady,
)
from backend.recommendations.rules import CHECKLIST, CheckCode
from backend.recommendations.schemas import ChecksIn, VerdictIn
from backend.recommendations.service import look_again, recommend_due
from backend.recommendations.store import last_decided, open_recommendation, outcome_reviews
from backend.recommendations.tables import Recommendation
from tests.conftest import NOON
from tests.factories import clinic, entries, treatment

START = NOON - timedelta(days=90)


@pytest.fixture
def doctor(session: Session) -> Clinician:
    return clinic.clinician(session, clinic.hospital(session), now=START)


@pytest.fixture
def minji(session: Session, doctor: Clinician) -> Patient:
    """Ninety days on as-needed treatment, with symptoms on four days of each week."""
    return treatment.uncontrolled(session, doctor, treatment.AIR, since=START, until=NOON)


def recommended(session: Session, patient: Patient, now: datetime = NOON) -> Recommendation:
    return treatment.recommended(session, patient, now)


def codes(row: Recommendation) -> list[str]:
    return [option["code"] for option in row.options]


def check_all(session: Session, patient: Patient, doctor: Clinician, now: datetime = NOON, **holds: bool) -> None:
    answers = [{"code": item, "holds": holds.get(item.value, True)} for item in CHECKLIST]
    answer_checks(session, patient, doctor, ChecksIn.model_validate({"answers": answers}), now=now)


def signed(
    session: Session,
    patient: Patient,
    doctor: Clinician,
    regimen: Regimen,
    *,
    option: str | None,
    now: datetime = NOON,
    review_on: date | None = None,
    despite: bool = False,
) -> None:
    standing, in_force = open_recommendation(session, patient.id), plan_in_force(session, patient.id)
    sign_treatment(
        session,
        patient,
        doctor,
        treatment.draft(
            regimen,
            based_on=in_force.version if in_force else 0,
            review_on=review_on or (now + timedelta(days=91)).date(),
        ),
        reason="Uncontrolled for three months.",
        recommendation_id=standing.id if standing else None,
        option=option,
        despite_checklist=despite,
        now=now,
    )


def test_an_uncontrolled_patient_is_recommended_a_step_up_with_its_evidence(session: Session, minji: Patient) -> None:
    row = recommended(session, minji)
    assert "uncontrolled" in row.reasons
    assert {"keep", "up:T1.3"} <= set(codes(row))
    answers = {one["criterion"]: (one["days_yes"], one["days_answered"]) for one in row.picture["control"]["answers"]}
    assert answers == {"daytime_symptoms": (16, 28), "night_waking": (8, 28), "activity_limited": (16, 28)}
    assert row.picture["control"]["source"].startswith("GINA 2019")
    assert row.edition == "gina_2025"
    assert row.advice["model_version"]
    step_up = next(option for option in row.options if option["code"] == "up:T1.3")
    assert step_up["needs_checklist"]
    assert step_up["sources"]
    assert step_up["benefit"]["attacks_averted"]["low"] <= step_up["benefit"]["attacks_averted"]["expected"]


def test_the_same_picture_makes_no_second_recommendation(session: Session, minji: Patient) -> None:
    first = recommended(session, minji)
    assert recommended(session, minji).id == first.id
    assert len(session.exec(select(Recommendation)).all()) == 1


def test_an_attack_expires_the_open_recommendation_and_makes_another(session: Session, minji: Patient) -> None:
    first = recommended(session, minji)
    entries.attack(session, minji, taken_at=NOON - timedelta(hours=5), systemic_steroid_days=5)
    second = recommended(session, minji)
    assert (first.state, first.expired_because) == ("expired", "picture_changed")
    assert any(reason.startswith("severe_attack:") for reason in second.reasons)


def test_no_step_up_is_signed_before_the_whole_checklist_is_answered(
    session: Session, minji: Patient, doctor: Clinician
) -> None:
    recommended(session, minji)
    with pytest.raises(ChecklistOpen) as refused:
        signed(session, minji, doctor, treatment.MART_LOW, option="up:T1.3")
    assert [field.path for field in refused.value.fields] == [f"checks.{item.value}" for item in CHECKLIST]


def test_an_item_not_in_order_must_be_signed_despite(session: Session, minji: Patient, doctor: Clinician) -> None:
    recommended(session, minji)
    check_all(session, minji, doctor, technique=False)
    with pytest.raises(ChecklistNotInOrder):
        signed(session, minji, doctor, treatment.MART_LOW, option="up:T1.3")


def test_answers_of_the_checklist_grow_old(session: Session, minji: Patient, doctor: Clinician) -> None:
    check_all(session, minji, doctor, now=NOON - timedelta(days=90))
    recommended(session, minji)
    with pytest.raises(ChecklistOpen):
        signed(session, minji, doctor, treatment.MART_LOW, option="up:T1.3")


def test_a_signed_option_is_approved_and_another_dose_is_modified(
    session: Session, minji: Patient, doctor: Clinician
) -> None:
    check_all(session, minji, doctor)
    row = recommended(session, minji)
    offered = next(option for option in row.options if option["code"] == "up:T1.3")["regimen"]["prescriptions"][0]
    assert offered["use"] == "maintenance_and_reliever"
    regimen = treatment.MART_ONCE if offered["times_a_day"] == 2 else treatment.MART_LOW
    signed(session, minji, doctor, regimen, option="up:T1.3")
    assert (row.state, row.signed_version, row.reason) == ("modified", 2, "Uncontrolled for three months.")
    assert regimen_of(plan_in_force(session, minji.id)) == regimen
    assert minji.treatment_step == 3


def test_the_phones_inhalers_follow_the_signed_regimen(session: Session, minji: Patient, doctor: Clinician) -> None:
    check_all(session, minji, doctor)
    recommended(session, minji)
    signed(session, minji, doctor, treatment.MART_LOW, option="up:T1.3")
    before, after = sorted(inhalers(session, minji.id), key=lambda inhaler: inhaler.active)
    assert (before.active, before.stopped_at) == (False, NOON)
    assert (after.role, after.doses_per_day, after.max_puffs_per_day, after.warn_puffs_per_day) == ("both", 2, 12, 8)


def test_what_was_decided_stays_quiet_until_its_review(session: Session, minji: Patient, doctor: Clinician) -> None:
    check_all(session, minji, doctor)
    recommended(session, minji)
    signed(session, minji, doctor, treatment.MART_LOW, option="up:T1.3", review_on=NOON.date() + timedelta(days=30))
    assert open_recommendation(session, minji.id) is None
    look_again(session, [minji.id], NOON + timedelta(days=1))
    assert open_recommendation(session, minji.id) is None
    treatment.diary(
        session,
        minji,
        first_day=NOON.date() + timedelta(days=1),
        last_day=NOON.date() + timedelta(days=31),
        ill_days_a_week=4,
    )
    again = recommended(session, minji, NOON + timedelta(days=31))
    assert "up:T1.4" in codes(again) or "up:T1.3" in codes(again)


def test_a_rejected_recommendation_keeps_its_reason_and_stays_quiet(
    session: Session, minji: Patient, doctor: Clinician
) -> None:
    row = recommended(session, minji)
    reject(session, minji, doctor, row.id, reason="Moves house; again in January.", now=NOON)
    look_again(session, [minji.id], NOON + timedelta(days=3))
    assert open_recommendation(session, minji.id) is None
    decided = last_decided(session, minji.id)
    assert decided is not None
    assert decided.reason == "Moves house; again in January."
    with pytest.raises(RecommendationNoLongerOpen):
        reject(session, minji, doctor, row.id, reason="Again.", now=NOON)


def test_of_two_doctors_the_second_is_told_that_the_plan_changed(
    session: Session, minji: Patient, doctor: Clinician
) -> None:
    stale = treatment.draft(treatment.AIR, based_on=1, review_on=NOON.date() + timedelta(days=60), best=460)
    treatment.sign(session, minji, doctor, treatment.AIR, now=NOON, based_on=1)
    with pytest.raises(PlanChangedMeanwhile):
        sign_treatment(
            session,
            minji,
            doctor,
            stale,
            reason="Mine.",
            recommendation_id=None,
            option=None,
            despite_checklist=False,
            now=NOON,
        )
    assert [plan.version for plan in plan_versions(session, minji.id)] == [2, 1]


def test_an_option_that_was_not_offered_cannot_be_signed(session: Session, minji: Patient, doctor: Clinician) -> None:
    recommended(session, minji)
    with pytest.raises(OptionNotOffered):
        signed(session, minji, doctor, treatment.MART_MEDIUM, option="up:T1.5")


def test_the_review_shows_before_and_after_and_what_was_promised(
    session: Session, minji: Patient, doctor: Clinician
) -> None:
    check_all(session, minji, doctor)
    row = recommended(session, minji)
    step_up = next(option for option in row.options if option["code"] == "up:T1.3")
    signed(session, minji, doctor, RegimenIn.model_validate(step_up["regimen"]).read(), option="up:T1.3")
    assert row.state == "approved"
    early = VerdictIn.model_validate({"plan_version": 2, "verdict": "keep"})
    with pytest.raises(ReviewNotReady):
        give_verdict(session, minji, doctor, early, now=NOON)
    later = NOON + timedelta(days=91)
    treatment.diary(session, minji, first_day=NOON.date() + timedelta(days=1), last_day=later.date(), ill_days_a_week=1)
    look_again(session, [minji.id], later)
    review = next(one for one in outcome_reviews(session, minji.id) if one.plan_version == 2)
    assert review.after is not None
    assert review.promised is not None
    assert review.promised["attacks_averted"] == step_up["benefit"]["attacks_averted"]
    before = review.before["controlled_days"] / review.before["diary_days"]
    assert before < 0.5 < review.after["controlled_days"] / review.after["diary_days"]
    verdict = VerdictIn.model_validate({"plan_version": 2, "verdict": "keep", "note": "Sleeps through."})
    assert give_verdict(session, minji, doctor, verdict, now=later).verdict == "keep"


def test_three_quiet_months_offer_a_step_down_and_a_relapse_offers_the_way_back(
    session: Session, doctor: Clinician
) -> None:
    began = NOON - timedelta(days=200)
    patient = treatment.patient(session, doctor, now=began)
    treatment.sign(session, patient, doctor, treatment.MART_MEDIUM, now=began)
    treatment.diary(session, patient, first_day=began.date() + timedelta(days=1), last_day=NOON.date())
    row = recommended(session, patient)
    assert row.reasons == ["step_down_possible"]
    down = next(option for option in row.options if option["direction"] == "down")
    assert down["watch"]
    assert down["way_back"]["prescriptions"][0]["inhalations"] == 2
    assert -50 <= down["ics_change_percent"] <= -25
    assert not down["needs_checklist"]
    signed(
        session,
        patient,
        doctor,
        treatment.MART_LOW,
        option=down["code"],
        review_on=NOON.date() + timedelta(days=35),
    )
    later = NOON + timedelta(days=21)
    treatment.diary(
        session,
        patient,
        first_day=NOON.date() + timedelta(days=1),
        last_day=later.date(),
        ill_days_a_week=3,
        nights_a_week=1,
    )
    relapse = recommended(session, patient, later)
    assert "relapse:more_symptoms" in relapse.reasons
    back = next(option for option in relapse.options if option["code"].startswith("back:"))
    assert not back["needs_checklist"]
    signed(session, patient, doctor, treatment.MART_MEDIUM, option=back["code"], now=later)
    assert regimen_of(plan_in_force(session, patient.id)) == treatment.MART_MEDIUM


def test_a_circumstance_closes_the_step_down_and_says_so(session: Session, doctor: Clinician) -> None:
    began = NOON - timedelta(days=200)
    patient = treatment.patient(session, doctor, now=began)
    treatment.sign(session, patient, doctor, treatment.MART_MEDIUM, now=began)
    treatment.diary(session, patient, first_day=began.date() + timedelta(days=1), last_day=NOON.date())
    recommended(session, patient)
    given = ChecksIn.model_validate({"answers": [{"code": CheckCode.PREGNANT, "holds": True}]})
    answer_checks(session, patient, doctor, given, now=NOON)
    assert open_recommendation(session, patient.id) is None


def test_work_that_is_due_is_done_and_not_left(session: Session, minji: Patient) -> None:
    due.mark_due(session, "recommend", [minji.id], due_at=NOON)
    session.commit()

    def new_session() -> Session:
        return Session(session.connection(), join_transaction_mode="create_savepoint", expire_on_commit=False)

    assert recommend_due(new_session, NOON) == 1
    assert recommend_due(new_session, NOON) == 0
    assert open_recommendation(session, minji.id) is not None


def test_with_a_thin_diary_the_four_questions_of_the_check_tell_the_control_class_and_say_so(
    session: Session, doctor: Clinician
) -> None:
    patient = treatment.patient(session, doctor, now=START)
    treatment.sign(session, patient, doctor, treatment.LOW_ICS, now=START)
    answers = dict.fromkeys(("daytime_symptoms", "night_waking", "reliever_use"), 1) | {"activity_limited": 0}
    entries.control_check(session, patient, answers, taken_at=NOON - timedelta(days=3))
    row = recommended(session, patient)
    assert "uncontrolled" in row.reasons
    shown = row.picture["control"]["answers"]
    assert [(one["criterion"], one["holds"]) for one in shown] == [(code, bool(said)) for code, said in answers.items()]
    assert {one["from_check_on"] for one in shown} == {(NOON - timedelta(days=3)).date().isoformat()}
    later = NOON + timedelta(days=12)
    look_again(session, [patient.id], later)
    assert open_recommendation(session, patient.id) is None


def test_the_picture_tells_the_fullest_day_against_the_ceiling_and_when_to_see_her_after_an_attack(
    session: Session, minji: Patient
) -> None:
    row = recommended(session, minji)
    assert row.picture["reliever"]["ceiling"]["inhalations"] == 3
    assert row.picture["reliever"]["ceiling"]["status"] == "within"
    assert row.picture["attack_review"] is None
    reliever = next(one for one in inhalers(session, minji.id) if one.active)
    entries.inhaler_use(session, minji, reliever, taken_at=NOON, puffs=13, source="day_recall")
    entries.attack(session, minji, taken_at=NOON, emergency_visit=True)
    row = recommended(session, minji)
    assert row.picture["reliever"]["ceiling"] == {
        "on": NOON.date().isoformat(),
        "inhalations": 13,
        "status": "passed",
    }
    after = [(NOON + timedelta(days=days)).date().isoformat() for days in (2, 7)]
    assert row.picture["attack_review"] == after
