import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.advisor import published_advisor
from ml.treatment.population_file import PopulationFileRefused, load_population, save_population


def test_a_saved_population_comes_back_to_the_last_digit(tmp_path: Path) -> None:
    population = published_advisor().population
    save_population(population, tmp_path / "one.json")
    back = load_population(tmp_path / "one.json")
    assert np.array_equal(back.effects.mean, population.effects.mean)
    assert np.array_equal(back.effects.covariance, population.effects.covariance)
    assert np.array_equal(back.level_covariance, population.level_covariance)
    save_population(back, tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("effects_mean", [0.0], "effects_mean must hold finite numbers"),
        ("effects_mean", None, "effects_mean must hold finite numbers"),
        ("effects_mean", "many", "effects_mean does not hold numbers"),
        ("confounding", [float("nan")] * 9, "confounding must hold finite numbers"),
        ("level_covariance", np.zeros((11, 11)).tolist(), "level_covariance is no covariance"),
        ("frailty_shape", 0, "frailty_shape must be above zero"),
        ("classes", ["ics"], "other coefficients"),
        ("format", 2, "other coefficients"),
    ],
)
def test_a_file_that_was_tampered_with_is_refused_by_name(tmp_path: Path, name: str, value: Any, message: str) -> None:
    file = tmp_path / "population.json"
    save_population(published_advisor().population, file)
    document = json.loads(file.read_text())
    document[name] = value
    file.write_text(json.dumps(document))
    with pytest.raises(PopulationFileRefused, match=message):
        load_population(file)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"format": 1}', b"\xff\xfe", b"null"])
def test_any_other_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "population.json"
    file.write_bytes(content)
    with pytest.raises(PopulationFileRefused, match=r"population\.json is no population file"):
        load_population(file)
