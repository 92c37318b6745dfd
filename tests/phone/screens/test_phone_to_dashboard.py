"""The main road, with every part real: the app, the server, PostgreSQL, the worker's code, the doctor's browser."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import expect, sync_playwright
from sqlmodel import Session

from backend.accounts.tables import Clinician
from backend.accounts.tokens import create_enrolment_code
from backend.app import build_app
from backend.clinical.peak_flow import thresholds_from_personal_best
from backend.clinical.personal_best import BestBasis
from backend.core.settings import Settings
from backend.dashboard.assets import VENDOR
from backend.demonstration.processes import free_port
from backend.notifications.push import LogPush
from backend.plans.service import sign
from backend.plans.wording import standard_instructions
from backend.worker import Worker
from mobile_app.data.credentials import Invitation
from tests.browser import CHROMIUM, launch, serving, watched
from tests.databases import unpooled_engine
from tests.factories import clinic
from tests.phone.conftest import WalkedClock
from tests.phone.screens.conftest import Start
from tests.phone.screens.test_journeys import blow

pytestmark = [
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"{CHROMIUM} is missing: run make system"),
    pytest.mark.skipif(not VENDOR.is_dir(), reason="JavaScript is missing: run make assets"),
]


@dataclass
class Hospital:
    app: FastAPI
    port: int
    doctor: Clinician
    code: str
    worker: Worker


@pytest.fixture
def hospital(own_database: str, clock: WalkedClock, tmp_path: Path) -> Iterator[Hospital]:
    now = clock.now()
    with Session(unpooled_engine(own_database), expire_on_commit=False) as session:
        seoul = clinic.hospital(session)
        doctor = clinic.clinician(session, seoul, now=now)
        minji = clinic.patient(session, seoul, now=now, cared_for_by=doctor)
        sign(
            session,
            minji.id,
            doctor,
            personal_best_litres_per_min=500,
            personal_best_basis=BestBasis.MEASURED,
            meter="Mini-Wright",
            thresholds=thresholds_from_personal_best(500),
            instructions=standard_instructions("119"),
            review_on=None,
            now=now,
        )
        code = create_enrolment_code(session, minji.id, created_by=doctor.id, now=now)
        session.commit()
    settings = Settings(database_url=own_database, demo=True, data_folder=tmp_path / "server")
    app = build_app(settings, clock=clock.now)
    worker = Worker(app.state.new_session, None, LogPush(), clock=clock.now)
    yield Hospital(app, free_port("127.0.0.1", 18300), doctor, code, worker)
    app.state.engine.dispose()


def test_a_red_reading_made_offline_warns_at_once_and_reaches_the_doctor_who_acknowledges_it(
    hospital: Hospital, start: Start, clock: WalkedClock
) -> None:
    with serving(hospital.app, hospital.port) as address:
        phone = start(invitation=Invitation(address, hospital.code))
        phone.wait_for(lambda: phone.app.diary.clinic.plan() is not None, "the signed plan arrives")
        phone.wait_for(lambda: phone.sees("All saved and sent"), "the phone says that all is sent")

    # The network is gone: nobody listens at the server's address any more.
    clock.walk(hours=10)
    phone.tap("Peak flow")
    blow(phone, "210230220")
    assert phone.sees("Red zone")
    phone.tap("Save")
    assert phone.sees("Call 119")
    assert phone.app.frame is not None
    phone.app.frame.back()
    phone.wait_for(lambda: phone.sees("1 waiting for a connection"), "the phone says that the reading waits")

    with serving(hospital.app, hospital.port) as address:
        phone.app.request_sync()
        phone.wait_for(lambda: phone.sees("All saved and sent"), "the reading is sent")
        clock.walk(seconds=1)
        hospital.worker.assess()
        hospital.worker.deliver()
        acknowledge_in_a_browser(address, hospital.doctor)
        clock.walk(minutes=1)
        phone.app.request_sync()
        phone.wait_for(lambda: len(phone.app.diary.clinic.inbox()) == 1, "the alert's message is in the phone's inbox")
        phone.frames(20)


def acknowledge_in_a_browser(address: str, doctor: Clinician) -> None:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        seen = watched(browser.new_context())
        page = seen.page
        page.goto(f"{address}/sign-in")
        page.get_by_label("E-mail address").fill(doctor.email)
        page.get_by_label("Password").fill(clinic.PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/patients")
        row = page.get_by_role("row").filter(has_text="Minji Lee")
        expect(row).to_contain_text("Red zone")
        expect(row).to_contain_text("230 L/min")
        page.get_by_role("link", name="Minji Lee").click()
        page.get_by_label("Note for colleagues").fill("Called her; she is on her way to the emergency room.")
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.get_by_text("she is on her way to the emergency room")).to_be_visible()
        assert seen.problems == []
        browser.close()
