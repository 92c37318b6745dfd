"""The commands of research as a hospital types them."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psycopg
import pyarrow.parquet as parquet
import pytest
from sqlmodel import Session
from typer.testing import CliRunner, Result

import ml.rwe
from backend.accounts.tables import Hospital, Role
from backend.cli import app
from backend.research import governance
from backend.research.governance_tables import Decision, ProposalKind
from backend.research.studies import simulate
from ml.omop.tables import SCHEMAS
from ml.training.cohort_file import read_cohort_file
from tests.backend.research.conftest import ResearchClinic
from tests.conftest import NOON
from tests.factories.clinic import clinician

EXAMPLE = Path(ml.rwe.__file__).parent / "example_study.toml"


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return simulate(tmp_path_factory.mktemp("network") / "hospitals", seed=3, patients=900)


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOOM_DATA_FOLDER", str(tmp_path / "soom"))
    return tmp_path / "soom"


def soom(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def said(answer: Result) -> str:
    """What was printed, without the line breaks of a narrow terminal."""
    return " ".join(answer.output.split())


def quick_protocol(folder: Path, **changes: str) -> Path:
    """The example with one analysis and ten controls, its text changed where asked."""
    text = EXAMPLE.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("    20001000") or "2000100009" in line]
    text = "\n".join(lines)
    start = text.index('[[analyses]]\nname = "stratified"')
    text = text[:start] + text[text.index("# What must hold before") :]
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    file = folder / "study.toml"
    file.write_text(text, encoding="utf-8")
    return file


def named(folders: Sequence[Path]) -> list[str]:
    return [word for folder in folders for word in ("--hospital", f"{folder.name}={folder}")]


def test_a_study_is_registered_and_blind_first_and_opened_in_a_second_step(
    hospitals: list[Path], tmp_path: Path, data_folder: Path
) -> None:
    protocol = quick_protocol(tmp_path)
    early = soom("study", "run", protocol, *named(hospitals[:2]), "--open")
    assert early.exit_code == 1
    assert "diagnostics are looked at before results" in said(early)
    assert not (data_folder / "studies").exists()
    blind = soom("study", "run", protocol, *named(hospitals[:2]))
    assert blind.exit_code == 0, blind.output
    assert "Results are closed." in blind.output
    assert "hazard ratio" not in blind.output
    opened = soom("study", "run", protocol, *named(hospitals[:2]), "--open", "--override", "two small hospitals")
    assert opened.exit_code == 0, opened.output
    assert "primary, calibrated: hazard ratio 0." in opened.output
    assert (data_folder / "studies" / "tiotropium-or-montelukast" / "report.pdf").is_file()
    changed = quick_protocol(tmp_path, **{"caliper_sd = 0.2": "caliper_sd = 0.3"})
    refused = soom("study", "run", changed, *named(hospitals[:2]), "--open")
    assert refused.exit_code == 1
    assert "another text" in said(refused)


def test_a_hospital_with_three_patients_is_left_out_and_said_so(hospitals: list[Path], tmp_path: Path) -> None:
    tiny = simulate(tmp_path / "tiny", seed=1, patients=15)[0]
    answer = soom("study", "run", quick_protocol(tmp_path), *named([hospitals[0]]), "--hospital", f"Tiny={tiny}")
    assert answer.exit_code == 0
    assert "Takes no part: Tiny: fewer than 20 patients" in answer.output


def test_an_impossible_window_is_told_at_its_field_and_nothing_is_registered(
    hospitals: list[Path], tmp_path: Path, data_folder: Path
) -> None:
    file = quick_protocol(tmp_path, **{"washout_days = 365": "washout_days = 3000"})
    answer = soom("study", "run", file, *named(hospitals[:1]))
    assert answer.exit_code == 1
    assert "exposure.washout_days" in answer.output
    assert not (data_folder / "studies").exists()


def test_a_folder_that_holds_no_omop_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    answer = soom("study", "run", quick_protocol(tmp_path), "--hospital", f"Nowhere={tmp_path / 'empty'}")
    assert answer.exit_code == 1
    assert "Nowhere: the OMOP tables person, observation_period are missing" in said(answer)


def accept(clinic: ResearchClinic, protocol: Path) -> None:
    """A researcher of the clinic's hospital proposes the study, and an administrator accepts it."""
    with Session(clinic.engine) as session:
        patient = next(iter(clinic.patients.values()))
        hospital = session.get_one(Hospital, patient.hospital_id)
        researcher = clinician(session, hospital, now=NOON, role=Role.RESEARCHER)
        administrator = clinician(session, hospital, now=NOON, role=Role.ADMINISTRATOR)
        asked = governance.read_asked(ProposalKind.STUDY, protocol.read_bytes())
        proposal = governance.propose(session, researcher, asked, now=NOON)
        assert proposal.id is not None
        governance.decide(session, administrator, proposal.id, Decision.ACCEPTED, "A good question.", now=NOON)
        session.commit()


