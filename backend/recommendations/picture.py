"""What is known of a patient's asthma and treatment on a day, in the terms of the rules. Days are the patient's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from backend.clinical.adherence import Adherence, AsNeededIcs, DoseDay, adherence, as_needed_ics
from backend.clinical.attacks import Attack as ReportedAttack
from backend.clinical.attacks import Episode, review_window, severe_episodes
from backend.clinical.biologics import Biomarkers
from backend.clinical.control import Control, ControlClass, DiaryDay, FourWeeks, assess_control, four_weeks
from backend.clinical.guideline import GuidelineError, edition
from backend.clinical.medicines import DoseBand, Prescription, Regimen, Use, daily_ics
from backend.clinical.relapse import relapse_signs
from backend.clinical.reliever import (
    CeilingStatus,
    RelieverBurst,
    RelieverOveruse,
    SabaYear,
    ceiling_status,
    reliever_burst,
    reliever_overuse,
    saba_year,
)
from backend.clinical.risk_factors import FoundRisk, RiskPicture, find_risk_factors
from backend.clinical.treatment_steps import ChecklistItem, PatientState, RelapseSign
from backend.measurements.rules import MeasurementKind
from backend.patients.age import age_years
from backend.plans.store import regimen_of
from backend.recommendations.records import Day, Records, measured_value
from backend.recommendations.rules import CHECKLIST, CheckCode, Clues, reported_factors

YEAR = timedelta(days=365)
BIOMARKER_IS_NEW = timedelta(days=90)
ADHERENCE_WINDOW_DAYS = 28
CEILING_WINDOW = timedelta(days=14)
# For children the edition asks for 180 well controlled days, the longest of all.
LONGEST_LOOK_BACK_DAYS = 210


@dataclass(frozen=True)
class DayAgainstCeiling:
    """The day with the most inhalations of the reliever, doses taken every day included."""

    on: date
    inhalations: int
    status: CeilingStatus


@dataclass(frozen=True)
class Picture:
    as_of: date
    age_years: float
    regimen: Regimen
    control: Control
    four_weeks: FourWeeks
    control_check_on: date | None
    well_controlled_days: int | None
    adherence: Adherence
    as_needed: AsNeededIcs | None
    burst: RelieverBurst
    overuse: RelieverOveruse
    saba: SabaYear | None
    ceiling: DayAgainstCeiling | None
    attack_review: tuple[date, date] | None
    severe_attacks_last_year: int | None
    last_severe_attack_on: date | None
    risks: tuple[FoundRisk, ...]
    relapse: tuple[RelapseSign, ...]
    state: PatientState
    clues: Clues


@dataclass(frozen=True)
class Watched:
    """A step down under watch: signed on that day, with the regimen before it to go back to."""

    since: date
    way_back: Regimen


def picture(records: Records, as_of: date, watched: Watched | None) -> Picture | None:
    """None without a structured regimen or a date of birth: then no rule can speak."""
    regimen, born_on = records.regimen, records.patient.born_on
    if regimen is None or born_on is None:
        return None
    years = age_years(born_on, as_of)
    answers = [diary_day(day) for day in records.days if day.on <= as_of]
    formoterol = regimen.reliever_is_ics_formoterol
    window = four_weeks(answers, as_of, formoterol)
    check = records.control_check
    control = assess_control(window, check=check if check is not None and check.stands(as_of) else None)
    puffs = {day.on: round(day.reliever_puffs) for day in records.days if day.reliever_puffs is not None}
    followed = adherence(_dose_days(records, regimen, as_of))
    has_saba = any(p.product.saba for p in regimen.relievers)
    overuse = reliever_overuse(puffs, as_of) if has_saba else RelieverOveruse.NO_OVERUSE
    saba = _saba(puffs, as_of) if has_saba else None
    severe, last_severe_on = severe_attacks(records, as_of)
    signs = () if watched is None else _relapse(records, answers, as_of, watched, formoterol)
    checks = records.standing_checks(as_of)
    state = PatientState(
        age_years=years,
        control=control.control_class,
        well_controlled_days=_well_controlled_days(answers, as_of, formoterol),
        severe_attacks_last_year=severe,
        days_since_reduction=_days_since_reduction(records, as_of),
        infection_now=checks.get(CheckCode.INFECTION_NOW, False),
        travelling_soon=checks.get(CheckCode.TRAVELLING_SOON, False),
        pregnant=checks.get(CheckCode.PREGNANT, False),
        risk_season=checks.get(CheckCode.RISK_SEASON, False),
        red_flags=records.red_flags,
        checklist={ChecklistItem(item.value): checks.get(item) for item in CHECKLIST},
        biomarkers=Biomarkers(
            measured_value(records, MeasurementKind.BLOOD_EOSINOPHILS),
            measured_value(records, MeasurementKind.TOTAL_IGE),
        ),
    )
    burst = reliever_burst(puffs, as_of)
    return Picture(
        as_of=as_of,
        age_years=years,
        regimen=regimen,
        control=control,
        four_weeks=window,
        control_check_on=check.answered_on if check is not None and control.from_check else None,
        well_controlled_days=state.well_controlled_days,
        adherence=followed,
        as_needed=_as_needed(puffs, regimen, as_of),
        burst=burst,
        overuse=overuse,
        saba=saba,
        ceiling=_ceiling(records, regimen, years, as_of),
        attack_review=_attack_review(records, as_of),
        severe_attacks_last_year=severe,
        last_severe_attack_on=last_severe_on,
        risks=tuple(_risks(records, regimen, years, control.control_class, followed, saba, severe, as_of, checks)),
        relapse=signs,
        state=state,
        clues=Clues(
            control=control.control_class,
            adherence=followed.adherence_class,
            burst=burst,
            overuse=overuse,
            last_severe_attack_on=last_severe_on,
            relapse=signs,
            new_biomarkers=tuple(
                f"{kind}:{measurement.measured_on.isoformat()}"
                for kind, measurement in sorted(records.measured.items())
                if as_of - measurement.measured_on <= BIOMARKER_IS_NEW
            ),
        ),
    )


def severe_attacks(records: Records, as_of: date) -> tuple[int | None, date | None]:
    """Severe episodes of the last twelve months, and the day of the newest; None where the history is not known.

    What was told at enrolment counts for the months before the diary began, so none of it is forgotten too early.
    """
    since = as_of - YEAR
    episodes = severe_episodes_between(records, since + timedelta(days=1), as_of)
    last = episodes[-1].last_attack_on if episodes else None
    began = records.days[0].on if records.days else as_of
    told = records.patient.severe_attacks_last_year
    if began <= since:
        return len(episodes), last
    if told is None:
        return (len(episodes) or None), last
    return len(episodes) + told, last


def severe_episodes_between(records: Records, first_day: date, last_day: date) -> list[Episode]:
    three_days = int(edition().number("attacks.steroid_days_severe_from"))
    return severe_episodes(
        ReportedAttack(
            started_on=attack.local_date,
            # A course of unknown length is taken for a severe attack: doubt never lowers a risk.
            systemic_steroid_days=attack.systemic_steroid_days or (three_days if attack.systemic_steroids else None),
            emergency_visit=attack.emergency_visit,
            hospital_admission=attack.hospital_admission,
        )
        for attack in records.attacks
        if first_day <= attack.local_date <= last_day
    )


def diary_day(day: Day) -> DiaryDay:
    return DiaryDay(
        day.on,
        day.daytime_symptoms,
        day.night_waking,
        None if day.reliever_puffs is None else day.reliever_puffs > 0,
        day.activity_limited,
    )


def _dose_days(records: Records, regimen: Regimen, as_of: date) -> list[DoseDay]:
    """The days of the window since the present regimen began, in hundredths of a day's doses."""
    if not any(p.use is not Use.AS_NEEDED for p in regimen.prescriptions):
        return []
    began = max(treated_since(records)[-1][0], as_of - timedelta(days=ADHERENCE_WINDOW_DAYS - 1))
    taken = {day.on: day.controller_fraction for day in records.days if day.controller_fraction is not None}
    return [
        DoseDay(day, expected=100, taken=None if day not in taken else round(100 * taken[day]))
        for day in (began + timedelta(days=offset) for offset in range((as_of - began).days + 1))
    ]


