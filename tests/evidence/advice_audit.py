"""An audit, never the engine: general learners of treatment effects from EconML on the adviser's own trial data.

EconML is heavy and comes with the models' peers alone (`make evidence`); without it the audit says so and gives no
figure.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
from lightgbm import LGBMClassifier, LGBMRegressor

from ml.advisor import Advisor, published_advisor
from ml.treatment.population import refit
from tests.evidence.advice_benefit import ATTACKS_ONLY, WORTH_TREATING, Float64, averted_by_treating
from tests.factories import treatment_trial as trial
from tests.figures import Figure, figure

SIZES = (500, 2000, 10_000)
ASKED = 4000
SEED = 1


def figures() -> Iterator[Figure]:
    try:
        dml, metalearners = import_module("econml.dml"), import_module("econml.metalearners")
    except ImportError:
        sys.stderr.write("advice audit skipped: EconML is not installed (ml/evaluation/peers.lock)\n")
        return

    def regressor() -> LGBMRegressor:
        return LGBMRegressor(
            n_estimators=100, num_leaves=7, learning_rate=0.05, min_child_samples=30, verbose=-1, n_jobs=1
        )

    def classifier() -> LGBMClassifier:
        return LGBMClassifier(n_estimators=100, num_leaves=7, learning_rate=0.05, verbose=-1, n_jobs=1)

    learners: dict[str, Callable[[], Any]] = {
        "t_learner": lambda: metalearners.TLearner(models=regressor()),
        "x_learner": lambda: metalearners.XLearner(models=regressor(), propensity_model=classifier()),
        "causal_forest": lambda: dml.CausalForestDML(
            model_y=regressor(), model_t=classifier(), discrete_treatment=True, random_state=0, n_jobs=1
        ),
    }
    asked = trial.run(np.random.default_rng([SEED, 1]), ASKED, all_low=True)
    share = float((asked.averted > WORTH_TREATING).mean())
    oracle = averted_by_treating(asked.averted, asked.averted, share)
    for randomised in (True, False):
        for size in SIZES:
            seen = trial.run(np.random.default_rng([SEED, 3, size]), size, randomised=randomised)
            ours = averted_by_treating(_our_gain(seen, asked, randomised), asked.averted, share) / oracle
            for name, learner in learners.items():
                gain = -_effect(learner(), seen, asked)
                theirs = averted_by_treating(gain, asked.averted, share) / oracle
                yield figure(
                    f"advice.audit_{'randomised' if randomised else 'confounded'}_{size}_{name}",
                    theirs,
                    "share of the oracle's attacks averted",
                    baseline=ours,
                    goal="the baseline is the adviser's; a learner far above it would be a reason to look again",
                    met=theirs <= ours + 0.02,
                )


def _our_gain(seen: trial.VirtualTrial, asked: trial.VirtualTrial, randomised: bool) -> Float64:
    published = published_advisor()
    by_lot = np.full(len(seen.patients), randomised)
    population = refit(published.population, seen.patients, trial.AS_OF, by_lot, published.assumptions)
    advisor = Advisor(population, published.assumptions, "refitted")
    advice = advisor.advise(asked.patients, [[trial.HIGH]] * len(asked.patients), trial.AS_OF, ATTACKS_ONLY)
    return np.array([each.options[0].gain.expected for each in advice])


def _known(virtual: trial.VirtualTrial, years: int) -> Float64:
    """What the learners may read: biomarkers, adherence, and mean attacks and control of the first `years`."""
    periods = virtual.patients.periods
    attacks, controlled, days = (
        column.reshape(-1, 2)[:, :years].sum(axis=1).astype(np.float64)
        for column in (periods.severe_attacks, periods.controlled_days, periods.diary_days)
    )
    return np.column_stack(
        [
            np.log10(virtual.patients.eosinophils_per_microlitre),
            np.log10(virtual.patients.feno_ppb),
            periods.controller_fraction[::2],
            attacks / years,
            controlled / np.maximum(days, 1),
            periods.reliever_puffs_per_day[::2],
        ]
    )


def _effect(learner: Any, seen: trial.VirtualTrial, asked: trial.VirtualTrial) -> Float64:
    with warnings.catch_warnings():
        # LightGBM is fitted with names and asked without them inside EconML.
        warnings.simplefilter("ignore")
        outcome = seen.patients.periods.severe_attacks[1::2].astype(np.float64)
        learner.fit(outcome, seen.treated.astype(int), X=_known(seen, 1))
        return np.asarray(learner.effect(_known(asked, 2))).ravel()
