import re
import uuid
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import segno
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import Session, select

from backend.accounts.tables import EnrolmentCode
from backend.clinical.medicines import AddOn, Regimen
from backend.core.audit import AuditEntry
from backend.patients.tables import Patient
from tests.backend.dashboard.conftest import Desk, counted_statements, signed_in
from tests.conftest import SettableClock
from tests.factories import clinic, entries, treatment
from tests.factories.full_clinic import PEOPLE, full_clinic

SHOWN_CODE = re.compile(r'class="code"[^>]*>([A-Z0-9]{4}-[A-Z0-9]{4})<')  # ids and dates may look like a code


def visible_text(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


def test_the_story_says_zone_week_and_forecast_in_one_sentence(desk: Desk) -> None:
    html = desk.page(f"/patients/{desk.clinic.in_danger.id}").text
    story = visible_text(html.split('<p class="story">')[1].split("</p>")[0])
    assert story.startswith("Red zone: ")
    assert re.search(r"\d+ L/min \(\d+ % of personal best\), today", story)
    assert "reliever puffs on" in story
    assert "chance of a severe attack in the next 7 days 41 % (high)" in story


@pytest.mark.parametrize("language", ["en", "ko", "et"])
def test_every_page_of_every_patient_can_be_read_in_every_language(full_desk: Desk, language: str) -> None:
    full_desk.post("/language", language=language)
    patients = full_desk.clinic.patients.values()
    paths = [f"/patients/{patient.id}" for patient in patients]
    paths += ["/patients", "/alerts", "/patients/new", f"/patients/{full_desk.clinic.in_danger.id}/audit"]
    for path in paths:
        answer = full_desk.page(path)
        assert answer.status_code == 200, path
        assert f'<html lang="{language}">' in answer.text
        # What the policy would refuse: inline code and inline styles.
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", answer.text), path


def test_the_kind_of_biologic_stands_beside_the_inhalers(desk: Desk, session: Session, clock: SettableClock) -> None:
    patient = treatment.patient(session, desk.clinic.doctor, now=clock.now)
    regimen = Regimen(treatment.MART_MEDIUM.prescriptions, frozenset({AddOn.ANTI_IL4R}))
    treatment.sign(session, patient, desk.clinic.doctor, regimen, now=clock.now)
    page = desk.page(f"/patients/{patient.id}").text
    assert "Anti-IL4R (dupilumab)" in visible_text(page.split("<h2>Inhalers</h2>")[1].split("</section>")[0])
    answer = desk.client.get(f"/v1/clinician/patients/{patient.id}").json()
    assert answer["plan"]["add_ons"] == ["anti_il4r"]


def test_a_patient_without_entries_gets_words_instead_of_numbers(full_desk: Desk) -> None:
    text = visible_text(full_desk.page(f"/patients/{full_desk.clinic.patients['윤태양'].id}").text)
    for words in (
        "No diary entry has arrived yet",
        "No forecast yet",
        "No phone is enrolled yet",
        "No entry in the last",
    ):
        assert words in text
    assert "None%" not in text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("정수빈", "A forecast needs 7 diary days."),
        ("강지호", "No signed plan yet."),
        ("조예린", "The patient has not consented to forecasting."),
        ("박하은", "No recent peak flow: the last was"),
    ],
)
def test_what_is_not_known_is_said_with_its_reason(full_desk: Desk, name: str, words: str) -> None:
    assert words in visible_text(full_desk.page(f"/patients/{full_desk.clinic.patients[name].id}").text)


def test_a_name_is_shown_as_text_and_never_as_markup(desk: Desk, session: Session) -> None:
    patient = session.get_one(Patient, desk.clinic.in_danger.id)
    patient.display_name = "<script>alert(1)</script>"
    session.commit()
    for path in ("/patients", f"/patients/{patient.id}", "/alerts", f"/patients/{patient.id}/audit"):
        html = desk.page(path).text
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert" in html


