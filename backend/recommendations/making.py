"""From a patient's picture to the legal options, put in this patient's order, with what speaks for and against each."""

from dataclasses import asdict

from backend.clinical.adherence import AdherenceClass
from backend.clinical.guideline import Guideline, edition
from backend.clinical.medicines import DoseBand, Regimen, daily_ics
from backend.clinical.regimen_checks import Finding, Problem
from backend.clinical.treatment_steps import Adjustment, Direction, Options
from backend.measurements.rules import MeasurementKind
from backend.medication.schemas import RegimenIn
from backend.recommendations.advisor import Advice, AdviceStatus, Asked, Treated, advise
from backend.recommendations.picture import Picture, treated_since
from backend.recommendations.records import Records, measured_value
from backend.recommendations.rules import CheckCode
from backend.recommendations.schemas import (
    AdherenceOut,
    AdviceOut,
    AnswersOut,
    BenefitOut,
    CeilingDayOut,
    ControlOut,
    FindingOut,
    OptionOut,
    PictureOut,
    RelieverOut,
    RiskOut,
    StepDownOut,
)


def order(records: Records, picture: Picture, options: Options) -> Advice:
    """Ask the model for its order, where it may be asked and there is something to choose from."""
    choices = {option.code: option.regimen for option in options.adjustments if option.regimen is not None}
    if not records.forecasting_consent:
        return Advice(AdviceStatus.NO_CONSENT)
    return advise(_asked(records, picture, choices))


def _asked(records: Records, picture: Picture, choices: dict[str, Regimen]) -> Asked:
    return Asked(
        diaries=records.columns.diaries,
        patient_index=records.index,
        as_of=picture.as_of,
        age_years=picture.age_years,
        treated=[Treated(since, regimen) for since, regimen in treated_since(records)],
        options=choices,
        severe_attacks_last_year=records.patient.severe_attacks_last_year,
        eosinophils_per_microlitre=measured_value(records, MeasurementKind.BLOOD_EOSINOPHILS),
        feno_ppb=measured_value(records, MeasurementKind.FENO),
        technique_correct=records.standing_checks(picture.as_of).get(CheckCode.TECHNIQUE),
    )


def benefit_of(records: Records, picture: Picture, regimen: Regimen) -> BenefitOut | None:
    """What the model expects of any regimen against the present one; None where it has nothing to say."""
    if not records.forecasting_consent:
        return None
    found = advise(_asked(records, picture, {"keep": picture.regimen, "signed": regimen})).benefits.get("signed")
    return None if found is None else BenefitOut.model_validate(asdict(found))


def shown_options(picture: Picture, options: Options, advice: Advice) -> list[OptionOut]:
    """The model's order where there is one, else that of the rules; a referral comes last, no model ranks it."""
    place = {code: number for number, code in enumerate(advice.order)}
    ordered = sorted(options.adjustments, key=lambda option: place.get(option.code, len(place)))
    return [_shown(option, picture, advice) for option in ordered]


def _shown(option: Adjustment, picture: Picture, advice: Advice) -> OptionOut:
    benefit = advice.benefits.get(option.code)
    shown = None if benefit is None else BenefitOut.model_validate(asdict(benefit))
    return OptionOut(
        code=option.code,
        direction=option.direction,
        step=None if option.step is None else str(option.step),
        regimen=None if option.regimen is None else RegimenIn.of(option.regimen),
        ics_change_percent=option.ics_change_percent,
        needs_checklist=option.direction in {Direction.UP, Direction.SWITCH} and not option.code.startswith("back:"),
        review_within_days=option.review_within_days,
        watch=list(option.watch),
        way_back=None if option.way_back is None else RegimenIn.of(option.way_back),
        measure_first=list(option.measure_first),
        against=list(_against(option, picture, shown)),
        cautions=[finding_out(finding) for finding in option.cautions],
        benefit=shown,
        preferred=advice.preferred == option.code,
        sources=list(option.sources),
    )


