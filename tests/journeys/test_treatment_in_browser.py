"""From ninety uncontrolled days to the outcome review, and a step down with relapse: in Chromium and over HTTP."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright
from sqlmodel import Session

from backend.accounts import tokens
from backend.accounts.tables import Clinician
from backend.app import build_app
from backend.core import due
from backend.core.heartbeat import beat
from backend.core.settings import PROJECT_ROOT, Settings
from backend.dashboard.assets import VENDOR
from backend.patients.tables import Patient
from backend.recommendations.service import recommend_due
from backend.risk.service import RECOMMEND
from tests.browser import CHROMIUM, Watched, launch, serving, watched
from tests.conftest import NOON, SettableClock
from tests.databases import new_database, unpooled_engine
from tests.factories import clinic, treatment
from tests.factories.diary import entry

AXE = PROJECT_ROOT / "backend" / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
PHOTOGRAPHS = PROJECT_ROOT / "tests" / "output" / "treatment"

pytestmark = [
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"{CHROMIUM} is missing: run make system"),
    pytest.mark.skipif(not VENDOR.is_dir() or not AXE.exists(), reason="JavaScript is missing: run make assets"),
]


@dataclass
class Site:
    address: str
    app: FastAPI
    database: str
    clock: SettableClock
    doctor: Clinician

    def session(self) -> Session:
        return Session(unpooled_engine(self.database), expire_on_commit=False)

    def let_the_worker_look(self, patient: Patient) -> None:
        with self.session() as session:
            beat(session, "worker", now=self.clock.now)
            due.mark_due(session, RECOMMEND, [patient.id], due_at=self.clock.now)
            session.commit()
        recommend_due(self.session, self.clock.now)


@pytest.fixture(scope="module")
def site(template_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    PHOTOGRAPHS.mkdir(parents=True, exist_ok=True)
    clock = SettableClock(NOON)
    with new_database(template_url=template_database) as url:
        with Session(unpooled_engine(url), expire_on_commit=False) as session:
            doctor = clinic.clinician(session, clinic.hospital(session, "Yeongdong Hospital"), now=NOON)
            session.commit()
        app = build_app(Settings(database_url=url, demo=True, data_folder=tmp_path_factory.mktemp("data")), clock=clock)
        with serving(app) as address:
            yield Site(address, app, url, clock, doctor)
        app.state.engine.dispose()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield from _launched(playwright)


def _launched(playwright: Playwright) -> Iterator[Browser]:
    browser = launch(playwright)
    yield browser
    browser.close()


@dataclass
class Phone:
    """What the phone app says to the server, over real HTTP."""

    address: str
    headers: dict[str, str]

    @classmethod
    def enrolled(cls, site: Site, patient: Patient) -> "Phone":
        with site.session() as session:
            code = tokens.create_enrolment_code(session, patient.id, created_by=None, now=site.clock.now)
            session.commit()
        answer = httpx2.post(f"{site.address}/v1/enrol", json=clinic.enrol_body(code))
        return cls(site.address, {"Authorization": f"Bearer {answer.json()['access_token']}"})

    def pull(self) -> dict[str, object]:
        answer = httpx2.get(f"{self.address}/v1/sync", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def read_plan(self, version: int, site: Site) -> None:
        receipt = entry("plan_receipt", taken_at=site.clock.now, plan_version=version)
        body = {"sent_at": site.clock.now.isoformat(), "entries": [receipt]}
        answer = httpx2.post(f"{self.address}/v1/sync", json=body, headers=self.headers).json()
        assert answer["receipts"][0]["outcome"] == "accepted"


def sign_in(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/sign-in")
    page.get_by_label("E-mail address").fill(site.doctor.email)
    page.get_by_label("Password").fill(clinic.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/patients")


def photograph(page: Page, name: str) -> None:
    page.evaluate("document.fonts.ready")
    page.screenshot(path=PHOTOGRAPHS / f"{name}.png", full_page=True)


def sign(page: Page, reason: str) -> None:
    page.locator("#sign-reason").fill(reason)
    page.get_by_label("Your password").fill(clinic.PASSWORD)
    page.get_by_role("button", name="Sign and send to the phone").click()
    page.wait_for_url(re.compile(r"signed=\d+$"))


def test_from_ninety_uncontrolled_days_to_the_outcome_review(site: Site, browser: Browser) -> None:
    began = NOON - timedelta(days=90)
    with site.session() as session:
        minji = treatment.patient(session, site.doctor, now=began)
        treatment.sign(session, minji, site.doctor, treatment.AIR, now=began)
        first, last = began.date() + timedelta(days=1), NOON.date()
        treatment.diary(session, minji, first_day=first, last_day=last, ill_days_a_week=4, nights_a_week=2)
        session.commit()
    site.clock.now = NOON
    site.let_the_worker_look(minji)
    phone = Phone.enrolled(site, minji)
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    seen: Watched = watched(context)
    page = seen.page
    sign_in(page, site)
    page.goto(f"{site.address}/patients/{minji.id}")
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
    expect(page.locator("#plan-checked")).to_contain_text("The rules have nothing against signing this plan.")
    page.get_by_label("Inhalations").first.fill("9")
    expect(page.locator("#plan-checked")).to_contain_text("One rule speaks against signing.")
    page.get_by_label("Inhalations").first.fill("2")
    expect(page.locator("#plan-checked")).to_contain_text("Changed: Budesonide-formoterol 200/6: 2 inhalation(s)")
    expect(page.locator("#plan-checked")).to_contain_text("nothing against signing")
    photograph(page, "2-editor")
    sign(page, "Uncontrolled for three months; technique watched today.")
    expect(page.get_by_text("Version 2 is signed.")).to_be_visible()
    expect(page.locator(".versions li").first).to_contain_text("not yet read on the phone")

    plan = phone.pull()["plan"]
    assert isinstance(plan, dict)
    assert plan["version"] == 2
    assert plan["language"] == "ko"
    assert any("Budesonide-formoterol 200/6" in line and "바뀜" in line for line in plan["difference"])
    assert plan["prescriptions"][0]["inhalations"] == 2
    assert {reminder["kind"] for reminder in plan["reminders"]} == {"take_inhaler", "measure_peak_flow"}
    phone.read_plan(2, site)
    page.goto(f"{site.address}/patients/{minji.id}/treatment")
    expect(page.locator(".versions li").first).to_contain_text("read today")
    expect(card).to_contain_text("modified and signed by Dr Kim")
    photograph(page, "3-signed")

    later = NOON + timedelta(days=92)
    with site.session() as session:
        first = NOON.date() + timedelta(days=1)
        treatment.diary(session, minji, first_day=first, last_day=later.date(), ill_days_a_week=1)
        session.commit()
    site.clock.now = later
    site.let_the_worker_look(minji)
    # Three months on, the browser's session has long ended.
    sign_in(page, site)
    page.goto(f"{site.address}/patients/{minji.id}/treatment")
    review = page.locator(".review").filter(has_text="version 2")
    expect(review).to_contain_text("Before")
    expect(review).to_contain_text("After")
    expect(review).to_contain_text("Expected when signed")
    photograph(page, "4-review")
    review.get_by_label("It helped: keep").check()
    review.get_by_label("Note").fill("Sleeps through again.")
    review.get_by_role("button", name="Save verdict").click()
    expect(page.locator(".review").filter(has_text="version 2")).to_have_count(0)
    expect(page.get_by_text("Outcome: It helped: keep")).to_be_visible()
    assert seen.problems == []
    context.close()


def test_a_step_down_with_relapse_goes_back_to_the_dose_before(site: Site, browser: Browser) -> None:
    site.clock.now = NOON
    began = NOON - timedelta(days=200)
    with site.session() as session:
        mari = treatment.patient(session, site.doctor, now=began, display_name="Mari Tamm", time_zone="Europe/Tallinn")
        treatment.sign(session, mari, site.doctor, treatment.MART_MEDIUM, now=began)
        treatment.diary(session, mari, first_day=began.date() + timedelta(days=1), last_day=NOON.date())
        session.commit()
    site.let_the_worker_look(mari)
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    seen = watched(context)
    page = seen.page
    sign_in(page, site)
    page.goto(f"{site.address}/patients/{mari.id}/treatment")
    card = page.locator("#recommendation")
    expect(card).to_contain_text("Well controlled long enough for a step down")
    expect(card).to_contain_text("Watch for")
    photograph(page, "5-step-down")
    page.get_by_role("link", name=re.compile("Use in a plan: Step down")).first.click()
    expect(page.locator("#plan-checked")).to_contain_text("nothing against signing")
    sign(page, "Seven quiet months.")

    later = NOON + timedelta(days=21)
    with site.session() as session:
        first = NOON.date() + timedelta(days=1)
        treatment.diary(session, mari, first_day=first, last_day=later.date(), ill_days_a_week=3, nights_a_week=1)
        session.commit()
    site.clock.now = later
    site.let_the_worker_look(mari)
    sign_in(page, site)
    page.goto(f"{site.address}/patients/{mari.id}/treatment")
    expect(card).to_contain_text("After the step down: more days with symptoms")
    photograph(page, "6-relapse")
    page.get_by_role("link", name=re.compile("Use in a plan: Go back to the dose before")).click()
    expect(page.locator("#plan-checked")).to_contain_text("nothing against signing")
    sign(page, "Relapse after the step down.")
    expect(page.locator(".versions li").first).to_contain_text("2 inhalation(s), 2 time(s) a day")
    assert seen.problems == []
    context.close()


@pytest.mark.parametrize(
    ("language", "width", "scheme"), [("en", 1360, "dark"), ("ko", 1360, "light"), ("et", 390, "light")]
)
def test_the_page_is_accessible_and_nothing_is_cut_off(
    site: Site, browser: Browser, language: str, width: int, scheme: str
) -> None:
    site.clock.now = NOON
    began = NOON - timedelta(days=60)
    with site.session() as session:
        someone = treatment.patient(session, site.doctor, now=began, display_name="박하은")
        treatment.sign(session, someone, site.doctor, treatment.LOW_ICS, now=began)
        first, last = began.date() + timedelta(days=1), NOON.date()
        treatment.diary(session, someone, first_day=first, last_day=last, ill_days_a_week=4, nights_a_week=1, taken=0.6)
        session.commit()
    site.let_the_worker_look(someone)
    # The policy rightly keeps axe out; here alone it is lifted.
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        bypass_csp=True,
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    sign_in(page, site)
    page.locator(".account summary").click()
    with page.expect_navigation():
        page.locator(f".account [lang={language}]").click()
    page.goto(f"{site.address}/patients/{someone.id}/treatment?edit=1")
    page.wait_for_selector("#plan-checked .banner")
    page.evaluate("for (const closed of document.querySelectorAll('main details')) closed.open = true")
    photograph(page, f"7-{language}-{width}-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.add_script_tag(path=AXE)
    result = page.evaluate("axe.run()")
    found = [
        f"{violation['id']} {node['target']} {node['failureSummary']}"
        for violation in result["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]
    assert not found, "\n".join(found)
    page.locator(".account summary").click()
    with page.expect_navigation():
        page.locator(".account [lang=en]").click()
    context.close()
