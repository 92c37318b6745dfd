"""Two doctors, one patient, on real connections; and a failure in the middle that leaves nothing behind."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from backend.plans.errors import PlanChangedMeanwhile
from backend.recommendations import decisions
from backend.recommendations.decisions import sign_treatment
from backend.recommendations.service import look_again
from backend.recommendations.store import open_recommendation
from tests.conftest import NOON
from tests.databases import unpooled_engine
from tests.factories import clinic, treatment

TABLES = ("action_plan", "inhaler", "recommendation", "outcome_review", "audit_entry", "due_work")


def counts(session: Session) -> dict[str, int]:
    return {table: session.connection().execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in TABLES}


def test_of_two_who_sign_at_once_one_signs_and_the_other_is_told(own_database: str) -> None:
    engine = unpooled_engine(own_database)
    with Session(engine, expire_on_commit=False) as session:
        doctor = clinic.clinician(session, clinic.hospital(session), now=NOON)
        patient = treatment.patient(session, doctor, now=NOON)
        treatment.sign(session, patient, doctor, treatment.MART_LOW, now=NOON)
        session.commit()
    both_ready = threading.Barrier(2)
    outcomes: list[str] = []

    def sign(best: int) -> None:
        with Session(engine, expire_on_commit=False) as session:
            mine = session.merge(patient)
            draft = treatment.draft(
                treatment.MART_LOW, based_on=1, review_on=NOON.date() + timedelta(days=60), best=best
            )
            both_ready.wait(20)
            try:
                sign_treatment(
                    session,
                    mine,
                    session.merge(doctor),
                    draft,
                    reason="New personal best.",
                    recommendation_id=None,
                    option=None,
                    despite_checklist=False,
                    now=NOON,
                )
                session.commit()
                outcomes.append("signed")
            except PlanChangedMeanwhile:
                outcomes.append("changed meanwhile")

    threads = [threading.Thread(target=sign, args=(best,)) for best in (460, 470)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["changed meanwhile", "signed"]
    with Session(engine) as session:
        assert counts(session)["action_plan"] == 2
        assert counts(session)["outcome_review"] == 1


@pytest.mark.parametrize("breaks", ["window_before", "look_again", "_record"])
def test_a_failure_anywhere_in_signing_leaves_nothing_behind(
    own_database: str, monkeypatch: pytest.MonkeyPatch, breaks: str
) -> None:
    engine = unpooled_engine(own_database)
    with Session(engine, expire_on_commit=False) as session:
        doctor = clinic.clinician(session, clinic.hospital(session), now=NOON)
        patient = treatment.patient(session, doctor, now=NOON)
        treatment.sign(session, patient, doctor, treatment.MART_MEDIUM, now=NOON - timedelta(days=60))
        first = NOON.date() - timedelta(days=59)
        treatment.diary(session, patient, first_day=first, last_day=NOON.date(), ill_days_a_week=4)
        look_again(session, [patient.id], NOON)
        session.commit()
        before = counts(session)
        standing = open_recommendation(session, patient.id)
        assert standing is not None

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken in the middle")

    monkeypatch.setattr(decisions, breaks, fail)
    with Session(engine, expire_on_commit=False) as session, pytest.raises(RuntimeError):
        sign_treatment(
            session,
            session.merge(patient),
            session.merge(doctor),
            treatment.draft(treatment.MART_LOW, based_on=1, review_on=NOON.date() + timedelta(days=30)),
            reason="Less is enough.",
            recommendation_id=standing.id,
            option=None,
            despite_checklist=False,
            now=NOON,
        )
    with Session(engine) as session:
        assert counts(session) == before
        again = open_recommendation(session, patient.id)
        assert again is not None
        assert again.id == standing.id
