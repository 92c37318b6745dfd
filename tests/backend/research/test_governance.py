"""What wants to run is seen and decided by the hospital first, and stays what was decided."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

import ml.rwe
from backend.accounts.permissions import CSRF_HEADER, SESSION_COOKIE
from backend.accounts.sign_in import sign_in
from backend.accounts.tables import Clinician, Hospital, Role
from backend.core.audit import AuditEntry
from backend.core.settings import Settings
from backend.patients import service
from backend.patients.tables import Purpose
from backend.research import governance
from backend.research.governance import Asked, NotAccepted
from backend.research.governance_tables import Decision, ProposalKind, ResearchProposal
from ml.federated.plan import FederationPlan
from tests.conftest import SettableClock
from tests.factories import clinic

STUDY = (Path(ml.rwe.__file__).parent / "example_study.toml").read_text(encoding="utf-8")
EXPORT = 'id = "spacers"\ntitle = "Spacers and puffs"\nquestion = "Who uses a spacer?"\n'


@pytest.fixture
def hospital(session: Session) -> Hospital:
    return clinic.hospital(session)


@pytest.fixture
def researcher(session: Session, hospital: Hospital, clock: SettableClock) -> Clinician:
    return clinic.clinician(session, hospital, now=clock.now, role=Role.RESEARCHER)


@pytest.fixture
def administrator(session: Session, hospital: Hospital, clock: SettableClock) -> Clinician:
    return clinic.clinician(session, hospital, now=clock.now, role=Role.ADMINISTRATOR)


class Browser:
    """Somebody signed in: JSON and form requests with the session's cookie and CSRF token."""

    def __init__(self, client: TestClient, session: Session, settings: Settings, who: Clinician, clock: SettableClock):
        _, cookie, csrf = sign_in(
            session, settings, email=who.email, password=clinic.PASSWORD, address="127.0.0.1", now=clock.now
        )
        self.client, self.headers = client, {"Cookie": f"{SESSION_COOKIE}={cookie}", CSRF_HEADER: csrf}

    def get(self, path: str) -> Any:
        self.client.cookies.clear()
        return self.client.get(path, headers=self.headers)

    def post(self, path: str, body: dict[str, str]) -> Any:
        self.client.cookies.clear()
        return self.client.post(path, headers=self.headers, json=body)

    def send(self, path: str, form: dict[str, str]) -> Any:
        self.client.cookies.clear()
        return self.client.post(path, headers=self.headers, data=form)


@pytest.fixture
def browsers(
    client: TestClient,
    session: Session,
    settings: Settings,
    researcher: Clinician,
    administrator: Clinician,
    clock: SettableClock,
) -> tuple[Browser, Browser]:
    """The researcher's and the administrator's."""
    made = [Browser(client, session, settings, who, clock) for who in (researcher, administrator)]
    session.commit()
    return made[0], made[1]


def consenting(session: Session, hospital: Hospital, count: int, clock: SettableClock) -> None:
    for _ in range(count):
        one = clinic.patient(session, hospital, now=clock.now)
        one.born_on = (clock.now - timedelta(days=30 * 365)).date()
        service.grant(session, one.id, Purpose.RESEARCH, text_version="1", now=clock.now)
    session.flush()


def export_request() -> Asked:
    return governance.read_asked(ProposalKind.EXPORT, EXPORT.encode())


def test_a_study_is_proposed_by_a_researcher_and_accepted_by_an_administrator(
    session: Session, browsers: tuple[Browser, Browser], researcher: Clinician, administrator: Clinician
) -> None:
    proposes, decides = browsers
    made = proposes.post("/v1/research/proposals", {"kind": "study", "text": STUDY})
    assert made.status_code == 201, made.text
    shown = made.json()
    assert (shown["name"], shown["purpose"], shown["decision"]) == ("tiotropium-or-montelukast", "research", None)
    assert shown["sha256"] == hashlib.sha256(STUDY.encode()).hexdigest()
    decision = f"/v1/research/proposals/{shown['id']}/decision"
    assert proposes.post(decision, {"decision": "accepted", "reason": "Mine."}).status_code == 403
    done = decides.post(decision, {"decision": "accepted", "reason": "Worth knowing."}).json()
    assert (done["decision"], done["decided"]["reason"]) == ("accepted", "Worth knowing.")
    assert decides.post(decision, {"decision": "declined", "reason": "No."}).json()["code"] == "already_decided"
    assert decides.post("/v1/research/proposals", {"kind": "export", "text": EXPORT}).status_code == 403
    trail = session.exec(
        select(AuditEntry.actor_id, AuditEntry.action, AuditEntry.detail).where(
            col(AuditEntry.action).in_(["propose_research", "research_accepted", "research_declined"])
        )
    ).all()
    assert [(who, what) for who, what, _ in trail] == [
        (researcher.id, "propose_research"),
        (administrator.id, "research_accepted"),
    ]
    assert {detail["sha256"] for *_, detail in trail} == {shown["sha256"]}


