"""The chance of the target treatment given what was recorded before: L1 logistic regression, its penalty validated."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from ml.rwe.covariates import CovariateTable

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

# Inverse strength of the penalty, from strong to weak; the search stops where the validated loss rises.
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
FOLDS = 3
# The penalty is chosen on so many patients at most, then scaled: the best one grows with the root of their number.
PATIENTS_FOR_PENALTY = 20_000
# A column on a hundred times larger scale pays a hundredth of the penalty: severity terms are hardly shrunk.
SEVERITY_SCALE = 100.0
# Walker 2013: the share of patients whose preference score lies here had either treatment open to them.
EQUIPOISE = (0.3, 0.7)


@dataclass(frozen=True, slots=True, eq=False)
class PropensityModel:
    """`score` per patient, strictly between 0 and 1; `preference` is the score less how common the target is."""

    score: Float64
    preference: Float64
    covariates_used: int
    penalty: float

    @property
    def logit(self) -> Float64:
        return np.log(self.score / (1 - self.score))

    @property
    def equipoise(self) -> float:
        inside = (self.preference >= EQUIPOISE[0]) & (self.preference <= EQUIPOISE[1])
        return float(inside.mean())


def _regression(inverse_penalty: float) -> LogisticRegression:
    return LogisticRegression(
        C=inverse_penalty,
        l1_ratio=1.0,
        solver="liblinear",
        intercept_scaling=100.0,
        tol=1e-3,
        max_iter=200,
        random_state=0,
    )


def _scaled(table: CovariateTable) -> sparse.csr_matrix:
    """Columns with SD 1 (not centred, to stay sparse), severity terms larger."""
    mean = np.asarray(table.matrix.mean(axis=0)).ravel()
    square = np.asarray(table.matrix.multiply(table.matrix).mean(axis=0)).ravel()
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    scale = np.where(spread > 0, 1 / np.where(spread > 0, spread, 1), 0) * np.where(table.severity, SEVERITY_SCALE, 1.0)
    return sparse.csr_matrix(table.matrix @ sparse.diags(scale))


def _log_loss(target: Bool, score: Float64) -> float:
    clipped = np.clip(score, 1e-9, 1 - 1e-9)
    return float(-np.mean(np.where(target, np.log(clipped), np.log(1 - clipped))))


def _best_penalty(matrix: sparse.csr_matrix, target: Bool, rng: np.random.Generator) -> float:
    """Least validated loss; needs at least FOLDS patients in each arm."""
    fold = np.empty(len(target), dtype=np.int64)
    for arm in (target, ~target):
        places = np.flatnonzero(arm)
        fold[rng.permutation(places)] = np.arange(len(places)) % FOLDS
    best, best_loss = PENALTIES[0], np.inf
    for penalty in PENALTIES:
        loss = 0.0
        for number in range(FOLDS):
            train, held = fold != number, fold == number
            fitted = _regression(penalty).fit(matrix[train], target[train])
            loss += _log_loss(target[held], fitted.predict_proba(matrix[held])[:, 1]) * held.sum()
        if loss >= best_loss:
            break
        best, best_loss = penalty, loss
    return best


def fit_propensity(table: CovariateTable, target: Bool, seed: int = 0) -> PropensityModel:
    """Scores of all patients. Raises ValueError where an arm has fewer than FOLDS patients."""
    if min(target.sum(), (~target).sum()) < FOLDS:
        raise ValueError(f"each arm needs at least {FOLDS} patients for a propensity score")
    matrix = _scaled(table)
    rng = np.random.default_rng(seed)
    penalty = 0.0
    if len(target) > PATIENTS_FOR_PENALTY:
        some = np.sort(rng.choice(len(target), PATIENTS_FOR_PENALTY, replace=False))
        penalty = _best_penalty(matrix[some], target[some], rng) / np.sqrt(len(target) / PATIENTS_FOR_PENALTY)
    else:
        penalty = _best_penalty(matrix, target, rng)
    fitted = _regression(penalty).fit(matrix, target)
    score = np.clip(fitted.predict_proba(matrix)[:, 1], 1e-6, 1 - 1e-6)
    prevalence = target.mean()
    odds = score / (1 - score) * (1 - prevalence) / prevalence
    return PropensityModel(score, odds / (1 + odds), int(np.count_nonzero(fitted.coef_)), penalty)
