"""What is compared: the product, the models it must beat, and the rules. Each learns from one side of a split.

All see the same rows; a contender gets log-odds of every day of the patients judged, (days, patients).
"""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import lightgbm
import numpy as np
from numpy.typing import NDArray

from ml.evaluation.metrics import auroc
from ml.evaluation.splits import Split
from ml.evaluation.study_data import StudyData
from ml.model import MAIN_HORIZON_DAYS
from ml.personal import Float64, hospital_shift
from ml.scoring import personalised
from ml.training.calibration import hospital_factors
from ml.training.experts import PARAMETERS
from ml.training.fit import TrainingPlan, fit_calibrated_head, patient_folds

Bool = NDArray[np.bool_]

PRODUCT = "soom"
POPULATION = "soom_without_personal_layer"
LINEAR = "logistic_regression"
PLAIN_TREES = "plain_lightgbm"
TODAY_ONLY = "lightgbm_today_only"
GPBOOST = "gpboost"
RIVER = "river"
ORACLE = "oracle"


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """`logit` is the chance as log-odds, or None where a contender gives no chance; alarms go by `alarm_score`."""

    logit: Float64 | None
    alarm_score: Float64


@dataclass(frozen=True, slots=True, eq=False)
class LearnRows:
    """The rows to learn from: features, today's entries, outcome, patient and day offset."""

    features: NDArray[np.float32]
    today: NDArray[np.float32]
    label: Bool
    patient: NDArray[np.intp]
    day: NDArray[np.intp]


def learn_rows(data: StudyData, split: Split, plan: TrainingPlan) -> LearnRows:
    """Judged days on the learning side, thinned as in training."""
    offset = np.arange(len(data.judged))[:, None]
    thinned = (offset + np.arange(data.patients)) % plan.every_days == 0
    day, patient = np.nonzero(split.learn & data.judged & thinned)
    return LearnRows(data.days.features[day, patient], data.today[day, patient], data.label[day, patient], patient, day)


def _everywhere(data: StudyData, wanted: Bool, score: Callable[[Bool], Float64]) -> Float64:
    result = np.full(wanted.shape, np.nan)
    result[wanted] = score(wanted)
    return result


def score_split(data: StudyData, split: Split, plan: TrainingPlan, names: frozenset[str]) -> dict[str, Scored]:
    """Fit the named contenders on the split and score all days of the patients that it judges."""
    rows = learn_rows(data, split, plan)
    wanted = (data.days.diary_days >= 1) & split.test.any(axis=0)
    scored: dict[str, Scored] = {}

    fitted = fit_calibrated_head(rows.features, rows.label, patient_folds(data.patients, plan)[rows.patient], plan)
    factors = hospital_factors(
        fitted.held_out_logit,
        rows.label,
        data.profiles.hospital[rows.patient],
        MAIN_HORIZON_DAYS,
        plan.every_days,
    )
    site_shift = hospital_shift(factors, data.profiles.hospital)
    population = _everywhere(data, wanted, lambda where: fitted.head.logit(data.days.features[where])) + site_shift
    daily = personalised(data.days, population)
    scored[PRODUCT] = Scored(daily.logit, daily.alarm_score)
    scored[POPULATION] = Scored(population, population)
    linear = _everywhere(data, wanted, lambda where: fitted.head.linear.logit(data.days.features[where]))
    scored[LINEAR] = Scored(linear, linear)
    for name, source, inputs in (
        (PLAIN_TREES, data.days.features, rows.features),
        (TODAY_ONLY, data.today, rows.today),
    ):
        if name not in names:
            continue
        booster = lightgbm.train(
            {"objective": "binary", "verbosity": -1, "num_threads": 1, "seed": plan.seed, "deterministic": True},
            lightgbm.Dataset(inputs, label=rows.label.astype(np.float32)),
            num_boost_round=100,
        )
        logit = np.full(wanted.shape, np.nan)
        logit[wanted] = np.asarray(booster.predict(source[wanted], raw_score=True, num_threads=1))
        scored[name] = Scored(logit, logit)
    for name, peer in available_peers().items():
        if name in names:
            logit = np.full(wanted.shape, np.nan)
            logit[wanted] = peer(rows, data.days.features[wanted], plan)
            scored[name] = Scored(logit, logit)
    return {name: found for name, found in scored.items() if name in names}


Peer = Callable[[LearnRows, NDArray[np.float32], TrainingPlan], Float64]


def available_peers() -> Mapping[str, Peer]:
    """GPBoost and River, where they are installed (`ml/evaluation/peers.lock`)."""
    peers: dict[str, Peer] = {}
    if importlib.util.find_spec("gpboost"):
        from ml.evaluation.peers import gpboost_logit

        peers[GPBOOST] = gpboost_logit
    if importlib.util.find_spec("river"):
        from ml.evaluation.peers import river_logit

        peers[RIVER] = river_logit
    return peers


def rules_and_oracle(data: StudyData) -> dict[str, Scored]:
    """What needs no learning: action-plan rules, and the simulator's own chance where it is known."""
    below_60 = np.where(np.isnan(data.of_best), -np.inf, (data.of_best < 0.6).astype(np.float64))
    scored = {
        "action_plan_yellow_or_red": Scored(None, data.action_plan),
        "peak_flow_below_60_percent": Scored(None, below_60),
        "bioair_rule": Scored(None, data.bioair.astype(np.float64)),
    }
    if data.oracle is not None:
        chance = np.clip(data.oracle, 1e-9, 1 - 1e-9)
        logit = np.log(chance / (1 - chance))
        scored[ORACLE] = Scored(logit, logit)
    return scored


@dataclass(frozen=True, slots=True)
class OwnTrees:
    """Per-patient LightGBM on each patient's first half against the population model on the same second halves."""

    patients: int
    own_auroc: float
    population_auroc: float


def per_patient_trees(data: StudyData, population: Float64) -> OwnTrees | None:
    """Only patients with an attack in both halves can be judged; None where there are none."""
    own, other, labels = [], [], []
    half = len(data.judged) // 2
    for patient in range(data.patients):
        judged, label = data.judged[:, patient], data.label[:, patient]
        first, second = judged.copy(), judged.copy()
        first[half - MAIN_HORIZON_DAYS :] = False
        second[:half] = False
        if not (label[first].any() and label[second].any()):
            continue
        features = data.days.features[:, patient]
        booster = lightgbm.train(
            PARAMETERS | {"min_data_in_leaf": 5, "objective": "binary"},
            lightgbm.Dataset(features[first], label=label[first].astype(np.float32), params={"verbosity": -1}),
            num_boost_round=50,
        )
        own.append(np.asarray(booster.predict(features[second], raw_score=True)))
        other.append(population[second, patient])
        labels.append(label[second])
    if not own:
        return None
    outcome = np.concatenate(labels)
    return OwnTrees(len(own), auroc(np.concatenate(own), outcome), auroc(np.concatenate(other), outcome))
