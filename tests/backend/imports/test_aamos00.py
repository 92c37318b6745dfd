"""The published files through the public endpoint."""

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import func
from sqlmodel import Session, select

from backend.accounts.tables import Clinician
from backend.core.errors import StartRefused
from backend.diary.tables import Attack, PeakFlow, Questionnaire, Symptoms, TriggerExposure
from backend.imports.aamos00 import import_aamos00
from backend.imports.report import ImportReport
from backend.medication.tables import InhalerUse
from backend.patients.tables import Patient
from backend.plans.tables import ActionPlan
from tests.conftest import NOON
from tests.factories import clinic

KINDS: tuple[type[Any], ...] = (PeakFlow, Symptoms, TriggerExposure, Attack, Questionnaire, InhalerUse)


@pytest.fixture
def doctor(session: Session) -> Clinician:
    return clinic.clinician(session, clinic.hospital(session), now=NOON)


def run(folder: Path, client: TestClient, session: Session, doctor: Clinician) -> ImportReport:
    with Progress(console=Console(file=io.StringIO())) as progress:
        return import_aamos00(folder, client, session, doctor, now=NOON, progress=progress)


def stored(session: Session) -> int:
    return sum(session.exec(select(func.count()).select_from(kind)).one() for kind in KINDS)


@pytest.fixture
def aamos00(shared_data: Path) -> Path:
    folder = shared_data / "aamos00"
    if not folder.is_dir():
        pytest.skip(f"the published diaries are missing: {folder}")
    return folder


def test_every_row_of_the_files_is_taken_or_refused_with_a_reason_and_a_second_run_changes_nothing(
    aamos00: Path, client: TestClient, session: Session, doctor: Clinician
) -> None:
    report = run(aamos00, client, session, doctor)
    assert report.patients == 14
    assert dict(report.rows_by_file) == {
        "dailyquestionnaire": 922,
        "peakflow": 884,
        "smartinhaler": 1957,
        "weeklyquestionnaire": 199,
    }
    assert (report.rows, report.rows_accepted + report.rows_refused) == (3962, 3962)
    # 52 sessions have NA for blows, 3 nothing, and in 2 the maximum contradicts them.
    assert report.rows_refused == 57
    assert all(note.file == "peakflow" and note.reason for note in report.refusals)
    assert len({(note.file, note.row) for note in report.refusals}) == 57
    assert stored(session) == report.entries
    days = select(func.max(Symptoms.local_date))
    assert session.exec(days).one() == date(2026, 11, 19)
    # All 14 gave a personal best or have readings of their own.
    assert session.exec(select(func.count()).select_from(ActionPlan)).one() == 14

    again = run(aamos00, client, session, doctor)
    assert (again.rows_accepted, again.entries) == (report.rows_accepted, report.entries)
    assert stored(session) == report.entries
    assert session.exec(select(func.count()).select_from(Patient)).one() == 14
    assert session.exec(select(func.count()).select_from(ActionPlan)).one() == 14

    screen = io.StringIO()
    report.show(Console(file=screen, width=140))
    assert "3962" in screen.getvalue()
    assert "the blows are not recorded" in screen.getvalue()


PEOPLE = {"user_key": "1", "sex": "female", "age_range": "50+yo", "pef_best": "NA"}
FILES = {
    "patient_info": [PEOPLE],
    "dailyquestionnaire": [
        {
            "user_key": "1",
            "date": "0",
            "daily_night_symp": "TRUE",
            "daily_day_symp": "TRUE",
            "daily_limit_activity": "FALSE",
            "daily_prev_inhaler": "2",
            "daily_relief_inhaler": "1",
            "daily_triggers": "1",
        }
    ],
    "peakflow": [
        {"user_key": "1", "date": "0", "hour": "7", "pef_max": "25", "pefs": "25|24|23", "morning": "TRUE"},
        {"user_key": "2", "date": "0", "hour": "7", "pef_max": "400", "pefs": "400", "morning": "TRUE"},
    ],
    "smartinhaler": [{"user_key": "1", "date": "1", "hour": "7", "name": "VENTOLIN"}],
    "weeklyquestionnaire": [{"user_key": "1", "date": "1"}],
}


@pytest.fixture
def small_folder(tmp_path: Path) -> Path:
    for name, lines in FILES.items():
        with (tmp_path / f"anonym_aamos00_{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)
    return tmp_path


def test_what_the_server_refuses_is_reported_with_its_reason(
    small_folder: Path, client: TestClient, session: Session, doctor: Clinician
) -> None:
    report = run(small_folder, client, session, doctor)
    reasons = {note.row: note.reason for note in report.refusals}
    assert set(reasons) == {1, 2}
    assert "litres per second" in reasons[1]
    assert "not in the list of patients" in reasons[2]
    assert (report.rows, report.rows_accepted, report.rows_refused) == (5, 3, 2)


def test_an_age_range_without_a_middle_gives_no_birth_date_and_no_best_no_plan(
    small_folder: Path, client: TestClient, session: Session, doctor: Clinician
) -> None:
    run(small_folder, client, session, doctor)
    assert session.exec(select(Patient)).one().born_on is None
    assert session.exec(select(ActionPlan)).all() == []


def test_a_folder_without_the_files_is_named(
    tmp_path: Path, client: TestClient, session: Session, doctor: Clinician
) -> None:
    with pytest.raises(StartRefused, match="patient_info"):
        run(tmp_path, client, session, doctor)
