"""How long propensity scores and matching of 100,000 patients take, and a whole study of five hospitals."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import sparse

import ml.rwe
from ml.omop.source import OmopSource
from ml.rwe.adjustment import match
from ml.rwe.covariates import CovariateTable
from ml.rwe.propensity import fit_propensity
from ml.rwe.protocol import read_protocol
from ml.rwe.simulated_hospital import simulated_hospital
from ml.rwe.study import combine_diagnostics, combine_results, prepare_all
from tests.figures import Figure, figure

PATIENTS, COVARIATES, RECORDED_SHARE = 100_000, 500, 0.03
EXAMPLE = Path(ml.rwe.__file__).parent / "example_study.toml"


def large_cohort() -> tuple[CovariateTable, np.ndarray]:
    """500 covariates of which a patient has 15 or so, thirty of them behind the choice."""
    rng = np.random.default_rng(1)
    matrix = sparse.random(PATIENTS, COVARIATES, RECORDED_SHARE, "csr", random_state=1, data_rvs=np.ones)
    slope = np.zeros(COVARIATES)
    slope[:30] = rng.normal(0, 0.6, 30)
    target = rng.random(PATIENTS) < 1 / (1 + np.exp(-(matrix @ slope - 0.3)))
    names = tuple(f"covariate {number}" for number in range(COVARIATES))
    return CovariateTable(sparse.csr_matrix(matrix), names, np.zeros(COVARIATES, dtype=bool), {}), target


def figures() -> Iterator[Figure]:
    table, target = large_cohort()
    started = time.perf_counter()
    model = fit_propensity(table, target)
    fitted = time.perf_counter()
    logit = model.logit
    sets = match(logit, target, caliper=0.2 * float(logit.std()))
    done = time.perf_counter()
    yield figure(
        "rwe.propensity_and_matching_100000_patients",
        done - started,
        "s",
        goal="at most 60 s",
        met=done - started <= 60,
    )
    yield figure("rwe.matching_100000_patients", done - fitted, "s", baseline=fitted - started)
    yield figure(
        "rwe.matched_share_of_the_smaller_arm", (sets >= 0).sum() / 2 / min(target.sum(), (~target).sum()), "share"
    )
    protocol = read_protocol(EXAMPLE)
    sources = [
        OmopSource.of_tables(simulated_hospital(1, place, patients), f"Hospital {place + 1}")
        for place, patients in enumerate((1800, 1300, 1000, 700, 500))
    ]
    started = time.perf_counter()
    hospitals, declined = prepare_all(sources, protocol)
    combine_diagnostics(protocol, [one.diagnostics() for one in hospitals], declined)
    combine_results(protocol, [one.results() for one in hospitals])
    yield figure("rwe.study_of_five_hospitals_5300_patients", time.perf_counter() - started, "s")
    for source in sources:
        source.close()
