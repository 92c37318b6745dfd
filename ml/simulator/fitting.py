"""Simulated method of moments: moves the free parameters until trials and published baselines come out right."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ml.simulator.parameters import Parameters
from ml.simulator.trial_spec import TrialSpec
from ml.simulator.trials import run_trial

# Marked [F] in parameters.toml. They are moved on the logarithmic scale, so none can change its sign.
FREE_PARAMETERS = (
    "start_rate", "start_severity", "start_log10_eosinophils", "start_log10_feno", "frailty_shape", "turn_severity",
    "emergency_share", "visit_chance", "ics_half_effect_micrograms", "ics_fast_half_effect_micrograms",
    "ics_start_effect", "ics_turn_effect", "laba_turn_effect", "formoterol_relief_turn_effect",
    "lama_turn_effect_infected", "ics_to_peak_flow", "technique_error_delivery", "reliever_log_puffs",
    "night_waking_above", "symptom_offset",
)  # fmt: skip
LOG_RATIO_SPREAD = 0.08
LEVEL_SPREAD = 0.12
STEP = 0.06
PRIOR_SPREAD = 0.5


def moments(parameters: Parameters, trials: Sequence[TrialSpec], patients: int) -> NDArray[np.float64]:
    """(simulated − target) / spread for every target; ratios and levels on the logarithmic scale."""
    found = []
    for spec in trials:
        for estimate in run_trial(replace(spec, patients=patients), parameters).estimates:
            if estimate.target is None:
                continue
            ratio = estimate.value / estimate.target.value
            spread = LOG_RATIO_SPREAD if estimate.is_ratio else LEVEL_SPREAD
            found.append(np.log(max(ratio, 1e-3)) / spread)
    return np.array(found)


def fit(
    parameters: Parameters,
    trials: Sequence[TrialSpec],
    *,
    free: Sequence[str] = FREE_PARAMETERS,
    patients: int = 1500,
    iterations: int = 3,
    report: Callable[[str], None] = lambda line: None,
) -> Parameters:
    """Gauss-Newton with common random numbers and a weak prior at the starting values.

    One iteration runs every trial once per free parameter and once more for each step length that is tried. The
    starting values come back unchanged if nothing better is found.
    """
    best = parameters
    gap = moments(best, trials, patients)
    report(f"start: mean squared gap {np.mean(gap**2):.3f} over {len(gap)} targets")
    for iteration in range(iterations):
        slopes = np.empty((len(gap), len(free)))
        for number, name in enumerate(free):
            moved = best.with_values(**{name: getattr(best, name) * float(np.exp(STEP))})
            slopes[:, number] = (moments(moved, trials, patients) - gap) / STEP
        prior = np.eye(len(free)) / PRIOR_SPREAD**2
        direction = -np.linalg.solve(slopes.T @ slopes + prior, slopes.T @ gap)
        for share in (1.0, 0.5, 0.2):
            scale = np.exp(np.clip(share * direction, -0.4, 0.4))
            values = {name: getattr(best, name) * float(factor) for name, factor in zip(free, scale, strict=True)}
            candidate = best.with_values(**values)
            candidate_gap = moments(candidate, trials, patients)
            if np.mean(candidate_gap**2) < np.mean(gap**2):
                best, gap = candidate, candidate_gap
                break
        else:
            break
        report(f"iteration {iteration + 1}: mean squared gap {np.mean(gap**2):.3f}")
    return best
