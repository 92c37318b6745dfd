"""Do studies find the truth? A hundred of them, each on five simulated hospitals of its own.

The effect is known, the treatment goes to the sicker, and the record shows only traces of what made them so. Each study
also has an outcome that no treatment touches and that is none of its negative controls: the null comparison.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import binomtest, kstest

import ml.rwe
from ml.omop.source import OmopSource
from ml.rwe import simulated_hospital as simulated
from ml.rwe.calibration import SystematicError, fit_systematic_error
from ml.rwe.cohort import MAIN_OUTCOME
from ml.rwe.hospital import HospitalStudy
from ml.rwe.pooling import Estimate, pool_fixed
from ml.rwe.protocol import Protocol, parse_protocol
from ml.rwe.study import combine_diagnostics, prepare_all
from ml.rwe.survival import partial_likelihood
from tests.figures import Figure, figure

STUDIES = 100
PATIENTS = (1800, 1300, 1000, 700, 500)
HAZARD_RATIO = 0.75
EXAMPLE = Path(ml.rwe.__file__).parent / "example_study.toml"
METHODS = ("matching", "stratification", "weighting", "none")


@dataclass(frozen=True)
class Found:
    """One study by one method: estimate, bias by the negative controls, and the null outcome's estimate."""

    estimate: Estimate
    null: Estimate
    bias: SystematicError


@dataclass(frozen=True)
class StudyOutcome:
    truth: float
    passed: bool
    found: dict[str, Found]


def protocol_with_null_outcome() -> Protocol:
    """The example study, with the held-out null outcome read along as if it were one more negative control."""
    text = EXAMPLE.read_text(encoding="utf-8")
    protocol = parse_protocol(text.encode())
    return replace(protocol, negative_controls=(*protocol.negative_controls, simulated.HELD_OUT_CONCEPT))


def hospitals(seed: int, scenario: simulated.Scenario) -> list[OmopSource]:
    return [
        OmopSource.of_tables(simulated.simulated_hospital(seed, number, patients, scenario), f"hospital {number + 1}")
        for number, patients in enumerate(PATIENTS)
    ]


def profiles_of(hospital: HospitalStudy, outcome: str, method: str) -> np.ndarray | None:
    """As the hospital shares it."""
    analysis = next(one for one in hospital.protocol.analyses if one.adjustment == method)
    profile = hospital.profile(outcome, analysis)
    return None if profile is None else np.array(profile)


def pooled(parts: list[HospitalStudy], outcome: str, method: str) -> Estimate | None:
    profiles = [profiles_of(part, outcome, method) for part in parts]
    return pool_fixed([profile for profile in profiles if profile is not None])


def one_study(seed: int, methods: tuple[str, ...] = METHODS) -> StudyOutcome:
    protocol = protocol_with_null_outcome()
    # The outcome's dependence on severity varies between studies as that of the negative controls does.
    slope = float(np.random.default_rng([seed, 9]).normal(*simulated.CONTROL_SLOPE))
    scenario = simulated.Scenario(HAZARD_RATIO, slope)
    parts, declined = prepare_all(hospitals(seed, scenario), protocol)
    passed = combine_diagnostics(protocol, [part.diagnostics() for part in parts], declined)["passed"]
    found = {}
    for method in methods:
        controls = [pooled(parts, str(concept), method) for concept in protocol.negative_controls[:-1]]
        known = [one for one in controls if one is not None]
        bias = fit_systematic_error([one.log_hazard_ratio for one in known], [one.standard_error for one in known])
        estimate = pooled(parts, MAIN_OUTCOME, method)
        null = pooled(parts, str(simulated.HELD_OUT_CONCEPT), method)
        if estimate is None or null is None or bias is None:
            raise RuntimeError(f"study {seed} gave no estimate by {method}")
        found[method] = Found(estimate, null, bias)
    return StudyOutcome(np.log(simulated.true_hazard_ratio(scenario)), passed, found)


