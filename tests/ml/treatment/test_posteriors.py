"""What a patient's own history does to the prior, against exact answers where there are any."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats

from ml.advisor import Advisor, published_advisor
from ml.contract import UtilityWeights
from ml.treatment.assumptions import shipped
from ml.treatment.attacks import attack_posterior, level_design, own_effects
from ml.treatment.control import carried_to_attacks, control_posterior
from ml.treatment.gains import DRAWS
from ml.treatment.histories import prepare
from ml.treatment.ingredients import CLASSES, COEFFICIENTS, Float64, Prescriptions, exposure
from ml.treatment.population import refit
from tests.factories import treatment_trial
from tests.factories.treatment_patients import (
    AS_OF,
    LOW,
    LOW_LABA,
    LOW_MART,
    MEDIUM_LABA,
    NOT_KNOWN,
    TRIPLE,
    TRIPLE_ANTI_IL4R,
    Person,
    Stretch,
    patients,
)

A = shipped()
ADVISOR = published_advisor()
SURE = {**A, "own_response_sd": dict.fromkeys(CLASSES, 1e-4)}


def rate_draws(advisor: Advisor, person: Person) -> Float64:
    _, _, drawn = advisor.draw(patients([person]), np.array([0]), AS_OF)
    return np.asarray(drawn.attacks_per_year[0])


def test_with_known_effects_and_level_the_rate_is_the_conjugate_gamma() -> None:
    population = replace(
        ADVISOR.population,
        level_covariance=ADVISOR.population.level_covariance * 1e-10,
        effects=replace(ADVISOR.population.effects, covariance=ADVISOR.population.effects.covariance * 1e-10),
    )
    person = Person((Stretch(LOW, attacks=3),), last_year=NOT_KNOWN)
    advisor = Advisor(population, SURE, "refitted")
    h = prepare(patients([person]), np.array([0]), AS_OF, SURE)
    posterior = attack_posterior(h, population, *own_effects(h, population, SURE), SURE)
    now = posterior.level * np.exp(-h.row_exposure[0] @ posterior.mean[0, 1:])
    shape = population.frailty_shape
    exact = stats.gamma(shape + h.weight[0] * 3, scale=now[0] / (shape + now[0] * h.years[0] * h.weight[0]))
    drawn = rate_draws(advisor, person)
    assert drawn.mean() == pytest.approx(exact.mean(), rel=0.02)
    for level in (0.1, 0.5, 0.9):
        assert np.quantile(drawn, level) == pytest.approx(exact.ppf(level), rel=0.03)


def test_the_laplace_step_agrees_with_brute_force_on_one_uncertain_effect() -> None:
    population = replace(ADVISOR.population, level_covariance=ADVISOR.population.level_covariance * 1e-10)
    only_anti_il4r = {**A, "own_response_sd": {**SURE["own_response_sd"], "anti_il4r": 0.6}}
    history = (Stretch(TRIPLE, attacks=5, days=730), Stretch(TRIPLE_ANTI_IL4R, attacks=1, days=365))
    h = prepare(patients([Person(history, last_year=NOT_KNOWN)]), np.array([0]), AS_OF, only_anti_il4r)
    column = CLASSES.index("anti_il4r")
    mean, covariance = own_effects(h, population, only_anti_il4r)
    sd = float(np.sqrt(covariance[0, column, column]))
    covariance = covariance * 1e-10
    covariance[0, column, column] = sd**2
    found = attack_posterior(h, population, mean, covariance, only_anti_il4r)
    attacks, shape = h.weight * h.attacks, population.frailty_shape

    def density(effect: float) -> float:
        effects = mean[0].copy()
        effects[column] = effect
        expected = found.expected_untreated * np.exp(-h.row_exposure @ effects)
        likelihood = attacks @ np.log(expected) - (shape + attacks.sum()) * np.log(shape + expected.sum())
        return float(np.exp(likelihood + stats.norm.logpdf(effect, mean[0, column], sd)))

    total = integrate.quad(density, -2, 4)[0]
    exact_mean = integrate.quad(lambda x: x * density(x), -2, 4)[0] / total
    exact_sd = np.sqrt(integrate.quad(lambda x: (x - exact_mean) ** 2 * density(x), -2, 4)[0] / total)
    assert found.mean[0, 1 + column] == pytest.approx(exact_mean, abs=0.1 * exact_sd)
    assert np.sqrt(found.covariance[0, 1 + column, 1 + column]) == pytest.approx(exact_sd, rel=0.1)


def test_more_attacks_mean_a_higher_rate_and_a_longer_history_a_surer_one() -> None:
    rates = [rate_draws(ADVISOR, Person((Stretch(LOW, attacks=n),), last_year=n)).mean() for n in range(6)]
    assert rates == sorted(rates)

    def spread(days: int) -> float:
        drawn = rate_draws(ADVISOR, Person((Stretch(LOW, attacks=days / 365, days=days),), last_year=NOT_KNOWN))
        return float(drawn.std() / drawn.mean())

    assert spread(2190) < spread(365) < spread(91)


def test_an_attack_long_ago_says_less_than_one_last_year() -> None:
    recent = Person((Stretch(LOW, attacks=0, days=1825), Stretch(LOW, attacks=3)), last_year=0)
    long_ago = Person((Stretch(LOW, attacks=3), Stretch(LOW, attacks=0, days=1825)), last_year=0)
    assert rate_draws(ADVISOR, recent).mean() > rate_draws(ADVISOR, long_ago).mean()


def test_who_did_well_on_a_drug_before_is_promised_more_from_it() -> None:
    def share_averted(on_it: Stretch) -> float:
        person = Person((on_it, Stretch(TRIPLE, attacks=2)), last_year=2)
        advice = ADVISOR.advise(patients([person]), [[TRIPLE_ANTI_IL4R]], AS_OF)[0]
        averted = advice.options[0].attacks_averted_per_year.expected
        return averted / float(rate_draws(ADVISOR, person).mean())

    good = share_averted(Stretch(TRIPLE_ANTI_IL4R, attacks=0, controlled_days=270))
    poor = share_averted(Stretch(TRIPLE_ANTI_IL4R, attacks=6, controlled_days=20))
    new = share_averted(Stretch(TRIPLE, attacks=2))
    # One change cannot identify a responder, so both stay near what the trials promise.
    assert 0.1 < poor < new < good < 0.9


def test_controlled_days_follow_the_diary_and_a_response_is_learned_from_a_change() -> None:
    def responses(before: float, after: float) -> tuple[float, float]:
        change = (
            Stretch(LOW, controlled_days=before, adherence=1.0),
            Stretch(LOW_LABA, controlled_days=after, adherence=1.0),
        )
        h = prepare(patients([Person(change)]), np.array([0]), AS_OF, A)
        posterior = control_posterior(h, A)
        _, _, drawn = ADVISOR.draw(patients([Person(change)]), np.array([0]), AS_OF)
        return float(posterior.mean[0, 1 + CLASSES.index("laba")]), float(drawn.controlled_days.mean())

    helped, days_helped = responses(60, 250)
    useless, days_useless = responses(140, 140)
    assert helped > A["control"]["laba"][0] > useless
    assert days_helped > 260
    assert days_useless == pytest.approx(365.25 / 2, abs=35)


def test_the_diary_response_reaches_the_attacks_only_as_far_as_they_are_alike() -> None:
    change = (Stretch(LOW, controlled_days=30), Stretch(LOW_LABA, controlled_days=270))
    h = prepare(patients([Person(change)]), np.array([0]), AS_OF, A)
    control = control_posterior(h, A)
    mean, covariance = own_effects(h, ADVISOR.population, A)
    carried, narrowed = carried_to_attacks(control, mean, covariance, A)
    laba = CLASSES.index("laba")
    assert mean[0, laba] < carried[0, laba] < mean[0, laba] + A["own_response_sd"]["laba"]
    assert (np.linalg.eigvalsh(covariance[0] - narrowed[0]) > -1e-12).all()
    apart = {**A, "control": {**A["control"], "response_correlation": 0.0}}
    assert np.array_equal(carried_to_attacks(control, mean, covariance, apart)[0], mean)


def test_own_data_teach_the_level_and_keep_doctors_choices_out_of_the_effects() -> None:
    ics = COEFFICIENTS.index("ics")
    published = ADVISOR.population
    learned = {}
    for randomised in (True, False):
        trial = treatment_trial.run(np.random.default_rng(3), 3000, randomised=randomised)
        by_lot = np.full(3000, randomised)
        learned[randomised] = refit(published, trial.patients, treatment_trial.AS_OF, by_lot, A)
    assert all(found.level_mean[0] > 0.2 for found in learned.values())
    assert learned[True].effects.covariance[ics, ics] < 0.75 * published.effects.covariance[ics, ics]
    # However many they are: the patients to come are not those seen.
    assert learned[True].effects.covariance[ics, ics] > A["effects"]["seen_to_coming_sd"] ** 2
    # Data that may mislead by `confounding_sd` cannot make an effect surer than that.
    assert learned[False].effects.covariance[ics, ics] > 0.6 * published.effects.covariance[ics, ics]
    for found in learned.values():
        assert abs(found.effects.mean[ics] - published.effects.mean[ics]) < 3 * np.sqrt(
            published.effects.covariance[ics, ics]
        )


def test_that_sicker_patients_take_more_does_not_pass_for_a_weak_drug() -> None:
    ics = COEFFICIENTS.index("ics")
    effects = []
    for sicker_take_more in (0.0, 0.5):
        trial = treatment_trial.run(np.random.default_rng(5), 6000, sicker_take_more=sicker_take_more)
        found = refit(ADVISOR.population, trial.patients, treatment_trial.AS_OF, np.ones(6000, bool), A)
        effects.append(found.effects.mean[ics])
    assert effects[1] == pytest.approx(effects[0], abs=0.35)


def test_learning_needs_a_treatment_of_everybody() -> None:
    group = patients([Person((Stretch(LOW),)), Person(())])
    with pytest.raises(ValueError, match="every patient needs a period"):
        refit(ADVISOR.population, group, AS_OF, np.zeros(2, bool), A)


def test_intervals_cover_the_truth_when_the_truth_follows_the_model() -> None:
    """Truth drawn from the prior, history from the truth: the rank of the truth among the draws must be uniform."""
    rng = np.random.default_rng(11)
    n, population = 1500, ADVISOR.population
    group = [
        Person(
            (Stretch(LOW_LABA, days=200), Stretch(MEDIUM_LABA, days=165)),
            eosinophils=float(10 ** rng.normal(2.35, 0.3)),
            feno=float(10 ** rng.normal(1.4, 0.28)),
            last_year=NOT_KNOWN,
        )
        for _ in range(n)
    ]
    blank = patients(group)
    h = prepare(blank, np.arange(n), AS_OF, A)
    mean, covariance = own_effects(h, population, A)
    mean, covariance = carried_to_attacks(control_posterior(h, A), mean, covariance, A)
    effects = mean + np.einsum("nij,nj->ni", np.linalg.cholesky(covariance), rng.standard_normal(mean.shape))
    design = level_design(h, A)
    own_level = np.sqrt(np.einsum("ni,ij,nj->n", design, population.level_covariance, design))
    spread = attack_posterior(h, population, mean, covariance, A).level * np.exp(rng.standard_normal(n) * own_level)
    frailty = rng.gamma(population.frailty_shape, 1 / population.frailty_shape, n)
    expected = (
        (frailty * spread)[h.row_patient]
        * h.years
        * np.exp(-np.einsum("rc,rc->r", h.row_exposure, effects[h.row_patient]))
    )
    told = replace(blank, periods=replace(blank.periods, severe_attacks=rng.poisson(expected).astype(np.float32)))
    h, present, drawn = ADVISOR.draw(told, np.arange(n), AS_OF)
    gains = ADVISOR.gains(h, present, drawn, np.arange(n), [LOW_MART] * n, UtilityWeights())
    mart = exposure(Prescriptions.of([LOW_MART] * n), h.adherence, h.puffs, h.delivered, h.child, A)
    change = mart - present.exposure
    now = frailty * spread * np.exp(-np.einsum("nc,nc->n", present.exposure, effects))
    truth = -now * np.expm1(-np.einsum("nc,nc->n", change, effects))
    rank = (gains.attacks_averted < truth[:, None]).sum(axis=1) / DRAWS
    for nominal in (0.5, 0.8, 0.9):
        assert np.mean(np.abs(rank - 0.5) < nominal / 2) == pytest.approx(nominal, abs=0.04)
