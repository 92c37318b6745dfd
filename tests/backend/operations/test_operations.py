"""What the operations page, the metrics and the administrator's switches say and do."""

from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlmodel import Session, select

from backend.accounts import sign_in
from backend.accounts.permissions import CSRF_HEADER, SESSION_COOKIE
from backend.accounts.tables import Clinician, Hospital, Role
from backend.alerts.tables import Alert
from backend.core import heartbeat
from backend.core.audit import AuditEntry
from backend.core.due import mark_due
from backend.core.settings import Settings
from backend.notifications.tables import ClinicianMail
from backend.patients.tables import Patient
from backend.risk.tables import Assessment
from tests.conftest import SettableClock
from tests.factories import clinic


@pytest.fixture
def hospital(session: Session) -> Hospital:
    return clinic.hospital(session, "Tartu hospital")


@pytest.fixture
def administrator(
    session: Session, client: TestClient, settings: Settings, hospital: Hospital, clock: SettableClock
) -> Clinician:
    """Signed in with the client."""
    who = clinic.clinician(session, hospital, now=clock.now, role=Role.ADMINISTRATOR)
    _, cookie, csrf = sign_in.sign_in(
        session, settings, email=who.email, password=clinic.PASSWORD, address="127.0.0.1", now=clock.now
    )
    client.cookies.set(SESSION_COOKIE, cookie)
    client.headers[CSRF_HEADER] = csrf
    return who


@pytest.fixture
def patient(session: Session, hospital: Hospital, clock: SettableClock) -> Patient:
    return clinic.patient(session, hospital, now=clock.now)


def forecast_alert(session: Session, of: Patient, clock: SettableClock, level: str = "red") -> Alert:
    assessment = Assessment(patient_id=of.id, as_of=clock.now.date(), assessed_at=clock.now, status="no_model")
    session.add(assessment)
    session.flush()
    alert = Alert(patient_id=of.id, assessment_id=assessment.id, level=level, cause="forecast", triggered_at=clock.now)
    session.add(alert)
    session.flush()
    return alert


def samples(text: str) -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def with_token(app: FastAPI, client: TestClient) -> str:
    app.state.settings = app.state.settings.model_copy(update={"metrics_token": SecretStr("scrape me if you can")})
    answer = client.get("/metrics", headers={"Authorization": "Bearer scrape me if you can"})
    assert answer.status_code == 200
    return answer.text


def test_metrics_open_to_the_token_or_to_this_machine_and_to_nobody_else(app: FastAPI, session: Session) -> None:
    near, far = TestClient(app, client=("127.0.0.1", 5)), TestClient(app, client=("10.1.2.3", 5))
    assert near.get("/metrics").status_code == 200
    assert far.get("/metrics").status_code == 403
    # What came through a proxy on this machine came from elsewhere.
    assert near.get("/metrics", headers={"X-Forwarded-For": "10.1.2.3"}).status_code == 403
    with_token(app, far)
    assert near.get("/metrics").status_code == 403
    assert far.get("/metrics", headers={"Authorization": "Bearer guess"}).status_code == 403


def test_metrics_tell_late_work_alert_rate_silent_workers_and_failures(
    app: FastAPI, client: TestClient, session: Session, clock: SettableClock, patient: Patient
) -> None:
    mark_due(session, "deliver", [patient.id], due_at=clock.now - timedelta(minutes=5))
    mark_due(session, "assess", [patient.id], due_at=clock.now)
    heartbeat.beat(session, "worker-1", now=clock.now - timedelta(seconds=7), model="demonstration 1")
    alert = forecast_alert(session, patient, clock)
    doctor = clinic.clinician(session, session.get_one(Hospital, patient.hospital_id), now=clock.now)
    session.add(
        ClinicianMail(
            alert_id=alert.id, clinician_id=doctor.id, created_at=clock.now, attempts=1, error_kind="smtp_451"
        )
    )
    session.commit()
    found = samples(with_token(app, client))
    assert found["soom_late_rows[('kind', 'deliver')]"] == 1
    assert found["soom_late_rows[('kind', 'assess')]"] == 0
    assert found["soom_due_rows[('kind', 'assess')]"] == 1
    assert found["soom_oldest_late_seconds[('kind', 'deliver')]"] == 300
    assert found["soom_worker_seen_seconds_ago[('model', 'demonstration 1'), ('worker', 'worker-1')]"] == 7
    assert found["soom_failures_last_day[('channel', 'mail'), ('kind', 'smtp_451')]"] == 1
    # One red alert in 30 days of one patient.
    assert found["soom_alerts_per_patient_month[('hospital', 'Tartu hospital'), ('level', 'red')]"] == pytest.approx(
        1.0145, abs=1e-3
    )
    assert found["soom_alert_budget_per_patient_month[('hospital', 'Tartu hospital'), ('level', 'red')]"] == 0.10
    assert found["soom_unanswered_red_alerts[('hospital', 'Tartu hospital')]"] == 1


