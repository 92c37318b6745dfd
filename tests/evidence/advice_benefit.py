"""What following the advice would avert, against an oracle that knows every patient, and against a biomarker rule.

Two grounds: small trials with a truth of their own form, and the virtual cohort, whose mechanisms the adviser has never
seen. On both, the population is refitted once on randomised and once on confounded histories, and asked about new
patients. All policies treat the same share of patients: that for whom the oracle gains more than 0.1 attacks a year.

Whether an option is truly the best shows only where its true rate is known nearly without chance: in the cohort it is
the mean of true daily chances over 32 years, which hold what relief puffs do once a worsening has begun.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.advisor import Advisor, published_advisor
from ml.contract import TreatmentAdvice, TreatmentPatients, TreatmentRegimen, UtilityWeights
from ml.simulator.parameters import Parameters, frozen
from ml.treatment.population import refit
from tests.factories import treatment_clinic as clinic
from tests.factories import treatment_trial as trial
from tests.figures import Figure, figure

Float64 = NDArray[np.float64]
SEEDS = (1, 2, 3)
CLINIC_SEEDS = (1, 2)
SEEN, ASKED = 4000, 2000
WORTH_TREATING = 0.1
ATTACKS_ONLY = UtilityWeights(1, 0, 0, 0)
# In the trial more steroid always averts attacks; a price on it makes the choice a real one.
STEROID_COUNTS = UtilityWeights(1, 0, 0.02, 0)
NOMINAL = (0.5, 0.8, 0.95)
CLAIMS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
FEWEST_CLAIMS = 50
GOAL = {"randomised": 0.90, "confounded": 0.80, "published": 0.80}
HISTORY_YEARS = (1, 3)
CLINICS_LEARNED_FROM = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """One experiment: shares of the oracle's attacks averted, ranks of the truth among draws, and the advice itself:
    probability of being best, claimed and true, of each patient's first option and of every option."""

    of_oracle: float
    rule_of_oracle: float
    averted: float
    ranks: Float64
    claimed: Float64
    is_best: NDArray[np.bool_]
    clear: NDArray[np.bool_]
    option_claimed: Float64
    option_is_best: NDArray[np.bool_]


def figures() -> Iterator[Figure]:
    for ground, experiment, seeds in (("trial", _trial, SEEDS), ("clinic", _clinic, CLINIC_SEEDS)):
        found = [experiment(seed) for seed in seeds]
        for knowledge in found[0]:
            yield from _told(
                f"advice.{ground}_{knowledge}",
                knowledge,
                [outcome for outcomes in found for outcome in outcomes[knowledge]],
            )


def _told(name: str, knowledge: str, outcomes: list[Outcome]) -> Iterator[Figure]:
    share, rule = (float(np.mean([getattr(o, f) for o in outcomes])) for f in ("of_oracle", "rule_of_oracle"))
    goal = GOAL[knowledge.partition("_")[0]]
    yield figure(
        f"{name}_averted_of_oracle",
        share,
        "share of the oracle's",
        baseline=rule,
        goal=f"at least {goal}, and above the eosinophil/FeNO rule (baseline)",
        met=share >= goal and share > rule,
    )
    yield figure(f"{name}_averted", float(np.mean([o.averted for o in outcomes])), "attacks per patient-year")
    ranks = np.concatenate([o.ranks for o in outcomes])
    for nominal in NOMINAL:
        covered = float(np.mean(np.abs(ranks - 0.5) < nominal / 2))
        yield figure(
            f"{name}_interval_{round(nominal * 100)}",
            covered,
            "share covered",
            baseline=nominal,
            goal="within 0.05 of the nominal share (baseline)",
            met=abs(covered - nominal) <= 0.05,
        )
    clear = np.concatenate([o.clear for o in outcomes])
    claimed = np.concatenate([o.claimed for o in outcomes])
    best = np.concatenate([o.is_best for o in outcomes])
    yield figure(f"{name}_clear_preference", float(clear.mean()), "share of patients")
    when_clear, otherwise = float(best[clear].mean()), float(best[~clear].mean())
    yield figure(
        f"{name}_first_is_best_when_clear",
        when_clear,
        "share of patients",
        baseline=float(claimed[clear].mean()),
        goal="at least 0.7; the baseline is what the advice claimed",
        met=when_clear >= 0.7,
    )
    yield figure(
        f"{name}_first_is_best_when_abstaining",
        otherwise,
        "share of patients",
        baseline=float(claimed[~clear].mean()),
        goal="below 0.7: it abstains where it would be wrong more often; the baseline is what it claimed",
        met=otherwise < 0.7,
    )
    yield from _reliability(
        name,
        np.concatenate([o.option_claimed for o in outcomes]),
        np.concatenate([o.option_is_best for o in outcomes]),
    )


