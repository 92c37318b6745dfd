"""What the alerts cost and bring on simulated patients, beside the action-plan rule; what personal timing brings.

The frozen virtual cohort, a year; the shipped model as it is; the product's own `decide()` with its budgets, each
hospital's thresholds set anew each week on its last 90 days as on the server. Assumed: an assessment at noon, after the
day's entries, and every alert looked at by the next noon.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random

import numpy as np
from numpy.typing import NDArray

from backend.alerts.rules import (
    Action,
    Budget,
    Cause,
    ClinicBudget,
    Decision,
    ForecastLevel,
    Level,
    PreviousAlert,
    RedSign,
    decide,
    evidence_of,
)
from backend.reminders.rules import DailyDose, Quiet
from backend.reminders.timing import habit_of
from backend.risk.forecaster import thresholds_for
from ml.alarms import DAYS_PER_MONTH, alarm_days, threshold_for_budget
from ml.contract import DIARY_DAYS_NEEDED
from ml.evaluation.rules import RED_BELOW, action_plan_score, peak_flow_of_best
from ml.features.daily import patient_days
from ml.forecaster import SHIPPED_MODEL
from ml.model import MAIN_HORIZON_DAYS, load_model
from ml.personal import hospital_shift
from ml.scoring import head_logit, personalised
from ml.simulator.cohort import simulate
from tests.figures import Figure, figure

PATIENTS, DAYS, SEED = 1_000, 365, 11
HORIZON_DAYS = 7
# The first month has neither a personal layer nor thresholds of the hospital's own.
FROM_DAY = 30
BUSIEST = 0.05

Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Cohort:
    """Arrays (days, patients): alarm scores of the shipped model (NaN: none), share of best blow, onsets."""

    score: NDArray[np.float64]
    of_best: NDArray[np.float64]
    onset: Bool
    hospital: NDArray[np.int32]
    first_day: int
    amber: float
    red: float


def cohort(patients: int, days: int, seed: int) -> Cohort:
    simulated = simulate(seed, patients, days)
    model = load_model(SHIPPED_MODEL)
    laid_out = patient_days(simulated.diaries, simulated.profiles, days=days)
    wanted = laid_out.diary_days >= DIARY_DAYS_NEEDED
    population = head_logit(model.heads[MAIN_HORIZON_DAYS], laid_out, wanted)
    population += hospital_shift(model.hospital_factor, simulated.profiles.hospital)
    score = personalised(laid_out, population).alarm_score
    of_best = peak_flow_of_best(simulated.diaries, simulated.profiles, days)
    # A diary begins with its first entry; the truth with the first day of the year.
    begins = laid_out.day[0] - simulated.truth.first_day
    onset = np.zeros((days, patients), bool)
    for patient, offset in enumerate(begins):
        known = simulated.truth.severe_onset[patient, max(offset, 0) :]
        onset[: len(known), patient] = known
    return Cohort(
        np.where(wanted, score, np.nan),
        of_best,
        onset,
        simulated.profiles.hospital,
        simulated.truth.first_day,
        model.amber_threshold,
        model.red_threshold,
    )


@dataclass
class Patient:
    """What the server's tables would hold of one patient's alerts."""

    open: PreviousAlert | None = None
    of_rule: PreviousAlert | None = None
    signs: tuple[RedSign, ...] = ()
    raised_on: tuple[int, ...] = ()
    last_amber_at: datetime | None = None
    last_red_at: datetime | None = None


@dataclass(frozen=True)
class Raised:
    """Arrays (days, patients): a new alert, or one that became red, by its cause."""

    by_rule: Bool
    by_forecast: Bool


def alerts_of_the_product(of: Cohort) -> Raised:
    days, patients = of.score.shape
    raised = Raised(np.zeros((days, patients), bool), np.zeros((days, patients), bool))
    people = [Patient() for _ in range(patients)]
    hospitals = {int(code): np.flatnonzero(of.hospital == code) for code in np.unique(of.hospital)}
    thresholds = dict.fromkeys(hospitals, (of.amber, of.red))
    spent: dict[int, list[tuple[int, Level]]] = defaultdict(list)
    for day in range(days):
        now = datetime.combine(date.fromordinal(of.first_day + day), time(12), UTC)
        for code, members in hospitals.items():
            if day >= FROM_DAY and day % 7 == 0:
                thresholds[code] = thresholds_for(of.score[max(day - 90, 0) : day, members], 0.25, 0.10)
            spent[code] = [one for one in spent[code] if day - one[0] < 30]
            for index in members:
                clinic = ClinicBudget(
                    len(members), len(spent[code]), sum(level is Level.RED for _, level in spent[code])
                )
                decided = _decide(people[index], of, day, int(index), thresholds[code], clinic, now)
                if decided.action in {Action.RAISE, Action.ESCALATE}:
                    forecast = decided.cause is Cause.FORECAST
                    (raised.by_forecast if forecast else raised.by_rule)[day, index] = True
                    if forecast and decided.level is not None:
                        spent[code].append((day, decided.level))
    return raised


def _decide(
    of_whom: Patient,
    of: Cohort,
    day: int,
    index: int,
    thresholds: tuple[float, float],
    clinic: ClinicBudget,
    now: datetime,
) -> Decision:
    _note_reading(of_whom, float(of.of_best[day, index]), now)
    if of_whom.open is not None:
        of_whom.open = replace(of_whom.open, acknowledged=True)
    if of_whom.of_rule is not None and not of_whom.of_rule.acknowledged:
        of_whom.of_rule = replace(of_whom.of_rule, acknowledged=True)
    evidence = evidence_of(of_whom.signs, now)
    score = float(of.score[day, index])
    forecast = None
    if not math.isnan(score):
        amber, red = thresholds
        forecast = (
            ForecastLevel.HIGH if score >= red else ForecastLevel.RAISED if score >= amber else ForecastLevel.USUAL
        )
    recent = tuple(one for one in of_whom.raised_on if day - one < 30)
    budget = Budget(of_whom.last_amber_at, of_whom.last_red_at, len(recent), clinic)
    decided = decide(of_whom.open, of_whom.of_rule, evidence, forecast, budget, now)
    if decided.action is Action.RESOLVE:
        if of_whom.of_rule is of_whom.open or (of_whom.open and of_whom.open.cause is not Cause.FORECAST):
            of_whom.of_rule = None if of_whom.of_rule is None else replace(of_whom.of_rule, resolved=True)
        of_whom.open = None
        decided = decide(None, of_whom.of_rule, evidence, forecast, budget, now)
    if decided.action in {Action.RAISE, Action.ESCALATE} and decided.level and decided.cause:
        _keep(of_whom, decided.level, decided.cause, day, now)
    return decided


def _keep(of_whom: Patient, level: Level, cause: Cause, day: int, now: datetime) -> None:
    alert = PreviousAlert(level, cause, triggered_at=now)
    if cause is Cause.FORECAST:
        of_whom.raised_on = (*of_whom.raised_on[-5:], day)
        if level is Level.RED:
            of_whom.last_red_at = now
        else:
            of_whom.last_amber_at = now
    else:
        evidence = evidence_of(of_whom.signs, now)
        if evidence is not None:
            alert = replace(
                alert,
                evidence_at=evidence.evidence_at,
                evidence_on=evidence.evidence_on,
                flags=evidence.flags,
            )
        of_whom.of_rule = alert
    of_whom.open = alert


def _note_reading(of_whom: Patient, of_best: float, now: datetime) -> None:
    """Red signs of the last eight days; a reading that is not red ends those before it."""
    signs = tuple(sign for sign in of_whom.signs if now - sign.at < timedelta(days=8))
    if not math.isnan(of_best):
        at = now - timedelta(hours=4)
        if of_best < RED_BELOW:
            signs = (*signs, RedSign("red_zone", at, at.date()))
        else:
            signs = tuple(replace(sign, recovered_at=sign.recovered_at or at) for sign in signs)
    of_whom.signs = signs


@dataclass(frozen=True)
class Burden:
    """`per_month`: alerts a patient-month. `foreseen`: share of attacks with an alert one to seven days before.
    `came_true`: share of alerts followed by an attack within seven days. `busiest`: share of the alerts on 5 %."""

    per_month: float
    foreseen: float
    came_true: float
    busiest: float


def counted_alerts(alert: Bool) -> Bool:
    """Those of the days on which every baseline can speak and what followed is known."""
    counted = alert.copy()
    counted[:FROM_DAY] = False
    counted[len(alert) - HORIZON_DAYS :] = False
    return counted


def busiest_patients(alert: Bool) -> NDArray[np.int64]:
    """The 5 % with the most alerts."""
    each = counted_alerts(alert).sum(axis=0)
    return np.argsort(-each, kind="stable")[: max(1, round(BUSIEST * len(each)))]


def burden(alert: Bool, of: Cohort) -> Burden:
    days = len(alert)
    counted = counted_alerts(alert)
    followed = counted.shape[1] * (days - FROM_DAY - HORIZON_DAYS)
    attack_day, who = np.nonzero(of.onset[FROM_DAY + HORIZON_DAYS :])
    attack_day += FROM_DAY + HORIZON_DAYS
    before = np.array(
        [alert[day - HORIZON_DAYS : day, patient].any() for day, patient in zip(attack_day, who, strict=True)]
    )
    alert_day, whose = np.nonzero(counted)
    after = np.array(
        [
            of.onset[day + 1 : day + 1 + HORIZON_DAYS, patient].any()
            for day, patient in zip(alert_day, whose, strict=True)
        ]
    )
    busiest = counted[:, busiest_patients(alert)].sum() / max(counted.sum(), 1)
    return Burden(
        per_month=float(counted.sum() / followed * DAYS_PER_MONTH),
        foreseen=float(before.mean()),
        came_true=float(after.mean()),
        busiest=float(busiest),
    )


def action_plan_rule(of: Cohort) -> Bool:
    """Yellow or red, at most once a week."""
    score = action_plan_score(of.of_best)
    return alarm_days(score, np.ones(score.shape, bool), 1.0)


def lowest_peak_flows(of: Cohort, per_month: float) -> Bool:
    """The plan's zones with one threshold instead, set so low that they raise just as many alerts."""
    score = np.where(np.isnan(of.of_best), -np.inf, -of.of_best)
    everywhere = np.ones(score.shape, bool)
    return alarm_days(score, everywhere, threshold_for_budget(score, everywhere, per_month))


