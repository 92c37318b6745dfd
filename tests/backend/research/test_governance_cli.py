"""A training round from its proposal to the file that a hospital brings to it, as typed."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from sqlmodel import Session, select
from typer.testing import CliRunner, Result

from backend.accounts.tables import Role
from backend.cli import app
from backend.core.audit import AuditEntry
from backend.patients import service
from backend.patients.tables import Purpose
from ml.federated.hospital_data import command_source
from ml.federated.plan import FederationPlan
from ml.federated.rows import HospitalDataRefused
from ml.training.cohort_file import read_cohort_file
from tests.conftest import NOON
from tests.databases import unpooled_engine
from tests.factories import clinic, entries


def soom(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def said(answer: Result) -> str:
    return " ".join(answer.output.split())


def test_a_round_takes_diaries_only_once_the_hospital_accepted_its_plan(
    own_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", own_database)
    engine = unpooled_engine(own_database)
    with Session(engine) as session:
        at = clinic.hospital(session)
        researcher, administrator = "park@hospital.example", "lim@hospital.example"
        clinic.clinician(session, at, now=NOON, role=Role.RESEARCHER, email=researcher)
        clinic.clinician(session, at, now=NOON, role=Role.ADMINISTRATOR, email=administrator)
        agreed, asked_not = clinic.patient(session, at, now=NOON), clinic.patient(session, at, now=NOON)
        for one in (agreed, asked_not):
            entries.weeks_of_diary(session, one, until=NOON, days=3)
        service.grant(session, agreed.id, Purpose.FEDERATED_LEARNING, text_version="1", now=NOON)
        agreed_id = agreed.id
        session.commit()
    plan = FederationPlan(name="spring")
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan.to_dict()), encoding="utf-8")
    unseen = soom("export", "round", tmp_path / "own.npz", plan.digest)
    assert unseen.exit_code == 1
    assert "No hospital has seen this text" in said(unseen)
    refused = soom("study", "propose", file, "--kind", "training_round", "--by", administrator)
    assert "Your role does not allow this" in said(refused)
    proposed = soom("study", "propose", file, "--kind", "training_round", "--by", researcher)
    assert proposed.exit_code == 0, proposed.output
    number, *_, sha256 = proposed.stdout.split()
    assert sha256 == plan.digest
    assert "fewer than 10 patients" in soom("study", "proposals", "--by", administrator).stdout
    waiting = soom("export", "round", tmp_path / "own.npz", plan.digest)
    assert f"soom study accept {number}" in said(waiting)
    assert soom("study", "accept", number, "--by", administrator, "--reason", "Fine.").exit_code == 0
    done = soom("export", "round", tmp_path / "own.npz", plan.digest)
    assert done.exit_code == 0, done.output
    assert len(read_cohort_file(tmp_path / "own.npz").profiles) == 1
    assert soom("study", "take-back", number, "--by", researcher, "--reason", "No.").exit_code == 1
    assert soom("study", "take-back", number, "--by", administrator, "--reason", "Enough.").exit_code == 0
    ended = soom("export", "round", tmp_path / "later.npz", plan.digest)
    assert ended.exit_code == 1
    assert "took its acceptance of this text" in said(ended)
    assert not (tmp_path / "later.npz").exists()
    with Session(engine) as session:
        (used,) = session.exec(select(AuditEntry).where(AuditEntry.action == "export_training")).all()
    assert used.patient_id == agreed_id
    assert used.detail == {"kind": "training_round", "protocol": plan.digest, "purpose": "federated_learning"}


def test_a_hospitals_data_command_is_told_which_plan_asks(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    program = f"open({str(asked)!r}, 'w').write(sys.argv[1]); sys.exit(3)"
    words = [sys.executable, "-c", f"import sys; {program}", "{plan}", "{file}"]
    with pytest.raises(HospitalDataRefused, match="code 3"):
        command_source(shlex.join(words), lambda: "abc123")()
    assert asked.read_text() == "abc123"
