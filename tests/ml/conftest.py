"""A small made-up clinic and a model trained on it, shared by the tests of ml."""

from pathlib import Path

import numpy as np
import pytest

from ml.contract import Diaries, Profiles
from ml.forecaster import Forecaster
from ml.model import Model, save_model
from ml.training.fit import Cohort, TrainingPlan, train

FIRST_DAY = 738_900
SMALL_PLAN = TrainingPlan(seed=3, trees=20, folds=2, every_days=2, threshold_patients=60)


def made_up_cohort(seed: int, patients: int, days: int) -> Cohort:
    """Diaries with real structure and dirt: attacks after days of falling peak flow, gaps, patients without a meter."""
    rng = np.random.default_rng(seed)
    severity = rng.gamma(2.0, 0.5, patients)
    onset = rng.random((patients, days)) < 0.006 * severity[:, None]
    load = np.zeros((patients, days))
    for ahead in range(6):
        load[:, : days - ahead] = np.maximum(load[:, : days - ahead], onset[:, ahead:] * (6 - ahead) / 6)
    usual = rng.uniform(250, 550, patients)[:, None]
    blows = usual * np.exp(rng.normal(0, 0.05, (2, patients, days)) - 0.3 * load)
    observed = rng.random((7, patients, days)) < 0.85
    observed[:2] &= rng.random((1, patients, 1)) < 0.8
    symptoms = np.clip(np.round(severity[:, None] * 0.4 + 2 * load + rng.normal(0, 0.4, load.shape)), 0, 3)
    values = {
        "morning_litres_per_min": np.clip(blows[0], 60, 850),
        "evening_litres_per_min": np.clip(blows[1] * 1.03, 60, 850),
        "day_symptoms": symptoms,
        "night_waking": (rng.random(load.shape) < 0.05 + 0.5 * load).astype(float),
        "activity_limited": (rng.random(load.shape) < 0.05 + 0.5 * load).astype(float),
        "reliever_puffs": rng.poisson(0.5 * severity[:, None] + 5 * load).astype(float),
        "controller_fraction": rng.integers(0, 3, load.shape) / 2,
    }
    entered = rng.random((patients, days)) < 0.9
    columns = {name: np.where(observed[i] & entered, value, np.nan) for i, (name, value) in enumerate(values.items())}
    columns["systemic_steroids"] = onset.astype(float)
    patient, day = np.nonzero(entered | onset)
    diaries = Diaries.of(patient, day + FIRST_DAY, **{name: value[patient, day] for name, value in columns.items()})
    profiles = Profiles.of(
        patients,
        hospital=rng.integers(0, 3, patients),
        age_years=rng.integers(8, 80, patients),
        female=rng.integers(0, 2, patients),
        personal_best_litres_per_min=np.where(rng.random(patients) < 0.8, usual[:, 0] * 1.1, np.nan),
        treatment_step=rng.integers(1, 6, patients),
        severe_attacks_last_year=rng.poisson(severity),
    )
    return Cohort(diaries, profiles, np.full(patients, FIRST_DAY + days - 1, dtype=np.int64))


@pytest.fixture(scope="session")
def cohort() -> Cohort:
    return made_up_cohort(seed=1, patients=160, days=150)


@pytest.fixture(scope="session")
def model(cohort: Cohort) -> Model:
    return train(cohort, SMALL_PLAN, {"model_id": "test", "model_version": "7"})


@pytest.fixture(scope="session")
def model_folder(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "test"
    save_model(model, folder)
    return folder


@pytest.fixture(scope="session")
def forecaster(model: Model) -> Forecaster:
    return Forecaster(model)
