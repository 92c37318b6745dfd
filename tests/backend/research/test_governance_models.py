"""A model from elsewhere is judged on own patients, and used when the hospital says so."""

import json
import shutil
from pathlib import Path

import pytest
from sqlmodel import Session, select

from backend.accounts.tables import Hospital, Role
from backend.core.audit import AuditEntry
from backend.core.errors import NotAllowed
from backend.patients import service
from backend.patients.tables import Patient, Purpose
from backend.research import governance_models
from backend.research.governance import AlreadyDecided
from backend.research.governance_check import check
from backend.research.governance_models import ModelUnfit
from backend.research.governance_tables import ModelCheck, ModelDecision
from backend.research.ledger import uses
from ml.forecaster import SHIPPED_MODEL
from ml.registry import Registry
from tests.conftest import NOON
from tests.factories import clinic, entries


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model under another version, as a network might hand it out."""
    folder = tmp_path_factory.mktemp("candidate") / "model"
    shutil.copytree(SHIPPED_MODEL, folder)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card |= {"model_id": "together", "model_version": "1"}
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry in use, its ledger begun."""
    made = Registry(tmp_path / "registry")
    made.root.mkdir()
    (made.root / "registry.jsonl").touch()
    return made


def patients(session: Session, at: Hospital, count: int) -> list[Patient]:
    found = []
    for _ in range(count):
        one = clinic.patient(session, at, now=NOON)
        entries.weeks_of_diary(session, one, until=NOON, days=3)
        service.grant(session, one.id, Purpose.RESEARCH, text_version="1", now=NOON)
        found.append(one)
    return found


def test_too_few_attacks_are_said_so_and_the_hospital_decides_all_the_same(
    session: Session, registry: Registry, candidate: Path
) -> None:
    at, other = clinic.hospital(session), clinic.hospital(session)
    own = patients(session, at, 11)
    patients(session, other, 1)
    researcher = clinic.clinician(session, at, now=NOON, role=Role.RESEARCHER)
    administrator = clinic.clinician(session, at, now=NOON, role=Role.ADMINISTRATOR)
    elsewhere = clinic.clinician(session, other, now=NOON, role=Role.ADMINISTRATOR)
    doctor = clinic.clinician(session, at, now=NOON)
    with pytest.raises(NotAllowed):
        check(session, doctor, registry.root, candidate, now=NOON)
    row = check(session, researcher, registry.root, candidate, now=NOON)
    assert row.figures == {
        "patients": 11,
        "attacks": None,
        "candidate": None,
        "current": None,
        "verdict": "too_few_attacks",
    }
    assert registry.champion() is None
    assert ["to train or to check the forecast" in use.text for use in uses(session, own[0]).uses] == [True]
    assert row.id is not None
    adopt = (ModelDecision.ADOPTED, "The network's judgement convinces us.")
    with pytest.raises(NotAllowed):
        governance_models.decide(session, researcher, registry.root, row.id, *adopt, now=NOON)
    governance_models.decide(session, administrator, registry.root, row.id, *adopt, now=NOON)
    # Both hospitals get their forecasts from this installation, and the other has not adopted it.
    assert registry.champion() is None
    with pytest.raises(AlreadyDecided):
        governance_models.decide(session, administrator, registry.root, row.id, *adopt, now=NOON)
    theirs = check(session, elsewhere, registry.root, candidate, now=NOON)
    assert theirs.figures["patients"] is None
    assert theirs.id is not None
    governance_models.decide(session, elsewhere, registry.root, theirs.id, *adopt, now=NOON)
    assert registry.champion() == "together-1"
    trail = session.exec(select(AuditEntry.action).where(AuditEntry.actor_kind == "clinician")).all()
    assert trail == ["check_model", "adopt_model", "check_model", "adopt_model"]


def test_a_broken_tree_costs_a_sentence_and_nothing_else(
    session: Session, registry: Registry, candidate: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(candidate, broken)
    for trees in broken.glob("*.txt"):
        trees.write_text("tree\nleaf_value=np.float64(1)\n", encoding="utf-8")
    at = clinic.hospital(session)
    own = patients(session, at, 1)
    administrator = clinic.clinician(session, at, now=NOON, role=Role.ADMINISTRATOR)
    with pytest.raises(ModelUnfit, match="refused"):
        check(session, administrator, registry.root, broken, now=NOON)
    assert session.exec(select(ModelCheck)).all() == []
    assert uses(session, own[0]).uses == []


def test_a_folder_that_is_no_registry_keeps_its_model(session: Session, candidate: Path, tmp_path: Path) -> None:
    administrator = clinic.clinician(session, clinic.hospital(session), now=NOON, role=Role.ADMINISTRATOR)
    (tmp_path / "models").mkdir()
    with pytest.raises(ModelUnfit, match="is no registry"):
        check(session, administrator, tmp_path / "models", candidate, now=NOON)
    assert list((tmp_path / "models").iterdir()) == []
