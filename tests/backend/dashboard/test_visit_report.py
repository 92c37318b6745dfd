from datetime import timedelta
from pathlib import Path

import pytest
from fpdf import FPDF
from sqlmodel import Session, select

from backend.clinical.medicines import AddOn, Regimen
from backend.core.audit import AuditEntry
from backend.dashboard import visit_report
from backend.dashboard.translations import LANGUAGES
from backend.dashboard.visit_report import TYPEFACES, as_pdf, laid_out
from tests.backend.dashboard.conftest import Desk
from tests.conftest import NOON
from tests.factories import clinic, treatment

pytestmark = pytest.mark.skipif(
    not all(path.is_file() for path in TYPEFACES.values()), reason="typefaces missing: run `make assets`"
)

FOOT_STARTS_MM = 278


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, str]]:
    """What is written on the page, each with where it began, in mm from the top."""
    texts: list[tuple[float, str]] = []
    for name in ("cell", "multi_cell"):
        original = getattr(FPDF, name)

        def noted(page: FPDF, width: float, height: float, text: str = "", *, to: object = original, **more: object):  # type: ignore[no-untyped-def]
            texts.append((page.get_y(), text))
            return to(page, width, height, text, **more)  # type: ignore[operator]

        monkeypatch.setattr(FPDF, name, noted)
    return texts


def lay_out(report: visit_report.VisitReport, language: str) -> int:
    """The number of pages. Nothing is made of them, so the typefaces are closed here."""
    page = laid_out(report, language)
    for face in page.fonts.values():
        face.close()  # type: ignore[union-attr]
    return page.page_no()


def pages_of(pdf: bytes) -> int:
    return pdf.count(b"/Type /Page\n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_of_anybody_is_one_page_that_keeps_clear_of_its_foot(
    full_desk: Desk, session: Session, written: list[tuple[float, str]], language: str
) -> None:
    for patient in full_desk.clinic.patients.values():
        written.clear()
        report = visit_report.visit_report(session, patient, now=NOON, language=language)
        assert lay_out(report, language) == 1
        above = [at for at, _ in written][:-2]
        assert max(above) < FOOT_STARTS_MM - 4
        assert patient.display_name in [text for _, text in written]


def test_every_figure_comes_with_its_unit_source_and_zone(
    desk: Desk, session: Session, written: list[tuple[float, str]]
) -> None:
    patient = desk.clinic.in_danger
    lay_out(visit_report.visit_report(session, patient, now=NOON, language="en"), "en")
    text = "\n".join(line for _, line in written)
    assert "Peak flow, L/min" in text
    assert "Asia/Seoul (UTC+09:00)" in text
    assert "≥ 416 L/min" in text
    assert "41 %" in text
    assert "Model" in text
    assert "Source: the patient's diary." in text


def test_control_and_adherence_come_from_the_signed_treatment(
    session: Session, written: list[tuple[float, str]]
) -> None:
    began = NOON - timedelta(days=60)
    doctor = clinic.clinician(session, clinic.hospital(session), now=began)
    patient = treatment.patient(session, doctor, now=began)
    regimen = Regimen(treatment.AIR.prescriptions, frozenset({AddOn.MONTELUKAST}))
    treatment.sign(session, patient, doctor, regimen, now=began)
    first_day = began.date() + timedelta(days=1)
    treatment.diary(session, patient, first_day=first_day, last_day=NOON.date(), ill_days_a_week=4, nights_a_week=1)
    lay_out(visit_report.visit_report(session, patient, now=NOON, language="en"), "en")
    text = "\n".join(line for _, line in written)
    assert "Not assessed" not in text
    assert "GINA" in text
    assert "Montelukast" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_file_is_a_pdf_of_one_page(desk: Desk, session: Session, language: str) -> None:
    patient = desk.clinic.in_danger
    pdf = as_pdf(visit_report.visit_report(session, patient, now=NOON, language=language), language)
    assert pdf.startswith(b"%PDF-")
    assert pages_of(pdf) == 1


def test_the_report_is_answered_as_pdf_and_leaves_an_audit_entry(desk: Desk, session: Session) -> None:
    patient = desk.clinic.in_danger
    for path in (f"/patients/{patient.id}/report.pdf", f"/v1/clinician/patients/{patient.id}/report.pdf"):
        answer = desk.client.get(path)
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.content.startswith(b"%PDF-")
    entries = session.exec(select(AuditEntry).where(AuditEntry.action == "view_report")).all()
    assert [entry.patient_id for entry in entries] == [patient.id, patient.id]


def test_without_its_typeface_the_report_says_what_to_do(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit_report, "TYPEFACES", {"": Path("missing.otf")})
    answer = desk.client.get(f"/v1/clinician/patients/{desk.clinic.in_danger.id}/report.pdf")
    assert (answer.status_code, answer.json()["code"]) == (503, "typeface_missing")