def test_a_study_on_our_own_patients_leaves_no_copy_of_their_rows(
    research_clinic: ResearchClinic, tmp_path: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", research_clinic.engine.url.render_as_string(hide_password=False))
    protocol = quick_protocol(tmp_path)
    accept(research_clinic, protocol)
    answer = soom("study", "run", protocol)
    assert answer.exit_code == 0, answer.output
    assert "this hospital: fewer than 20 patients" in answer.output
    assert list(data_folder.rglob("*.parquet")) == []


def test_exported_tables_pass_the_quality_check_but_for_what_is_unmapped(
    research_clinic: ResearchClinic, tmp_path: Path
) -> None:
    research_clinic.export(tmp_path / "omop", "quality")
    checked = soom("omop", "check", tmp_path / "omop")
    report = json.loads(checked.stdout)
    failing = [check for check in report["checks"] if not check["passed"]]
    assert [check["what"] for check in failing] in ([], ["is mapped to a concept (at least 95 %)"])
    assert {check["kind"] for check in report["checks"]} == {"completeness", "plausibility", "conformance"}


def test_omop_tables_become_a_cohort_file_for_training(hospitals: list[Path], tmp_path: Path) -> None:
    answer = soom("omop", "cohort", hospitals[0], tmp_path / "cohort.npz")
    assert answer.exit_code == 0, answer.output
    cohort = read_cohort_file(tmp_path / "cohort.npz")
    # No diary is kept there, but attacks are: emergency visits and steroid courses.
    assert len(cohort.profiles) > 200
    assert np.nansum(cohort.diaries.systemic_steroids) > 100
    assert np.isnan(cohort.diaries.morning_litres_per_min).all()
    (tmp_path / "empty").mkdir()
    refused = soom("omop", "cohort", tmp_path / "empty", tmp_path / "nothing.npz")
    assert refused.exit_code == 1
    assert not (tmp_path / "nothing.npz").exists()


def test_tables_load_under_the_official_definitions_or_not_at_all(
    research_clinic: ResearchClinic, own_database: str, shared_data: Path, tmp_path: Path
) -> None:
    address = own_database.replace("+psycopg", "")
    folder = tmp_path / "omop"
    research_clinic.export(folder, "loading")
    loaded = soom("omop", "load", folder, address)
    assert loaded.exit_code == 0, loaded.output
    # A row that points to nobody breaks a foreign key.
    people = parquet.read_table(folder / "person.parquet")
    parquet.write_table(people.slice(1).cast(SCHEMAS["person"]), folder / "person.parquet")
    broken = soom("omop", "load", folder, address, "--schema", "broken")
    assert broken.exit_code == 1
    assert "foreign key" in said(broken)
    with psycopg.connect(address) as connection:
        schemas = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname IN ('cdm', 'broken')").fetchall()
        rows = connection.execute("SELECT count(*) FROM cdm.person").fetchone()
    assert schemas == [("cdm",)]
    assert rows == (people.num_rows,)


def test_a_study_reads_a_hospitals_omop_database_as_it_reads_its_folder(
    hospitals: list[Path], own_database: str, tmp_path: Path, data_folder: Path, shared_data: Path
) -> None:
    address = own_database.replace("+psycopg", "")
    # A hospital has its own vocabulary; the study needs none, so the simulated tables go in without constraints.
    with psycopg.connect(address) as connection:
        connection.execute("CREATE SCHEMA cdm")
        official = (shared_data / "omop_cdm54" / "postgresql" / "OMOPCDM_postgresql_5.4_ddl.sql").read_text()
        connection.execute(official.replace("@cdmDatabaseSchema", "cdm").encode())
        with connection.cursor() as cursor:
            for file in hospitals[0].glob("*.parquet"):
                table = parquet.read_table(file)
                columns = ", ".join(table.column_names)
                with cursor.copy(f"COPY cdm.{file.stem} ({columns}) FROM STDIN") as copy:
                    for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
                        copy.write_row(row)
    protocol = quick_protocol(tmp_path)
    for place in (hospitals[0], f"{address}#cdm"):
        answer = soom("study", "run", protocol, "--hospital", f"One={place}", "--out", tmp_path / "out")
        assert answer.exit_code == 0, answer.output
        diagnostics = json.loads((tmp_path / "out" / "diagnostics.json").read_text())
        if isinstance(place, Path):
            expected = diagnostics
    assert diagnostics == expected
