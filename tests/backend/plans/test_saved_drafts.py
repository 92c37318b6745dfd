"""A half-written plan survives a reload and another computer, and no window overwrites another unseen."""

import re
import uuid
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session

from backend.accounts.tables import Hospital
from backend.patients.tables import Patient
from backend.plans import saved_drafts
from tests.backend.dashboard.conftest import Desk, signed_in
from tests.conftest import SettableClock
from tests.factories import clinic, treatment
from tests.factories.full_clinic import full_clinic


@pytest.fixture
def desk(client: TestClient, session: Session, clock: SettableClock) -> Desk:
    return signed_in(client, session, full_clinic(session, now=clock.now, people=(), most_days=1), now=clock.now)


@pytest.fixture
def minji(desk: Desk, session: Session, clock: SettableClock) -> Patient:
    made = treatment.patient(session, desk.clinic.doctor, now=clock.now)
    treatment.sign(session, made, desk.clinic.doctor, treatment.MART_LOW, now=clock.now)
    session.commit()
    return made


def opened(desk: Desk, of: Patient) -> dict[str, str]:
    """The fields of the editor as the page has them."""
    html = desk.page(f"/patients/{of.id}/treatment?edit=1").text
    form = html.split('<form id="plan-form"')[1].split("</form>")[0]
    inputs = re.findall(r'<input[^>]* name="([^"]+)"[^>]*value="([^"]*)"', form)
    chosen = re.findall(r'<select[^>]* name="([^"]+)">(.*?)</select>', form, re.S)
    ticked = re.findall(r'type="checkbox" name="([^"]+)" checked', form)
    fields = dict(inputs) | dict.fromkeys(ticked, "on")
    for name, options in chosen:
        picked = re.search(r'value="([^"]*)" selected', options)
        fields[name] = picked[1] if picked else ""
    return fields


def write(desk: Desk, of: Patient, fields: dict[str, str], **changes: str) -> str:
    answer = desk.post(f"/patients/{of.id}/treatment/check?save=true", **{**fields, **changes})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_what_was_written_stands_there_again_on_another_computer(desk: Desk, minji: Patient) -> None:
    fields = opened(desk, minji)
    assert fields["inhalations_0"] == "1"
    assert "Draft saved." in write(desk, minji, fields, inhalations_0="2", meter="Vitalograph")
    again = opened(desk, minji)
    assert (again["inhalations_0"], again["meter"]) == ("2", "Vitalograph")
    assert again["product_0"] == fields["product_0"]
    assert "Go on with your draft" in desk.page(f"/patients/{minji.id}/treatment").text


def test_looking_alone_saves_nothing(desk: Desk, session: Session, minji: Patient) -> None:
    fields = opened(desk, minji)
    assert desk.post(f"/patients/{minji.id}/treatment/check", **fields).status_code == 200
    assert saved_drafts.saved_draft(session, desk.clinic.doctor.id, minji.id) is None


def test_a_half_written_plan_is_kept_as_it_stands(desk: Desk, minji: Patient) -> None:
    write(desk, minji, opened(desk, minji), personal_best="", yellow_below="about 300")
    again = opened(desk, minji)
    assert (again["personal_best"], again["yellow_below"]) == ("", "about 300")


def test_an_unticked_box_stays_unticked(desk: Desk, minji: Patient) -> None:
    fields = opened(desk, minji)
    assert fields.pop("remind_peak_flow") == "on"
    write(desk, minji, fields)
    assert "remind_peak_flow" not in opened(desk, minji)


def test_of_two_windows_the_second_to_write_is_told_and_overwrites_nothing(desk: Desk, minji: Patient) -> None:
    first, second = opened(desk, minji), opened(desk, minji)
    write(desk, minji, first, meter="First")
    assert "changed in another window" in write(desk, minji, second, meter="Second")
    assert opened(desk, minji)["meter"] == "First"
    # The first goes on undisturbed, and a window opened now may take over.
    assert "Draft saved." in write(desk, minji, first, meter="First again")
    assert "Draft saved." in write(desk, minji, opened(desk, minji), meter="Third")


def test_neither_password_nor_reason_is_kept(desk: Desk, session: Session, minji: Patient) -> None:
    write(desk, minji, opened(desk, minji), password="a secret", reason="because")
    kept = saved_drafts.saved_draft(session, desk.clinic.doctor.id, minji.id)
    assert kept is not None
    assert not {"password", "reason"} & set(kept.fields)


def test_a_draft_of_an_older_version_cannot_be_signed_before_it_is_taken_over(
    desk: Desk, session: Session, minji: Patient, clock: SettableClock
) -> None:
    write(desk, minji, opened(desk, minji), inhalations_0="2")
    clock.now += timedelta(hours=1)
    treatment.sign(session, minji, desk.clinic.doctor, treatment.MART_LOW, now=clock.now, based_on=1, best=470)
    session.commit()
    assert "Version 2 was signed since" in desk.page(f"/patients/{minji.id}/treatment?edit=1").text
    signing = {"password": clinic.PASSWORD, "reason": "More is needed.", "despite_checklist": "on"}
    answer = desk.post(f"/patients/{minji.id}/treatment/sign", **opened(desk, minji), **signing)
    assert answer.status_code == 409
    assert desk.post(f"/patients/{minji.id}/treatment/draft", do="take_over").status_code == 204
    taken = opened(desk, minji)
    assert (taken["based_on_version"], taken["inhalations_0"]) == ("2", "2")


def test_signing_and_discarding_end_the_draft(desk: Desk, session: Session, minji: Patient) -> None:
    doctor = desk.clinic.doctor
    fields = opened(desk, minji)
    write(desk, minji, fields, meter="Vitalograph")
    signing = {"password": clinic.PASSWORD, "reason": "Another meter."}
    answer = desk.post(f"/patients/{minji.id}/treatment/sign", **{**fields, "meter": "Vitalograph"}, **signing)
    assert answer.status_code == 204, answer.text
    assert saved_drafts.saved_draft(session, doctor.id, minji.id) is None
    write(desk, minji, opened(desk, minji), meter="Third")
    assert desk.post(f"/patients/{minji.id}/treatment/draft", do="discard").status_code == 204
    assert saved_drafts.saved_draft(session, doctor.id, minji.id) is None


def test_a_draft_is_the_writers_alone_and_the_same_as_json(
    desk: Desk, session: Session, minji: Patient, clock: SettableClock
) -> None:
    path = f"/v1/clinician/patients/{minji.id}/plan-draft"
    assert desk.client.get(f"{path}/saved").json() is None
    body = {"based_on_version": 1, "fields": {"meter": "Vitalograph"}, "editor": str(uuid.uuid4())}
    saved = desk.client.post(f"{path}/saved", json=body, headers=desk.csrf).json()
    assert desk.client.get(f"{path}/saved").json() == saved
    other = body | {"editor": str(uuid.uuid4())}
    clash = desk.client.post(f"{path}/saved", json=other, headers=desk.csrf)
    assert (clash.status_code, clash.json()["code"]) == (409, "draft_changed_meanwhile")
    assert desk.client.post(f"{path}/saved", json=other | {"seen_at": saved["saved_at"]}, headers=desk.csrf).is_success
    hospital = desk.clinic.doctor.hospital_id
    colleague = clinic.clinician(session, session.get_one(Hospital, hospital), now=clock.now)
    assert saved_drafts.saved_draft(session, colleague.id, minji.id) is None
    assert desk.client.post(f"{path}/discard", headers=desk.csrf).status_code == 204
    assert desk.client.get(f"{path}/saved").json() is None