def _reliability(name: str, claimed: Float64, best: NDArray[np.bool_]) -> Iterator[Figure]:
    """How often options are truly the best, by how probably they were said to be."""
    off = 0.0
    for low, high in itertools.pairwise(CLAIMS):
        chosen = (claimed >= low) & ((claimed < high) | (high == CLAIMS[-1]))
        if chosen.sum() < FEWEST_CLAIMS:
            continue
        true, said = float(best[chosen].mean()), float(claimed[chosen].mean())
        off += abs(true - said) * float(chosen.mean())
        yield figure(
            f"{name}_best_when_claimed_{round(low * 100)}_to_{round(high * 100)}",
            true,
            f"share of {int(chosen.sum())} options",
            baseline=said,
            goal="the baseline is what was claimed",
        )
    yield figure(
        f"{name}_probability_best_error",
        off,
        "mean distance of claims from the truth, over the classes of claims",
        goal="at most 0.05",
        met=off <= 0.05,
    )


def averted_by_treating(first: Float64, truth: Float64, share: float) -> float:
    """Attacks averted a patient-year when the `share` of patients who come `first` is given their treatment."""
    treated = np.argsort(-first, kind="stable")[: round(share * len(truth))]
    return float(truth[treated].sum() / len(truth))


def _raised(eosinophils: NDArray[np.float32], feno: NDArray[np.float32]) -> Float64:
    """How far the higher of the two biomarkers lies above 300 per microlitre or 25 ppb; unknown ones come last."""
    highest = np.fmax(np.log10(eosinophils / 300), np.log10(feno / 25))
    return np.nan_to_num(highest, nan=-9.0).astype(np.float64)


def _preference(advice: list[TreatmentAdvice]) -> tuple[list[str], Float64, NDArray[np.bool_]]:
    """The first option of each patient, its claimed probability of being best, and whether it is a clear preference."""
    claimed = np.array([found.options[0].probability_best for found in advice])
    return [found.options[0].code for found in advice], claimed, claimed >= 0.7


def _trial(seed: int) -> dict[str, list[Outcome]]:
    published = published_advisor()
    asked = trial.run(np.random.default_rng([seed, 1]), ASKED, all_low=True)
    share = float((asked.averted > WORTH_TREATING).mean())
    oracle = averted_by_treating(asked.averted, asked.averted, share)
    rule = _raised(asked.patients.eosinophils_per_microlitre, asked.patients.feno_ppb)
    found = {}
    for knowledge in ("randomised", "confounded"):
        randomised = knowledge == "randomised"
        seen = trial.run(np.random.default_rng([seed, 2]), SEEN, randomised=randomised)
        population = refit(
            published.population, seen.patients, trial.AS_OF, np.full(SEEN, randomised), published.assumptions
        )
        advisor = Advisor(population, published.assumptions, "refitted")
        advice = advisor.advise(asked.patients, [[trial.LOW, trial.HIGH]] * ASKED, trial.AS_OF, ATTACKS_ONLY)
        gain = np.array([o.gain.expected for each in advice for o in each.options if o.code == "high"])
        priced = advisor.advise(asked.patients, [[trial.LOW, trial.HIGH]] * ASKED, trial.AS_OF, STEROID_COUNTS)
        more = np.array([o.ics_micrograms_per_day_change for each in priced for o in each.options if o.code == "high"])
        worth = asked.averted > STEROID_COUNTS.ics_100_micrograms_per_day_for_a_year * more / 100
        first, claimed, clear = _preference(priced)
        high_is_best = np.repeat(worth, 2)
        options = [o for each in priced for o in each.options]
        is_high = np.array([o.code == "high" for o in options])
        averted = averted_by_treating(gain, asked.averted, share)
        outcome = Outcome(
            of_oracle=averted / oracle,
            rule_of_oracle=averted_by_treating(rule, asked.averted, share) / oracle,
            averted=averted,
            ranks=_ranks(advisor, asked.patients, trial.AS_OF, [[trial.HIGH]] * ASKED, asked.averted),
            claimed=claimed,
            is_best=np.array([code == "high" for code in first]) == worth,
            clear=clear,
            option_claimed=np.array([o.probability_best for o in options]),
            option_is_best=is_high == high_is_best,
        )
        found[knowledge] = [outcome]
    return found


