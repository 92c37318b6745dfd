"""An administrator's way through operations: read, switch a model off, and read it on the dashboard."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlmodel import Session, select

from backend.accounts.tables import Hospital, Role
from backend.alerts.tables import Alert
from backend.app import build_app
from backend.core import heartbeat
from backend.core.due import mark_due
from backend.core.settings import PROJECT_ROOT, Settings
from backend.dashboard.assets import VENDOR
from backend.notifications.tables import ClinicianMail
from tests.browser import AT_DOUBLE_TEXT, CHROMIUM, launch, serving
from tests.conftest import NOON, SettableClock
from tests.databases import new_database, unpooled_engine
from tests.factories import clinic
from tests.factories.full_clinic import PEOPLE, FullClinic, full_clinic

AXE = PROJECT_ROOT / "backend" / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
PHOTOGRAPHS = PROJECT_ROOT / "tests" / "output" / "operations"

pytestmark = [
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"{CHROMIUM} is missing: run make system"),
    pytest.mark.skipif(not VENDOR.is_dir() or not AXE.exists(), reason="JavaScript is missing: run make assets"),
]


@pytest.fixture(scope="module")
def site(template_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, FullClinic]]:
    """Address, the administrator's e-mail address, the clinic."""
    with new_database(template_url=template_database) as url:
        with Session(unpooled_engine(url), expire_on_commit=False) as session:
            made = full_clinic(session, now=NOON, people=(PEOPLE[0], PEOPLE[2]), most_days=12)
            hospital = session.get_one(Hospital, made.doctor.hospital_id)
            administrator = clinic.clinician(session, hospital, now=NOON, role=Role.ADMINISTRATOR)
            heartbeat.beat(session, "worker-1", now=NOON, model="demonstration 1")
            _busy(session, made)
            session.commit()
        settings = Settings(database_url=url, demo=True, data_folder=tmp_path_factory.mktemp("data"))
        app = build_app(settings, clock=SettableClock(NOON))
        with serving(app) as address:
            yield address, administrator.email, made
        app.state.engine.dispose()


def _busy(session: Session, made: FullClinic) -> None:
    """Something in each table of the page."""
    mark_due(session, "deliver", [made.in_danger.id], due_at=NOON - timedelta(minutes=9))
    mark_due(session, "assess_day", [made.in_danger.id], due_at=NOON)
    alert = session.exec(select(Alert).where(Alert.patient_id == made.in_danger.id)).first()
    assert alert is not None
    mail = ClinicianMail(alert_id=alert.id, clinician_id=made.doctor.id, created_at=NOON, attempts=2)
    mail.error_kind = "smtp_451"
    session.add(mail)


def sign_in(page: Page, address: str, email: str) -> None:
    page.goto(f"{address}/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(clinic.PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def problems(page: Page) -> list[str]:
    page.add_script_tag(path=AXE)
    result = page.evaluate("axe.run()")
    assert len(result["passes"]) > 10, "axe has checked next to nothing"
    return [
        f"{violation['id']} {node['target']} {node['failureSummary']}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


def photographed(browser: Browser, site: tuple[str, str, FullClinic], name: str, scheme: str, width: int) -> list[str]:
    context = browser.new_context(color_scheme=scheme, bypass_csp=True, viewport={"width": width, "height": 900})  # type: ignore[arg-type]
    page = context.new_page()
    sign_in(page, site[0], site[1])
    page.wait_for_url("**/operations")
    page.evaluate("document.fonts.ready")
    page.screenshot(path=PHOTOGRAPHS / f"operations-{name}.png", full_page=True)
    found = problems(page)
    if overflow(page) > 0:
        found.append(f"{name}: wider than the window by {overflow(page)} px")
    context.close()
    return found


def test_operations_are_accessible_in_light_dark_narrow_and_double_text_and_a_model_is_switched_off(
    site: tuple[str, str, FullClinic],
) -> None:
    PHOTOGRAPHS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        found = photographed(browser, site, "light", "light", 1360)
        found += photographed(browser, site, "dark", "dark", 1360)
        found += photographed(browser, site, "narrow", "light", 390)
        doubled = launch(playwright, AT_DOUBLE_TEXT)
        found += photographed(doubled, site, "double-text", "light", 1360)
        doubled.close()
        assert not found, "\n".join(found)
        page = browser.new_page()
        sign_in(page, site[0], site[1])
        page.wait_for_url("**/operations")
        page.get_by_label("State").select_option("off")
        page.get_by_label("Reason", exact=True).fill("Too many alarms since Monday.")
        page.get_by_role("region", name="Which model speaks at your hospital").get_by_role("button").click()
        expect(page.get_by_text("Last reason: Too many alarms since Monday.")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in**")
        sign_in(page, site[0], site[2].doctor.email)
        expect(
            page.get_by_text("The forecasting model demonstration is switched off at your hospital.")
        ).to_be_visible()
        browser.close()
