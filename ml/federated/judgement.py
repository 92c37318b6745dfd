"""What a hospital finds of a finished model on the patients it set aside, beside a model of its own patients alone."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ml.alarms import AMBER_BUDGET
from ml.evaluation.metrics import alarms_at_budget, auroc
from ml.evaluation.study_data import StudyData, study_data
from ml.federated.plan import FederationPlan
from ml.federated.rows import HospitalDataRefused
from ml.model import MAIN_HORIZON_DAYS, Model, ModelRefused, load_model
from ml.personal import hospital_shift, logistic
from ml.scoring import head_logit, personalised
from ml.training.fit import Cohort, TrainingPlan, train

# A hospital does not take a model whose chances are further off on its own patients (as in `ml.evaluation.challenge`).
CALIBRATED = (0.8, 1.25)


def figures_of(model: Model, data: StudyData) -> dict[str, float]:
    """AUROC of judged days, sensitivity at the amber budget, observed over expected."""
    shift = hospital_shift(model.hospital_factor, data.profiles.hospital)
    wanted = data.days.diary_days >= 1
    daily = personalised(data.days, head_logit(model.heads[MAIN_HORIZON_DAYS], data.days, wanted) + shift)
    logit, label = daily.logit[data.judged], data.label[data.judged]
    return {
        "auroc": auroc(logit, label),
        "sensitivity": alarms_at_budget(daily.alarm_score, data.alarm_days, data.days.onset, AMBER_BUDGET).sensitivity,
        "observed_over_expected": float(label.sum() / logistic(logit).sum()),
    }


def own_model(cohort: Cohort, plan: FederationPlan) -> Model | None:
    """What the hospital could train alone, as `ml.training.fit.train` does it; None with too few attacks."""
    training = TrainingPlan(
        seed=plan.seed,
        trees=plan.trees,
        folds=plan.folds,
        every_days=plan.every_days,
        horizons=(MAIN_HORIZON_DAYS,),
    )
    try:
        return train(cohort, training, {"model_id": "own", "model_version": "1"})
    except ValueError:
        return None


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


def judge(cohort: Cohort, aside: np.ndarray, files: Mapping[str, str], plan: FederationPlan) -> dict[str, Any]:
    """Figures, rounded, of the federated and the own model on the patients set aside; None where they are too few."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            federated = read_model(files, Path(folder))
        except ModelRefused as error:
            raise HospitalDataRefused("the finished model does not load here") from error
    if not aside.any():
        return {"enough": False, "adopt": True, "why": "no patients were set aside"}
    data = study_data(cohort.chosen(np.flatnonzero(aside)))
    positives = int(data.label[data.judged].sum())
    if data.patients < plan.privacy.smallest_cell or positives < plan.privacy.smallest_cell:
        return {"enough": False, "adopt": True, "why": "too few patients or attacks among those set aside"}
    own = own_model(cohort.chosen(np.flatnonzero(~aside)), plan)
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
