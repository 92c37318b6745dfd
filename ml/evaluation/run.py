"""Whole evaluations, from diaries to report: simulated, from a cohort file, or the published AAMOS-00 files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.evaluation.aamos import one_step_errors, read_cohort, read_sessions
from ml.evaluation.contenders import GPBOOST, RIVER, available_peers
from ml.evaluation.report import write_report
from ml.evaluation.splits import Scheme
from ml.evaluation.study import StudyPlan, judge_model, run_study
from ml.evaluation.study_data import StudyData, study_data
from ml.model import MAIN_HORIZON_DAYS, load_model
from ml.simulator.cohort import simulate
from ml.training.cohort_file import read_cohort_file
from ml.training.fit import Cohort, TrainingPlan

Say = Callable[[str], None]


def simulated_study_data(seed: int, patients: int, days: int) -> StudyData:
    """A simulated cohort laid out with its truth, which only the evaluation reads."""
    simulated = simulate(seed, patients, days, oracle=True)
    truth = simulated.truth
    last_day = np.full(patients, truth.first_day + days - 1, dtype=np.int64)
    cohort = Cohort(simulated.diaries, simulated.profiles, last_day)
    return study_data(cohort, truth.chance_within[MAIN_HORIZON_DAYS], truth.first_day)


def _studies(
    data: StudyData, schemes: Sequence[Scheme], folds: int, trees: int, seed: int, say: Say
) -> tuple[list[dict[str, Any]], list[str]]:
    notes = [
        f"{name} is not installed, so it was not compared; ml/evaluation/peers.lock has it."
        for name in (GPBOOST, RIVER)
        if name not in available_peers()
    ]
    studies = []
    for scheme in schemes:
        plan = StudyPlan(scheme=scheme, folds=folds, training=TrainingPlan(trees=trees, seed=seed), seed=seed)
        try:
            studies.append(run_study(data, plan, say))
        except ValueError as error:
            notes.append(f"{scheme}: {error}")
    return studies, notes


def evaluate_simulated(
    folder: Path, patients: int, days: int, schemes: Sequence[Scheme], folds: int, trees: int, seed: int, say: Say
) -> None:
    """Judge on a simulated cohort, with the oracle beside."""
    studies, notes = _studies(simulated_study_data(seed, patients, days), schemes, folds, trees, seed, say)
    notes.insert(0, "Simulated patients: these figures show that the method works, not how it does in real people.")
    write_report(folder, "Forecast of severe asthma attacks: simulated cohort", studies, notes)


def evaluate_cohort(
    folder: Path,
    cohort_file: Path,
    model_folder: Path,
    schemes: Sequence[Scheme],
    folds: int,
    trees: int,
    seed: int,
    say: Say,
) -> None:
    """Judge a model as it is, and models trained on the cohort itself where it holds enough attacks."""
    data = study_data(read_cohort_file(cohort_file))
    studies, notes = _studies(data, schemes, folds, trees, seed, say)
    as_it_is = judge_model(data, load_model(model_folder), seed)
    write_report(folder, f"Forecast of severe asthma attacks: {cohort_file.stem}", [as_it_is, *studies], notes)


def evaluate_aamos(folder: Path, files: Path, model_folder: Path, seed: int) -> dict[str, Any]:
    """The shipped or given model on the AAMOS-00 diaries, and the one-step peak flow; returns the figures."""
    data = study_data(read_cohort(files))
    study = judge_model(data, load_model(model_folder), seed)
    errors = one_step_errors(read_sessions(files), seed)
    gain = errors.gain
    notes = [
        "Real diaries of 14 adults. An AUROC near 0.9 on these data would mean that something leaked.",
        f"Next morning peak flow: {errors.forecast.value:.2f} % of the own median off on average (95 % interval "
        f"{errors.forecast.low:.2f} to {errors.forecast.high:.2f}), the mean of the seven mornings before "
        f"{errors.moving_average.value:.2f} %, the last one {errors.last.value:.2f} % ({errors.readings} mornings). "
        f"The forecast is closer than that mean by {gain.value:.2f} points ({gain.low:.2f} to {gain.high:.2f}).",
        "The files do not tell the season, so the model's season is arbitrary here.",
    ]
    write_report(folder, "Forecast of severe asthma attacks: AAMOS-00", [study], notes)
    return {"study": study, "one_step": errors}
