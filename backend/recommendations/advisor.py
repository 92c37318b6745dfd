"""The door to `ml.advisor`: regimens in the rules' terms in, each legal option with its expected benefit out.

The model orders what the rules allow. It adds nothing: a code that was not asked about is an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any, cast

import numpy as np

from backend.clinical.guideline import GuidelineError, edition
from backend.clinical.ladder import describe
from backend.clinical.medicines import AddOn, Regimen, Use
from ml.advisor import Advisor, cut_into_periods, published_advisor
from ml.contract import Biologic, Diaries, Estimate, Reliever, TreatmentAdvice, TreatmentPatients, TreatmentRegimen

# Delivered over metered of budesonide dry powder (160 of 200), for products that state the delivered dose alone.
_DELIVERED_SHARE = 0.8


class AdviceStatus(StrEnum):
    """`ready`, `pre_actions_first`, `no_clear_preference` and `not_enough_data` are the model's own answers.

    `no_consent`: the patient has not agreed to forecasts. `not_covered`: the model knows no such treatment (a biologic
    whose kind is not recorded, a steroid without a dose band at this age).
    """

    READY = "ready"
    PRE_ACTIONS_FIRST = "pre_actions_first"
    NO_CLEAR_PREFERENCE = "no_clear_preference"
    NOT_ENOUGH_DATA = "not_enough_data"
    NO_CONSENT = "no_consent"
    NOT_COVERED = "not_covered"


@dataclass(frozen=True)
class Treated:
    """A regimen in force from a local day on."""

    since: date
    regimen: Regimen


@dataclass(frozen=True)
class Asked:
    """One patient. `options` by code hold the present regimen too; `treated` is in the order of time."""

    diaries: Diaries
    patient_index: int
    as_of: date
    age_years: float
    treated: Sequence[Treated]
    options: dict[str, Regimen]
    severe_attacks_last_year: int | None = None
    eosinophils_per_microlitre: float | None = None
    feno_ppb: float | None = None
    technique_correct: bool | None = None


@dataclass(frozen=True)
class Benefit:
    """Against the present regimen, a year: {expected, low, high}, low and high being the 10th and 90th percentile."""

    attacks_averted: dict[str, float]
    controlled_days_gained: dict[str, float]
    ics_micrograms_per_day_change: float
    probability_best: float


@dataclass(frozen=True)
class Advice:
    """`order` holds the codes of the options, the best first; empty unless the model had something to say."""

    status: AdviceStatus
    order: tuple[str, ...] = ()
    preferred: str | None = None
    benefits: dict[str, Benefit] = field(default_factory=dict)
    pre_actions: tuple[dict[str, Any], ...] = ()
    missing: tuple[str, ...] = ()
    attacks_per_year: dict[str, float] | None = None
    model_id: str | None = None
    model_version: str | None = None


def advise(asked: Asked) -> Advice:
    """The options in the order of this patient's own expected benefit, or why there is no order."""
    try:
        options = [_regimen(code, regimen, asked.age_years) for code, regimen in asked.options.items()]
        past = [_regimen(str(place), each.regimen, asked.age_years) for place, each in enumerate(asked.treated)]
    except (GuidelineError, _NotCovered):
        return Advice(AdviceStatus.NOT_COVERED)
    as_of = asked.as_of.toordinal()
    rows = asked.diaries.rows(np.asarray(asked.diaries.patient_index == asked.patient_index))
    of_one = Diaries.of(
        np.zeros(len(rows), np.int32),
        rows.day,
        **{name: getattr(rows, name) for name in Diaries.__dataclass_fields__ if name not in {"patient_index", "day"}},
    )
    periods = cut_into_periods(
        of_one,
        np.zeros(len(past), np.int32),
        [each.since.toordinal() for each in asked.treated],
        range(len(past)),
        as_of,
    )
    patients = TreatmentPatients(
        age_years=_one(asked.age_years),
        eosinophils_per_microlitre=_one(asked.eosinophils_per_microlitre),
        feno_ppb=_one(asked.feno_ppb),
        severe_attacks_last_year=_one(asked.severe_attacks_last_year),
        technique_correct=_one(asked.technique_correct),
        periods=periods,
        regimens=tuple(past),
    )
    [advice] = _advisor().advise(patients, [options], as_of)
    return _kept(advice, asked)