def test_neither_metrics_nor_the_page_name_a_person(
    app: FastAPI, client: TestClient, session: Session, clock: SettableClock, patient: Patient, administrator: Clinician
) -> None:
    forecast_alert(session, patient, clock)
    session.commit()
    page = client.get("/operations")
    assert page.status_code == 200
    for text in (page.text, with_token(app, client)):
        assert patient.display_name not in text
        assert str(patient.id) not in text


@pytest.mark.parametrize(("language", "word"), [("en", "Operations"), ("ko", "운영"), ("et", "Käitus")])
def test_the_page_speaks_the_administrators_language(
    client: TestClient, session: Session, administrator: Clinician, language: str, word: str
) -> None:
    administrator.language = language
    session.commit()
    page = client.get("/operations")
    assert page.status_code == 200
    assert f"<h1>{word}</h1>" in page.text


def test_an_administrator_lands_on_operations_after_signing_in(
    client: TestClient, session: Session, administrator: Clinician
) -> None:
    session.commit()
    answer = client.post(
        "/sign-in",
        data={"email": administrator.email, "password": clinic.PASSWORD},
        headers={"Origin": "http://testserver"},
        follow_redirects=False,
    )
    assert answer.headers["location"] == "/operations"


def test_switching_a_model_off_ends_its_alerts_is_audited_and_leaves_those_of_rules(
    client: TestClient, session: Session, clock: SettableClock, patient: Patient, administrator: Clinician
) -> None:
    alert = forecast_alert(session, patient, clock, "amber")
    other = clinic.patient(session, session.get_one(Hospital, patient.hospital_id), now=clock.now)
    by_rule = forecast_alert(session, other, clock)
    by_rule.cause, by_rule.evidence_at, by_rule.evidence_on = "red_zone", clock.now, clock.now.date()
    session.commit()
    body = {"mode": "off", "reason": "Too many alarms since Monday."}
    answer = client.post("/v1/administrator/models/demonstration/mode", json=body)
    assert (answer.status_code, answer.json()["mode"]) == (200, "off")
    session.expire_all()
    assert (alert.state, alert.resolved_because) == ("resolved", "switched_off")
    assert by_rule.state == "triggered"
    entry = session.exec(select(AuditEntry).where(AuditEntry.action == "switch_model")).one()
    assert (entry.actor_id, entry.detail["mode"]) == (administrator.id, "off")


def test_alert_settings_are_kept_within_bounds_and_the_one_on_call_is_of_the_hospital(
    client: TestClient, session: Session, clock: SettableClock, hospital: Hospital, administrator: Clinician
) -> None:
    own = clinic.clinician(session, hospital, now=clock.now)
    foreign = clinic.clinician(session, clinic.hospital(session), now=clock.now)
    session.commit()
    chosen: dict[str, object] = {"amber_per_patient_month": 0.5, "red_per_patient_month": 0.2}
    chosen |= {"second_after_minutes": 10, "email_after_minutes": 20, "on_call_id": str(own.id)}
    path = "/v1/administrator/alert-settings"
    assert client.put(path, json=chosen).json() == chosen
    assert client.get(path).json() == chosen
    for wrong in (
        {"red_per_patient_month": 0.6},
        {"email_after_minutes": 5},
        {"second_after_minutes": 1},
        {"on_call_id": str(foreign.id)},
    ):
        assert client.put(path, json=chosen | wrong).status_code == 422, wrong
    assert client.get(path).json() == chosen
