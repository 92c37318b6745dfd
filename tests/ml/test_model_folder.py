import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ml.forecaster import SHIPPED_MODEL
from ml.model import Model, ModelRefused, load_model, save_model
from ml.training.fit import Cohort, train
from tests.ml.conftest import SMALL_PLAN

LARGEST_SHIPPED_FILE = 600 * 1024


def test_the_shipped_model_loads_and_matches_its_card() -> None:
    model = load_model(SHIPPED_MODEL)
    assert model.card["data"]["source"] == "simulated cohort"
    assert sorted(model.heads) == [3, 7, 14]
    assert model.amber_threshold < model.red_threshold
    assert all(file.stat().st_size < LARGEST_SHIPPED_FILE for file in SHIPPED_MODEL.iterdir())


def test_training_again_gives_the_same_files(cohort: Cohort, model_folder: Path, tmp_path: Path) -> None:
    save_model(train(cohort, SMALL_PLAN, {"model_id": "test", "model_version": "7"}), tmp_path)
    for file in model_folder.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


def test_a_saved_model_scores_as_before(model: Model, model_folder: Path, cohort: Cohort) -> None:
    from ml.features.daily import patient_days

    features = patient_days(cohort.diaries, cohort.profiles).features[90]
    loaded = load_model(model_folder)
    for horizon, head in model.heads.items():
        np.testing.assert_array_equal(loaded.heads[horizon].logit(features), head.logit(features))
    assert loaded.hospital_factor == model.hospital_factor


@pytest.mark.parametrize("name", ["heads.json", "trees_7.txt"])
def test_an_altered_file_is_refused_before_it_is_read(model_folder: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(model_folder, tmp_path / "altered"))
    text = (folder / name).read_text()
    (folder / name).write_text(text.replace("1", "2", 1))
    with pytest.raises(ModelRefused, match=f"{name} does not match the hash"):
        load_model(folder)


def test_a_missing_file_and_another_format_are_refused(model_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model_folder, tmp_path / "short"))
    (folder / "trees_3.txt").unlink()
    with pytest.raises(ModelRefused, match=r"trees_3\.txt is missing"):
        load_model(folder)
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"format": 99}))
    with pytest.raises(ModelRefused, match="format is 99"):
        load_model(folder)
    (folder / "card.json").write_text("{")
    with pytest.raises(ModelRefused, match="not a usable model"):
        load_model(folder)


def test_training_without_an_attack_is_refused(cohort: Cohort) -> None:
    calm = np.flatnonzero(np.bincount(cohort.diaries.patient_index, cohort.diaries.systemic_steroids) == 0)
    with pytest.raises(ValueError, match="days before an attack and days without one"):
        train(cohort.chosen(calm), SMALL_PLAN, {})
