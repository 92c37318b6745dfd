"""Champion against challenger on the same unseen diaries: the rule by which a refit may be approved."""

from typing import Any

import numpy as np

from ml.alarms import AMBER_BUDGET, threshold_for_budget
from ml.evaluation.bootstrap import interval, patient_weights, ratio_replicates
from ml.evaluation.metrics import alarm_counts
from ml.evaluation.study import ATTACKS_TO_JUDGE
from ml.evaluation.study_data import StudyData
from ml.model import MAIN_HORIZON_DAYS, Model
from ml.personal import hospital_shift, logistic
from ml.scoring import head_logit, personalised

NON_INFERIORITY = 0.02
CALIBRATED = (0.8, 1.25)


def challenge(champion: Model, challenger: Model, data: StudyData, seed: int) -> dict[str, Any]:
    """Sensitivity at the amber budget and calibration of both; `verdict` is promote, keep or too_few_attacks."""
    weights = patient_weights(data.patients, seed)
    attacks = int(data.days.onset.sum())
    found: dict[str, Any] = {"attacks": attacks}
    replicates = []
    for name, model in (("champion", champion), ("challenger", challenger)):
        wanted = data.days.diary_days >= 1
        site_shift = hospital_shift(model.hospital_factor, data.profiles.hospital)
        daily = personalised(data.days, head_logit(model.heads[MAIN_HORIZON_DAYS], data.days, wanted) + site_shift)
        threshold = threshold_for_budget(daily.alarm_score, data.alarm_days, AMBER_BUDGET)
        counts = alarm_counts(daily.alarm_score, data.alarm_days, data.days.onset, threshold)
        replicates.append(ratio_replicates(counts.caught, counts.attacks, weights))
        expected = logistic(daily.logit[data.judged]).sum()
        found[name] = {
            "model": f"{model.model_id}-{model.model_version}",
            "sensitivity": counts.figures(threshold).sensitivity,
            "observed_over_expected": float(data.label[data.judged].sum() / expected) if expected else float("nan"),
        }
    difference = found["challenger"]["sensitivity"] - found["champion"]["sensitivity"]
    bounds = interval(difference, np.asarray(replicates[1] - replicates[0]))
    found["sensitivity_difference"] = {"value": difference, "low": bounds.low, "high": bounds.high}
    calibrated = CALIBRATED[0] <= found["challenger"]["observed_over_expected"] <= CALIBRATED[1]
    if attacks < ATTACKS_TO_JUDGE:
        found["verdict"] = "too_few_attacks"
    else:
        found["verdict"] = "promote" if calibrated and difference >= -NON_INFERIORITY else "keep"
    return found
