"""`soom import fhir` as a hospital's operator meets it: one line a file, and a bad file harms no good one."""

import json
from pathlib import Path

import pytest
from sqlmodel import Session, select
from typer.testing import CliRunner, Result

from backend.cli import app
from backend.interchange.tables import ImportedResource
from tests.conftest import NOON
from tests.databases import new_database, unpooled_engine
from tests.factories import clinic
from tests.factories.fhir import bundle, observation, person


def import_fhir(path: Path) -> Result:
    return CliRunner().invoke(app, ["import", "fhir", str(path), "--clinician", "doctor@hospital.example"])


def test_of_a_folder_each_whole_file_is_taken_and_each_bad_one_told(
    tmp_path: Path, template_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = bundle(person(), observation("96269-6", 38, "[ppb]"))
    (tmp_path / "a cut off.json").write_bytes(whole[:-40])
    (tmp_path / "b whole.json").write_bytes(whole)
    (tmp_path / "c two people.json").write_bytes(bundle(person("MRN-8"), person("MRN-9")))
    with new_database(template_url=template_database) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        with Session(unpooled_engine(url)) as session:
            clinic.clinician(session, clinic.hospital(session), now=NOON, email="doctor@hospital.example")
            session.commit()
        answer = import_fhir(tmp_path)
        assert answer.exit_code == 1
        cut_off, taken, two_people = [json.loads(line) for line in answer.stdout.splitlines()]
        assert "cut off" in cut_off["refused"]
        assert (taken["file"], taken["became"]) == ("b whole.json", {"patient": 1, "feno": 1})
        assert "2 patients" in two_people["refused"]
        with Session(unpooled_engine(url)) as session:
            assert len(session.exec(select(ImportedResource)).all()) == 2


def test_a_folder_without_bundles_is_told(tmp_path: Path) -> None:
    answer = import_fhir(tmp_path)
    assert answer.exit_code == 1
    assert "holds no .json file" in " ".join(answer.output.split())
