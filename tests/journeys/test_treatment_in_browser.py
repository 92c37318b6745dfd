"""The treatment page in Chromium: accessible, and whole in every language, width and scheme."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from sqlmodel import Session

from backend.accounts.tables import Clinician
from backend.app import build_app
from backend.core import due
from backend.core.heartbeat import beat
from backend.core.settings import PROJECT_ROOT, Settings
from backend.dashboard.assets import VENDOR
from backend.patients.tables import Patient
from backend.recommendations.service import recommend_due
from backend.risk.service import RECOMMEND
from tests.browser import CHROMIUM, launch, serving
from tests.conftest import NOON, SettableClock
from tests.databases import new_database, unpooled_engine
from tests.factories import clinic, treatment

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


def sign_in(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/sign-in")
    page.get_by_label("E-mail address").fill(site.doctor.email)
    page.get_by_label("Password").fill(clinic.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/patients")


def photograph(page: Page, name: str) -> None:
    page.evaluate("document.fonts.ready")
    page.screenshot(path=PHOTOGRAPHS / f"{name}.png", full_page=True)


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
