"""What a patient reads about the uses of the own diary, and that a withdrawal ends them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session

from backend.accounts.tables import Hospital, Role
from backend.core import audit
from backend.patients import service
from backend.patients.tables import Patient, Purpose
from backend.research import governance
from backend.research.governance_tables import Decision, ProposalKind
from backend.research.ledger import uses
from backend.research.pseudonyms import consenting_patients, study_named
from backend.risk.training import NobodyToExport, export_training
from ml.federated.plan import FederationPlan
from tests.backend.research.conftest import REFUSES, ResearchClinic
from tests.conftest import NOON, SettableClock
from tests.factories import clinic, entries

ROUND = {"kind": "training_round"}


def agreed_patient(session: Session, *, language: str = "en") -> Patient:
    one = clinic.patient(session, clinic.hospital(session), now=NOON)
    one.language, one.time_zone = language, "Asia/Seoul"
    entries.weeks_of_diary(session, one, until=NOON, days=5)
    for purpose in (Purpose.RESEARCH, Purpose.FEDERATED_LEARNING):
        service.grant(session, one.id, purpose, text_version="1", now=NOON)
    session.flush()
    return one


def take_part(session: Session, one: Patient, file: Path, now: datetime, sha256: str = "0" * 64) -> int:
    return export_training(
        session,
        file,
        hospital_id=one.hospital_id,
        now=now,
        purpose=Purpose.FEDERATED_LEARNING,
        detail=ROUND | {"protocol": sha256},
    ).patients


def test_a_phone_reads_what_used_the_diary_in_sentences(
    client: TestClient, session: Session, clock: SettableClock, tmp_path: Path
) -> None:
    one = agreed_patient(session)
    phone = clinic.enrolled_phone(client, session, one, now=clock.now)
    before = client.get("/v1/patient/research", headers=phone.headers).json()
    assert before["uses"] == []
    assert before["standing"][0] == "No study and no hospital network has used your diary so far."
    researcher = clinic.clinician(session, _hospital(session, one), now=NOON, role=Role.RESEARCHER)
    administrator = clinic.clinician(session, _hospital(session, one), now=NOON, role=Role.ADMINISTRATOR)
    plan = governance.read_asked(ProposalKind.TRAINING_ROUND, b"{}")
    row = governance.propose(session, researcher, plan, now=NOON)
    assert row.id is not None
    governance.decide(session, administrator, row.id, Decision.ACCEPTED, "Fine.", now=NOON)
    # 20 November in London, 21 November in Seoul.
    take_part(session, one, tmp_path / "round.npz", datetime(2026, 11, 20, 20, 0, tzinfo=UTC), plan.sha256)
    take_part(session, one, tmp_path / "judged.npz", datetime(2026, 11, 22, 8, 0, tzinfo=UTC), plan.sha256)
    (use,) = client.get("/v1/patient/research", headers=phone.headers).json()["uses"]
    assert (use["kind"], use["purpose"], use["times"]) == ("training_round", "federated_learning", 2)
    assert use["text"] == (
        "Between 21 Nov 2026 and 22 Nov 2026, your hospital learned together with other hospitals from your diary. "
        f"Your diary itself stayed in the hospital. What it was for: {FederationPlan().purpose}. You had agreed to "
        "learning together with other hospitals."
    )


def _hospital(session: Session, one: Patient) -> Hospital:
    return session.get_one(Hospital, one.hospital_id)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "On 20 Nov 2026, the study “Peak flow before attacks” used your diary, without your name."),
        ("ko", "연구 ‘Peak flow before attacks’에서 회원님의 일지를 이름 없이 사용했습니다."),
        ("et", "kasutas teie päevikut ilma nimeta uuring „Peak flow before attacks“."),
    ],
)
def test_every_language_says_it(session: Session, language: str, sentence: str) -> None:
    one = agreed_patient(session, language=language)
    study_named(session, "peak-flow", "Peak flow before attacks", dates_shifted=True, now=NOON)
    audit.record(
        session,
        now=NOON,
        actor_kind=audit.ActorKind.SYSTEM,
        actor_id=None,
        action="research_export",
        patient_ids=[one.id],
        detail={"study": "peak-flow", "purpose": "research", "kind": "study"},
    )
    (use,) = uses(session, one).uses
    assert sentence in use.text


def test_who_withdraws_is_in_no_later_round_and_reads_so(session: Session, tmp_path: Path) -> None:
    one = agreed_patient(session)
    assert take_part(session, one, tmp_path / "first.npz", NOON) == 1
    service.withdraw(session, one.id, Purpose.FEDERATED_LEARNING, now=NOON + timedelta(days=1))
    with pytest.raises(NobodyToExport):
        take_part(session, one, tmp_path / "second.npz", NOON + timedelta(days=2))
    ledger = uses(session, one)
    assert [use.times for use in ledger.uses] == [1]
    assert ledger.standing == [
        "You agree to research. You can withdraw at any time; then no later study uses your diary.",
        "You do not agree to learning together with other hospitals, so no round uses your diary from now on.",
    ]


def test_research_and_learning_together_are_two_consents(session: Session, tmp_path: Path) -> None:
    one = agreed_patient(session)
    service.withdraw(session, one.id, Purpose.RESEARCH, now=NOON)
    assert one.id not in consenting_patients(session, Purpose.RESEARCH)
    with pytest.raises(NobodyToExport):
        export_training(session, tmp_path / "research.npz", hospital_id=one.hospital_id, now=NOON)
    assert take_part(session, one, tmp_path / "round.npz", NOON) == 1


def test_only_hospitals_that_accepted_are_in_a_studys_tables(session: Session) -> None:
    here, there = agreed_patient(session), agreed_patient(session)
    assert list(consenting_patients(session, Purpose.RESEARCH, [here.hospital_id])) == [here.id]
    assert {here.id, there.id} <= set(consenting_patients(session, Purpose.RESEARCH))


def test_a_studys_export_stands_in_the_ledger_of_who_was_in_it_and_of_nobody_else(
    research_clinic: ResearchClinic, tmp_path: Path
) -> None:
    research_clinic.export(tmp_path / "ledger", "ledger")
    with Session(research_clinic.engine) as session:
        for name, patient in research_clinic.patients.items():
            found = [use for use in uses(session, patient).uses if use.title == "Peak flow before attacks"]
            assert bool(found) == (name != REFUSES), name


def test_a_carers_phone_does_not_read_the_ledger(client: TestClient, session: Session, clock: SettableClock) -> None:
    one = agreed_patient(session)
    phone = clinic.enrolled_phone(client, session, one, now=clock.now)
    code = client.post("/v1/patient/carer-codes", headers=phone.headers).json()["code"]
    carer = client.post("/v1/enrol", json=clinic.enrol_body(code)).json()["access_token"]
    answer = client.get("/v1/patient/research", headers={"Authorization": f"Bearer {carer}"})
    assert answer.status_code == 403