# What follows is no part of the cohort, which knows days and no hours: a response model of its own, stated here.
PEOPLE, TIMED_DAYS, COUNT_FROM = 400, 120, 60
FIXED_MINUTE = 8 * 60


@dataclass
class Doser:
    """One dose a day. Usual minute on weekdays and weekends, spread of the free moment around it, share of days on
    which it is remembered without help, and how likely a prompt in the free moment itself is followed."""

    weekday: float
    weekend: float
    spread: float
    remembers: float
    follows: float


def adherence(seed: int, *, personal: bool) -> float:
    """Share of doses taken from day 60 on, with exactly one prompt a day.

    A prompt is followed with a chance that falls with its distance from the day's free moment (a normal curve of 90
    minutes) and with habituation: by 3 % for each of the last 14 prompts that brought nothing, as in models of
    notification fatigue; it is never negative. A dose not prompted is taken in the free moment.
    """
    random = Random(seed)
    taken = 0
    for number in range(PEOPLE):
        own = Random(f"{seed}-{number}")
        usual = min(max(own.gauss(8.6 * 60, 130), 5 * 60), 21 * 60)
        doser = Doser(
            usual, usual + own.gauss(60, 45), own.uniform(20, 60), own.betavariate(2, 4), own.betavariate(5, 3)
        )
        taken += _taken(doser, random, personal=personal)
    return taken / (PEOPLE * (TIMED_DAYS - COUNT_FROM))


