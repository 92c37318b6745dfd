"""What a hospital finds of a finished model on the patients it set aside, beside a model of its own patients alone."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ml.alarms import AMBER_BUDGET
from ml.evaluation.bootstrap import interval, patient_weights
from ml.evaluation.metrics import alarms_at_budget, auroc
from ml.evaluation.study_data import StudyData, study_data
from ml.federated.plan import FederationPlan
from ml.federated.rows import HospitalDataRefused, HospitalRows
from ml.model import MAIN_HORIZON_DAYS, Model, ModelRefused, load_model
from ml.personal import hospital_shift, logistic
from ml.scoring import head_logit, personalised
from ml.training.calibration import hospital_factors
from ml.training.fit import Cohort, TrainingPlan, fit_calibrated_head

# A hospital does not take a model whose chances are further off on its own patients (as in `ml.evaluation.challenge`).
CALIBRATED = (0.8, 1.25)
BOOTSTRAP_SEED = 1


def figures_of(model: Model, data: StudyData) -> dict[str, float]:
    """AUROC of judged days, sensitivity at the amber budget, observed over expected with its 95 % interval."""
    shift = hospital_shift(model.hospital_factor, data.profiles.hospital)
    wanted = data.days.diary_days >= 1
    daily = personalised(data.days, head_logit(model.heads[MAIN_HORIZON_DAYS], data.days, wanted) + shift)
    logit, label = daily.logit[data.judged], data.label[data.judged]
    patient = np.nonzero(data.judged)[1]
    observed, expected = (
        np.bincount(patient, values, minlength=data.patients) for values in (label.astype(np.float64), logistic(logit))
    )
    weights = patient_weights(data.patients, BOOTSTRAP_SEED)
    bounds = interval(float(observed.sum() / expected.sum()), (weights @ observed) / (weights @ expected))
    return {
        "auroc": auroc(logit, label),
        "sensitivity": alarms_at_budget(daily.alarm_score, data.alarm_days, data.days.onset, AMBER_BUDGET).sensitivity,
        "observed_over_expected": bounds.value,
        "observed_over_expected_low": bounds.low,
        "observed_over_expected_high": bounds.high,
    }


def own_model(rows: HospitalRows, hospital: int, plan: FederationPlan) -> Model | None:
    """What the hospital could train alone on the rows it learns from, as `ml.training.fit.train` does, without alarms.

    None with too few attacks.
    """
    which = plan.horizons.index(MAIN_HORIZON_DAYS)
    chosen = rows.chosen(which, -1)
    label, patient = rows.label[which][chosen], rows.patient[chosen]
    training = TrainingPlan(seed=plan.seed, trees=plan.trees, folds=plan.folds, ridge=plan.ridge)
    try:
        fitted = fit_calibrated_head(rows.features[chosen], label, rows.fold[patient], training)
    except ValueError:
        return None
    here = np.full(len(label), hospital, dtype=np.int32)
    factors = hospital_factors(fitted.held_out_logit, label, here, MAIN_HORIZON_DAYS, plan.every_days)
    never = float("inf")
    return Model({MAIN_HORIZON_DAYS: fitted.head}, factors, never, never, {"model_id": "own"}, {})


def read_model(files: Mapping[str, str], folder: Path) -> Model:
    """Write the files of a model to `folder` and load it. ModelRefused if it is unusable.

    A text that LightGBM dies of ends this step's own process and no more; admission to a registry tries it again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        if Path(name).name != name or Path(name).suffix not in (".json", ".txt"):
            raise ModelRefused(f"{name!r} is no file of a model")
        (folder / name).write_text(text, encoding="utf-8")
    return load_model(folder)


def judge(
    cohort: Cohort, rows: HospitalRows, hospital: int, files: Mapping[str, str], plan: FederationPlan
) -> dict[str, Any]:
    """Figures, rounded, of the federated and the own model on the patients set aside; None where they are too few."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            federated = read_model(files, Path(folder))
        except ModelRefused as error:
            raise HospitalDataRefused("the finished model does not load here") from error
    aside = rows.fold < 0
    if not aside.any():
        return {"enough": False, "adopt": True, "why": "no patients were set aside"}
    data = study_data(cohort.chosen(np.flatnonzero(aside)))
    positives = int(data.label[data.judged].sum())
    if data.patients < plan.privacy.smallest_cell or positives < plan.privacy.smallest_cell:
        return {"enough": False, "adopt": True, "why": "too few patients or attacks among those set aside"}
    own = own_model(rows, hospital, plan)
    found = figures_of(federated, data)
    # An attack counts once for each day of the horizon before it; two standard errors of that many are luck.
    luck = np.exp(2.0 / np.sqrt(positives / MAIN_HORIZON_DAYS))
    low, high = CALIBRATED[0] / luck, CALIBRATED[1] * luck
    return {
        "enough": True,
        "federated": {name: round(value, 3) for name, value in found.items()},
        "own": None if own is None else {name: round(value, 3) for name, value in figures_of(own, data).items()},
        "adopt": low <= found["observed_over_expected"] <= high and found["auroc"] > 0.5,
    }
