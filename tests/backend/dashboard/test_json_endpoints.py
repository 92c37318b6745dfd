"""What programs get under /v1/clinician/, beyond what the tests of the pages already hold."""

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, select

from backend.core.audit import AuditEntry
from backend.patients.store import care_team
from backend.patients.tables import Patient
from tests.backend.dashboard.conftest import Desk


def test_a_patient_is_answered_with_plan_forecast_and_week(desk: Desk) -> None:
    body = desk.client.get(f"/v1/clinician/patients/{desk.clinic.in_danger.id}").json()
    assert body["zone"] == "red"
    assert body["plan"]["red_below_litres_per_min"] == 260
    assert body["plan"]["signed_by"] == "Dr Kim"
    assert body["forecast"]["probability"] == pytest.approx(0.41)
    assert body["forecast"]["reasons"][0] == {
        "code": "peak_flow_below_usual",
        "text": "Peak flow 31 % below own usual",
        "value": 31.0,
        "unit": "percent",
    }
    assert body["week"]["diary_days"] == 7
    assert body["open_alerts"][0]["level"] == "red"
    assert [phone["name"] for phone in body["phones"]] == ["Galaxy S23"]


def test_reasons_come_in_the_callers_language(desk: Desk) -> None:
    desk.post("/language", language="ko")
    body = desk.client.get(f"/v1/clinician/patients/{desk.clinic.in_danger.id}").json()
    assert body["forecast"]["reasons"][0]["text"] == "최대호기유량이 본인 평소보다 31% 낮음"


def test_the_diary_is_cut_to_the_days_asked_for(desk: Desk) -> None:
    path = f"/v1/clinician/patients/{desk.clinic.in_danger.id}/diary"
    body = desk.client.get(path, params={"from": "2026-11-15", "to": "2026-11-17"}).json()
    assert [day["day"] for day in body["days"]] == ["2026-11-15", "2026-11-16", "2026-11-17"]
    assert body["time_zone"] == "Asia/Seoul"
    whole = desk.client.get(path).json()
    assert (whole["first_day"], whole["last_day"]) == ("2026-08-23", "2026-11-20")


@pytest.mark.parametrize(
    "query",
    [{"from": "2026-11-17", "to": "2026-11-15"}, {"from": "2020-01-01", "to": "2026-11-15"}, {"from": "soon"}],
)
def test_an_impossible_window_is_refused_at_its_field(desk: Desk, query: dict[str, str]) -> None:
    for what in ("diary", "forecasts"):
        answer = desk.client.get(f"/v1/clinician/patients/{desk.clinic.in_danger.id}/{what}", params=query)
        assert answer.status_code == 422
        assert [field["path"] for field in answer.json()["fields"]] == ["from"]


def test_forecasts_of_the_past_keep_their_model_and_reasons(desk: Desk) -> None:
    body = desk.client.get(f"/v1/clinician/patients/{desk.clinic.in_danger.id}/forecasts").json()
    ready = [forecast for forecast in body["forecasts"] if forecast["status"] == "ready"]
    assert ready
    assert all(forecast["model_id"] == "soom-blend" for forecast in ready)
    waiting = [forecast for forecast in body["forecasts"] if forecast["status"] == "not_enough_data"]
    assert all(forecast["probability"] is None and forecast["reasons"] == [] for forecast in waiting)


def test_an_added_patient_is_in_the_callers_care(desk: Desk, session: Session) -> None:
    body = {"display_name": " Jaan Saar ", "time_zone": "Europe/Tallinn", "language": "et"}
    answer = desk.client.post("/v1/clinician/patients", json=body, headers=desk.csrf)
    assert answer.status_code == 201
    patient = session.exec(select(Patient).where(Patient.display_name == "Jaan Saar")).one()
    assert answer.json() == {"id": str(patient.id)}
    assert [clinician.id for clinician in care_team(session, patient.id)] == [desk.clinic.doctor.id]
    code = desk.client.post(f"/v1/clinician/patients/{patient.id}/enrolment-codes", headers=desk.csrf)
    assert code.status_code == 201
    assert code.json()["expires_at"].startswith("2026-11-27T12:00:00")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"display_name": ""}, "display_name"),
        ({"display_name": "A", "time_zone": "Mars/Base"}, "time_zone"),
        ({"display_name": "A", "born_on": "2031-01-01"}, "born_on"),
        ({"display_name": "A", "nickname": "B"}, "nickname"),
    ],
)
def test_a_wrong_patient_is_refused_at_its_field(desk: Desk, body: dict[str, str], path: str) -> None:
    answer = desk.client.post("/v1/clinician/patients", json=body, headers=desk.csrf)
    assert answer.status_code == 422
    assert [field["path"] for field in answer.json()["fields"]] == [path]


def test_acknowledging_twice_with_the_same_note_changes_nothing(desk: Desk, session: Session) -> None:
    alert = desk.client.get("/v1/clinician/alerts").json()["open"][0]
    path = f"/v1/clinician/alerts/{alert['id']}/acknowledge"
    first = desk.client.post(path, json={"note": "Called."}, headers=desk.csrf).json()
    second = desk.client.post(path, json={"note": "Called."}, headers=desk.csrf).json()
    assert first == second
    assert (first["acknowledged_by"], first["acknowledgement_note"]) == ("Dr Kim", "Called.")
    acknowledged = session.exec(select(AuditEntry).where(AuditEntry.action == "acknowledge_alert")).all()
    assert len(acknowledged) == 1


def test_every_reading_of_patient_data_is_on_record(desk: Desk, session: Session) -> None:
    patient = desk.clinic.in_danger
    for path in ("", "/diary", "/forecasts", "/audit"):
        desk.client.get(f"/v1/clinician/patients/{patient.id}{path}")
    desk.client.get("/v1/clinician/alerts")
    trail = desk.client.get(f"/v1/clinician/patients/{patient.id}/audit").json()["entries"]
    assert [entry["action"] for entry in trail[:2]] == ["view_audit_trail", "view_alerts"]
    assert {"view_patient", "view_diary", "view_forecasts"} <= {entry["action"] for entry in trail}


def test_signing_out_ends_the_session(desk: Desk) -> None:
    assert desk.client.post("/v1/clinician/sign-out", headers=desk.csrf).status_code == 204
    answer = desk.client.get("/v1/clinician/patients")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


def test_the_endpoints_are_documented_with_examples(client: TestClient) -> None:
    document = client.get("/v1/openapi.json").json()
    paths = [path for path in document["paths"] if path.startswith("/v1/clinician/")]
    assert len(paths) >= 10
    for path in ("/v1/clinician/sign-in", "/v1/clinician/patients", "/v1/clinician/alerts/{alert_id}/acknowledge"):
        reference = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert document["components"]["schemas"][reference.rsplit("/", 1)[1]]["examples"]


def test_a_session_lasts_its_hours_and_no_longer(desk: Desk) -> None:
    clock = desk.client.app.state.clock  # type: ignore[attr-defined]
    clock.now += timedelta(hours=9, minutes=59)
    assert desk.client.get("/v1/clinician/alerts").status_code == 200
    clock.now += timedelta(minutes=2)
    assert desk.client.get("/v1/clinician/alerts").status_code == 401