class _NotCovered(Exception):
    """The model has no word for this treatment."""


@cache
def _advisor() -> Advisor:
    return published_advisor()


def _one(value: float | bool | None) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array([np.nan if value is None else float(value)], np.float32)


def _regimen(code: str, regimen: Regimen, age_years: float) -> TreatmentRegimen:
    rung = describe(regimen, age_years)
    if rung is None or AddOn.BIOLOGIC in regimen.biologics or len(regimen.biologics) > 1:
        raise _NotCovered
    biologic = cast(Biologic, regimen.biologics[0].value) if regimen.biologics else "none"
    scheduled = [p for p in regimen.prescriptions if p.use is not Use.AS_NEEDED]
    relieving = [p for p in regimen.prescriptions if p.is_reliever and p.product.ics]
    reliever: Reliever = "saba"
    per_puff = 0.0
    if relieving:
        reliever = "ics_formoterol" if relieving[0].product.is_ics_formoterol else "ics_saba"
        product = relieving[0].product
        metered = product.ics_metered or (product.ics_delivered or 0.0) / _DELIVERED_SHARE
        per_puff = metered * _budesonide_per_microgram(product.ics or "", age_years)
    return TreatmentRegimen(
        code=code,
        step=rung.step.number,
        ics_micrograms_per_day=sum(
            p.maintenance_inhalations_a_day
            * (p.product.ics_metered or 0.0)
            * _budesonide_per_microgram(p.product.ics, age_years)
            for p in scheduled
            if p.product.ics
        ),
        laba=any(p.product.laba for p in scheduled),
        lama=any(p.product.lama for p in scheduled),
        reliever=reliever,
        reliever_ics_micrograms_per_puff=per_puff,
        biologic=biologic,
    )


def _budesonide_per_microgram(drug: str, age_years: float) -> float:
    """Budesonide that does the work of 1 microgram, as the ratio of the upper ends of the low-dose bands.

    The bands are no table of equivalence (GINA 2019, Box 3-6, says so); the ratio orders doses and doses nobody.
    """
    guideline = edition()
    group = "ics_adult" if age_years >= guideline.number("steps.adult_from") else "ics_child"
    return guideline.numbers(f"{group}.budesonide_dpi")[1] / guideline.numbers(f"{group}.{drug}")[1]


def _kept(advice: TreatmentAdvice, asked: Asked) -> Advice:
    order = tuple(option.code for option in advice.options)
    if not set(order) <= asked.options.keys():
        raise ValueError("the model named an option that the rules did not offer")
    return Advice(
        status=AdviceStatus(advice.status),
        order=order,
        preferred=advice.preferred,
        benefits={
            option.code: Benefit(
                attacks_averted=_interval(option.attacks_averted_per_year),
                controlled_days_gained=_interval(option.controlled_days_gained_per_year),
                ics_micrograms_per_day_change=option.ics_micrograms_per_day_change,
                probability_best=option.probability_best,
            )
            for option in advice.options
        },
        pre_actions=tuple(
            {
                "code": action.code,
                "measured": action.measured,
                "attacks_averted": _maybe(action.attacks_averted_per_year),
                "controlled_days_gained": _maybe(action.controlled_days_gained_per_year),
            }
            for action in advice.pre_actions
        ),
        missing=advice.missing,
        attacks_per_year=_maybe(advice.attacks_per_year),
        model_id=advice.model_id,
        model_version=advice.model_version,
    )


def _interval(estimate: Estimate) -> dict[str, float]:
    return {"expected": estimate.expected, "low": estimate.low, "high": estimate.high}


def _maybe(estimate: Estimate | None) -> dict[str, float] | None:
    return None if estimate is None else _interval(estimate)
