import numpy as np
import pytest

from ml.features.catalogue import FEATURES
from ml.federated.hospital_data import hospital_rows
from ml.federated.regression import Newton, design, own_fit, standard_from_sums, sums_at
from ml.training.experts import fit_linear
from ml.training.fit import Cohort
from tests.ml.federated.networks import PLAN, SmallNetwork


def test_federated_regression_is_that_of_all_rows_together(
    finished: tuple[SmallNetwork, object], cohorts: dict[str, Cohort]
) -> None:
    _, outcome = finished
    rows = [hospital_rows(cohort, PLAN, code) for code, cohort in enumerate(cohorts.values())]
    chosen = [part.chosen(0, -1) for part in rows]
    features = np.concatenate([part.features[which] for part, which in zip(rows, chosen, strict=True)])
    label = np.concatenate([part.label[0][which] for part, which in zip(rows, chosen, strict=True)])
    pooled = fit_linear(features, label, range(len(FEATURES)), ridge=PLAN.ridge)
    federated = outcome.model.heads[7].linear  # type: ignore[attr-defined]
    assert np.allclose(federated.centre, pooled.centre, atol=1e-5)
    assert np.abs(federated.logit(features) - pooled.logit(features)).max() < 0.01


def made_up_design(seed: int, rows: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    inputs = np.hstack([np.ones((rows, 1)), rng.normal(size=(rows, width))])
    chance = 1 / (1 + np.exp(4.0 - inputs[:, 1:] @ rng.normal(size=width)))
    return inputs, rng.random(rows) < chance


def test_newton_reaches_the_point_without_gradient() -> None:
    inputs, label = made_up_design(1, 3000, 5)
    newton = Newton.from_base_rate(6, float(label.mean()), ridge=10.0)
    while not newton.done:
        newton.advance(sums_at(inputs, label, newton.trial))
    gradient = sums_at(inputs, label, newton.trial)["gradient"]
    gradient[1:] += 10.0 * newton.trial[1:]
    assert np.abs(gradient).max() < 1e-3
    assert newton.iterations < 12


def test_a_start_from_which_plain_newton_runs_away_still_arrives() -> None:
    inputs, label = made_up_design(2, 3000, 5)
    far = np.full(6, 4.0)
    undamped = far.copy()
    for _ in range(6):
        sums = sums_at(inputs, label, undamped)
        hessian = np.zeros((6, 6))
        hessian[np.triu_indices(6)] = sums["hessian"]
        hessian = hessian + np.triu(hessian, 1).T + 1e-9 * np.eye(6)
        undamped = undamped - np.linalg.solve(hessian, sums["gradient"])
        if np.abs(undamped).max() > 1e3:
            break
    newton = Newton(far, ridge=0.0)
    while not newton.done:
        newton.advance(sums_at(inputs, label, newton.trial))
    assert np.abs(undamped).max() > 100
    assert np.abs(sums_at(inputs, label, newton.trial)["gradient"]).max() < 1e-2


def test_hospitals_sums_add_up_to_the_whole() -> None:
    inputs, label = made_up_design(3, 1000, 4)
    at = np.linspace(-1, 1, 5)
    whole = sums_at(inputs, label, at)
    parts = [sums_at(inputs[part], label[part], at) for part in (slice(0, 137), slice(137, None))]
    for name in whole:
        assert np.allclose(parts[0][name] + parts[1][name], whole[name], rtol=1e-5)


def test_a_hospital_without_attacks_starts_nowhere() -> None:
    inputs, label = made_up_design(4, 100, 3)
    assert not own_fit(inputs, np.zeros_like(label), 1.0).any()


def test_gaps_get_a_coefficient_only_where_they_are_common() -> None:
    values = np.array([[1.0, np.nan], [2.0, 5.0], [np.nan, 6.0], [4.0, 7.0]])
    known = (~np.isnan(values)).sum(axis=0).astype(float)
    total, squares = np.nansum(values, axis=0), np.nansum(values**2, axis=0)
    standard = standard_from_sums([0, 1], 4.0, known, total, squares, rarest=0.2, limit=5.0)
    assert standard.with_gap == (0, 1)
    assert design(values, standard)[2, 1] == 0.0
    assert design(values, standard)[2].tolist()[-2:] == [1.0, 0.0]


def test_sums_of_no_regression_are_refused() -> None:
    newton = Newton.from_base_rate(3, 0.1, 1.0)
    with pytest.raises(ValueError, match="not the sums"):
        newton.advance({"loss": np.array([-5.0]), "gradient": np.zeros(3), "hessian": np.zeros(6)})