def _taken(doser: Doser, random: Random, *, personal: bool) -> int:
    start, dose = date(2026, 1, 5), DailyDose("inhaler", 1, (FIXED_MINUTE,))
    history: list[datetime] = []
    in_vain: list[bool] = []
    count = 0
    for place in range(TIMED_DAYS):
        day = start + timedelta(days=place)
        weekend = day.weekday() >= 5
        prompt = FIXED_MINUTE
        if personal:
            [prompt] = habit_of({"inhaler": history}, Quiet(), day)(dose, weekend)
        free = random.gauss(doser.weekend if weekend else doser.weekday, doser.spread)
        remembered, drawn = random.random() < doser.remembers, random.random()
        tired = max(0.0, 1 - 0.03 * sum(in_vain[-14:]))
        followed = drawn < doser.follows * tired * math.exp(-0.5 * ((prompt - free) / 90) ** 2)
        in_vain.append(not followed)
        if remembered or followed:
            minute = min(max(round(free if remembered else prompt + 5), 0), 1439)
            history.append(datetime.combine(day, time(minute // 60, minute % 60)))
            count += place >= COUNT_FROM
    return count


def figures() -> Iterator[Figure]:
    of = cohort(PATIENTS, DAYS, SEED)
    raised = alerts_of_the_product(of)
    product, forecast = burden(raised.by_rule | raised.by_forecast, of), burden(raised.by_forecast, of)
    rule = burden(action_plan_rule(of), of)
    yield figure(
        "reminders.forecast_alerts_a_patient_month",
        forecast.per_month,
        "alerts",
        baseline=0.25,
        goal="within 0.25 and a tenth of it, amber and red together (baseline: the budget)",
        met=forecast.per_month <= 0.275,
    )
    yield figure("reminders.alerts_a_patient_month", product.per_month, "alerts", baseline=rule.per_month)
    yield figure(
        "reminders.attacks_with_an_alert_a_day_before",
        product.foreseen,
        "share of severe attacks (baseline: yellow or red zone, at most weekly)",
        baseline=rule.foreseen,
    )
    yield figure(
        "reminders.alerts_that_came_true",
        product.came_true,
        "share of alerts followed by a severe attack within 7 days",
        baseline=rule.came_true,
        goal="above the rule's",
        met=product.came_true > rule.came_true,
    )
    yield figure(
        "reminders.alerts_on_the_busiest_5_percent",
        product.busiest,
        "share of alerts",
        baseline=rule.busiest,
    )
    alike = burden(lowest_peak_flows(of, product.per_month), of)
    yield figure(
        "reminders.attacks_with_an_alert_at_equal_alerts",
        product.foreseen,
        f"share of severe attacks (baseline: the lowest peak flows, {alike.per_month:.2f} alerts a patient-month)",
        baseline=alike.foreseen,
        goal="above the baseline",
        met=product.foreseen > alike.foreseen,
    )
    yield figure(
        "reminders.alerts_that_came_true_at_equal_alerts",
        product.came_true,
        "share of alerts (baseline: the lowest peak flows, as often)",
        baseline=alike.came_true,
        goal="above the baseline",
        met=product.came_true > alike.came_true,
    )
    busiest = busiest_patients(raised.by_rule | raised.by_forecast)
    # The fewer alerts there are, the more of them fall on few patients, whoever raises them.
    yield figure(
        "reminders.alerts_on_the_busiest_5_percent_at_equal_alerts",
        product.busiest,
        "share of alerts (baseline: the lowest peak flows, as often)",
        baseline=alike.busiest,
        goal="not above the baseline",
        met=product.busiest <= alike.busiest,
    )
    yield figure(
        "reminders.attacks_of_the_busiest_5_percent",
        float(of.onset[FROM_DAY:, busiest].sum() / of.onset[FROM_DAY:].sum()),
        "share of severe attacks, of the same patients",
    )
    fixed, personal = adherence(SEED, personal=False), adherence(SEED, personal=True)
    yield figure(
        "reminders.doses_taken_with_personal_timing",
        personal,
        "share of doses, in a stated response model and no trial (baseline: fixed 08:00, equal prompts)",
        baseline=fixed,
        goal="above fixed timing",
        met=personal > fixed,
    )
    yield figure("reminders.adherence_gain_of_personal_timing", personal - fixed, "share of doses, same model")