def test_a_strangers_patient_looks_like_one_that_does_not_exist(
    desk: Desk, session: Session, clock: SettableClock
) -> None:
    elsewhere = clinic.hospital(session)
    stranger = clinic.clinician(session, elsewhere, now=clock.now)
    theirs = clinic.patient(session, elsewhere, now=clock.now, cared_for_by=stranger)
    for patient_id in (theirs.id, uuid.uuid4()):
        for path in ("", "/audit"):
            answer = desk.page(f"/patients/{patient_id}{path}")
            assert (answer.status_code, "Nothing here" in answer.text) == (404, True)
        assert desk.post(f"/patients/{patient_id}/enrolment-codes").status_code == 404
        for path in ("", "/diary", "/forecasts", "/audit"):
            answer = desk.client.get(f"/v1/clinician/patients/{patient_id}{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_audit_trail_names_who_saw_what_in_the_patients_own_time(desk: Desk) -> None:
    patient = desk.clinic.in_danger
    desk.page(f"/patients/{patient.id}")
    text = visible_text(desk.page(f"/patients/{patient.id}/audit").text)
    assert "20 Nov 2026, 21:00 Dr Kim Opened the patient's page" in text
    assert "Read this audit trail" in text
    assert "Asia/Seoul (UTC+09:00)" in text


def test_the_number_of_queries_is_the_same_for_a_week_and_for_half_a_year(
    desk: Desk, session: Session, clock: SettableClock
) -> None:
    counts = []
    session.connection().exec_driver_sql("UPDATE clinician SET email = id::text")
    session.connection().exec_driver_sql("UPDATE hospital SET name = id::text")
    for days in (7, 180):
        made = full_clinic(session, now=clock.now, people=PEOPLE[:1], most_days=days)
        desk = signed_in(desk.client, session, made, now=clock.now)
        with counted_statements(session) as statements:
            assert desk.page(f"/patients/{made.in_danger.id}").status_code == 200
            assert desk.client.get(f"/v1/clinician/patients/{made.in_danger.id}/diary").status_code == 200
        counts.append(len(statements))
        session.connection().exec_driver_sql("UPDATE clinician SET email = id::text")
        session.connection().exec_driver_sql("UPDATE hospital SET name = id::text")
    assert counts[0] == counts[1]


def test_a_day_is_the_patients_day_wherever_the_reader_is(desk: Desk, session: Session, clock: SettableClock) -> None:
    patient = desk.clinic.patients["윤태양"]
    # 23:50 in Seoul on the 19th is still the 19th in the diary, though the server's day began at 09:00 in Seoul.
    entries.peak_flow(session, patient, 410, taken_at=clock.now.replace(day=19, hour=14, minute=50))
    # 00:20 in Seoul on the 20th, still the 19th in London.
    entries.peak_flow(session, patient, 420, taken_at=clock.now.replace(day=19, hour=15, minute=20))
    session.commit()
    days = desk.client.get(f"/v1/clinician/patients/{patient.id}/diary").json()["days"]
    seen = [(day["day"], reading["local_time"], reading["morning"]) for day in days for reading in day["readings"]]
    assert seen == [("2026-11-19", "23:50", False), ("2026-11-20", "00:20", True)]


class TestEnrolment:
    def test_a_new_patient_comes_with_a_code_whose_qr_the_phone_can_read(
        self, desk: Desk, app: FastAPI, session: Session
    ) -> None:
        answer = desk.post("/patients", display_name="새 환자", born_on="1990-02-03", sex="female", language="ko",
                           time_zone="Asia/Seoul", height_cm="160", treatment_step="2")  # fmt: skip
        assert answer.status_code == 200
        code = SHOWN_CODE.search(answer.text)
        assert code is not None
        patient = session.exec(select(Patient).where(Patient.display_name == "새 환자")).one()
        assert answer.headers["hx-push-url"] == f"/patients/{patient.id}"
        assert "Works once, until 27 Nov 2026, 21:00, Asia/Seoul (UTC+09:00)" in answer.text
        enrolled = desk.client.post("/v1/enrol", json=clinic.enrol_body(code[1]))
        assert enrolled.json()["patient_id"] == str(patient.id)
        actions = session.exec(select(AuditEntry.action).where(AuditEntry.patient_id == patient.id)).all()
        assert actions == ["add_patient", "create_enrolment_code", "phone.enrolled"]

    def test_the_qr_names_code_and_server(self, desk: Desk, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
        drawn: list[str] = []
        make = segno.make

        def noted(text: str, **how: Any) -> segno.QRCode:
            drawn.append(text)
            return make(text, **how)

        monkeypatch.setattr(segno, "make", noted)
        app.state.settings.public_url = "https://soom.hospital.example"
        answer = desk.post(f"/patients/{desk.clinic.in_danger.id}/enrolment-codes")
        asked = parse_qs(urlsplit(drawn[0]).query)
        assert drawn[0].startswith("soom://enrol?")
        assert asked["server"] == ["https://soom.hospital.example"]
        assert asked["code"][0] in answer.text

    def test_the_code_is_stored_as_a_hash_and_shown_once(self, desk: Desk, session: Session) -> None:
        patient = desk.clinic.in_danger
        code = SHOWN_CODE.search(desk.post(f"/patients/{patient.id}/enrolment-codes").text)
        assert code is not None
        assert session.exec(select(EnrolmentCode).where(EnrolmentCode.patient_id == patient.id)).one()
        html = desk.page(f"/patients/{patient.id}").text
        assert code[1] not in html
        assert "A code is waiting to be used, valid until 27 Nov 2026, 21:00." in html

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("display_name", "", "Enter a name of up to 80 letters."),
            ("display_name", "x" * 81, "Enter a name of up to 80 letters."),
            ("born_on", "2031-01-01", "Enter a day in the past"),
            ("born_on", "yesterday", "Enter a day in the past"),
            ("height_cm", "1.62", "Enter whole centimetres from 50 to 250."),
            ("time_zone", "Mars/Base", "Enter a time zone such as Asia/Seoul."),
            ("treatment_step", "6", "Choose a step from 1 to 5."),
            ("severe_attacks_last_year", "-1", "Enter a whole number from 0 to 50."),
        ],
    )
    def test_a_wrong_field_is_named_and_nothing_typed_is_lost(
        self, desk: Desk, session: Session, field: str, value: str, words: str
    ) -> None:
        form = {"display_name": "Kept Name", "time_zone": "Europe/Tallinn"} | {field: value}
        answer = desk.post("/patients", **form)
        assert answer.status_code == 422
        assert answer.headers["hx-retarget"] == "#new-patient"
        assert words in answer.text
        typed_fields = {name: typed for name, typed in form.items() if name != "treatment_step"}
        for typed in typed_fields.values():
            assert f'value="{typed}"' in answer.text
        assert len(session.exec(select(Patient)).all()) == len(desk.clinic.patients)