def test_another_hospital_sees_and_decides_nothing_of_it(
    client: TestClient,
    session: Session,
    settings: Settings,
    clock: SettableClock,
    browsers: tuple[Browser, Browser],
) -> None:
    made = browsers[0].post("/v1/research/proposals", {"kind": "export", "text": EXPORT}).json()
    stranger = clinic.clinician(session, clinic.hospital(session), now=clock.now, role=Role.ADMINISTRATOR)
    elsewhere = Browser(client, session, settings, stranger, clock)
    assert elsewhere.get("/v1/research/proposals").json() == {"proposals": []}
    assert elsewhere.get(f"/v1/research/proposals/{made['id']}").status_code == 404
    path = f"/v1/research/proposals/{made['id']}/decision"
    assert elsewhere.post(path, {"decision": "accepted", "reason": "Why not."}).status_code == 404


def test_a_text_changed_after_acceptance_is_refused(
    session: Session, researcher: Clinician, administrator: Clinician, clock: SettableClock
) -> None:
    asked = export_request()
    kinds = (ProposalKind.EXPORT,)
    with pytest.raises(NotAccepted, match="No hospital has seen"):
        governance.accepted(session, asked.sha256, kinds)
    row = governance.propose(session, researcher, asked, now=clock.now)
    assert row.id is not None
    with pytest.raises(NotAccepted, match="waits for the hospital's decision"):
        governance.accepted(session, asked.sha256, kinds)
    governance.decide(session, administrator, row.id, Decision.ACCEPTED, "Fine.", now=clock.now)
    assert governance.accepted(session, asked.sha256, kinds) == [row]
    changed = governance.read_asked(ProposalKind.EXPORT, (EXPORT + 'dates = "true"\n').encode())
    with pytest.raises(NotAccepted, match="No hospital has seen"):
        governance.accepted(session, changed.sha256, kinds)


def test_what_was_declined_says_why_and_may_be_proposed_again(
    session: Session, researcher: Clinician, administrator: Clinician, clock: SettableClock
) -> None:
    asked = export_request()
    row = governance.propose(session, researcher, asked, now=clock.now)
    with pytest.raises(governance.AlreadyProposed):
        governance.propose(session, researcher, asked, now=clock.now)
    assert row.id is not None
    governance.decide(session, administrator, row.id, Decision.DECLINED, "Too broad.", now=clock.now)
    with pytest.raises(NotAccepted, match="Too broad"):
        governance.accepted(session, asked.sha256, (ProposalKind.EXPORT,))
    governance.propose(session, researcher, asked, now=clock.now)


def test_an_acceptance_that_is_taken_back_ends_before_the_next_run(
    session: Session, browsers: tuple[Browser, Browser], administrator: Clinician
) -> None:
    proposes, decides = browsers
    made = proposes.post("/v1/research/proposals", {"kind": "export", "text": EXPORT}).json()
    path = f"/v1/research/proposals/{made['id']}"
    why = {"reason": "The question has changed."}
    assert decides.post(f"{path}/taking-back", why).json()["code"] == "nothing_to_take_back"
    decides.post(f"{path}/decision", {"decision": "accepted", "reason": "Fine."})
    assert proposes.post(f"{path}/taking-back", why).status_code == 403
    done = decides.post(f"{path}/taking-back", why).json()
    assert (done["decision"], done["decided"]["reason"]) == ("accepted", "Fine.")
    assert (done["taken_back"]["by"], done["taken_back"]["reason"]) == (administrator.name, why["reason"])
    assert decides.post(f"{path}/taking-back", why).json()["code"] == "nothing_to_take_back"
    with pytest.raises(NotAccepted, match=r"took its acceptance of this text .* back: The question has changed"):
        governance.accepted(session, made["sha256"], (ProposalKind.EXPORT,))
    trail = session.exec(select(AuditEntry.actor_id).where(AuditEntry.action == "research_taken_back")).all()
    assert trail == [administrator.id]
    again = proposes.post("/v1/research/proposals", {"kind": "export", "text": EXPORT})
    assert (again.status_code, again.json()["decision"]) == (201, None)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE research_proposal SET reason = 'Another.'",
        "UPDATE research_proposal SET decision = NULL, reason = NULL, decided_by = NULL, decided_at = NULL",
        "DELETE FROM research_proposal",
    ],
)
def test_the_database_itself_keeps_a_decision(
    session: Session, researcher: Clinician, administrator: Clinician, clock: SettableClock, change: str
) -> None:
    row = governance.propose(session, researcher, export_request(), now=clock.now)
    assert row.id is not None
    governance.decide(session, administrator, row.id, Decision.ACCEPTED, "Fine.", now=clock.now)
    with pytest.raises(DBAPIError, match="cannot be changed"), session.begin_nested():
        session.connection().exec_driver_sql(change)


def test_the_database_itself_keeps_what_was_taken_back(
    session: Session, researcher: Clinician, administrator: Clinician, clock: SettableClock
) -> None:
    row = governance.propose(session, researcher, export_request(), now=clock.now)
    assert row.id is not None
    governance.decide(session, administrator, row.id, Decision.ACCEPTED, "Fine.", now=clock.now)
    governance.take_back(session, administrator, row.id, "No longer.", now=clock.now)
    with pytest.raises(DBAPIError, match="cannot be changed"), session.begin_nested():
        session.connection().exec_driver_sql(
            "UPDATE research_proposal SET taken_back_reason = NULL, taken_back_by = NULL, taken_back_at = NULL"
        )


