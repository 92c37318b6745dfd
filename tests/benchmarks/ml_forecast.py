"""Speed of the forecast: features, nightly scoring, personal updates, one patient online, and the peers' own times."""

import importlib.util
import resource
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import Any, cast

import lightgbm
import numpy as np

from ml.contract import Diaries, Profiles
from ml.evaluation.contenders import LearnRows, available_peers
from ml.features.catalogue import FEATURES
from ml.features.daily import patient_days
from ml.features.filters import DIARY_COLUMNS
from ml.forecaster import Forecaster, load
from ml.online import PatientOnline
from ml.personal import PersonalState, advance_personal
from ml.simulator.cohort import simulate
from ml.training.fit import TrainingPlan
from tests.figures import Figure, figure

SIMULATED_PATIENTS, SIMULATED_DAYS = 1_500, 365
NIGHTLY_PATIENTS, NIGHTLY_DAYS = 100_000, 90
TILE_PATIENTS = 2_000
PEER_ROWS = 60_000


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def simulation_with_features() -> Iterator[Figure]:
    """547k patient-days simulated and turned into features."""

    def whole() -> None:
        cohort = simulate(7, SIMULATED_PATIENTS, SIMULATED_DAYS)
        patient_days(cohort.diaries, cohort.profiles)

    found = median(_seconds(whole) for _ in range(3))
    yield figure(
        "ml.simulated_547k_patient_days_with_features", found, "s", goal="at most 4 s on one core", met=found <= 4.0
    )
    cohort = simulate(7, SIMULATED_PATIENTS, SIMULATED_DAYS)
    seconds = median(_seconds(lambda: patient_days(cohort.diaries, cohort.profiles)) for _ in range(3))
    yield figure("ml.features_patient_days_per_second", SIMULATED_PATIENTS * SIMULATED_DAYS / seconds, "patient-days/s")


def tiled_cohort(patients: int) -> tuple[Diaries, Profiles]:
    """Many patients from few: `TILE_PATIENTS` simulated diaries of ninety days, repeated."""
    cohort = simulate(8, TILE_PATIENTS, NIGHTLY_DAYS)
    copies = patients // TILE_PATIENTS
    rows = len(cohort.diaries)
    columns = {name: np.tile(getattr(cohort.diaries, name), copies) for name in DIARY_COLUMNS}
    index = np.tile(cohort.diaries.patient_index, copies)
    index += np.repeat(np.arange(copies, dtype=np.int32) * TILE_PATIENTS, rows)
    profiles = cohort.profiles.rows(np.tile(np.arange(TILE_PATIENTS), copies))
    return Diaries(patient_index=index, day=np.tile(cohort.diaries.day, copies), **columns), profiles


class _TimedBooster:
    """A booster that adds up the time spent in LightGBM's own predict."""

    def __init__(self, booster: lightgbm.Booster) -> None:
        self._booster = booster
        self.seconds = 0.0

    def predict(self, *arguments: Any, **options: Any) -> Any:
        start = perf_counter()
        try:
            return self._booster.predict(*arguments, **options)
        finally:
            self.seconds += perf_counter() - start


