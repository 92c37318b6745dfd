"""Peers from other libraries, on the same rows and features: GPBoost and River."""

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.contenders import LearnRows
from ml.personal import Float64
from ml.training.fit import TrainingPlan

# A random intercept a patient costs minutes on every row, so negatives are thinned and the base rate is put back.
GPBOOST_NEGATIVE_SHARE = 0.08
GPBOOST_ROUNDS = 100
RIVER_ROWS = 60_000


def gpboost_logit(rows: LearnRows, features: NDArray[np.float32], plan: TrainingPlan) -> Float64:
    """Boosted trees with a random intercept a patient; unseen patients get the mean intercept."""
    gpboost: Any = importlib.import_module("gpboost")
    kept = rows.label | (np.random.default_rng(plan.seed).random(len(rows.label)) < GPBOOST_NEGATIVE_SHARE)
    learned = np.nan_to_num(rows.features[kept].astype(np.float64), nan=-9.0)
    groups = gpboost.GPModel(group_data=rows.patient[kept], likelihood="bernoulli_logit")
    groups.set_prediction_data(group_data_pred=np.full(len(features), -1))
    booster = gpboost.train(
        params={"learning_rate": 0.05, "num_leaves": 7, "min_data_in_leaf": 100, "verbose": -1, "num_threads": 1},
        train_set=gpboost.Dataset(learned, rows.label[kept].astype(np.float64), free_raw_data=False),
        gp_model=groups,
        num_boost_round=GPBOOST_ROUNDS,
    )
    found = booster.predict(
        data=np.nan_to_num(features.astype(np.float64), nan=-9.0),
        group_data_pred=np.full(len(features), -1),
        predict_var=False,
        pred_latent=True,
        ignore_gp_model=True,
    )
    fixed = found["fixed_effect"] if isinstance(found, dict) else found
    logit: Float64 = np.asarray(fixed, dtype=np.float64) + np.log(GPBOOST_NEGATIVE_SHARE)
    return logit


def river_logit(rows: LearnRows, features: NDArray[np.float32], plan: TrainingPlan) -> Float64:
    """Streaming logistic regression, one pass in the order of days over at most 60,000 rows."""
    linear_model: Any = importlib.import_module("river.linear_model")
    optim: Any = importlib.import_module("river.optim")
    centre = np.nanmean(rows.features, axis=0)
    scale = np.nanstd(rows.features, axis=0) + 1e-6

    def standard(values: NDArray[np.float32]) -> NDArray[np.float32]:
        clipped: NDArray[np.float32] = np.nan_to_num(np.clip((values - centre) / scale, -5, 5), nan=0.0)
        return clipped

    order = np.argsort(rows.day, kind="stable")
    if len(order) > RIVER_ROWS:
        chosen = np.random.default_rng(plan.seed).choice(len(order), RIVER_ROWS, replace=False)
        order = order[np.sort(chosen)]
    model = linear_model.LogisticRegression(optimizer=optim.SGD(0.01), intercept_lr=0.01)
    for row, label in zip(standard(rows.features[order]).tolist(), rows.label[order].tolist(), strict=True):
        model.learn_one(dict(enumerate(row)), label)
    weights = np.array([model.weights.get(column, 0.0) for column in range(features.shape[1])])
    return np.asarray(standard(features) @ weights + model.intercept, dtype=np.float64)