class TestAlerts:
    def alert_id(self, desk: Desk) -> str:
        return str(desk.client.get("/v1/clinician/alerts").json()["open"][0]["id"])

    def test_acknowledging_shows_the_note_and_lowers_the_count(self, desk: Desk) -> None:
        assert '<span class="count" id="alert-count" >2' in desk.page("/alerts").text
        answer = desk.post(f"/alerts/{self.alert_id(desk)}/acknowledge", note="Called, <b>ok</b>.")
        assert "Called, &lt;b&gt;ok&lt;/b&gt;." in answer.text
        assert "Acknowledged by Dr Kim" in answer.text
        assert re.search(r'id="alert-count" hx-swap-oob="true"\s*>1<', answer.text)
        page = desk.page("/alerts").text
        assert page.index("Acknowledged, still open") < page.index("Called, &lt;b&gt;")

    def test_an_alert_that_a_colleague_took_is_not_taken_again(
        self, desk: Desk, session: Session, clock: SettableClock
    ) -> None:
        alert_id = self.alert_id(desk)
        colleague = clinic.clinician(session, clinic.hospital(session), now=clock.now)
        session.connection().exec_driver_sql(
            "UPDATE alert SET state = 'acknowledged', acknowledged_at = now(), acknowledged_by = %s WHERE id = %s",
            (colleague.id, alert_id),
        )
        answer = desk.post(f"/alerts/{alert_id}/acknowledge", note="Mine")
        assert answer.status_code == 409
        assert answer.text.startswith("A colleague has already acknowledged this alert.")

    def test_an_unknown_alert_is_not_found(self, desk: Desk) -> None:
        assert desk.post(f"/alerts/{uuid.uuid4()}/acknowledge").status_code == 404

    def test_an_ended_alert_stays_in_sight_for_a_month(
        self, desk: Desk, session: Session, clock: SettableClock
    ) -> None:
        session.connection().exec_driver_sql(
            "UPDATE alert SET state = 'resolved', resolved_at = %s, resolved_because = 'recovered' WHERE id = %s",
            (clock.now, self.alert_id(desk)),
        )
        assert "the patient recovered" in desk.page("/alerts").text
        assert "the patient recovered" in desk.page(f"/patients/{desk.clinic.in_danger.id}").text
        clock.now += timedelta(days=31)
        desk = signed_in(desk.client, session, desk.clinic, now=clock.now)
        assert "the patient recovered" not in desk.page("/alerts").text


