"""A pulmonologist's way through the dashboard, in Debian's Chromium against a real server."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright
from sqlmodel import Session

from backend.accounts.tables import Hospital
from backend.app import build_app
from backend.core.settings import PROJECT_ROOT, Settings
from backend.dashboard.assets import VENDOR
from backend.interchange.importing import import_resources
from tests.browser import AT_DOUBLE_TEXT, CHROMIUM, Watched, launch, serving, watched
from tests.conftest import NOON, SettableClock
from tests.databases import new_database, unpooled_engine
from tests.factories import clinic, fhir
from tests.factories.full_clinic import FullClinic, full_clinic

AXE = PROJECT_ROOT / "backend" / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
PHOTOGRAPHS = PROJECT_ROOT / "tests" / "output" / "dashboard"

pytestmark = [
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"{CHROMIUM} is missing: run make system"),
    pytest.mark.skipif(not VENDOR.is_dir() or not AXE.exists(), reason="JavaScript is missing: run make assets"),
]


@dataclass
class Site:
    address: str
    clinic: FullClinic
    clock: SettableClock
    database: str


@pytest.fixture(scope="module")
def site(template_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    clock = SettableClock(NOON)
    with new_database(template_url=template_database) as url:
        with Session(unpooled_engine(url), expire_on_commit=False) as session:
            made = full_clinic(session, now=NOON)
            person = {"resourceType": "Patient", "id": "p", "name": [{"text": made.in_danger.display_name}]}
            records = [person, fhir.DIAGNOSIS, fhir.PRESCRIPTION, fhir.vaccination(1), fhir.vaccination(2)]
            import_resources(session, made.doctor, records, now=NOON, patient_id=made.in_danger.id)
            session.commit()
        settings = Settings(database_url=url, demo=True, data_folder=tmp_path_factory.mktemp("data"))
        app = build_app(settings, clock=clock)
        with serving(app) as address:
            yield Site(address, made, clock, url)
        app.state.engine.dispose()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = launch(playwright)
    yield browser
    browser.close()


def sign_in(page: Page, site: Site, email: str = "") -> None:
    page.goto(f"{site.address}/sign-in")
    page.get_by_label("E-mail address").fill(email or site.clinic.doctor.email)
    page.get_by_label("Password").fill(clinic.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/patients")


def opened(page: Page, site: Site, path: str) -> None:
    page.goto(site.address + path)
    if page.locator("#charts").count():
        page.wait_for_selector("#charts[data-state=ready]")
    page.evaluate("document.fonts.ready")


def paths(site: Site) -> dict[str, str]:
    patient = f"/patients/{site.clinic.in_danger.id}"
    return {
        "roster": "/patients",
        "patient": patient,
        "without-entries": f"/patients/{site.clinic.patients['윤태양'].id}",
        "alerts": "/alerts",
        "audit": f"{patient}/audit",
        "treatment": f"{patient}/treatment?edit=1",
        "profile": f"{patient}/profile",
        "records": f"{patient}/records",
        "hand-overs": "/hand-overs",
        "contacts": "/contacts",
        "not-found": "/patients/00000000-0000-0000-0000-000000000007",
        "new-patient": "/patients/new",
        "nobody-found": "/patients?search=nobody",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_photographed_in_light_and_dark(
    site: Site, browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    PHOTOGRAPHS.mkdir(parents=True, exist_ok=True)
    # The policy rightly keeps axe out; here alone it is lifted, and the other tests hold it.
    context = browser.new_context(color_scheme=scheme, bypass_csp=True, viewport={"width": 1360, "height": 900})
    page = context.new_page()
    page.goto(f"{site.address}/sign-in")
    found = serious_problems(page, "sign-in")
    page.screenshot(path=PHOTOGRAPHS / f"sign-in-{scheme}.png")
    sign_in(page, site)
    for name, path in paths(site).items():
        opened(page, site, path)
        page.screenshot(path=PHOTOGRAPHS / f"{name}-{scheme}.png", full_page=True)
        found += serious_problems(page, name)
    opened(page, site, paths(site)["without-entries"])
    page.get_by_role("button", name="New enrolment code").first.click()
    page.locator(".code").wait_for()
    page.screenshot(path=PHOTOGRAPHS / f"enrolment-code-{scheme}.png", full_page=True)
    found += serious_problems(page, "enrolment-code")
    context.close()
    assert not found, "\n".join(found)


def test_an_empty_roster_is_accessible(site: Site, browser: Browser) -> None:
    with Session(unpooled_engine(site.database), expire_on_commit=False) as session:
        newcomer = clinic.clinician(session, session.get_one(Hospital, site.clinic.doctor.hospital_id), now=NOON)
        session.commit()
    page = browser.new_context(bypass_csp=True).new_page()
    sign_in(page, site, newcomer.email)
    assert page.get_by_role("heading", name="No patients yet").is_visible()
    found = serious_problems(page, "empty roster")
    page.context.close()
    assert not found, "\n".join(found)


def serious_problems(page: Page, where: str) -> list[str]:
    page.add_script_tag(path=AXE)
    result = page.evaluate("axe.run()")
    assert len(result["passes"]) > 10, "axe has checked next to nothing"
    return [
        f"{where}: {violation['id']} {node['target']} {node['failureSummary']}"
        for violation in result["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize(("language", "width"), [("ko", 1360), ("et", 1080), ("et", 390)])
def test_nothing_is_cut_off_in_any_language_or_width(site: Site, browser: Browser, language: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    sign_in(page, site)
    page.locator(".account summary").click()
    with page.expect_navigation():
        page.locator(f".account [lang={language}]").click()
    for name, path in paths(site).items():
        opened(page, site, path)
        assert page.locator("html").get_attribute("lang") == language
        assert overflow(page) <= 0, name
        page.screenshot(path=PHOTOGRAPHS / f"{name}-{language}-{width}.png", full_page=True)
    page.locator(".account summary").click()
    with page.expect_navigation():
        page.locator(".account [lang=en]").click()
    context.close()


def test_nothing_is_cut_off_at_double_text_size(site: Site, playwright: Playwright) -> None:
    browser = launch(playwright, AT_DOUBLE_TEXT)
    page = browser.new_page(viewport={"width": 1360, "height": 900})
    sign_in(page, site)
    for name, path in paths(site).items():
        opened(page, site, path)
        assert overflow(page) <= 0, name
        page.screenshot(path=PHOTOGRAPHS / f"{name}-double-text.png", full_page=True)
    browser.close()


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_the_alert_is_found_acknowledged_with_a_note_and_gone(site: Site, browser: Browser) -> None:
    context = browser.new_context()
    seen: Watched = watched(context)
    page = seen.page
    sign_in(page, site)

    first = page.locator("tr.patient").first
    expect(first).to_contain_text("이서준")
    expect(first).to_contain_text("Red zone")
    expect(page.locator("tr.group").first).to_contain_text("Now")
    page.get_by_role("link", name="이서준").click()
    page.wait_for_selector("#charts[data-state=ready]")
    expect(page.locator("#chart-peak-flow canvas")).to_be_visible()

    page.locator("#chart-peak-flow .u-over").hover(position={"x": 600, "y": 60})
    expect(page.locator(".readout")).to_contain_text("L/min")
    page.get_by_role("button", name="30 days").click()
    expect(page.get_by_role("button", name="30 days")).to_have_attribute("aria-pressed", "true")
    page.wait_for_selector("#charts[data-state=ready]")

    page.get_by_role("link", name="Alerts").click()
    cards = page.locator(".alert-card")
    expect(page.locator("#alert-count")).to_contain_text("2")
    card = cards.filter(has_text="이서준")
    card.get_by_label("Note for colleagues").fill("Called; starts prednisolone today.")
    card.get_by_role("button", name="Acknowledge").click()
    expect(card).to_contain_text("Called; starts prednisolone today.")
    expect(card).to_contain_text("Acknowledged by Dr Kim")
    expect(page.locator("#alert-count")).to_contain_text("1")

    page.get_by_role("link", name="Patients", exact=True).click()
    expect(page.locator("tr.group").first).to_contain_text("Today")
    expect(page.locator("tr.patient").first).to_contain_text("acknowledged")
    assert seen.problems == []
    context.close()


def test_the_search_narrows_the_list_while_typing(site: Site, browser: Browser) -> None:
    context = browser.new_context()
    seen = watched(context)
    sign_in(seen.page, site)
    seen.page.get_by_role("searchbox").press_sequentially("tam")
    expect(seen.page.locator("tr.patient")).to_have_count(1)
    expect(seen.page.locator("tr.patient")).to_contain_text("Mari Tamm")
    expect(seen.page).to_have_url(f"{site.address}/patients?search=tam")
    seen.page.get_by_role("searchbox").fill("nobody at all")
    expect(seen.page.get_by_role("heading", name="Nobody found")).to_be_visible()
    assert seen.problems == []
    context.close()


def test_the_keyboard_alone_reaches_a_patient_and_the_account(site: Site, browser: Browser) -> None:
    context = browser.new_context()
    seen = watched(context)
    page = seen.page
    sign_in(page, site)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('name')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("#charts[data-state=ready]")
    page.locator(".account summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    assert seen.problems == []
    context.close()


def test_a_patient_is_added_after_a_mistake_and_gets_a_code(site: Site, browser: Browser) -> None:
    context = browser.new_context()
    seen = watched(context)
    page = seen.page
    sign_in(page, site)
    page.get_by_role("link", name="Add patient").click()
    page.get_by_label("Name").fill("Kaja Lepik")
    page.get_by_label("Time zone").fill("Mars/Base")
    page.get_by_role("button", name="Add and make a code").click()
    expect(page.get_by_text("Enter a time zone such as Asia/Seoul.")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("Kaja Lepik")
    # The browser itself reports the 422 that carries the fields back.
    assert all("422" in problem for problem in seen.problems)
    seen.problems.clear()
    page.get_by_label("Time zone").fill("Europe/Tallinn")
    page.get_by_role("button", name="Add and make a code").click()
    expect(page.locator(".code")).to_have_text(re.compile("^[A-Z0-9]{4}-[A-Z0-9]{4}$"))
    expect(page.locator(".qr svg")).to_be_visible()
    page.screenshot(path=PHOTOGRAPHS / "enrolment-code.png", full_page=True)
    page.get_by_role("link", name="To the patient").click()
    expect(page.get_by_role("heading", name="Kaja Lepik")).to_be_visible()
    page.wait_for_selector("#charts[data-state=ready]")
    expect(page.locator(".chart-status")).to_have_text("No entry in this time.")
    assert seen.problems == []
    context.close()


def test_signing_out_leads_back_and_a_lost_server_is_announced(site: Site, browser: Browser) -> None:
    context = browser.new_context()
    seen = watched(context)
    page = seen.page
    sign_in(page, site)
    context.set_offline(True)
    page.get_by_role("searchbox").fill("a")
    expect(page.get_by_role("alert")).to_have_text("The server cannot be reached. Check your connection and try again.")
    context.set_offline(False)
    page.locator(".account summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in?signed_out=1")
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.goto(f"{site.address}/patients")
    expect(page).to_have_url(f"{site.address}/sign-in")
    context.close()
