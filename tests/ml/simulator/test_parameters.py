from pathlib import Path

import pytest

from ml.simulator import parameters
from ml.simulator.parameters import PARAMETERS_FILE, ParametersChanged, freeze, frozen, read, write_values


def test_the_parameters_in_the_repository_are_those_that_were_frozen() -> None:
    values, claimed = read()
    assert values.sha256 == claimed
    assert frozen().sha256 == claimed


def test_an_edited_value_is_refused_until_it_is_frozen_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "parameters.toml"
    copy.write_text(PARAMETERS_FILE.read_text(encoding="utf-8"), encoding="utf-8")
    write_values({"start_rate": 0.5}, copy)
    monkeypatch.setattr(parameters, "read", lambda path=copy: read(path))
    with pytest.raises(ParametersChanged):
        frozen.__wrapped__()
    freeze(copy)
    assert frozen.__wrapped__().start_rate == 0.5


def test_a_comment_does_not_change_the_hash(tmp_path: Path) -> None:
    copy = tmp_path / "parameters.toml"
    copy.write_text("# a remark\n" + PARAMETERS_FILE.read_text(encoding="utf-8"), encoding="utf-8")
    assert read(copy)[0].sha256 == read()[0].sha256


def test_an_unknown_parameter_is_an_error() -> None:
    with pytest.raises(KeyError, match="no_such"):
        frozen().with_values(no_such=1.0)