def test_the_diary_names_the_plan_of_each_day_and_what_was_new_in_it(
    client: TestClient, session: Session, clock: SettableClock
) -> None:
    desk = signed_in(client, session, full_clinic(session, now=clock.now, people=(), most_days=1), now=clock.now)
    doctor, began = desk.clinic.doctor, clock.now - timedelta(days=40)
    minji = treatment.patient(session, doctor, now=began)
    treatment.sign(session, minji, doctor, treatment.LOW_ICS, now=began)
    treatment.sign(session, minji, doctor, treatment.LOW_ICS, now=began + timedelta(days=30), based_on=1, best=480)
    session.commit()
    path = f"/v1/clinician/patients/{minji.id}/diary"
    plans = desk.client.get(path).json()["plans"]
    assert [(plan["version"], plan["since"]) for plan in plans] == [(1, "2026-10-11"), (2, "2026-11-10")]
    assert plans[0]["difference"] == []
    assert any("480" in line for line in plans[1]["difference"])
    recent = desk.client.get(path, params={"from": "2026-11-12"}).json()["plans"]
    assert [plan["version"] for plan in recent] == [2]


def test_the_spread_of_readings_is_told_only_when_enough_days_are_valid(
    client: TestClient, session: Session, clock: SettableClock
) -> None:
    desk = signed_in(client, session, full_clinic(session, now=clock.now, people=(), most_days=1), now=clock.now)
    minji = treatment.patient(session, desk.clinic.doctor, now=clock.now - timedelta(days=20))
    treatment.sign(session, minji, desk.clinic.doctor, treatment.LOW_ICS, now=clock.now - timedelta(days=20))
    for back in range(5):
        day = clock.now.date() - timedelta(days=back)
        for hour, value in ((8, 400), (20, 460)):
            entries.peak_flow(session, minji, value, taken_at=treatment.local(minji, day, hour))
        session.commit()
        text = visible_text(desk.page(f"/patients/{minji.id}").text)
        if back < 3:
            assert f"{back + 1} days with morning and evening; 4 needed" in text
            assert "amplitude above" not in text
    assert "amplitude above the limit of 10 %" in text
    assert "14 %" in text.split("Mean daily amplitude, 2 weeks")[1][:12]
    assert "89 %" in text.split("Lowest morning of 7 days, of best")[1][:12]
