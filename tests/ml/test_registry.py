import hashlib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ml.model import ModelRefused
from ml.registry import CurrentForecaster, NotInRegistry, Registry

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def version(source: Path, folder: Path, number: str, **changed_texts: str) -> Path:
    """A copy of a model folder under another version whose card is true to its files."""
    shutil.copytree(source, folder)
    card = json.loads((folder / "card.json").read_text())
    for stem, text in changed_texts.items():
        file = next(folder.glob(f"{stem}.*"))
        file.write_text(text)
        card["files"][file.name] = hashlib.sha256(text.encode()).hexdigest()
    card["model_version"] = number
    card["hash"] = hashlib.sha256(json.dumps(card["files"]).encode()).hexdigest()
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def test_an_approved_model_is_used_without_a_restart_and_can_be_rolled_back(model_folder: Path, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    current = CurrentForecaster(registry)
    assert current.get().model.model_id == "demonstration"
    first = registry.admit(version(model_folder, tmp_path / "a", "1"), by="ada", now=NOW)
    second = registry.admit(version(model_folder, tmp_path / "b", "2"), by="ada", now=NOW)
    assert current.get().model.model_id == "demonstration"
    assert registry.challengers() == ["test-1", "test-2"]

    registry.approve(first, by="ada", now=NOW, reason="better at the budget")
    assert current.get().model.model_version == "1"
    registry.approve(second, by="ada", now=NOW, reason="refit")
    forecaster = current.get()
    assert forecaster.model.model_version == "2"
    assert current.get() is forecaster

    assert registry.roll_back(by="eve", now=NOW, reason="too many alarms") == "test-1"
    assert current.get().model.model_version == "1"
    assert [entry.action for entry in registry.ledger()] == ["admit", "admit", "approve", "approve", "roll_back"]
    # A first model that was a mistake must go as well.
    assert registry.roll_back(by="eve", now=NOW, reason="worse than the shipped one") is None
    assert current.get().model.model_id == "demonstration"
    with pytest.raises(NotInRegistry, match="no model is approved"):
        registry.roll_back(by="eve", now=NOW, reason="again")


def test_a_model_text_on_which_lightgbm_dies_is_refused_and_this_process_lives(
    model_folder: Path, tmp_path: Path
) -> None:
    text = (model_folder / "trees_7.txt").read_text()
    registry = Registry(tmp_path / "registry")
    bad_texts = [text[: len(text) // 2], text.replace("leaf_value=", "leaf_value=x", 1), "", text.replace("num_l", "n")]
    for number, bad in enumerate(bad_texts):
        folder = version(model_folder, tmp_path / f"bad{number}", f"bad{number}", trees_7=bad)
        with pytest.raises(ModelRefused):
            registry.admit(folder, by="ada", now=NOW)
    assert not registry.root.exists()


def test_a_model_changed_after_admission_is_not_loaded_and_the_last_good_one_stays(
    model_folder: Path, tmp_path: Path
) -> None:
    registry = Registry(tmp_path / "registry")
    for number in ("1", "2"):
        registry.admit(version(model_folder, tmp_path / number, number), by="ada", now=NOW)
    registry.approve("test-1", by="ada", now=NOW, reason="first")
    current = CurrentForecaster(registry)
    assert current.get().model.model_version == "1"
    shutil.rmtree(registry.root / "test-2")
    version(model_folder, registry.root / "test-2", "2", reference="{}")
    registry.approve("test-2", by="ada", now=NOW, reason="swapped")
    assert current.get().model.model_version == "1"
    assert current.problem is not None
    assert "hash has changed" in current.problem


def test_a_torn_ledger_keeps_the_last_good_model_and_is_named(model_folder: Path, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    registry.approve(registry.admit(model_folder, by="ada", now=NOW), by="ada", now=NOW, reason="first")
    ledger = registry.root / "registry.jsonl"
    whole = ledger.read_text(encoding="utf-8")
    current = CurrentForecaster(registry)
    in_use = current.get()
    for line in ('{"at": "2026', '{"weather": "fine"}', "[]"):
        ledger.write_text(f"{whole}{line}\n", encoding="utf-8")
        assert current.get() is in_use
        assert current.problem is not None
        assert "line 3 of" in current.problem
        with pytest.raises(ModelRefused, match="line 3 of"):
            registry.champion()
    ledger.write_text(whole, encoding="utf-8")
    assert current.get() is in_use
    assert current.problem is None


def test_the_same_version_twice_and_a_name_that_is_a_path_are_refused(model_folder: Path, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    registry.admit(model_folder, by="ada", now=NOW)
    with pytest.raises(ModelRefused, match="in the registry already"):
        registry.admit(model_folder, by="ada", now=NOW)
    with pytest.raises(ModelRefused, match="not a usable name"):
        registry.admit(version(model_folder, tmp_path / "evil", "../../x"), by="ada", now=NOW)
    with pytest.raises(NotInRegistry, match="other is not in the registry"):
        registry.approve("other", by="ada", now=NOW, reason="")
