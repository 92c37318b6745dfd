import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ml.cli import app
from ml.training.cohort_file import CohortFileRefused, read_cohort_file, write_cohort
from ml.training.fit import Cohort
from tests.ml.conftest import made_up_cohort


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def cohort_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("cohort") / "clinic.npz"
    write_cohort(made_up_cohort(seed=6, patients=120, days=120), file)
    return file


def test_a_cohort_file_gives_back_what_was_written(cohort: Cohort, tmp_path: Path) -> None:
    write_cohort(cohort, tmp_path / "c.npz")
    found = read_cohort_file(tmp_path / "c.npz")
    np.testing.assert_array_equal(found.diaries.reliever_puffs, cohort.diaries.reliever_puffs)
    np.testing.assert_array_equal(found.profiles.hospital, cohort.profiles.hospital)
    np.testing.assert_array_equal(found.last_day, cohort.last_day)


def test_a_file_that_is_no_cohort_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"not a zip")
    with pytest.raises(CohortFileRefused, match="not a cohort file"):
        read_cohort_file(tmp_path / "bad.npz")
    code, output = run("drift", tmp_path / "bad.npz")
    assert code == 1
    assert "not a cohort file" in output


def test_refit_challenge_admit_approve_and_drift_from_the_command_line(cohort_file: Path, tmp_path: Path) -> None:
    refit = ("--cohort", cohort_file, "--trees", 15, "--model-id", "clinic", "--model-version", "2")
    assert run("train", tmp_path / "refit", *refit)[0] == 0
    code, output = run("challenge", cohort_file, tmp_path / "refit")
    assert code == 0
    assert json.loads(output)["verdict"] in {"promote", "keep"}
    root = tmp_path / "registry"
    assert run("registry", "admit", root, tmp_path / "refit") == (0, "clinic-2\n")
    assert run("registry", "approve", root, "clinic-2", "--reason", "better")[0] == 0
    assert json.loads(run("registry", "list", root)[1])["champion"] == "clinic-2"
    roll_back = ("registry", "roll-back", root, "--reason", "no")
    assert run(*roll_back) == (0, "in use again: the shipped model\n")
    assert run(*roll_back) == (1, "no model is approved, so there is none to roll back from\n")
    code, output = run("drift", cohort_file, "--model", tmp_path / "refit")
    assert code == 0
    assert set(json.loads(output)) == {"hospitals", "alarms", "feature_shift", "attention"}


def test_an_unknown_split_and_a_missing_folder_stop_with_a_reason(tmp_path: Path) -> None:
    code, output = run("evaluate", tmp_path, "--scheme", "random_days")
    assert code == 1
    assert "unknown scheme" in output
    code, output = run("evaluate", tmp_path, "--aamos", tmp_path / "nowhere")
    assert code == 1
    assert "not judged" in output