def treated_since(records: Records) -> list[tuple[date, Regimen]]:
    """Each stretch of unchanged structured treatment by its first local day; of one day's plans the last counts."""
    by_day: dict[date, Regimen] = {}
    for plan in records.plans:
        regimen = regimen_of(plan)
        if regimen is not None:
            by_day[records.local_day(plan.signed_at)] = regimen
    stretches: list[tuple[date, Regimen]] = []
    for day, regimen in sorted(by_day.items(), key=lambda item: item[0]):
        if not stretches or stretches[-1][1] != regimen:
            stretches.append((day, regimen))
    return stretches


def _days_since_reduction(records: Records, as_of: date) -> int | None:
    stretches = treated_since(records)
    for (_, before), (since, after) in reversed(list(pairwise(stretches))):
        try:
            years = age_years(records.patient.born_on or as_of, since)
            if daily_ics(after, years).metered < daily_ics(before, years).metered:
                return (as_of - since).days
        except GuidelineError:
            continue
    return None


def _well_controlled_days(answers: Sequence[DiaryDay], as_of: date, formoterol: bool) -> int | None:
    """For how long every four-week window, looked at week by week, was well controlled; None if today's is unknown."""
    window = int(edition().number("control.window"))
    days = 0
    for back in range(0, LONGEST_LOOK_BACK_DAYS - window, 7):
        until = as_of - timedelta(days=back)
        found = assess_control(four_weeks(answers, until, formoterol)).control_class
        if back == 0 and found is ControlClass.NOT_ENOUGH_DATA:
            return None
        if found is not ControlClass.WELL_CONTROLLED:
            break
        days = window + back
    return days