def test_a_text_cannot_be_changed_while_it_waits(session: Session, researcher: Clinician, clock: SettableClock) -> None:
    governance.propose(session, researcher, export_request(), now=clock.now)
    with pytest.raises(DBAPIError, match="cannot be changed"), session.begin_nested():
        session.connection().exec_driver_sql(
            "UPDATE research_proposal SET text = 'x', sha256 = encode(sha256('x'), 'hex')"
        )


@pytest.mark.parametrize(("count", "shown"), [(9, None), (10, 10), (19, 10), (20, 20)])
def test_small_numbers_of_eligible_patients_are_not_shown(
    session: Session, hospital: Hospital, clock: SettableClock, count: int, shown: int | None
) -> None:
    consenting(session, hospital, count, clock)
    # Without a date of birth nobody can take part, and other hospitals' patients are not counted.
    service.grant(
        session, clinic.patient(session, hospital, now=clock.now).id, Purpose.RESEARCH, text_version="1", now=clock.now
    )
    consenting(session, clinic.hospital(session), 3, clock)
    assert governance.eligible_patients(session, hospital.id, Purpose.RESEARCH) == shown
    assert governance.eligible_patients(session, hospital.id, Purpose.FEDERATED_LEARNING) is None


def test_a_plan_of_a_round_is_known_by_the_hash_that_the_network_knows_it_by() -> None:
    plan = FederationPlan(trees=20)
    asked = governance.read_asked(ProposalKind.TRAINING_ROUND, json.dumps(plan.to_dict(), indent=2).encode())
    assert asked.sha256 == plan.digest
    assert asked.purpose is Purpose.FEDERATED_LEARNING


@pytest.mark.parametrize(
    ("kind", "text", "field"),
    [
        ("study", STUDY.replace("washout_days = 365", "washout_days = 9999"), "exposure.washout_days"),
        ("export", EXPORT.replace('"spacers"', '"Spacers!"'), "id"),
        ("export", EXPORT + "everything = true\n", "everything"),
        ("export", "not TOML at all", None),
        ("training_round", '{"trees": 100000}', None),
        ("training_round", "[]", None),
    ],
)
def test_what_cannot_run_cannot_be_proposed(
    session: Session, browsers: tuple[Browser, Browser], kind: str, text: str, field: str | None
) -> None:
    answer = browsers[0].post("/v1/research/proposals", {"kind": kind, "text": text})
    assert (answer.status_code, answer.json()["code"]) == (422, "not_proposable")
    if field is not None:
        assert field in [one["path"] for one in answer.json()["fields"]]
    assert session.exec(select(ResearchProposal)).all() == []


@pytest.mark.parametrize("language", ["en", "ko", "et"])
def test_the_page_shows_what_wants_to_run_before_it_runs(
    session: Session,
    browsers: tuple[Browser, Browser],
    researcher: Clinician,
    administrator: Clinician,
    language: str,
) -> None:
    researcher.language = administrator.language = language
    session.flush()
    proposes, decides = browsers
    # As a browser sends a text area.
    sent = proposes.send("/research/proposals", {"kind": "study", "text": STUDY.replace("\n", "\r\n")})
    assert sent.status_code == 204, sent.text
    waiting = decides.get("/research")
    assert hashlib.sha256(STUDY.encode()).hexdigest() in waiting.text
    assert "concept_ids = [1106776]" in waiting.text
    row = session.exec(select(ResearchProposal)).one()
    path = f"/research/proposals/{row.id}/decision"
    assert path in waiting.text
    assert path not in proposes.get("/research").text
    assert decides.send(path, {"decision": "declined", "reason": " "}).status_code == 422
    assert decides.send(path, {"decision": "declined", "reason": "Too broad."}).status_code == 204
    assert "Too broad." in proposes.get("/research").text


@pytest.mark.parametrize("language", ["en", "ko", "et"])
def test_an_administrator_takes_an_acceptance_back_on_the_page(
    session: Session,
    browsers: tuple[Browser, Browser],
    researcher: Clinician,
    administrator: Clinician,
    clock: SettableClock,
    language: str,
) -> None:
    administrator.language = language
    row = governance.propose(session, researcher, export_request(), now=clock.now)
    assert row.id is not None
    governance.decide(session, administrator, row.id, Decision.ACCEPTED, "Fine.", now=clock.now)
    proposes, decides = browsers
    path = f"/research/proposals/{row.id}/taking-back"
    assert path in decides.get("/research").text
    assert path not in proposes.get("/research").text
    assert decides.send(path, {"reason": " "}).status_code == 422
    assert decides.send(path, {"reason": "The question has changed."}).status_code == 204
    shown = decides.get("/research").text
    assert path not in shown
    assert "Fine." in shown
    assert "The question has changed." in shown
