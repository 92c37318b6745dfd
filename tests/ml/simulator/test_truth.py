"""No model may reach the truth, and the oracle must be right about what it says."""

import ast
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from ml.contract import Diaries, Profiles
from ml.simulator.cohort import simulate

ML = Path(__file__).parents[3] / "ml"
# Evaluation, the command line and training from simulated diaries may make cohorts; models may not see the simulator.
MODEL_MODULES = ("features", "forecaster.py", "advisor.py", "experts.py", "model.py", "scoring.py", "personal.py")


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


def _model_files() -> list[Path]:
    files: list[Path] = []
    for name in MODEL_MODULES:
        path = ML / name
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.exists() else []
    return files


def test_no_model_module_imports_the_simulator() -> None:
    assert len(_model_files()) > 5
    for path in _model_files():
        assert not {name for name in _imports(path) if name.startswith("ml.simulator")}, path


def test_only_evaluation_imports_the_truth_itself() -> None:
    for path in ML.rglob("*.py"):
        if path.is_relative_to(ML / "simulator") or path.is_relative_to(ML / "evaluation"):
            continue
        assert not {name for name in _imports(path) if "simulator.truth" in name or "counterfactual" in name}, path


def test_neither_diaries_nor_profiles_lead_to_the_truth() -> None:
    cohort = simulate(1, 30, 40, oracle=True)
    hidden = [cohort.truth.severe_onset, cohort.truth.chance_today, cohort.truth.load]
    hidden += list(cohort.truth.chance_within.values())
    hidden += [getattr(cohort.truth.people, field.name) for field in fields(cohort.truth.people)]
    for shown in (cohort.diaries, cohort.profiles):
        assert type(shown) in (Diaries, Profiles)
        assert not hasattr(shown, "__dict__")
        for field in fields(shown):
            column = getattr(shown, field.name)
            assert type(column) is np.ndarray
            assert not any(np.shares_memory(column, secret) for secret in hidden)


def test_the_oracle_is_calibrated_at_every_horizon_and_level_of_risk() -> None:
    truth = simulate(4, 4000, 200, severity_shift=0.6, oracle=True).truth
    last = truth.severe_onset.shape[1] - 14
    for horizon, chance in truth.chance_within.items():
        soon = np.zeros((len(chance), last), bool)
        for ahead in range(1, horizon + 1):
            soon |= truth.severe_onset[:, ahead : ahead + last]
        expected = chance[:, :last]
        assert soon.mean() == pytest.approx(expected.mean(), rel=0.08)
        high = expected > np.quantile(expected, 0.98)
        assert soon[high].mean() == pytest.approx(expected[high].mean(), rel=0.12)


def test_longer_horizons_never_have_a_smaller_chance() -> None:
    within = simulate(4, 200, 60, oracle=True).truth.chance_within
    assert (within[3] <= within[7] + 1e-6).all()
    assert (within[7] <= within[14] + 1e-6).all()
