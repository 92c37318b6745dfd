"""A model from elsewhere, judged on the hospital's own consenting patients beside the model in use."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from sqlmodel import Session

from backend.accounts.tables import Clinician, Role
from backend.core.errors import NotAllowed
from backend.research.governance import SMALLEST_CELL
from backend.research.governance_models import ModelUnfit, record
from backend.research.governance_tables import ModelCheck
from backend.risk.training import NobodyToExport, export_training
from ml.evaluation.hospital_check import hospital_check
from ml.evaluation.study_data import study_data
from ml.forecaster import SHIPPED_MODEL
from ml.model import Model, ModelRefused, load_model
from ml.registry import LEDGER, Registry
from ml.training.cohort_file import read_cohort_file
from ml.training.fit import Cohort

BOOTSTRAP_SEED = 1


def check(session: Session, who: Clinician, registry_folder: Path, candidate: Path, *, now: datetime) -> ModelCheck:
    """Judge the model in `candidate` beside the one in use; take it into the registry, unused.

    Raises NotAllowed, ModelUnfit. Only patients who consent to research are judged on, and their ledgers say so.
    """
    if who.role not in (Role.RESEARCHER, Role.ADMINISTRATOR):
        raise NotAllowed
    try:
        in_use = load_model(_in_use(registry_folder))
        name = _admitted(Registry(registry_folder), candidate, who, now)
        judged = load_model(registry_folder / name)
    except ModelRefused as error:
        raise ModelUnfit(f"The model is refused: {error}") from error
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "own.npz"
        try:
            export_training(session, file, hospital_id=who.hospital_id, now=now, detail={"kind": "forecast"})
        except NobodyToExport as error:
            raise ModelUnfit("No patient of the hospital with a diary consents to research.") from error
        cohort = read_cohort_file(file)
    figures = hospital_check(judged, in_use, study_data(_known_to(judged, cohort, who.hospital_id)), BOOTSTRAP_SEED)
    row = ModelCheck(
        hospital_id=who.hospital_id,
        model=name,
        model_hash=str(judged.card["hash"]),
        figures=without_small_cells(figures),
        checked_by=who.id,
        checked_at=now,
    )
    session.add(row)
    session.flush()
    record(session, who, "check_model", row, now)
    return row


def _in_use(registry_folder: Path) -> Path:
    """The champion of the registry, the shipped model without one. Raises ModelUnfit for a folder of another kind."""
    if not (registry_folder / LEDGER).exists() and registry_folder.resolve() != SHIPPED_MODEL.parent.resolve():
        # A first admission would make it a registry, and its model would silently give way to the shipped one.
        raise ModelUnfit(
            f"{registry_folder} is no registry of models. Make it one with “soom-ml registry admit” and “approve” of "
            "the model in use."
        )
    champion = Registry(registry_folder).champion()
    return registry_folder / champion if champion else SHIPPED_MODEL


def _admitted(registry: Registry, folder: Path, who: Clinician, now: datetime) -> str:
    """The model's name in the registry, into which it comes at its first check; tried in a process of its own."""
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        name, pinned = f"{card['model_id']}-{card['model_version']}", str(card["hash"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelRefused(f"{folder} holds no model card") from error
    for entry in registry.ledger():
        if entry.action == "admit" and entry.model == name and entry.hash == pinned:
            return name
    return registry.admit(folder, by=who.email, now=now, reason="checked on own patients")


def _known_to(model: Model, cohort: Cohort, hospital_id: UUID) -> Cohort:
    """The hospital under the code by which the model knows it, as forecasts find it; -1 where it does not."""
    code = int(model.card.get("hospitals", {}).get(str(hospital_id), -1))
    codes = np.full(len(cohort.profiles), code, dtype=np.int32)
    return Cohort(cohort.diaries, replace(cohort.profiles, hospital=codes), cohort.last_day)


def without_small_cells(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Counts below ten become None."""
    return {
        name: None if name in ("patients", "attacks") and value < SMALLEST_CELL else value
        for name, value in figures.items()
    }