def _relapse(
    records: Records, answers: Sequence[DiaryDay], as_of: date, watched: Watched, formoterol: bool
) -> tuple[RelapseSign, ...]:
    before = four_weeks(answers, watched.since - timedelta(days=1), formoterol)
    # Only days after the change: the windows may reach further back.
    since = four_weeks([day for day in answers if day.local_date > watched.since], as_of, formoterol)
    plan = records.plan
    low = 0
    if plan is not None:
        low = sum(
            1
            for day in records.days
            if watched.since < day.on <= as_of
            and day.best_litres_per_min is not None
            and day.best_litres_per_min < plan.yellow_below_litres_per_min
        )
    return tuple(relapse_signs(before, since, low))


def _as_needed(puffs: Mapping[date, int], regimen: Regimen, as_of: date) -> AsNeededIcs | None:
    """For treatment taken only as needed, what stands for adherence."""
    inhalers: list[Prescription] = [p for p in regimen.prescriptions if p.product.ics and p.use is Use.AS_NEEDED]
    if len(inhalers) != 1 or any(p.use is not Use.AS_NEEDED for p in regimen.prescriptions):
        return None
    first = as_of - timedelta(days=ADHERENCE_WINDOW_DAYS - 1)
    return as_needed_ics({day: count for day, count in puffs.items() if first <= day <= as_of}, inhalers[0])


def _saba(puffs: Mapping[date, int], as_of: date) -> SabaYear | None:
    logged = [count for day, count in puffs.items() if as_of - timedelta(days=90) < day <= as_of]
    # A pace from fewer logged days than control asks for would be a guess.
    if len(logged) < edition().number("control.days_answered_needed"):
        return None
    return saba_year(sum(logged), len(logged))


def _ceiling(records: Records, regimen: Regimen, years: float, as_of: date) -> DayAgainstCeiling | None:
    """None with several relievers, as the diary's days do not tell them apart, and without a day of puffs."""
    if len(regimen.relievers) != 1:
        return None
    (reliever,) = regimen.relievers
    daily = reliever.inhalations * reliever.times_a_day
    most = DayAgainstCeiling(date.min, -1, CeilingStatus.WITHIN)
    for day in records.days:
        if as_of - CEILING_WINDOW < day.on <= as_of and day.reliever_puffs is not None:
            taken = round(day.reliever_puffs + daily * (day.controller_fraction or 0))
            if taken > most.inhalations:
                most = DayAgainstCeiling(day.on, taken, ceiling_status(taken, reliever, years))
    return most if most.inhalations >= 0 else None


def _attack_review(records: Records, as_of: date) -> tuple[date, date] | None:
    """From when to when the newest severe attack asks for a visit; None once that time is over."""
    severe = [attack for attack in records.attacks if attack.local_date <= as_of and attack.systemic_steroids]
    severe += [a for a in records.attacks if a.local_date <= as_of and (a.emergency_visit or a.hospital_admission)]
    if not severe:
        return None
    newest = max(severe, key=lambda attack: attack.local_date)
    in_hospital = bool(newest.emergency_visit or newest.hospital_admission)
    first, last = review_window(newest.local_date, in_hospital)
    return (first, last) if as_of <= last else None


def _risks(
    records: Records,
    regimen: Regimen,
    years: float,
    control: ControlClass,
    followed: Adherence,
    saba: SabaYear | None,
    severe: int | None,
    as_of: date,
    checks: Mapping[CheckCode, bool],
) -> list[FoundRisk]:
    recent = [attack for attack in records.attacks if as_of - YEAR < attack.local_date <= as_of]
    hospital = [attack.local_date for attack in recent if attack.emergency_visit or attack.hospital_admission]
    return find_risk_factors(
        RiskPicture(
            control=control,
            saba_canisters_a_year=None if saba is None else saba.canisters_a_year,
            takes_ics=regimen.contains_ics,
            ics_band=_band(regimen, years),
            proportion_of_days_covered=followed.fraction_taken,
            technique_correct=checks.get(CheckCode.TECHNIQUE),
            fev1_percent_predicted=measured_value(records, MeasurementKind.FEV1_PERCENT_PREDICTED),
            eosinophils_per_microlitre=measured_value(records, MeasurementKind.BLOOD_EOSINOPHILS),
            severe_attacks_last_year=severe,
            admissions_last_year=sum(1 for attack in recent if attack.hospital_admission),
            emergency_visits_last_year=sum(1 for attack in recent if attack.emergency_visit),
            days_since_admission_or_emergency=(as_of - max(hospital)).days if hospital else None,
            ever_intensive_care=checks.get(CheckCode.EVER_INTENSIVE_CARE),
            has_action_plan=bool(records.plans),
            reported=reported_factors([code for code, holds in checks.items() if holds]),
        )
    )


def _band(regimen: Regimen, years: float) -> DoseBand | None:
    try:
        return daily_ics(regimen, years).band
    except GuidelineError:
        return None
