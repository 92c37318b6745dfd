"""Walks every route as five callers. A route that is not in the table fails: someone must say who may call it."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import Session, select

from backend.accounts import sign_in
from backend.accounts.permissions import CSRF_HEADER, SESSION_COOKIE
from backend.accounts.tables import Clinician, Role
from backend.alerts.tables import Alert
from backend.core import heartbeat
from backend.core.due import mark_due
from backend.core.settings import Settings
from backend.patients.tables import Patient
from backend.plans.draft import PlanDraft
from backend.risk.service import assess_due
from tests.conftest import SettableClock
from tests.factories import clinic, entries
from tests.routes import all_routes

CALLERS = ("anonymous", "wrong patient", "unrelated clinician", "right patient", "right clinician")
PATIENT_NAME = "Minji Lee"

# What each caller gets, in the order of CALLERS.
EVERYONE = (200, 200, 200, 200, 200)
PHONES = (401, 200, 401, 200, 401)
CLINICIANS = (401, 401, 200, 401, 200)
CLINICIANS_MAKE = (401, 401, 201, 401, 201)
CARE_TEAM = (401, 401, 404, 401, 200)
CARE_TEAM_MAKES = (401, 401, 404, 401, 201)
# Pages send a browser without a session to the sign-in page.
PAGE_OF_CLINICIANS = (303, 303, 200, 303, 200)
PAGE_OF_CARE_TEAM = (303, 303, 404, 303, 200)
RESEARCH = (401, 401, 403, 401, 403)
RESEARCH_PAGE = (303, 303, 403, 303, 403)

EXPECTED: dict[tuple[str, str], tuple[int, ...]] = {
    ("GET", "/health"): EVERYONE,
    ("POST", "/v1/enrol"): (404,) * 5,
    ("POST", "/v1/token"): (401,) * 5,
    ("GET", "/v1/sync"): PHONES,
    ("POST", "/v1/sync"): PHONES,
    ("POST", "/v1/patient/consents"): PHONES,
    ("GET", "/v1/patient/accesses"): PHONES,
    ("GET", "/v1/patient/links"): PHONES,
    ("POST", "/v1/patient/links"): (401, 201, 401, 201, 401),
    # There is no such link, and no such phone.
    ("POST", "/v1/patient/links/{link_id}/end"): (401, 404, 401, 404, 401),
    ("POST", "/v1/patient/carer-codes"): (401, 201, 401, 201, 401),
    ("GET", "/v1/patient/phones"): PHONES,
    ("POST", "/v1/patient/phones/{device_id}/removal"): (401, 404, 401, 404, 401),
    # Whoever has a patient's link is let in by it; this one never was.
    ("GET", "/shared/{token}"): (404,) * 5,
    ("GET", "/shared/{token}/report.pdf"): (404,) * 5,
    ("POST", "/v1/clinician/sign-in"): (401,) * 5,
    ("POST", "/v1/clinician/sign-out"): (401, 401, 204, 401, 204),
    ("GET", "/v1/clinician/patients"): CLINICIANS,
    ("POST", "/v1/clinician/patients"): CLINICIANS_MAKE,
    ("GET", "/v1/clinician/patients/{patient_id}"): CARE_TEAM,
    ("GET", "/v1/clinician/patients/{patient_id}/changes"): CARE_TEAM,
    ("GET", "/v1/clinician/patients/{patient_id}/profile"): CARE_TEAM,
    # Of a profile that nobody has read.
    ("POST", "/v1/clinician/patients/{patient_id}/profile"): (401, 401, 404, 401, 409),
    ("GET", "/v1/clinician/patients/{patient_id}/consents"): CARE_TEAM,
    ("POST", "/v1/clinician/patients/{patient_id}/consents"): CARE_TEAM,
    ("GET", "/patients/{patient_id}/profile"): PAGE_OF_CARE_TEAM,
    ("POST", "/patients/{patient_id}/profile"): (303, 303, 404, 303, 409),
    ("POST", "/patients/{patient_id}/consents"): (303, 303, 404, 303, 204),
    ("GET", "/v1/clinician/patients/{patient_id}/diary"): CARE_TEAM,
    ("GET", "/v1/clinician/patients/{patient_id}/forecasts"): CARE_TEAM,
    ("GET", "/v1/clinician/patients/{patient_id}/audit"): CARE_TEAM,
    ("GET", "/v1/clinician/patients/{patient_id}/report.pdf"): CARE_TEAM,
    ("GET", "/patients/{patient_id}/report.pdf"): PAGE_OF_CARE_TEAM,
    ("POST", "/v1/clinician/patients/{patient_id}/enrolment-codes"): CARE_TEAM_MAKES,
    ("GET", "/fhir/metadata"): EVERYONE,
    ("GET", "/fhir/{resource_type}"): CARE_TEAM,
    ("GET", "/fhir/{resource_type}/{resource_id}"): CARE_TEAM,
    ("GET", "/v1/clinician/alerts"): CLINICIANS,
    ("POST", "/v1/clinician/alerts/{alert_id}/acknowledge"): CARE_TEAM,
    ("GET", "/"): (303,) * 5,
    ("GET", "/sign-in"): EVERYONE,
    ("POST", "/sign-in"): (401,) * 5,
    ("POST", "/sign-out"): (303, 303, 204, 303, 204),
    ("POST", "/language"): (303, 303, 204, 303, 204),
    ("GET", "/patients"): PAGE_OF_CLINICIANS,
    ("GET", "/patients/new"): PAGE_OF_CLINICIANS,
    ("POST", "/patients"): PAGE_OF_CLINICIANS,
    ("GET", "/patients/{patient_id}"): PAGE_OF_CARE_TEAM,
    ("POST", "/patients/{patient_id}/enrolment-codes"): PAGE_OF_CARE_TEAM,
    ("GET", "/patients/{patient_id}/audit"): PAGE_OF_CARE_TEAM,
    ("GET", "/patients/{patient_id}/records"): PAGE_OF_CARE_TEAM,
    ("GET", "/v1/clinician/colleagues"): CLINICIANS,
    ("POST", "/v1/clinician/alerts/{alert_id}/hand-over"): CARE_TEAM,
    ("GET", "/v1/clinician/hand-overs"): CLINICIANS,
    # The unrelated clinician is responsible for nobody; the other hand-over belongs to two other people.
    ("POST", "/v1/clinician/hand-overs"): (401, 401, 409, 401, 201),
    ("POST", "/v1/clinician/hand-overs/{hand_over_id}/end"): (401, 401, 404, 401, 404),
    ("GET", "/alerts/{alert_id}/hand-over"): PAGE_OF_CARE_TEAM,
    ("POST", "/alerts/{alert_id}/hand-over"): PAGE_OF_CARE_TEAM,
    ("GET", "/hand-overs"): PAGE_OF_CLINICIANS,
    ("POST", "/hand-overs"): (303, 303, 409, 303, 200),
    ("POST", "/hand-overs/{hand_over_id}/end"): (303, 303, 404, 303, 404),
    ("GET", "/v1/clinician/medicines"): CLINICIANS,
    ("GET", "/v1/clinician/patients/{patient_id}/treatment"): CARE_TEAM,
    ("POST", "/v1/clinician/patients/{patient_id}/checks"): CARE_TEAM,
    ("GET", "/v1/clinician/patients/{patient_id}/plan-draft"): CARE_TEAM,
    ("POST", "/v1/clinician/patients/{patient_id}/plan-draft/check"): CARE_TEAM,
    ("GET", "/v1/clinician/patients/{patient_id}/plan-draft/saved"): CARE_TEAM,
    ("POST", "/v1/clinician/patients/{patient_id}/plan-draft/saved"): CARE_TEAM,
    ("POST", "/v1/clinician/patients/{patient_id}/plan-draft/discard"): (401, 401, 404, 401, 204),
    ("POST", "/patients/{patient_id}/treatment/draft"): (303, 303, 404, 303, 204),
    ("GET", "/v1/clinician/patients/{patient_id}/plans"): CARE_TEAM,
    # The draft was written against a first version that there is not; nor is there a recommendation or a review.
    ("POST", "/v1/clinician/patients/{patient_id}/plans"): (401, 401, 404, 401, 409),
    ("POST", "/v1/clinician/patients/{patient_id}/recommendation/rejection"): (401, 401, 404, 401, 409),
    ("POST", "/v1/clinician/patients/{patient_id}/outcome-review"): (401, 401, 404, 401, 404),
    ("GET", "/v1/clinician/patients/{patient_id}/measurements"): CARE_TEAM,
    ("POST", "/v1/clinician/patients/{patient_id}/measurements"): CARE_TEAM_MAKES,
    ("POST", "/v1/clinician/patients/{patient_id}/measurements/withdrawal"): (401, 401, 404, 401, 404),
    ("GET", "/patients/{patient_id}/treatment"): PAGE_OF_CARE_TEAM,
    ("POST", "/patients/{patient_id}/treatment/check"): PAGE_OF_CARE_TEAM,
    ("POST", "/patients/{patient_id}/treatment/checks"): (303, 303, 404, 303, 204),
    ("POST", "/patients/{patient_id}/treatment/sign"): (303, 303, 404, 303, 422),
    ("POST", "/patients/{patient_id}/treatment/rejection"): (303, 303, 404, 303, 409),
    ("POST", "/patients/{patient_id}/treatment/verdict"): (303, 303, 404, 303, 404),
    ("POST", "/patients/{patient_id}/treatment/measurements"): (303, 303, 404, 303, 204),
    ("POST", "/patients/{patient_id}/treatment/measurements/withdrawal"): (303, 303, 404, 303, 404),
    ("GET", "/alerts"): PAGE_OF_CLINICIANS,
    # Prometheus by its token, or from the machine itself; administrators see operations, and no patients.
    ("GET", "/metrics"): (403,) * 5,
    ("GET", "/operations"): (303, 303, 403, 303, 403),
    ("POST", "/operations/models"): (303, 303, 403, 303, 403),
    ("POST", "/operations/alert-settings"): (303, 303, 403, 303, 403),
    ("GET", "/v1/administrator/operations"): (401, 401, 403, 401, 403),
    ("GET", "/v1/administrator/alert-settings"): (401, 401, 403, 401, 403),
    ("PUT", "/v1/administrator/alert-settings"): (401, 401, 403, 401, 403),
    ("POST", "/v1/administrator/models/{model_id}/mode"): (401, 401, 403, 401, 403),
    # Researchers propose and administrators decide; clinicians have no part in it.
    ("GET", "/v1/patient/research"): PHONES,
    ("GET", "/v1/research/proposals"): RESEARCH,
    ("POST", "/v1/research/proposals"): RESEARCH,
    ("GET", "/v1/research/proposals/{proposal_id}"): RESEARCH,
    ("POST", "/v1/research/proposals/{proposal_id}/decision"): RESEARCH,
    ("POST", "/v1/research/proposals/{proposal_id}/taking-back"): RESEARCH,
    ("GET", "/v1/research/models"): RESEARCH,
    ("POST", "/v1/research/models/{check_id}/decision"): RESEARCH,
    ("GET", "/research"): RESEARCH_PAGE,
    ("POST", "/research/proposals"): RESEARCH_PAGE,
    ("POST", "/research/proposals/{proposal_id}/decision"): RESEARCH_PAGE,
    ("POST", "/research/proposals/{proposal_id}/taking-back"): RESEARCH_PAGE,
    ("POST", "/research/models/{check_id}/decision"): RESEARCH_PAGE,
    # A red alert cannot be snoozed, by nobody.
    ("POST", "/v1/patient/alerts/{alert_id}/snooze"): (401, 404, 401, 409, 401),
    ("DELETE", "/v1/patient/alerts/{alert_id}/snooze"): (401, 404, 401, 200, 401),
    ("POST", "/v1/clinician/alerts/{alert_id}/snooze"): (401, 401, 404, 401, 409),
    ("POST", "/alerts/{alert_id}/snooze"): (303, 303, 404, 303, 409),
    ("GET", "/v1/patient/watch"): PHONES,
    # There is no other phone to hand it to.
    ("POST", "/v1/patient/watch"): (401, 422, 401, 422, 401),
    ("DELETE", "/v1/patient/watch"): PHONES,
    ("POST", "/alerts/{alert_id}/acknowledge"): PAGE_OF_CARE_TEAM,
    ("GET", "/v1/clinician/patients/{patient_id}/reminders"): CARE_TEAM,
    ("GET", "/v1/clinician/contact-tasks"): CLINICIANS,
    ("GET", "/contacts"): PAGE_OF_CLINICIANS,
    # No phone is silent.
    ("POST", "/v1/clinician/contact-tasks/{task_id}/done"): (401, 401, 404, 401, 404),
    ("POST", "/v1/clinician/contact-tasks/{task_id}/undone"): (401, 401, 404, 401, 404),
    ("POST", "/contacts/{task_id}/done"): (303, 303, 404, 303, 404),
    ("POST", "/contacts/{task_id}/undone"): (303, 303, 404, 303, 404),
}

HAND_OVERS = {
    version + path for version in ("", "/v1/clinician") for path in ("/hand-overs", "/alerts/{alert_id}/hand-over")
}
NOBODY = str(uuid.UUID(int=7))
UNKNOWN = {
    "hand_over_id": NOBODY,
    "task_id": NOBODY,
    "model_id": "demonstration",
    "proposal_id": "7",
    "check_id": "7",
    "resource_type": "Patient",
    "link_id": NOBODY,
    "device_id": NOBODY,
    "token": "a-token-that-nobody-was-given",
}
DRAFT = PlanDraft.model_config["json_schema_extra"]["examples"][0]  # type: ignore[index]

JSON_BODIES: dict[str, object] = {
    "/v1/patient/consents": {"purpose": "research", "given": True, "text_version": "2026-11"},
    "/v1/patient/links": {"label": "Dr Lee", "days": 2},
    "/v1/enrol": clinic.enrol_body("AAAA-AAAA"),
    "/v1/token": {"refresh_token": "unknown"},
    "/v1/sync": {"sent_at": "2026-11-20T12:00:00Z", "entries": []},
    "/v1/clinician/sign-in": {"email": "nobody@hospital.example", "password": "not the password"},
    "/v1/clinician/patients": {
        "display_name": "A new patient",
        "sex": "female",
        "language": "ko",
        "time_zone": "Asia/Seoul",
    },
    "/v1/clinician/alerts/{alert_id}/acknowledge": {"note": "Called."},
    "/v1/clinician/contact-tasks/{task_id}/done": {"note": "Called."},
    "/v1/clinician/alerts/{alert_id}/snooze": {"hours": 12},
    "/v1/patient/alerts/{alert_id}/snooze": {"hours": 12},
    "/v1/patient/watch": {"to_device_id": NOBODY, "until": "2026-11-21T12:00:00Z"},
    "/v1/clinician/patients/{patient_id}/profile": {"display_name": "Minji Lee", "profile_change": 0},
    "/v1/clinician/patients/{patient_id}/consents": {"purpose": "research", "given": True},
    "/v1/clinician/patients/{patient_id}/checks": {"answers": [{"code": "technique", "holds": True}]},
    "/v1/clinician/patients/{patient_id}/plan-draft/check": DRAFT,
    "/v1/clinician/patients/{patient_id}/plan-draft/saved": {"based_on_version": 0, "fields": {}, "editor": NOBODY},
    "/v1/clinician/patients/{patient_id}/plans": {"draft": DRAFT, "password": clinic.PASSWORD, "reason": "First."},
    "/v1/clinician/patients/{patient_id}/recommendation/rejection": {"recommendation_id": NOBODY, "reason": "No."},
    "/v1/clinician/patients/{patient_id}/outcome-review": {"plan_version": 1, "verdict": "keep"},
    "/v1/clinician/patients/{patient_id}/measurements": {
        "measured_on": "2026-11-18",
        "measurements": [{"kind": "feno", "value": 38, "unit": "ppb"}],
    },
    "/v1/clinician/patients/{patient_id}/measurements/withdrawal": {"measurement_id": NOBODY},
}
FORM_BODIES: dict[str, dict[str, str]] = {
    "/sign-in": {"email": "nobody@hospital.example", "password": "not the password"},
    "/language": {"language": "ko"},
    "/patients": {"display_name": "A new patient", "sex": "female", "language": "ko", "time_zone": "Asia/Seoul"},
    "/alerts/{alert_id}/acknowledge": {"note": "Called."},
    "/alerts/{alert_id}/snooze": {"hours": "12"},
    "/patients/{patient_id}/profile": {"display_name": "Minji Lee", "profile_change": "0"},
    "/patients/{patient_id}/consents": {"purpose": "research", "given": "true"},
    "/patients/{patient_id}/treatment/checks": {"technique": "yes"},
    "/patients/{patient_id}/treatment/rejection": {"recommendation_id": NOBODY, "reason": "Not now."},
    "/patients/{patient_id}/treatment/verdict": {"plan_version": "1", "verdict": "keep"},
    "/patients/{patient_id}/treatment/measurements": {"measured_on": "2026-11-18", "feno": "38"},
    "/patients/{patient_id}/treatment/measurements/withdrawal": {"measurement_id": NOBODY},
}


@dataclass
class World:
    client: TestClient
    minji: Patient
    alert: Alert
    third: Clinician
    headers: dict[str, dict[str, str]]


@pytest.fixture
def world(app: FastAPI, client: TestClient, session: Session, settings: Settings, clock: SettableClock) -> World:
    clock.now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    hospital = clinic.hospital(session)
    doctor = clinic.clinician(session, hospital, now=clock.now)
    colleague = clinic.clinician(session, hospital, now=clock.now)
    third = clinic.clinician(session, hospital, now=clock.now)
    minji = clinic.patient(session, hospital, now=clock.now, cared_for_by=doctor)
    other = clinic.patient(session, hospital, now=clock.now)
    other.display_name = "Another Person"
    heartbeat.beat(session, "worker", now=clock.now)
    phone = clinic.enrolled_phone(client, session, minji, now=clock.now)
    entries.symptoms(session, minji, taken_at=clock.now, red_flags=["blue_lips"])
    mark_due(session, "assess", [minji.id], due_at=clock.now)
    assess_due(app.state.new_session, None, clock.now)
    alert = session.exec(select(Alert).where(Alert.patient_id == minji.id)).one()
    headers = {
        "anonymous": {},
        "wrong patient": clinic.enrolled_phone(client, session, other, now=clock.now).headers,
        "right patient": phone.headers,
        "unrelated clinician": browser_headers(session, settings, colleague, clock),
        "right clinician": browser_headers(session, settings, doctor, clock),
    }
    session.commit()
    return World(client, minji, alert, third, headers)


def browser_headers(session: Session, settings: Settings, who: Clinician, clock: SettableClock) -> dict[str, str]:
    _, cookie, csrf = sign_in.sign_in(
        session, settings, email=who.email, password=clinic.PASSWORD, address="127.0.0.1", now=clock.now
    )
    return {"Cookie": f"{SESSION_COOKIE}={cookie}", CSRF_HEADER: csrf}


def body(world: World, path: str, bodies: Mapping[str, Any]) -> Any:
    if path in HAND_OVERS and path.startswith("/v1/") == (bodies is JSON_BODIES):
        return {"to": str(world.third.id), "days": 7, "note": "On leave."}
    return bodies.get(path)


def call(world: World, method: str, path: str, caller: str) -> tuple[int, str]:
    url = path.format(patient_id=world.minji.id, alert_id=world.alert.id, resource_id=world.minji.id, **UNKNOWN)
    kind = "application/json" if path.startswith(("/v1/", "/fhir/")) else "text/html"
    if path == "/fhir/{resource_type}":
        url += f"?patient={world.minji.id}"
    world.client.cookies.clear()
    answer = world.client.request(
        method,
        url,
        headers=world.headers[caller] | {"Origin": "http://testserver", "Accept": kind},
        json=body(world, path, JSON_BODIES) if method == "POST" else None,
        data=body(world, path, FORM_BODIES) if method == "POST" else None,
        follow_redirects=False,
    )
    return answer.status_code, answer.text


def test_every_route_is_in_the_table_and_nothing_else_is(app: FastAPI) -> None:
    served = {(method, route.path) for route in all_routes(app) for method in route.methods or () if method != "HEAD"}
    assert served == set(EXPECTED)


@pytest.mark.parametrize("caller", CALLERS)
def test_each_caller_gets_what_the_table_says(world: World, session: Session, caller: str) -> None:
    wrong = []
    for (method, path), expected in EXPECTED.items():
        # Undone after each call, so that signing out or acknowledging does not change what the next one meets.
        step = session.begin_nested()
        status, text = call(world, method, path, caller)
        step.rollback()
        if status != expected[CALLERS.index(caller)]:
            wrong.append(f"{method} {path}: {status} {text[:60]}")
        if caller not in {"right patient", "right clinician"}:
            assert PATIENT_NAME not in text, path
            assert str(world.minji.id) not in text, path
    assert "\n".join(wrong) == ""


def test_a_writing_request_without_the_csrf_token_is_refused(world: World) -> None:
    cookie = {"Cookie": world.headers["right clinician"]["Cookie"], "Origin": "http://testserver"}
    for method, path in EXPECTED:
        is_a_phones = path == "/v1/sync" or path.startswith("/v1/patient/")
        if method == "GET" or EXPECTED[method, path] in {(401,) * 5, (404,) * 5} or is_a_phones or path == "/language":
            continue
        url = path.format(patient_id=world.minji.id, alert_id=world.alert.id, resource_id=world.minji.id, **UNKNOWN)
        answer = world.client.request(
            method, url, headers=cookie, json=JSON_BODIES.get(path), data=FORM_BODIES.get(path), follow_redirects=False
        )
        assert answer.status_code == 403, (path, answer.status_code)


@pytest.mark.parametrize("role", [Role.RESEARCHER, Role.ADMINISTRATOR])
def test_other_roles_see_no_patient(
    world: World, session: Session, settings: Settings, clock: SettableClock, role: Role
) -> None:
    hospital = clinic.hospital(session)
    someone = clinic.clinician(session, hospital, now=clock.now, role=role)
    world.headers["someone"] = browser_headers(session, settings, someone, clock)
    session.commit()
    for method, path in EXPECTED:
        # Alert budgets are an administrator's, and show no patient.
        if path.startswith(("/v1/patient/", "/operations", "/v1/administrator/")):
            continue
        if "patient" in path or "alert" in path or "hand-over" in path or "colleagues" in path:
            status, text = call(world, method, path, "someone")
            assert status == 403, (method, path, status)
            assert PATIENT_NAME not in text


def test_an_unknown_patient_and_a_foreign_one_look_the_same(world: World) -> None:
    for path in ("/v1/clinician/patients/{}", "/v1/clinician/patients/{}/diary"):
        foreign = world.client.get(path.format(world.minji.id), headers=world.headers["unrelated clinician"])
        unknown = world.client.get(path.format(uuid.uuid4()), headers=world.headers["unrelated clinician"])
        assert foreign.json() == unknown.json()
