"""Changing who a patient is, and writing down what they consent to."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, select

from backend.core.audit import AuditEntry
from backend.core.due import DueWork
from backend.patients.tables import Patient
from tests.backend.dashboard.conftest import Desk, signed_in
from tests.conftest import SettableClock
from tests.factories import treatment
from tests.factories.full_clinic import full_clinic


@pytest.fixture
def desk(client: TestClient, session: Session, clock: SettableClock) -> Desk:
    return signed_in(client, session, full_clinic(session, now=clock.now, people=(), most_days=1), now=clock.now)


@pytest.fixture
def minji(desk: Desk, session: Session, clock: SettableClock) -> Patient:
    made = treatment.patient(session, desk.clinic.doctor, now=clock.now)
    session.commit()
    return made


def profile(desk: Desk, of: Patient) -> dict[str, Any]:
    return dict(desk.client.get(f"/v1/clinician/patients/{of.id}/profile").json())


def change(desk: Desk, of: Patient, **changes: Any) -> Any:
    known = profile(desk, of)
    body = {name: value for name, value in known.items() if not name.startswith("predicted")} | changes
    return desk.client.post(f"/v1/clinician/patients/{of.id}/profile", json=body, headers=desk.csrf)


def test_a_changed_height_changes_the_predicted_peak_flow_and_is_on_record(
    desk: Desk, session: Session, minji: Patient
) -> None:
    before = profile(desk, minji)
    after = change(desk, minji, height_cm=172).json()
    assert after["predicted_litres_per_min"] > before["predicted_litres_per_min"]
    assert after["predicted_by"] == "hankinson"
    # With her weight the Korean equation covers her.
    assert change(desk, minji, weight_kg=58).json()["predicted_by"] == "korean_adults"
    trail = session.exec(select(AuditEntry).where(AuditEntry.action == "change_profile")).all()
    assert [entry.detail for entry in trail] == [{"fields": ["height_cm"]}, {"fields": ["weight_kg"]}]


def test_the_phone_and_the_rules_hear_of_a_change(desk: Desk, session: Session, minji: Patient) -> None:
    seen = minji.profile_change
    assert change(desk, minji, born_on="2016-05-01").status_code == 200
    session.refresh(minji)
    assert minji.profile_change > seen
    assert session.exec(select(DueWork).where(DueWork.kind == "assess", DueWork.key == minji.id)).first() is not None


def test_saving_the_same_again_changes_nothing(desk: Desk, session: Session, minji: Patient) -> None:
    seen = minji.profile_change
    assert change(desk, minji).json()["profile_change"] == seen
    assert session.exec(select(AuditEntry).where(AuditEntry.action == "change_profile")).all() == []


def test_of_two_who_change_at_once_the_second_is_told_and_nothing_is_lost(desk: Desk, minji: Patient) -> None:
    stale = profile(desk, minji)["profile_change"]
    assert change(desk, minji, height_cm=165).status_code == 200
    answer = change(desk, minji, height_cm=160, profile_change=stale)
    assert (answer.status_code, answer.json()["code"]) == (409, "profile_changed_meanwhile")
    assert profile(desk, minji)["height_cm"] == 165


@pytest.mark.parametrize(
    ("field", "value"), [("born_on", "2031-01-01"), ("height_cm", 16), ("weight_kg", 4), ("time_zone", "Mars/Base")]
)
def test_an_impossible_value_is_told_at_its_field_and_nothing_is_stored(
    desk: Desk, minji: Patient, field: str, value: Any
) -> None:
    before = profile(desk, minji)
    answer = change(desk, minji, **{field: value}, display_name="Somebody else")
    assert answer.status_code == 422
    assert [one["path"] for one in answer.json()["fields"]] == [field]
    assert profile(desk, minji) == before


def test_the_page_keeps_what_was_written_beside_the_mistake(desk: Desk, minji: Patient) -> None:
    form = {"display_name": "Minji Park", "born_on": "2031-01-01", "profile_change": str(minji.profile_change)}
    answer = desk.post(f"/patients/{minji.id}/profile", **form)
    assert answer.status_code == 422
    assert answer.headers["HX-Retarget"] == "#profile"
    assert 'value="Minji Park"' in answer.text
    assert "Enter a day in the past as year-month-day." in answer.text


def test_a_saved_page_leads_back_and_says_so(desk: Desk, minji: Patient) -> None:
    form = {"display_name": "Minji Park", "time_zone": "Asia/Seoul", "profile_change": str(minji.profile_change)}
    answer = desk.post(f"/patients/{minji.id}/profile", **form)
    assert answer.headers["HX-Redirect"] == f"/patients/{minji.id}/profile?saved=1"
    assert "Saved. Rules that depend on it were asked again." in desk.page(answer.headers["HX-Redirect"]).text
    assert "Minji Park" in desk.page(f"/patients/{minji.id}").text


def test_consents_are_written_down_with_who_and_when_and_a_withdrawal_stays_on_record(
    desk: Desk, minji: Patient, clock: SettableClock
) -> None:
    path = f"/v1/clinician/patients/{minji.id}/consents"

    def note(given: bool) -> list[dict[str, Any]]:
        answer = desk.client.post(path, json={"purpose": "research", "given": given}, headers=desk.csrf)
        assert answer.status_code == 200, answer.text
        return [row for row in answer.json() if row["purpose"] == "research"]

    assert [row["granted_by"] for row in note(given=True)] == ["Dr Kim"]
    assert note(given=True) == note(given=True)
    (closed,) = note(given=False)
    assert (closed["withdrawn_by"], closed["withdrawn_at"]) == ("Dr Kim", "2026-11-20T12:00:00Z")
    assert [row["withdrawn_at"] is None for row in note(given=True)] == [True, False]
    page = desk.page(f"/patients/{minji.id}/profile").text
    assert "Withdrawn today" in page
    assert "Write down withdrawal" in page


def test_without_consent_to_forecasting_the_patient_is_assessed_anew(
    desk: Desk, session: Session, minji: Patient
) -> None:
    form = {"purpose": "forecasting", "given": "false"}
    assert desk.post(f"/patients/{minji.id}/consents", **form).status_code == 204
    assert session.exec(select(DueWork).where(DueWork.kind == "assess", DueWork.key == minji.id)).first() is not None
    trail = session.exec(select(AuditEntry).where(AuditEntry.action == "withdraw_consent")).one()
    assert trail.detail == {"purpose": "forecasting"}
