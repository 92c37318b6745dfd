"""The treatment page over HTTP: what it shows, what its forms refuse, and the same as JSON."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, select

from backend.accounts.tables import Clinician
from backend.clinical.regimen_checks import Problem
from backend.dashboard.translations import LANGUAGES, catalogue
from backend.measurements.rules import MeasurementProblem
from backend.measurements.tables import Measurement
from backend.patients.tables import Patient
from backend.plans.store import plan_in_force
from backend.recommendations.rules import CHECKLIST
from backend.recommendations.service import look_again
from backend.recommendations.store import open_recommendation
from tests.backend.dashboard.conftest import Desk, signed_in
from tests.conftest import NOON, SettableClock
from tests.factories import clinic, treatment
from tests.factories.full_clinic import FullClinic


@pytest.fixture
def minji(session: Session) -> tuple[Clinician, Patient]:
    began = NOON - timedelta(days=60)
    doctor = clinic.clinician(session, clinic.hospital(session), now=began)
    patient = treatment.uncontrolled(session, doctor, treatment.AIR, since=began, until=NOON, nights_a_week=1)
    look_again(session, [patient.id], NOON)
    session.commit()
    return doctor, patient


@pytest.fixture
def desk(client: TestClient, session: Session, clock: SettableClock, minji: tuple[Clinician, Patient]) -> Desk:
    doctor, patient = minji
    made = FullClinic(doctor=doctor, patients={"Minji Lee": patient})
    return signed_in(client, session, made, now=clock.now)


def path_of(desk: Desk) -> str:
    return f"/patients/{desk.clinic.patients['Minji Lee'].id}/treatment"


def text_of(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


def form_of(html: str) -> dict[str, str]:
    """The plan editor's fields as a browser would send them."""
    editor = html.split('id="plan-form"')[1].split('<div id="plan-checked"')[0]
    fields = {}
    for tag in re.findall(r"<input[^>]*>", editor):
        found: dict[str, str] = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if found.get("type") != "checkbox" or "checked" in tag:
            fields[found["name"]] = unescape(found.get("value", "on"))
    for name, inner in re.findall(r'<select[^>]*name="(\w+)"[^>]*>(.*?)</select>', editor, re.S):
        selected = re.search(r'<option value="([^"]*)" selected', inner)
        fields[name] = selected.group(1) if selected else re.findall(r'<option value="([^"]*)"', inner)[0]
    for name, inner in re.findall(r'<textarea[^>]*name="(\w+)"[^>]*>(.*?)</textarea>', editor, re.S):
        fields[name] = unescape(inner)
    return fields


