"""From the diary to the signed plan and back, with every part real: app, server, PostgreSQL, worker, Chromium."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlmodel import Session

from backend.accounts.tables import Clinician
from backend.accounts.tokens import create_enrolment_code
from backend.app import build_app
from backend.clinical.medicines import Regimen
from backend.core.settings import Settings
from backend.dashboard.assets import VENDOR
from backend.demonstration.processes import free_port
from backend.notifications.push import LogPush
from backend.patients.tables import Language
from backend.worker import Worker
from mobile_app.data.credentials import Invitation
from tests.browser import CHROMIUM, launch, serving, watched
from tests.databases import unpooled_engine
from tests.factories import clinic, treatment
from tests.phone.conftest import WalkedClock
from tests.phone.screens.conftest import Start
from tests.phone.screens.hand import Hand

PHOTOGRAPHS = Path(__file__).parents[3] / "tests" / "output" / "treatment"

pytestmark = [
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"{CHROMIUM} is missing: run make system"),
    pytest.mark.skipif(not VENDOR.is_dir(), reason="JavaScript is missing: run make assets"),
]


@dataclass
class Hospital:
    app: FastAPI
    port: int
    doctor: Clinician
    worker: Worker
    database: str
    clock: WalkedClock

    def treats(self, regimen: Regimen, *, for_days: int) -> tuple[str, str]:
        """A patient of the doctor, treated with `regimen` for so long: their id, and a code for their phone."""
        now, began = self.clock.now(), self.clock.now() - timedelta(days=for_days)
        with Session(unpooled_engine(self.database), expire_on_commit=False) as session:
            minji = treatment.patient(session, self.doctor, now=began, language=Language.ENGLISH)
            treatment.sign(session, minji, self.doctor, regimen, now=began)
            code = create_enrolment_code(session, minji.id, created_by=self.doctor.id, now=now)
            session.commit()
        return str(minji.id), code

    def works(self) -> None:
        """What the worker does meanwhile."""
        self.clock.walk(seconds=30)
        self.worker.assess()
        self.worker.recommend()
        self.worker.beat()


@pytest.fixture
def hospital(own_database: str, clock: WalkedClock, tmp_path: Path) -> Iterator[Hospital]:
    with Session(unpooled_engine(own_database), expire_on_commit=False) as session:
        doctor = clinic.clinician(session, clinic.hospital(session), now=clock.now())
        session.commit()
    settings = Settings(database_url=own_database, demo=True, data_folder=tmp_path / "server")
    app = build_app(settings, clock=clock.now)
    worker = Worker(app.state.new_session, None, LogPush(), clock=clock.now)
    yield Hospital(app, free_port("127.0.0.1", 18400), doctor, worker, own_database, clock)
    app.state.engine.dispose()


@contextmanager
def dashboard() -> Iterator[tuple[Page, Browser]]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        seen = watched(browser.new_context(viewport={"width": 1360, "height": 900}))
        yield seen.page, browser
        assert seen.problems == []
        browser.close()


def keep_diary(phone: Hand, *, days: int, ill_days_a_week: int = 0, nights_a_week: int = 0, best: int = 450) -> None:
    """Writes the last days into the phone's own journal, as its forms do, and waits until the clinic has them."""
    diary = phone.app.diary
    tell, diary.after_change = diary.after_change, []
    plan = diary.clinic.plan()
    assert plan is not None
    with diary.database.transaction():
        for ago in range(days - 1, -1, -1):
            at = diary.moment(diary.clock.now() - timedelta(days=ago, hours=8))
            ill = ago % 7 < ill_days_a_week
            blow = round(best * (0.72 if ill else 0.94)) + ago % 5
            reading = {"blows_litres_per_min": [blow], "meter": "Mini-Wright", "scale": "eu"}
            zone = {"action_zone": plan.zone_of(blow), "plan_version": plan.version}
            diary.record("peak_flow", {**reading, **zone, "bronchodilator": "before"}, at)
            answers = {"daytime": ill, "night_waking": ago % 7 < nights_a_week, "activity_limited": ill}
            diary.record("symptoms", {**answers, "severity": 2 if ill else 0, "red_flags": []}, at)
            for inhaler in diary.clinic.inhalers():
                if not inhaler.active:
                    continue
                use = {"inhaler_id": inhaler.id, "source": "day_recall", "puffs_at_most": None}
                diary.record("inhaler_use", {**use, "puffs": 3 if ill else 0, "purpose": "relief"}, at)
                doses = (inhaler.doses_per_day or 0) * (inhaler.puffs_per_dose or 1)
                if doses:
                    diary.record("inhaler_use", {**use, "puffs": doses, "purpose": "maintenance"}, at)
    diary.after_change = tell
    phone.app.request_sync()
    phone.wait_for(lambda: diary.journal.outbox_count().waiting == 0, "the diary is sent")
    assert diary.journal.outbox_count().refused == 0