def covers(estimate: Estimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


def coverage(studies: list[StudyOutcome]) -> Iterator[Figure]:
    """Is the share of 95 % intervals that hold the truth what binomial chance allows around 0.95?"""
    for method in METHODS:
        name = {"none": "crude"}.get(method, method)
        plain = sum(covers(study.found[method].estimate, study.truth) for study in studies)
        held = sum(
            covers(study.found[method].bias.calibrated(study.found[method].estimate), study.truth) for study in studies
        )
        nominal = bool(binomtest(held, len(studies), 0.95).pvalue > 0.05)
        if method == "none":
            yield figure(
                "rwe.coverage_of_crude_interval",
                plain / len(studies),
                "share of studies",
                goal="wrong: well below 0.95",
                met=bool(plain / len(studies) < 0.5),
            )
            continue
        yield figure(
            f"rwe.coverage_of_calibrated_interval_{name}",
            held / len(studies),
            "share of studies",
            baseline=plain / len(studies),
            goal=f"0.95 as binomial chance allows over {len(studies)} studies (baseline: not calibrated)",
            met=nominal,
        )
        p_values = [study.found[method].bias.p_value(study.found[method].null) for study in studies]
        uniform = float(kstest(p_values, "uniform").pvalue)
        yield figure(
            f"rwe.null_p_uniform_{name}",
            uniform,
            "p of Kolmogorov-Smirnov",
            goal="above 0.05: calibrated p of the null comparison is uniform",
            met=uniform > 0.05,
        )
        yield figure(
            f"rwe.null_p_below_0.05_{name}",
            float(np.mean(np.array(p_values) < 0.05)),
            "share of studies",
            goal="near 0.05",
        )


def errors(studies: list[StudyOutcome]) -> Iterator[Figure]:
    """Mean error of the log hazard ratio: what adjustment takes away, and what calibration takes away after it."""
    crude = float(np.mean([study.found["none"].estimate.log_hazard_ratio - study.truth for study in studies]))
    for method in METHODS[:-1]:
        adjusted = float(np.mean([study.found[method].estimate.log_hazard_ratio - study.truth for study in studies]))
        calibrated = float(
            np.mean(
                [
                    study.found[method].bias.calibrated(study.found[method].estimate).log_hazard_ratio - study.truth
                    for study in studies
                ]
            )
        )
        yield figure(f"rwe.mean_error_{method}", adjusted, "log hazard ratio", baseline=crude)
        yield figure(f"rwe.mean_error_calibrated_{method}", calibrated, "log hazard ratio", baseline=adjusted)
    truth = float(np.exp(np.mean([study.truth for study in studies])))
    yield figure("rwe.true_hazard_ratio", truth, "hazard ratio")
    yield figure(
        "rwe.crude_hazard_ratio",
        float(np.exp(np.mean([study.found["none"].estimate.log_hazard_ratio for study in studies]))),
        "hazard ratio",
        baseline=truth,
    )
    yield figure(
        "rwe.studies_whose_diagnostics_passed", float(np.mean([study.passed for study in studies])), "share of studies"
    )


def pooled_rows(parts: list[HospitalStudy], method: str) -> Estimate:
    """The same analysis with everybody's rows in one place, people compared within their hospital."""
    columns: list[list[np.ndarray]] = [[], [], [], []]
    offset = 0
    for part in parts:
        analysis = next(one for one in part.protocol.analyses if one.adjustment == method)
        sample = part.sample(analysis.adjustment)
        days, event = part.cohort.times(MAIN_OUTCOME, analysis.follow_up)
        stratum = sample.stratum + offset
        offset = int(stratum.max()) + 1
        for column, values in zip(
            columns, (days[sample.kept], event[sample.kept], part.cohort.target[sample.kept], stratum), strict=True
        ):
            column.append(values)
    days, event, target, stratum = (np.concatenate(column) for column in columns)
    found = partial_likelihood(days, event, target, stratum).estimate()
    if found is None:
        raise RuntimeError("no estimate from pooled rows")
    log_hazard_ratio, error = found
    return Estimate(log_hazard_ratio, error, log_hazard_ratio - 1.96 * error, log_hazard_ratio + 1.96 * error)


def pooling(seeds: range) -> Iterator[Figure]:
    """The largest relative difference over studies, in hazard ratio and standard error."""
    protocol = protocol_with_null_outcome()
    ratios: dict[str, list[float]] = {method: [] for method in ("matching", "stratification")}
    for seed in seeds:
        parts, _ = prepare_all(hospitals(seed, simulated.Scenario(HAZARD_RATIO)), protocol)
        for method, found in ratios.items():
            rows, profiles = pooled_rows(parts, method), pooled(parts, MAIN_OUTCOME, method)
            if profiles is None:
                raise RuntimeError("no estimate from profiles")
            found.append(abs(profiles.hazard_ratio / rows.hazard_ratio - 1))
            found.append(abs(profiles.standard_error / rows.standard_error - 1))
    for method, found in ratios.items():
        yield figure(
            f"rwe.profiles_against_pooled_rows_{method}",
            100 * max(found),
            "percent",
            goal="within 1 % (hazard ratio and standard error)",
            met=bool(max(found) <= 0.01),
        )


def figures() -> Iterator[Figure]:
    studies = [one_study(seed) for seed in range(STUDIES)]
    yield from coverage(studies)
    yield from errors(studies)
    yield from pooling(range(1000, 1010))
