"""Orders the legal regimens of each patient by their own expected benefit. The legal set is given; a doctor decides."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ml.contract import (
    AdviceMissing,
    AdviceStatus,
    Estimate,
    PreAction,
    TreatmentAdvice,
    TreatmentOption,
    TreatmentPatients,
    TreatmentRegimen,
    UtilityWeights,
)
from ml.treatment.assumptions import ASSUMPTIONS_FILE, Assumptions, shipped
from ml.treatment.attacks import Population, attack_posterior, own_effects, published
from ml.treatment.control import carried_to_attacks, control_posterior
from ml.treatment.evidence import TRIALS_FILE
from ml.treatment.gains import (
    Candidates,
    Draws,
    PatientDraws,
    Present,
    draw_gains,
    draw_patients,
    probability_best,
    summary,
)
from ml.treatment.histories import Histories, prepare
from ml.treatment.ingredients import Float64, Index, Prescriptions, exposure, ics_taken

# Part of the adviser's face: its callers hold diaries and dates of prescriptions, not periods.
from ml.treatment.periods import cut_into_periods as cut_into_periods

MODEL_ID = "treatment-benefit"
MODEL_VERSION = "1"
PATIENTS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Advisor:
    """`published_advisor()` knows the trials only. `ml.treatment.population.refit` adds a clinic's own data; whoever
    refits gives the result a `model_version` of its own."""

    population: Population
    assumptions: Assumptions
    model_version: str
    model_id: str = MODEL_ID

    def advise(
        self,
        patients: TreatmentPatients,
        legal_sets: Sequence[Sequence[TreatmentRegimen]],
        as_of: int,
        weights: UtilityWeights | None = None,
    ) -> list[TreatmentAdvice]:
        """One advice per patient, in order; `legal_sets[i]` are patient i's, with distinct codes.

        `as_of` is the ordinal of the day up to which everything is known. Include the present regimen where staying is
        legal. The same input always gives the same advice. ValueError: legal_sets of another length, a code twice, or a
        period after `as_of`.
        """
        if len(legal_sets) != len(patients):
            raise ValueError(f"{len(legal_sets)} legal sets were given for {len(patients)} patients")
        for number, legal in enumerate(legal_sets):
            if len({regimen.code for regimen in legal}) != len(legal):
                raise ValueError(f"the legal set of patient {number} names a code twice")
        used = weights or UtilityWeights()
        allowed = [[regimen for regimen in legal if _has_steroid(regimen)] for legal in legal_sets]
        missing = [self._missing(known, bool(set_)) for known, set_ in zip(_facts(patients), allowed, strict=True)]
        found = [
            TreatmentAdvice(
                status="not_enough_data",
                preferred=None,
                options=(),
                pre_actions=(),
                refused=tuple(regimen.code for regimen in legal if not _has_steroid(regimen)),
                missing=lacks,
                attacks_per_year=None,
                controlled_days_per_year=None,
                weights=used,
                model_id=self.model_id,
                model_version=self.model_version,
            )
            for legal, lacks in zip(legal_sets, missing, strict=True)
        ]
        ready = np.array([number for number, lacks in enumerate(missing) if not lacks], np.intp)
        for begin in range(0, len(ready), PATIENTS_AT_ONCE):
            chosen = ready[begin : begin + PATIENTS_AT_ONCE]
            for number, advice in self._advise_some(patients, chosen, allowed, as_of, used, found):
                found[number] = advice
        return found

    def draw(self, patients: TreatmentPatients, chosen: Index, as_of: int) -> tuple[Histories, Present, PatientDraws]:
        """Posterior draws of the `chosen` patients (sorted): what `advise` summarises."""
        a = self.assumptions
        h = prepare(patients, chosen, as_of, a)
        control = control_posterior(h, a)
        prior_mean, prior_covariance = carried_to_attacks(control, *own_effects(h, self.population, a), a)
        attacks = attack_posterior(h, self.population, prior_mean, prior_covariance, a)
        present = self._present(h, h.adherence, h.delivered)
        return h, present, draw_patients(h, attacks, control, present)

    def gains(
        self,
        h: Histories,
        present: Present,
        drawn: PatientDraws,
        owner: Index,
        regimens: Sequence[TreatmentRegimen],
        weights: UtilityWeights,
    ) -> Draws:
        """Draws of what `regimens[j]` would bring to patient `owner[j]` (ascending) of `h`."""
        a = self.assumptions
        options = Prescriptions.of(regimens)
        adherence = h.adherence[owner]
        candidates = Candidates(
            owner=owner,
            exposure=exposure(options, adherence, h.puffs[owner], h.delivered[owner], h.child[owner], a),
            ics_micrograms_per_day=ics_taken(options, adherence, h.puffs[owner], a),
            biologic_change=(options.biologic > 0).astype(np.float64) - (h.present.biologic[owner] > 0),
        )
        return draw_gains(drawn, present, candidates, weights)

    def _present(self, h: Histories, adherence: Float64, delivered: Float64) -> Present:
        a = self.assumptions
        return Present(
            exposure(h.present, adherence, h.puffs, delivered, h.child, a), ics_taken(h.present, adherence, h.puffs, a)
        )

    def _missing(self, facts: "_Facts", any_legal: bool) -> tuple[AdviceMissing, ...]:
        needed = self.assumptions["advice"]
        lacks: list[AdviceMissing] = []
        if not facts.has_period:
            lacks.append("present_regimen")
        if not facts.knows_last_year and facts.observed_days < needed["least_observed_days"]:
            lacks.append("attack_history")
        if facts.diary_days < needed["least_diary_days"]:
            lacks.append("diary")
        if not any_legal:
            lacks.append("legal_regimens")
        return tuple(lacks)

    def _advise_some(
        self,
        patients: TreatmentPatients,
        chosen: Index,
        allowed: list[list[TreatmentRegimen]],
        as_of: int,
        weights: UtilityWeights,
        blank: list[TreatmentAdvice],
    ) -> Iterator[tuple[int, TreatmentAdvice]]:
        a = self.assumptions
        h, present, drawn = self.draw(patients, chosen, as_of)
        owner = np.repeat(np.arange(len(chosen)), [len(allowed[number]) for number in chosen])
        regimens = [regimen for number in chosen for regimen in allowed[number]]
        gains = self.gains(h, present, drawn, owner, regimens, weights)
        options = self._options(h, owner, regimens, gains)
        pre_actions = self._pre_actions(h, present, drawn, patients, chosen, weights)
        attacks = _estimates(drawn.attacks_per_year, a)
        days = _estimates(drawn.controlled_days, a)
        ends = np.searchsorted(owner, np.arange(len(chosen) + 1))
        for place, number in enumerate(chosen.tolist()):
            ordered = sorted(options[ends[place] : ends[place + 1]], key=lambda option: -option.gain.low)
            first, due = ordered[0], pre_actions[place]
            status: AdviceStatus = "ready"
            if first.steps_up and due:
                status = "pre_actions_first"
            elif first.probability_best < a["advice"]["least_probability_best"]:
                status = "no_clear_preference"
            yield (
                number,
                TreatmentAdvice(
                    status=status,
                    preferred=first.code if status == "ready" else None,
                    options=tuple(ordered),
                    pre_actions=due,
                    refused=blank[number].refused,
                    missing=(),
                    attacks_per_year=attacks[place],
                    controlled_days_per_year=days[place],
                    weights=weights,
                    model_id=self.model_id,
                    model_version=self.model_version,
                ),
            )

    def _options(
        self, h: Histories, owner: Index, regimens: Sequence[TreatmentRegimen], gains: Draws
    ) -> list[TreatmentOption]:
        a = self.assumptions
        gain, averted = _estimates(gains.utility, a), _estimates(gains.attacks_averted, a)
        days = _estimates(gains.controlled_days_gained, a)
        best = probability_best(gains.utility, owner).tolist()
        ics = gains.ics_micrograms_per_day_change.tolist()
        up = _steps_up(h.present.take(owner), Prescriptions.of(regimens)).tolist()
        return [
            TreatmentOption(regimen.code, *numbers)
            for regimen, *numbers in zip(regimens, gain, averted, days, ics, best, up, strict=True)
        ]

    def _pre_actions(
        self,
        h: Histories,
        present: Present,
        drawn: PatientDraws,
        patients: TreatmentPatients,
        chosen: Index,
        weights: UtilityWeights,
    ) -> list[tuple[PreAction, ...]]:
        a = self.assumptions
        wanted, target = a["pre_actions"]["adherence_wanted"], a["pre_actions"]["adherence_target"]
        reached = self._present(h, np.maximum(h.adherence, target), h.delivered)
        taught = self._present(h, h.adherence, np.ones(len(h)))
        adherence_known = _adherence_known(patients, chosen)
        technique = patients.technique_correct[chosen]
        found: list[list[PreAction]] = [[] for _ in range(len(h))]
        for code, better, due, known in (
            ("adherence", reached, h.present.scheduled & (~adherence_known | (h.adherence < wanted)), adherence_known),
            ("technique", taught, technique != 1, ~np.isnan(technique)),
        ):
            name: Literal["adherence", "technique"] = "adherence" if code == "adherence" else "technique"
            for place in np.flatnonzero(due & ~known).tolist():
                found[place].append(PreAction(name, False, None, None))
            owner = np.flatnonzero(due & known)
            candidates = Candidates(
                owner, better.exposure[owner], better.ics_micrograms_per_day[owner], np.zeros(len(owner))
            )
            gains = draw_gains(drawn, present, candidates, weights)
            averted, days = _estimates(gains.attacks_averted, a), _estimates(gains.controlled_days_gained, a)
            for place, fewer_attacks, more_days in zip(owner.tolist(), averted, days, strict=True):
                found[place].append(PreAction(name, True, fewer_attacks, more_days))
        return [tuple(actions) for actions in found]


@dataclass(frozen=True, slots=True)
class _Facts:
    has_period: bool
    knows_last_year: bool
    observed_days: float
    diary_days: float


def published_advisor() -> Advisor:
    """The adviser as the published trials have it; its version changes with every number in its data files."""
    digest = hashlib.sha256(TRIALS_FILE.read_bytes() + ASSUMPTIONS_FILE.read_bytes()).hexdigest()
    return Advisor(published(shipped()), shipped(), f"{MODEL_VERSION}-{digest[:8]}")


def _has_steroid(regimen: TreatmentRegimen) -> bool:
    """Some inhaled steroid, and a scheduled one wherever a long-acting bronchodilator is scheduled (GINA)."""
    if regimen.laba or regimen.lama:
        return regimen.ics_micrograms_per_day > 0
    return regimen.ics_micrograms_per_day > 0 or regimen.reliever_ics_micrograms_per_puff > 0


def _facts(patients: TreatmentPatients) -> list[_Facts]:
    periods, n = patients.periods, len(patients)
    rows = np.bincount(periods.patient_index, minlength=n)
    observed = np.bincount(periods.patient_index, periods.last_day - periods.first_day + 1, n)
    diary = np.bincount(periods.patient_index, periods.diary_days, n)
    known = ~np.isnan(patients.severe_attacks_last_year)
    return [
        _Facts(*facts)
        for facts in zip((rows > 0).tolist(), known.tolist(), observed.tolist(), diary.tolist(), strict=True)
    ]


def _adherence_known(patients: TreatmentPatients, chosen: Index) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    periods = patients.periods
    known = np.zeros(len(patients), bool)
    known[periods.patient_index[~np.isnan(periods.controller_fraction)]] = True
    return known[chosen]


def _steps_up(present: Prescriptions, option: Prescriptions) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """More of anything scheduled or injected, or a higher step. Another reliever at the same step is none."""
    return np.asarray(
        (option.step > present.step)
        | (option.ics_micrograms_per_day > present.ics_micrograms_per_day)
        | (option.laba > present.laba)
        | (option.lama > present.lama)
        | ((option.biologic > 0) & (present.biologic == 0))
    )


def _estimates(draws: Float64, a: Assumptions) -> list[Estimate]:
    return [Estimate(*row) for row in summary(draws, a).tolist()]