def _ranks(
    advisor: Advisor,
    patients: TreatmentPatients,
    as_of: int,
    legal: Sequence[Sequence[TreatmentRegimen]],
    truth: Float64,
) -> Float64:
    """Share of posterior draws of attacks averted below the truth, one per patient and option."""
    ranks = []
    done = 0
    for begin in range(0, len(patients), 512):
        chosen = np.arange(begin, min(begin + 512, len(patients)))
        h, present, drawn = advisor.draw(patients, chosen, as_of)
        sets = legal[begin : begin + len(chosen)]
        owner = np.repeat(np.arange(len(chosen)), [len(options) for options in sets])
        options = [option for options in sets for option in options]
        gains = advisor.gains(h, present, drawn, owner, options, ATTACKS_ONLY)
        ranks.append((gains.attacks_averted < truth[done : done + len(owner), None]).mean(axis=1))
        done += len(owner)
    return np.concatenate(ranks)


# What the biomarker rule gives those it treats: the guideline's usual next step, with the reliever it prefers.
RULE = {1: "as_needed", 2: "low_mart", 3: "low_mart", 4: "medium_mart", 5: "high_triple_anti_il4r"}


def _clinic(seed: int) -> dict[str, list[Outcome]]:
    p = frozen()
    asked = clinic.follow(p, seed, ASKED)
    rates = clinic.true_rates(p, asked, 1000 * seed)
    everyone = np.arange(ASKED)
    now = np.array([clinic.CODES.index(clinic.USUAL[step]) for step in asked.step.tolist()])
    gain, ranked, paid = (rate[everyone, now][:, None] - rate for rate in (rates.both, rates.ranked, rates.paid))
    legal = asked.legal_sets()
    changes = np.where(np.isnan(ranked), -np.inf, ranked)
    changes[everyone, now] = -np.inf
    best_change = changes.argmax(axis=1)
    share = float((changes.max(axis=1) > WORTH_TREATING).mean())
    oracle = averted_by_treating(changes.max(axis=1), paid[everyone, best_change], share)
    by_rule = np.array([clinic.CODES.index(RULE[step]) for step in asked.step.tolist()])
    biomarkers = _raised(asked.patients.eosinophils_per_microlitre, asked.patients.feno_ppb)
    rule = averted_by_treating(biomarkers, paid[everyone, by_rule], share)
    truly_best = np.array(
        [max(options, key=lambda r: gain[i, clinic.CODES.index(r.code)]).code for i, options in enumerate(legal)]
    )
    real_changes = [[r for r in options if r.code != clinic.CODES[now[i]]] for i, options in enumerate(legal)]
    truth = np.array([gain[i, clinic.CODES.index(r.code)] for i, options in enumerate(real_changes) for r in options])
    diaries = {years: clinic.follow(p, seed, ASKED, years=years) for years in HISTORY_YEARS}
    found: dict[str, list[Outcome]] = {}
    for knowledge, advisor in _advisors(p, seed):
        for years, asked in diaries.items():
            # The same people with a longer diary: what advice is worth once it knows the patient better.
            advice = advisor.advise(asked.patients, legal, asked.as_of, ATTACKS_ONLY)
            ready = np.array([each.status != "not_enough_data" for each in advice])
            expected, chosen = np.full(ASKED, -np.inf), now.copy()
            for number in np.flatnonzero(ready).tolist():
                # The first option that is a change: whom to treat at all is settled by the common share.
                first = next(o for o in advice[number].options if o.code != clinic.CODES[now[number]])
                expected[number], chosen[number] = first.gain.expected, clinic.CODES.index(first.code)
            averted = averted_by_treating(expected, paid[everyone, chosen], share)
            first_codes, claimed, clear = _preference([each for each in advice if each.options])
            options = [(o, best) for each, best in zip(advice, truly_best, strict=True) for o in each.options]
            outcome = Outcome(
                of_oracle=averted / oracle,
                rule_of_oracle=rule / oracle,
                averted=averted,
                ranks=_ranks(advisor, asked.patients, asked.as_of, real_changes, truth),
                claimed=claimed,
                is_best=np.array(first_codes) == truly_best[ready],
                clear=clear,
                option_claimed=np.array([o.probability_best for o, _ in options]),
                option_is_best=np.array([o.code == best for o, best in options]),
            )
            found.setdefault(f"{knowledge}_{years}_year{'s' * (years > 1)}", []).append(outcome)
    return found


def _advisors(p: Parameters, seed: int) -> Iterator[tuple[str, Advisor]]:
    """The published adviser, and those that learned from several clinics: one clinic's luck is shared by all its
    patients, so that coverage shows only over many."""
    published = published_advisor()
    yield "published", published
    for knowledge in ("randomised", "confounded"):
        for number in range(CLINICS_LEARNED_FROM):
            seen = clinic.follow(p, 100 * seed + number, SEEN, second_year=knowledge)
            by_lot = np.full(SEEN, knowledge == "randomised")
            population = refit(published.population, seen.patients, seen.as_of, by_lot, published.assumptions)
            yield knowledge, Advisor(population, published.assumptions, "refitted")
