"""Before a hospital uses a model from elsewhere: how it does on the hospital's own diaries."""

import math
from typing import Any

import numpy as np

from ml.alarms import AMBER_BUDGET, threshold_for_budget
from ml.evaluation.bootstrap import interval, patient_weights, ratio_replicates, weighted_aurocs
from ml.evaluation.challenge import CALIBRATED
from ml.evaluation.metrics import alarm_counts, auroc
from ml.evaluation.study import ATTACKS_TO_JUDGE
from ml.evaluation.study_data import StudyData
from ml.model import MAIN_HORIZON_DAYS, Model
from ml.personal import hospital_shift, logistic
from ml.scoring import head_logit, personalised


def hospital_check(candidate: Model, current: Model, data: StudyData, seed: int) -> dict[str, Any]:
    """Figures of both models with 95 % intervals over patients; `verdict` is calibrated, not_calibrated or
    too_few_attacks.

    Calibrated: the whole interval of observed over expected lies within what a hospital takes. Below the number of
    attacks to judge by no figure is given at all.
    """
    attacks = int(data.days.onset.sum())
    found: dict[str, Any] = {"patients": data.patients, "attacks": attacks, "candidate": None, "current": None}
    if attacks < ATTACKS_TO_JUDGE or not data.label[data.judged].any():
        return found | {"verdict": "too_few_attacks"}
    found["candidate"] = _figures(candidate, data, seed)
    found["current"] = _figures(current, data, seed)
    low, high = (found["candidate"]["observed_over_expected"][side] for side in ("low", "high"))
    fits = low is not None and high is not None and CALIBRATED[0] <= low and high <= CALIBRATED[1]
    return found | {"verdict": "calibrated" if fits else "not_calibrated"}


def _figures(model: Model, data: StudyData, seed: int) -> dict[str, Any]:
    weights = patient_weights(data.patients, seed)
    wanted = data.days.diary_days >= 1
    shift = hospital_shift(model.hospital_factor, data.profiles.hospital)
    daily = personalised(data.days, head_logit(model.heads[MAIN_HORIZON_DAYS], data.days, wanted) + shift)
    logit, label = daily.logit[data.judged], data.label[data.judged]
    patient = np.nonzero(data.judged)[1]
    observed = np.bincount(patient, label, minlength=data.patients)
    expected = np.bincount(patient, logistic(logit), minlength=data.patients)
    threshold = threshold_for_budget(daily.alarm_score, data.alarm_days, AMBER_BUDGET)
    counts = alarm_counts(daily.alarm_score, data.alarm_days, data.days.onset, threshold)
    return {
        "model": f"{model.model_id}-{model.model_version}",
        "auroc": _shown(auroc(logit, label), weighted_aurocs(logit, label, patient, weights)),
        "observed_over_expected": _shown(
            float(observed.sum() / expected.sum()), (weights @ observed) / np.maximum(weights @ expected, 1e-12)
        ),
        "sensitivity": _shown(
            counts.figures(threshold).sensitivity, ratio_replicates(counts.caught, counts.attacks, weights)
        ),
    }


def _shown(value: float, replicates: np.ndarray) -> dict[str, float | None]:
    bounds = interval(value, replicates)
    return {
        name: None if math.isnan(one) else round(one, 3)
        for name, one in (("value", value), ("low", bounds.low), ("high", bounds.high))
    }