def editor(desk: Desk, option: str = "up:T1.3") -> dict[str, str]:
    answer = desk.client.get(path_of(desk), params={"option": option}, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return form_of(answer.text)


def sign(desk: Desk, fields: dict[str, str], **more: str) -> Any:
    signature = {"reason": "Uncontrolled.", "password": clinic.PASSWORD} | more
    return desk.post(path_of(desk) + "/sign", **fields, **signature)


def answer_checklist(desk: Desk) -> None:
    assert desk.post(path_of(desk) + "/checks", **{item.value: "yes" for item in CHECKLIST}).status_code == 204


@pytest.mark.parametrize("language", ["en", "ko", "et"])
def test_the_page_can_be_read_in_every_language_without_inline_code(desk: Desk, language: str) -> None:
    desk.post("/language", language=language)
    for query in ("", "?option=up:T1.3", "?edit=1", "?option=gone"):
        answer = desk.page(path_of(desk) + query)
        assert answer.status_code == 200, answer.text[:300]
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", answer.text)


def test_it_says_why_now_with_numbers_sources_and_model(desk: Desk) -> None:
    text = text_of(desk.page(path_of(desk)).text)
    assert "Symptoms are uncontrolled" in text
    assert "16 of 28 days" in text
    assert "GINA 2019" in text
    assert "model treatment-benefit" in text
    assert "Severe attacks fewer a year" in text


def test_the_editor_starts_from_the_option_and_the_rules_have_nothing_against_it(desk: Desk) -> None:
    fields = editor(desk)
    assert fields["use_0"] == "maintenance_and_reliever"
    checked = desk.post(path_of(desk) + "/check", **fields)
    text = text_of(checked.text)
    assert "The rules have nothing against signing this plan." in text
    assert "바뀜: Budesonide-formoterol 200/6" in text
    assert "Changed: Budesonide-formoterol 200/6" in text


def test_live_checks_say_what_a_wrong_field_breaks(desk: Desk) -> None:
    wrong = {
        "red_below": ("400", "Red must lie below yellow"),
        "product_0": ("salbutamol_100_pmdi", "A short-acting reliever alone is never enough"),
        "most_0": ("24", "More inhalations a day than this product allows"),
        "personal_best": ("many", "Personal best: missing or not readable."),
        "review_on": ("2020-01-01", "Choose a review date"),
    }
    for name, (value, said) in wrong.items():
        text = text_of(desk.post(path_of(desk) + "/check", **(editor(desk) | {name: value})).text)
        assert said in text, (name, text)
        assert "against signing." in text


def test_a_wrong_password_signs_nothing(desk: Desk, session: Session) -> None:
    answer_checklist(desk)
    answer = sign(desk, editor(desk), password="not the password")
    assert answer.status_code == 403
    assert "The password is not right." in answer.text
    plan = plan_in_force(session, desk.clinic.patients["Minji Lee"].id)
    assert plan is not None
    assert plan.version == 1


def test_without_the_checklist_a_step_up_is_refused_by_item(desk: Desk, session: Session) -> None:
    answer = sign(desk, editor(desk))
    assert answer.status_code == 422
    assert "Technique: uses the inhaler correctly" in text_of(answer.text)
    patient = desk.clinic.patients["Minji Lee"]
    plan = plan_in_force(session, patient.id)
    assert plan is not None
    assert plan.version == 1
    assert open_recommendation(session, patient.id) is not None


def test_the_whole_way_to_a_signature(desk: Desk, session: Session) -> None:
    answer_checklist(desk)
    fields = editor(desk)
    signed = sign(desk, fields)
    assert signed.headers["HX-Redirect"].endswith("/treatment?signed=2")
    page = text_of(desk.page(path_of(desk) + "?signed=2").text)
    assert "Version 2 is signed." in page
    assert "not yet read on the phone" in page
    second = sign(desk, fields)
    assert second.status_code == 409
    assert "nothing was saved" in second.text


def test_a_rejection_needs_a_reason(desk: Desk, session: Session) -> None:
    patient = desk.clinic.patients["Minji Lee"]
    standing = open_recommendation(session, patient.id)
    assert standing is not None
    known = str(standing.id)
    assert desk.post(path_of(desk) + "/rejection", recommendation_id=known, reason=" ").status_code == 422
    assert open_recommendation(session, patient.id) is not None
    assert desk.post(path_of(desk) + "/rejection", recommendation_id=known, reason="Moves house.").status_code == 204
    assert "Moves house." in desk.page(path_of(desk)).text


def test_measurements_in_a_wrong_unit_are_refused_and_none_is_kept(desk: Desk, session: Session) -> None:
    path = path_of(desk) + "/measurements"
    refused = desk.post(path, measured_on="2026-11-18", feno="38", blood_eosinophils="0.3")
    assert refused.status_code == 422
    assert "0.3 is 300 cells/uL" in text_of(refused.text)
    assert session.exec(select(Measurement)).all() == []
    assert desk.post(path, measured_on="2026-11-18", feno="38", blood_eosinophils="300").status_code == 204
    assert "300 cells/µL" in text_of(desk.page(path_of(desk)).text)
    row = session.exec(select(Measurement).where(Measurement.kind == "feno")).one()
    desk.post(path + "/withdrawal", measurement_id=str(row.id))
    assert "38 ppb" not in text_of(desk.page(path_of(desk)).text)


def test_the_same_as_json(desk: Desk, session: Session) -> None:
    patient = desk.clinic.patients["Minji Lee"]
    base = f"/v1/clinician/patients/{patient.id}"
    shown = desk.client.get(f"{base}/treatment").json()
    assert shown["standing"] == "open"
    assert shown["picture"]["control"]["control_class"] == "uncontrolled"
    answers = [{"code": item.value, "holds": True} for item in CHECKLIST]
    checked = desk.client.post(f"{base}/checks", json={"answers": answers}, headers=desk.csrf)
    assert checked.status_code == 200, checked.text
    standing = checked.json()["recommendation"]
    start = desk.client.get(f"{base}/plan-draft", params={"option": "up:T1.3"}).json()
    draft = {
        name: start[name]
        for name in (
            "based_on_version",
            "personal_best_litres_per_min",
            "personal_best_basis",
            "meter",
            "yellow_below_litres_per_min",
            "red_below_litres_per_min",
            "regimen",
            "review_on",
        )
    }
    broken = draft | {"red_below_litres_per_min": draft["yellow_below_litres_per_min"]}
    body = {
        "password": clinic.PASSWORD,
        "reason": "Uncontrolled.",
        "recommendation_id": standing["id"],
        "option": "up:T1.3",
    }
    refused = desk.client.post(f"{base}/plans", json=body | {"draft": broken}, headers=desk.csrf)
    assert (refused.status_code, refused.json()["code"]) == (422, "plan_refused")
    assert [field["path"] for field in refused.json()["fields"]] == ["red_below_litres_per_min"]
    signed = desk.client.post(f"{base}/plans", json=body | {"draft": draft}, headers=desk.csrf)
    assert (signed.status_code, signed.json()["version"]) == (201, 2)
    assert [one["version"] for one in desk.client.get(f"{base}/plans").json()] == [2, 1]
    wrong = {"measured_on": "2026-11-18", "measurements": [{"kind": "fev1", "value": 2600, "unit": "mL"}]}
    refused = desk.client.post(f"{base}/measurements", json=wrong, headers=desk.csrf)
    assert refused.json()["fields"][0]["path"] == "measurements[0].unit"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "may be in another unit"),
        ("ko", "다른 단위일 수 있습니다"),
        ("et", "võib olla teises ühikus"),
    ],
)
def test_what_is_wrong_at_a_field_is_said_in_the_readers_language(
    desk: Desk, session: Session, language: str, said: str
) -> None:
    desk.clinic.doctor.language = language
    session.add(desk.clinic.doctor)
    session.commit()
    answer = desk.post(path_of(desk) + "/measurements", measured_on="2026-11-18", fev1="2600")
    assert answer.status_code == 422
    assert said in answer.text
    assert "2600" in answer.text
    unreadable = desk.post(path_of(desk) + "/measurements", measured_on="2026-11-18", feno="many")
    assert unreadable.status_code == 422
    if language != "en":
        assert not re.search(r"[Ii]nput|valid|should", visible(unreadable.text))


def visible(html: str) -> str:
    return re.sub(r"<[^>]+>", " ", html)


def test_every_problem_that_a_rule_can_name_has_its_words_in_every_language() -> None:
    codes = {f"tr.remark.{problem.value}" for problem in Problem}
    codes |= {f"tr.field.{problem.value}" for problem in MeasurementProblem}
    for language in LANGUAGES:
        assert not codes - set(catalogue(language))
