"""What a regimen may not contain. A finding that is refused can't be signed; a caution is shown and may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from backend.clinical.biologics import biologics
from backend.clinical.guideline import Guideline, GuidelineError, edition
from backend.clinical.medicines import AddOn, DoseBand, Prescription, Regimen, Use, daily_ics, inhalation_limits


class Weight(StrEnum):
    REFUSED = "refused"
    CAUTION = "caution"


class Problem(StrEnum):
    AGE_NOT_COVERED = "age_not_covered"
    NO_RELIEVER = "no_reliever"
    SABA_WITHOUT_ICS = "saba_without_ics"
    LABA_WITHOUT_ICS = "laba_without_ics"
    LABA_IN_ITS_OWN_INHALER = "laba_in_its_own_inhaler"
    NOT_A_RELIEVER = "not_a_reliever"
    ICS_FORMOTEROL_WITH_OTHER_LABA = "ics_formoterol_with_other_laba"
    NOT_APPROVED_AS_ONLY_RELIEVER = "not_approved_as_only_reliever"
    NOT_APPROVED_FOR_MART = "not_approved_for_mart"
    AIR_BELOW_12_YEARS = "air_below_12_years"
    AGE_BELOW_PRODUCT = "age_below_product"
    ABOVE_PRODUCT_LIMIT = "above_product_limit"
    ABOVE_FORMOTEROL_CEILING = "above_formoterol_ceiling"
    ABOVE_LIMIT_AT_ONCE = "above_limit_at_once"
    DOSE_BAND_UNKNOWN = "dose_band_unknown"
    SAME_INHALER_TWICE = "same_inhaler_twice"
    TWO_LABAS = "two_labas"
    TWO_RELIEVERS = "two_relievers"
    TWO_BIOLOGICS = "two_biologics"
    AGE_BELOW_BIOLOGIC = "age_below_biologic"
    BIOLOGIC_KIND_UNKNOWN = "biologic_kind_unknown"
    BIOLOGIC_WITHOUT_ICS_LABA = "biologic_without_ics_laba"
    ANTI_IGE_NEEDS_SENSITISATION = "anti_ige_needs_sensitisation"
    HIGH_DOSE_STEROID = "high_dose_steroid"
    MART_BELOW_12_YEARS = "mart_below_12_years"
    UNUSUAL_SCHEDULE = "unusual_schedule"


@dataclass(frozen=True)
class Finding:
    """`path` names the field of the regimen at fault, as `prescriptions[1].product_id`."""

    problem: Problem
    weight: Weight
    path: str
    message: str
    source: str


def check_regimen(regimen: Regimen, age_years: float, guideline: Guideline | None = None) -> list[Finding]:
    """All findings, refusals first. An empty list means that nothing speaks against signing."""
    guideline = guideline or edition()
    findings = [
        *_check_whole(regimen, age_years, guideline),
        *(f for i, p in enumerate(regimen.prescriptions) for f in _check_one(i, p, regimen, age_years, guideline)),
    ]
    return sorted(findings, key=lambda finding: finding.weight is Weight.CAUTION)


def is_legal(regimen: Regimen, age_years: float, guideline: Guideline | None = None) -> bool:
    return all(finding.weight is Weight.CAUTION for finding in check_regimen(regimen, age_years, guideline))


def _refused(problem: Problem, path: str, message: str, source: str) -> Finding:
    return Finding(problem, Weight.REFUSED, path, message, source)


def _caution(problem: Problem, path: str, message: str, source: str) -> Finding:
    return Finding(problem, Weight.CAUTION, path, message, source)


def _check_whole(regimen: Regimen, age_years: float, guideline: Guideline) -> Iterator[Finding]:
    never_alone = guideline.citation("steps.adult_from")
    products = [p.product for p in regimen.prescriptions]
    everywhere = "prescriptions"
    if age_years < guideline.number("steps.youngest"):
        message = f"These rules cover ages from {guideline.number('steps.youngest'):g} years."
        yield _refused(Problem.AGE_NOT_COVERED, everywhere, message, guideline.citation("steps.youngest"))
    if not regimen.relievers:
        message = "Add a reliever: every patient needs one at hand."
        yield _refused(Problem.NO_RELIEVER, everywhere, message, never_alone)
    if any(item.saba for item in products) and not regimen.contains_ics:
        message = "A short-acting reliever alone is never enough: add inhaled steroid."
        yield _refused(Problem.SABA_WITHOUT_ICS, everywhere, message, never_alone)
    if any(item.laba for item in products) and not regimen.contains_ics:
        message = "A long-acting bronchodilator without inhaled steroid is dangerous: use a combination inhaler."
        yield _refused(Problem.LABA_WITHOUT_ICS, everywhere, message, never_alone)
    formoterol_reliever = any(p.is_reliever and p.product.is_ics_formoterol for p in regimen.prescriptions)
    if formoterol_reliever and any(item.laba not in {None, "formoterol"} for item in products):
        message = "ICS-formoterol as reliever can't be combined with another long-acting bronchodilator."
        source = guideline.citation("formoterol.adult_metered_a_day")
        yield _refused(Problem.ICS_FORMOTEROL_WITH_OTHER_LABA, everywhere, message, source)
    if len({item.laba for item in products if item.laba}) > 1 and not formoterol_reliever:
        message = "Two different long-acting bronchodilators: choose one."
        yield _refused(Problem.TWO_LABAS, everywhere, message, never_alone)
    if len({p.product_id for p in regimen.prescriptions}) < len(regimen.prescriptions):
        message = "The same inhaler is listed twice: make it one entry, as maintenance and reliever."
        yield _refused(Problem.SAME_INHALER_TWICE, everywhere, message, guideline.citation("formoterol.most_at_once"))
    if len(regimen.relievers) > 1:
        message = "Two relievers confuse in an attack, and a separate SABA is not needed beside ICS-formoterol."
        yield _caution(Problem.TWO_RELIEVERS, everywhere, message, guideline.citation("formoterol.most_at_once"))
    yield from _check_formoterol_total(regimen, age_years, guideline)
    try:
        band = daily_ics(regimen, age_years, guideline).band
    except GuidelineError as reason:
        yield _refused(Problem.DOSE_BAND_UNKNOWN, everywhere, str(reason), guideline.title)
        return
    if band is DoseBand.HIGH:
        months = guideline.numbers("steps.high_dose_months")
        message = f"High-dose inhaled steroid: no longer than {months[0]:g} to {months[1]:g} months; plan its end."
        source = guideline.citation("steps.high_dose_months")
        yield _caution(Problem.HIGH_DOSE_STEROID, everywhere, message, source)
    yield from _check_biologics(regimen, band, age_years, guideline)


def _check_biologics(regimen: Regimen, band: DoseBand, age_years: float, guideline: Guideline) -> Iterator[Finding]:
    path, kinds = "add_ons", regimen.biologics
    if len(kinds) > guideline.number("biologic.most_at_once"):
        message = "Two biologics at once: choose one."
        yield _refused(Problem.TWO_BIOLOGICS, path, message, guideline.citation("biologic.most_at_once"))
    for kind in kinds:
        if kind is AddOn.BIOLOGIC:
            message = "Which biologic is not recorded: name its kind."
            yield _caution(Problem.BIOLOGIC_KIND_UNKNOWN, path, message, guideline.title)
        elif age_years < biologics()[kind].least_age:
            given = biologics()[kind]
            message = f"{given.name} is for ages from {given.least_age} years."
            yield _refused(Problem.AGE_BELOW_BIOLOGIC, path, message, given.source)
    has_laba = any(p.product.laba for p in regimen.prescriptions)
    if kinds and not (has_laba and band in guideline.codes("biologic.added_to")):
        message = "A biologic is added to medium or high-dose inhaled steroid with a LABA."
        yield _caution(Problem.BIOLOGIC_WITHOUT_ICS_LABA, path, message, guideline.citation("biologic.added_to"))
    if AddOn.ANTI_IGE in kinds:
        message = "Anti-IgE needs a proven sensitisation, and total IgE and weight within its dose table."
        yield _caution(Problem.ANTI_IGE_NEEDS_SENSITISATION, path, message, guideline.citation("biologic.total_ige"))


def _check_formoterol_total(regimen: Regimen, age_years: float, guideline: Guideline) -> Iterator[Finding]:
    adult = age_years >= guideline.number("steps.adult_from")
    key = "formoterol.adult_metered_a_day" if adult else "formoterol.child_delivered_a_day"
    total = 0.0
    for prescription in regimen.prescriptions:
        inhaler = prescription.product
        if inhaler.laba != "formoterol":
            continue
        micrograms = inhaler.laba_metered if adult else inhaler.laba_delivered
        inhalations = prescription.maintenance_inhalations_a_day
        if prescription.is_reliever:
            inhalations = max(
                inhalations, inhalation_limits(prescription, age_years, guideline).most_a_day or inhalations
            )
        total += inhalations * (micrograms or 0.0)
    if total > guideline.number(key):
        message = f"Up to {total:g} micrograms of formoterol a day; the ceiling is {guideline.number(key):g}."
        yield _refused(Problem.ABOVE_FORMOTEROL_CEILING, "prescriptions", message, guideline.citation(key))


def _check_one(
    index: int, prescription: Prescription, regimen: Regimen, age_years: float, guideline: Guideline
) -> Iterator[Finding]:
    inhaler = prescription.product
    path = f"prescriptions[{index}]"
    adult = age_years >= guideline.number("steps.adult_from")
    if age_years < inhaler.least_age:
        message = f"{inhaler.name} is for ages from {inhaler.least_age} years."
        yield _refused(Problem.AGE_BELOW_PRODUCT, f"{path}.product_id", message, inhaler.source)
    if inhaler.laba and not inhaler.ics:
        message = f"{inhaler.name} holds no steroid; a patient may take it alone. Use a combination inhaler."
        yield _refused(Problem.LABA_IN_ITS_OWN_INHALER, f"{path}.product_id", message, guideline.title)
    limits = inhalation_limits(prescription, age_years, guideline)
    asked = max(prescription.maintenance_inhalations_a_day, prescription.most_inhalations_a_day or 0)
    allowed = min((n for n in (limits.most_a_day, inhaler.most_a_day) if n is not None), default=None)
    if allowed is not None and asked > allowed:
        message = f"At most {allowed} inhalations of {inhaler.name} a day at this age; {asked} are asked for."
        yield _refused(Problem.ABOVE_PRODUCT_LIMIT, f"{path}.most_inhalations_a_day", message, inhaler.source)
    if limits.most_at_once is not None and prescription.inhalations > limits.most_at_once:
        message = f"At most {limits.most_at_once} inhalations of {inhaler.name} at once."
        yield _refused(Problem.ABOVE_LIMIT_AT_ONCE, f"{path}.inhalations", message, inhaler.source)
    if prescription.use is Use.AS_NEEDED:
        yield from _check_as_needed(path, prescription, regimen, adult)
    elif prescription.use is Use.MAINTENANCE_AND_RELIEVER:
        if not inhaler.mart:
            message = f"{inhaler.name} is not approved as maintenance and reliever."
            yield _refused(Problem.NOT_APPROVED_FOR_MART, f"{path}.use", message, inhaler.source)
        if not adult:
            message = "Maintenance-and-reliever therapy below 12 years is off-label in many countries."
            source = guideline.citation("formoterol.child_delivered_a_day")
            yield _caution(Problem.MART_BELOW_12_YEARS, f"{path}.use", message, source)
    elif inhaler.saba:
        message = f"{inhaler.name} is a reliever; it is not taken every day."
        yield _refused(Problem.NOT_A_RELIEVER, f"{path}.use", message, inhaler.source)
    allowed_schedules = inhaler.mart if prescription.use is Use.MAINTENANCE_AND_RELIEVER else inhaler.maintenance
    schedule = (prescription.inhalations, prescription.times_a_day)
    if prescription.use is not Use.AS_NEEDED and allowed_schedules and schedule not in allowed_schedules:
        message = f"{schedule[0]} inhalations {schedule[1]} times a day is not a usual schedule of {inhaler.name}."
        yield _caution(Problem.UNUSUAL_SCHEDULE, f"{path}.times_a_day", message, inhaler.source)


def _check_as_needed(path: str, prescription: Prescription, regimen: Regimen, adult: bool) -> Iterator[Finding]:
    inhaler = prescription.product
    if inhaler.saba:
        return
    if inhaler.ics and inhaler.laba is None:
        # Inhaled steroid as needed is legal only whenever the SABA of the same regimen is taken.
        if not any(p.product.saba for p in regimen.prescriptions):
            message = f"{inhaler.name} relieves nothing by itself."
            yield _refused(Problem.NOT_A_RELIEVER, f"{path}.use", message, inhaler.source)
        return
    if inhaler.laba != "formoterol":
        message = f"{inhaler.name} is too slow to relieve symptoms."
        yield _refused(Problem.NOT_A_RELIEVER, f"{path}.use", message, inhaler.source)
    elif not inhaler.air:
        message = f"{inhaler.name} is not approved as the only, as-needed inhaler."
        yield _refused(Problem.NOT_APPROVED_AS_ONLY_RELIEVER, f"{path}.use", message, inhaler.source)
    if inhaler.is_ics_formoterol and not adult:
        message = "As-needed-only ICS-formoterol is not recommended below 12 years."
        yield _refused(Problem.AIR_BELOW_12_YEARS, f"{path}.use", message, inhaler.source)