def sign_in(page: Page, address: str, doctor: Clinician) -> None:
    page.goto(f"{address}/sign-in")
    page.get_by_label("E-mail address").fill(doctor.email)
    page.get_by_label("Password").fill(clinic.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/patients")


def sign(page: Page, reason: str) -> None:
    expect(page.locator("#plan-checked")).to_contain_text("nothing against signing")
    page.locator("#sign-reason").fill(reason)
    page.get_by_label("Your password").fill(clinic.PASSWORD)
    page.get_by_role("button", name="Sign and send to the phone").click()
    page.wait_for_url(re.compile(r"signed=\d+$"))


def read_the_plan(phone: Hand, version: int, *told: str) -> None:
    """The new version arrives, says what is new, and is confirmed."""
    phone.app.request_sync()
    diary = phone.app.diary
    phone.wait_for(lambda: (plan := diary.clinic.plan()) is not None and plan.version == version, "the plan arrives")
    phone.show("plan")
    assert phone.sees("Your plan is new. What changed:")
    for line in told:
        assert phone.sees(line), phone.words()
    phone.photo(f"treatment_plan_{version}")
    phone.tap("I have read it")
    phone.wait_for(lambda: diary.journal.outbox_count().waiting == 0, "the receipt is sent")
    phone.show("today")


def photograph(page: Page, name: str) -> None:
    if os.environ.get("SOOM_PHOTOS") == "1":
        PHOTOGRAPHS.mkdir(parents=True, exist_ok=True)
        page.evaluate("document.fonts.ready")
        page.screenshot(path=PHOTOGRAPHS / f"{name}.png", full_page=True)


def test_ninety_uncontrolled_days_on_the_phone_become_a_signed_plan_that_is_read_and_reviewed(
    hospital: Hospital, start: Start, clock: WalkedClock
) -> None:
    patient, code = hospital.treats(treatment.AIR, for_days=91)
    treatment_page = f"/patients/{patient}/treatment"
    with serving(hospital.app, hospital.port) as address, dashboard() as (page, _):
        phone = start(invitation=Invitation(address, code))
        phone.wait_for(lambda: phone.app.diary.clinic.plan() is not None, "the first plan arrives")
        keep_diary(phone, days=90, ill_days_a_week=4, nights_a_week=2)
        hospital.works()

        sign_in(page, address, hospital.doctor)
        page.goto(f"{address}/patients/{patient}")
        page.get_by_role("link", name="Treatment: decision waiting").click()
        card = page.locator("#recommendation")
        expect(card).to_contain_text("Symptoms are uncontrolled")
        expect(card).to_contain_text("Settle these before a step up:")
        photograph(page, "1-recommendation")
        for item in page.locator("#checks .answers").first.locator("fieldset").all():
            item.get_by_label("In order", exact=True).check()
        page.get_by_role("button", name="Save answers").click()
        expect(card).not_to_contain_text("Settle these before a step up:")

        page.get_by_role("link", name=re.compile("Use in a plan: Step up")).click()
        expect(page.locator("#plan-checked")).to_contain_text("nothing against signing")
        page.get_by_label("Inhalations").first.fill("9")
        expect(page.locator("#plan-checked")).to_contain_text("One rule speaks against signing.")
        page.get_by_label("Inhalations").first.fill("2")
        expect(page.locator("#plan-checked")).to_contain_text("2 inhalation(s)")
        photograph(page, "2-editor")
        sign(page, "Uncontrolled for three months; technique watched today.")
        expect(page.locator(".versions li").first).to_contain_text("not yet read on the phone")

        read_the_plan(phone, 2, "Budesonide-formoterol 200/6: 2 inhalation(s)")
        page.reload()
        expect(page.locator(".versions li").first).to_contain_text("read today")
        expect(card).to_contain_text("modified and signed by Dr Kim")
        photograph(page, "3-signed")

        for _ in range(4):
            clock.walk(days=23)
            keep_diary(phone, days=22, ill_days_a_week=1)
        hospital.works()
        sign_in(page, address, hospital.doctor)
        page.goto(address + treatment_page)
        review = page.locator(".review").filter(has_text="version 2")
        for part in ("Before", "After", "Expected when signed"):
            expect(review).to_contain_text(part)
        photograph(page, "4-review")
        review.get_by_label("It helped: keep").check()
        review.get_by_label("Note").fill("Sleeps through again.")
        review.get_by_role("button", name="Save verdict").click()
        expect(page.locator(".review").filter(has_text="version 2")).to_have_count(0)
        expect(page.get_by_text("Outcome: It helped: keep")).to_be_visible()


def test_a_step_down_with_relapse_goes_back_with_one_touch_and_the_phone_says_so(
    hospital: Hospital, start: Start, clock: WalkedClock
) -> None:
    patient, code = hospital.treats(treatment.MART_MEDIUM, for_days=130)
    treatment_page = f"/patients/{patient}/treatment"
    with serving(hospital.app, hospital.port) as address, dashboard() as (page, _):
        phone = start(invitation=Invitation(address, code))
        phone.wait_for(lambda: phone.app.diary.clinic.plan() is not None, "the first plan arrives")
        keep_diary(phone, days=129)
        hospital.works()
        sign_in(page, address, hospital.doctor)
        page.goto(address + treatment_page)
        card = page.locator("#recommendation")
        expect(card).to_contain_text("Well controlled long enough for a step down")
        expect(card).to_contain_text("Watch for")
        photograph(page, "5-step-down")
        page.get_by_role("link", name=re.compile("Use in a plan: Step down")).first.click()
        sign(page, "Four quiet months.")
        read_the_plan(phone, 2, "Budesonide-formoterol")

        clock.walk(days=21)
        keep_diary(phone, days=20, ill_days_a_week=3, nights_a_week=1)
        hospital.works()
        sign_in(page, address, hospital.doctor)
        page.goto(address + treatment_page)
        expect(card).to_contain_text("After the step down: more days with symptoms")
        photograph(page, "6-relapse")
        page.get_by_role("link", name=re.compile("Use in a plan: Go back to the dose before")).click()
        sign(page, "Relapse after the step down.")
        expect(page.locator(".versions li").first).to_contain_text("2 inhalation(s), 2 time(s) a day")
        read_the_plan(phone, 3, "2 inhalation(s), 2 time(s) a day")
        page.reload()
        expect(page.locator(".versions li").first).to_contain_text("read today")
