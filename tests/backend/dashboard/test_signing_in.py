from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import Session, select

from backend.core.audit import AuditEntry
from tests.backend.dashboard.conftest import Desk
from tests.conftest import SettableClock
from tests.factories import clinic

HTML = {"Accept": "text/html"}


@pytest.fixture
def email(session: Session, clock: SettableClock) -> str:
    return clinic.clinician(session, clinic.hospital(session), now=clock.now).email


def test_the_right_password_opens_a_session_in_a_cookie_that_scripts_cannot_read(
    client: TestClient, email: str
) -> None:
    answer = client.post("/sign-in", data={"email": email, "password": clinic.PASSWORD}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/patients")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    assert client.get("/patients", headers=HTML).status_code == 200


def test_behind_https_the_cookie_never_travels_in_the_clear(app: FastAPI, client: TestClient, email: str) -> None:
    app.state.settings.public_url = "https://soom.hospital.example"
    answer = client.post("/sign-in", data={"email": email, "password": clinic.PASSWORD}, follow_redirects=False)
    assert "secure" in answer.headers["set-cookie"].lower()


def test_a_wrong_password_says_so_keeps_the_address_and_opens_nothing(client: TestClient, email: str) -> None:
    answer = client.post("/sign-in", data={"email": email, "password": "wrong"}, headers=HTML)
    assert answer.status_code == 401
    assert "E-mail address or password is not right." in answer.text
    assert f'value="{email}"' in answer.text
    assert "set-cookie" not in answer.headers


def test_too_many_wrong_passwords_are_slowed_down_with_the_time_to_wait(client: TestClient, email: str) -> None:
    for _ in range(8):
        client.post("/sign-in", data={"email": email, "password": "wrong"})
    answer = client.post("/sign-in", data={"email": email, "password": clinic.PASSWORD}, headers=HTML)
    assert answer.status_code == 429
    assert "Try again in 15 minutes" in answer.text
    assert int(answer.headers["retry-after"]) > 600


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver.evil.example"])
def test_a_foreign_page_cannot_sign_a_browser_in(client: TestClient, email: str, origin: str) -> None:
    form = {"email": email, "password": clinic.PASSWORD}
    assert client.post("/sign-in", data=form, headers={"Origin": origin}).status_code == 403
    assert client.post("/v1/clinician/sign-in", json=form, headers={"Origin": origin}).status_code == 403


def test_the_own_page_may_sign_in(app: FastAPI, client: TestClient, email: str) -> None:
    app.state.settings.public_url = "https://soom.hospital.example"
    for origin in ("http://testserver", "https://soom.hospital.example"):
        answer = client.post(
            "/sign-in",
            data={"email": email, "password": clinic.PASSWORD},
            headers={"Origin": origin},
            follow_redirects=False,
        )
        assert answer.status_code == 303


def test_without_a_session_every_page_leads_to_the_sign_in(client: TestClient) -> None:
    answer = client.get("/patients", headers=HTML, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_after_the_session_has_ended_the_sign_in_says_why(desk: Desk, clock: SettableClock) -> None:
    clock.now += timedelta(hours=11)
    answer = desk.page("/patients")
    assert answer.headers["location"] == "/sign-in?expired=1"
    assert "Your session has ended" in desk.page("/sign-in?expired=1").text
    part = desk.client.get("/patients", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/sign-in?expired=1")


def test_signing_out_ends_the_session_for_good(desk: Desk) -> None:
    cookie = desk.client.cookies["soom_session"]
    answer = desk.post("/sign-out")
    assert answer.headers["hx-redirect"] == "/sign-in?signed_out=1"
    desk.client.cookies.set("soom_session", cookie)
    assert desk.page("/patients").status_code == 303


def test_writing_without_the_sessions_token_is_refused(desk: Desk) -> None:
    for path in ("/sign-out", "/language", "/patients", f"/patients/{desk.clinic.in_danger.id}/enrolment-codes"):
        answer = desk.client.post(path, headers={"HX-Request": "true"})
        assert answer.status_code == 403, path
        assert answer.text == "This page is out of date. Reload it and try again."


def test_the_language_follows_the_browser_then_the_choice_then_the_account(desk: Desk) -> None:
    anonymous = TestClient(desk.client.app, raise_server_exceptions=False)
    assert "로그인" in anonymous.get("/sign-in", headers={"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"}).text
    anonymous.get("/sign-in?language=et")
    assert "Logi sisse" in anonymous.get("/sign-in", headers={"Accept-Language": "ko"}).text
    assert '<html lang="en">' in desk.page("/patients").text
    assert desk.post("/language", language="ko").headers["hx-refresh"] == "true"
    assert '<html lang="ko">' in desk.page("/patients").text
    desk.post("/language", language="xx")
    assert '<html lang="ko">' in desk.page("/patients").text


def test_signing_in_and_out_is_on_record(client: TestClient, session: Session, email: str) -> None:
    body = client.post("/v1/clinician/sign-in", json={"email": email, "password": clinic.PASSWORD}).json()
    client.post("/v1/clinician/sign-out", headers={"X-CSRF-Token": body["csrf_token"]})
    assert session.exec(select(AuditEntry.action)).all() == ["sign_in", "sign_out"]