def nightly(forecaster: Forecaster) -> Iterator[Figure]:
    """All patients' forecasts from ninety days each, against LightGBM's own share of the time."""
    diaries, profiles = tiled_cohort(NIGHTLY_PATIENTS)
    timed = {h: _TimedBooster(head.trees.booster) for h, head in forecaster.model.heads.items()}
    heads = {
        horizon: replace(head, trees=replace(head.trees, booster=cast(lightgbm.Booster, timed[horizon])))
        for horizon, head in forecaster.model.heads.items()
    }
    under_watch = Forecaster(replace(forecaster.model, heads=heads))
    as_of = np.full(len(profiles), diaries.day.max(), dtype=np.int32)
    total = _seconds(lambda: under_watch.forecast(diaries, profiles, as_of, explain="raised"))
    own = sum(booster.seconds for booster in timed.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    yield figure(
        "ml.nightly_100k_patients",
        total,
        "s",
        baseline=own,
        goal="at most 3 times LightGBM's own predict time",
        met=total <= 3 * own,
    )
    yield figure("ml.nightly_100k_patients_peak_memory", peak, "GiB", goal="at most 2 GiB", met=peak <= 2.0)
    yield figure("ml.patients_assessed_per_second", len(profiles) / total, "patients/s")


def personal_updates() -> Iterator[Figure]:
    """The personal layer alone, every patient one day forward."""
    patients, days = 100_000, 10
    state = PersonalState.empty(patients)
    logit = np.random.default_rng(1).normal(-5, 1, patients)
    flags = np.zeros(patients, dtype=np.bool_)
    silence = np.zeros(patients, dtype=np.int32)

    def update() -> None:
        for _ in range(days):
            advance_personal(state, logit, 7, onset=flags, recovering=flags, scored=~flags, days_since_entry=silence)

    rate = patients * days / median(_seconds(update) for _ in range(5))
    yield figure("ml.personal_updates", rate, "patient-days/s", goal="at least 100,000", met=rate >= 100_000)


def one_patient_online(forecaster: Forecaster) -> Iterator[Figure]:
    """A new day entered and forecast for one patient with a year of diary."""
    cohort = simulate(9, 60, 365)
    patient_index = int(np.bincount(cohort.diaries.patient_index).argmax())
    rows = np.flatnonzero(cohort.diaries.patient_index == patient_index)
    patient = PatientOnline(forecaster.model, cohort.profiles.rows(slice(patient_index, patient_index + 1)))
    times = []
    for row in rows:
        day = int(cohort.diaries.day[row])
        values = {name: float(getattr(cohort.diaries, name)[row]) for name in DIARY_COLUMNS}
        known = {name: value for name, value in values.items() if not np.isnan(value)}

        def enter(day: int = day, known: dict[str, float] = known) -> None:
            patient.record(day, known)
            patient.forecast(day)

        times.append(_seconds(enter))
    found = median(times[30:]) * 1000
    yield figure("ml.one_patient_online", found, "ms", goal="at most 2 ms", met=found <= 2.0)


def peers() -> Iterator[Figure]:
    """GPBoost, River and per-patient LightGBM, fit and predict on the same rows."""
    rng = np.random.default_rng(3)
    features = rng.normal(size=(PEER_ROWS, len(FEATURES))).astype(np.float32)
    label = rng.random(PEER_ROWS) < 0.02
    rows = LearnRows(features, features, label, np.arange(PEER_ROWS) // 200, np.arange(PEER_ROWS) % 200)
    for name, peer in available_peers().items():
        seconds = _seconds(lambda peer=peer: peer(rows, features, TrainingPlan()))  # type: ignore[misc]
        yield figure(f"ml.{name}_fit_and_predict_60k_rows", seconds, "s")
    if not all(importlib.util.find_spec(name) for name in ("gpboost", "river")):
        yield figure(
            "ml.peers_fit_and_predict_60k_rows", None, "s", goal="install ml/evaluation/peers.lock to time them"
        )
    options = {"objective": "binary", "verbosity": -1, "num_threads": 1}

    def own_model(patient: int) -> None:
        mine = slice(patient * 200, patient * 200 + 200)
        data = lightgbm.Dataset(features[mine], label=label[mine].astype(np.float32), params={"verbosity": -1})
        lightgbm.train(options, data, num_boost_round=50)

    found = median(_seconds(lambda p=p: own_model(p)) for p in range(20)) * 1000  # type: ignore[misc]
    yield figure("ml.per_patient_lightgbm_fit", found, "ms/patient")


def figures() -> Iterator[Figure]:
    """All figures, the quick ones first."""
    forecaster = load()
    yield from personal_updates()
    yield from one_patient_online(forecaster)
    yield from simulation_with_features()
    yield from peers()
    yield from nightly(forecaster)