def _against(option: Adjustment, picture: Picture, benefit: BenefitOut | None) -> list[str]:
    """Codes of what speaks against this option for this patient now."""
    found = []
    if option.direction is Direction.KEEP and picture.clues.relapse:
        found.append("relapse_goes_on")
    if option.direction is Direction.KEEP and picture.control.met:
        found.append("symptoms_go_on")
    if option.direction in {Direction.UP, Direction.SWITCH} and picture.clues.adherence is AdherenceClass.POOR:
        found.append("doses_are_missed")
    if (option.ics_change_percent or 0) > 0:
        found.append("more_steroid")
    if option.direction is Direction.DOWN:
        found.append("symptoms_may_return")
    if option.regimen is not None and option.direction is not Direction.KEEP:
        products = {p.product_id for p in picture.regimen.prescriptions}
        devices = {p.product.device for p in picture.regimen.prescriptions}
        if any(p.product.device not in devices for p in option.regimen.prescriptions):
            found.append("new_device")
        elif any(p.product_id not in products for p in option.regimen.prescriptions):
            found.append("new_inhaler")
        if _band(option.regimen, picture.age_years) is DoseBand.HIGH:
            found.append("high_dose")
        if set(option.regimen.biologics) - set(picture.regimen.biologics):
            found.append("injections")
    if benefit is not None and option.direction is not Direction.KEEP:
        never_sure = benefit.attacks_averted.low <= 0 and benefit.controlled_days_gained.low <= 0
        if never_sure and option.direction is not Direction.DOWN:
            found.append("benefit_uncertain")
    elif option.direction in {Direction.UP, Direction.SWITCH, Direction.CORRECT}:
        found.append("benefit_not_estimated")
    return found


def _band(regimen: Regimen, age_years: float) -> DoseBand:
    return daily_ics(regimen, age_years).band


def finding_out(finding: Finding) -> FindingOut:
    return FindingOut(
        code=Problem(finding.problem).value, weight=finding.weight, message=finding.message, source=finding.source
    )


def picture_out(picture: Picture, options: Options, guideline: Guideline | None = None) -> PictureOut:
    guideline = guideline or edition()
    window, control = picture.four_weeks, picture.control
    asked = zip(
        ("daytime_symptoms", "night_waking", "reliever_use", "activity_limited"),
        (window.daytime, window.night, window.reliever, window.activity),
        strict=True,
    )
    followed, as_needed = picture.adherence, picture.as_needed
    return PictureOut(
        as_of=picture.as_of,
        regimen=RegimenIn.of(picture.regimen),
        step=None if options.step is None else str(options.step),
        control=ControlOut(
            control_class=control.control_class,
            answers=[
                AnswersOut(
                    criterion=criterion,
                    days_yes=answers.days_yes,
                    days_answered=answers.days_answered,
                    holds=True if criterion in control.met else None if criterion in control.open else False,
                    from_check_on=picture.control_check_on if criterion in control.from_check else None,
                )
                for criterion, answers in asked
                if criterion not in control.not_used
            ],
            well_controlled_days=picture.well_controlled_days,
            source=control.source,
        ),
        adherence=AdherenceOut(
            adherence_class=followed.adherence_class,
            fraction_taken=followed.fraction_taken,
            at_least=followed.at_least,
            days_logged=followed.days_logged,
            days_not_logged=followed.days_not_logged,
            days_not_taken=followed.days_not_taken,
            as_needed_ics_days=None if as_needed is None else as_needed.days_with_ics,
            as_needed_ics_micrograms_a_day=None if as_needed is None else as_needed.micrograms_metered_a_day,
            source=followed.source,
        ),
        reliever=RelieverOut(
            burst=picture.burst,
            overuse=picture.overuse,
            saba_canisters_a_year=None if picture.saba is None else picture.saba.canisters_a_year,
            ceiling=None if picture.ceiling is None else CeilingDayOut.model_validate(asdict(picture.ceiling)),
        ),
        severe_attacks_last_year=picture.severe_attacks_last_year,
        last_severe_attack_on=picture.last_severe_attack_on,
        attack_review=picture.attack_review,
        risks=[
            RiskOut(factor=risk.factor, life_threatening=risk.life_threatening, source=risk.source)
            for risk in picture.risks
        ],
        relapse=list(picture.relapse),
        findings=[finding_out(finding) for finding in options.findings],
        step_down=StepDownOut(
            eligible=options.step_down.eligible,
            against=list(options.step_down.against),
            sources=list(options.step_down.sources),
        ),
        silence=options.silence,
        edition=options.edition,
    )


def advice_out(advice: Advice) -> AdviceOut:
    return AdviceOut.model_validate(asdict(advice))
