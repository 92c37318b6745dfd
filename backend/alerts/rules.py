"""When an alert is raised, escalated, kept or resolved. Pure: what is known goes in, one decision comes out.

Two sources speak. A rule (red zone, red flag) always passes and is always red. A forecast may only add to it, and only
while the alert budget lasts: too many alarms are switched off by those they should reach.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

# The guideline's zones and flags are in backend.clinical; the numbers below are product decisions.
# A red reading speaks for this long even if nothing was recorded after it.
EVIDENCE_LASTS = timedelta(days=7)
# A sign that is over still speaks for this long: an alert may be raised after the fact, as after a night offline.
RECOVERED_SPEAKS = timedelta(hours=24)
# Red again while nobody has looked at the alert is told once more, at most once in this time.
TOLD_AGAIN_AFTER = timedelta(hours=24)
# The forecast's own horizon.
FORECAST_LASTS = timedelta(days=7)
# Alarm policy of the model design: 7 days between two forecast alerts of one level. The long-run rate (0.25 amber and
# 0.10 red a patient-month) is held by thresholds that each hospital sets anew every week; this ceiling only stops one
# patient's alarm from running away, as a tighter one would cost sensitivity (0.70 to 0.65).
FORECAST_REFRACTORY = timedelta(days=7)
MOST_FORECAST_ALERTS_IN_30_DAYS = 2
DAYS_A_MONTH = 365.2425 / 12
# How long an amber alert may rest; a forecast speaks of seven days.
LONGEST_SNOOZE = timedelta(hours=72)


class Level(StrEnum):
    """Amber speaks to the patient, red to the patient and the clinician."""

    AMBER = "amber"
    RED = "red"


class Cause(StrEnum):
    RED_ZONE = "red_zone"
    RED_FLAG = "red_flag"
    FORECAST = "forecast"


class Action(StrEnum):
    """KEEP leaves everything as it is, be there an alert or none."""

    RAISE = "raise"
    ESCALATE = "escalate"
    KEEP = "keep"
    RESOLVE = "resolve"


class ForecastLevel(StrEnum):
    USUAL = "usual"
    RAISED = "raised"
    HIGH = "high"


class ResolvedBecause(StrEnum):
    RECOVERED = "recovered"
    CORRECTED = "corrected"
    QUIET = "quiet"
    RISK_FELL = "risk_fell"
    HORIZON_PASSED = "horizon_passed"
    ESCALATED = "escalated"
    SWITCHED_OFF = "switched_off"


class Step(StrEnum):
    """What becomes of an alert that nobody has answered."""

    ASK_SECOND = "ask_second"
    SEND_MAIL = "send_mail"
    END_SNOOZE = "end_snooze"


@dataclass(frozen=True)
class PreviousAlert:
    """One alert of the patient, open or resolved. `evidence_at`: the newest red sign that a rule's alert spoke of."""

    level: Level
    cause: Cause
    triggered_at: datetime
    evidence_at: datetime | None = None
    evidence_on: date | None = None
    flags: frozenset[str] = frozenset()
    acknowledged: bool = False
    resolved: bool = False


@dataclass(frozen=True)
class RedSign:
    """One kind of red flag (a code of `backend.clinical.red_flags`) in one entry, on the patient's local day `on`.

    `recovered_at` is the first later entry that shows it is over: a reading that is not red after a red reading, for an
    answered danger sign an answer without it (a good reading never cancels that); None while there is none.
    """

    flag: str
    at: datetime
    on: date
    recovered_at: datetime | None = None


@dataclass(frozen=True)
class RedEvidence:
    """Red signs that belong together. `recovered_at` is None while any of them is not over."""

    flags: frozenset[str]
    evidence_at: datetime
    evidence_on: date
    recovered_at: datetime | None = None

    @property
    def cause(self) -> Cause:
        return Cause.RED_ZONE if self.flags <= {"red_zone", "peak_flow_below_half"} else Cause.RED_FLAG


@dataclass(frozen=True)
class AlertPolicy:
    """What a hospital chose: forecast alerts a patient-month, and when an unanswered red alert goes further."""

    amber_per_patient_month: float = 0.25
    red_per_patient_month: float = 0.10
    second_after: timedelta = timedelta(minutes=30)
    email_after: timedelta = timedelta(minutes=60)


@dataclass(frozen=True)
class ClinicBudget:
    """The forecast alerts of a hospital's patients in the last 30 days, of any level and red ones."""

    patients: int
    raised: int = 0
    raised_red: int = 0
    policy: AlertPolicy = AlertPolicy()

    def allows(self, level: Level) -> bool:
        """Until there are more than chance explains: the budget and two standard deviations of its count above it.

        The thresholds hold the rate itself. This holds it in a week in which everybody's scores move.
        """
        rate = self.policy.red_per_patient_month if level is Level.RED else self.policy.amber_per_patient_month
        if rate == 0:
            return False
        expected = rate * self.patients * 30 / DAYS_A_MONTH
        return (self.raised_red if level is Level.RED else self.raised) < expected + 2 * math.sqrt(expected) + 1


@dataclass(frozen=True)
class Budget:
    """What forecast alerts have used up: of the patient, when each level was last raised and how many in 30 days."""

    last_amber_at: datetime | None = None
    last_red_at: datetime | None = None
    raised_in_30_days: int = 0
    clinic: ClinicBudget = field(default_factory=lambda: ClinicBudget(patients=1))

    def allows(self, level: Level, now: datetime) -> bool:
        last_at = self.last_red_at if level is Level.RED else self.last_amber_at
        rested = last_at is None or now - last_at >= FORECAST_REFRACTORY
        return rested and self.raised_in_30_days < MOST_FORECAST_ALERTS_IN_30_DAYS and self.clinic.allows(level)


@dataclass(frozen=True)
class Decision:
    """`level` and `cause` are those of the alert after RAISE or ESCALATE, `because` is the reason of RESOLVE."""

    action: Action
    level: Level | None = None
    cause: Cause | None = None
    because: ResolvedBecause | None = None


def speaking(signs: Sequence[RedSign], now: datetime) -> list[RedSign]:
    """The signs that are not over, or were until a day ago."""
    return [sign for sign in signs if _speaks(sign.at, sign.recovered_at, now)]


def evidence_of(signs: Sequence[RedSign], now: datetime) -> RedEvidence | None:
    """All signs that still speak, or, when none does, the newest alone; None without any sign."""
    if not signs:
        return None
    newest = max(signs, key=lambda sign: sign.at)
    together = speaking(signs, now) or [newest]
    latest = max(together, key=lambda sign: sign.at)
    ends = [sign.recovered_at for sign in together if sign.recovered_at is not None]
    return RedEvidence(
        flags=frozenset(sign.flag for sign in together),
        evidence_at=latest.at,
        evidence_on=latest.on,
        recovered_at=max(ends) if len(ends) == len(together) else None,
    )


def decide(
    open_alert: PreviousAlert | None,
    last_of_rule: PreviousAlert | None,
    evidence: RedEvidence | None,
    forecast: ForecastLevel | None,
    budget: Budget,
    now: datetime,
) -> Decision:
    """What to do about one patient's alert.

    `last_of_rule` is the latest alert that a rule raised, open or resolved; it may be `open_alert` itself. `evidence`
    None: nothing red is on record. `forecast` None: there is none (too little data, no consent, no model), which is not
    the same as a low one. RESOLVE frees the place: ask again without an open alert.
    """
    if (
        evidence is not None
        and _speaks(evidence.evidence_at, evidence.recovered_at, now)
        and _is_news(evidence, last_of_rule)
    ):
        action = Action.RAISE if open_alert is None else Action.ESCALATE
        return Decision(action, Level.RED, evidence.cause)
    if open_alert is None:
        return _forecast_alert(forecast, budget, now)
    if open_alert.cause is Cause.FORECAST:
        return _about_open_forecast(open_alert, forecast, budget, now)
    because = _rule_alert_is_over(open_alert, evidence, now)
    return Decision(Action.KEEP) if because is None else Decision(Action.RESOLVE, because=because)


def _speaks(at: datetime, recovered_at: datetime | None, now: datetime) -> bool:
    return now - at < (EVIDENCE_LASTS if recovered_at is None else RECOVERED_SPEAKS)


def _is_news(evidence: RedEvidence, told: PreviousAlert | None) -> bool:
    """True if no alert has told of it: a first one, a further danger sign, or red after an end or a look at it."""
    if told is None or told.evidence_at is None or told.evidence_on is None:
        return True
    newer = evidence.evidence_at > told.evidence_at
    if told.resolved:
        return newer
    if evidence.cause is Cause.RED_FLAG and evidence.flags - told.flags:
        return True
    if not newer or evidence.evidence_on <= told.evidence_on:
        return False
    # On a later day: who acknowledged yesterday's red reading learns of today's at once.
    return told.acknowledged or evidence.evidence_at - told.evidence_at >= TOLD_AGAIN_AFTER


def _forecast_alert(forecast: ForecastLevel | None, budget: Budget, now: datetime) -> Decision:
    if forecast is ForecastLevel.HIGH and budget.allows(Level.RED, now):
        return Decision(Action.RAISE, Level.RED, Cause.FORECAST)
    if forecast in {ForecastLevel.RAISED, ForecastLevel.HIGH} and budget.allows(Level.AMBER, now):
        return Decision(Action.RAISE, Level.AMBER, Cause.FORECAST)
    return Decision(Action.KEEP)


def _about_open_forecast(
    alert: PreviousAlert, forecast: ForecastLevel | None, budget: Budget, now: datetime
) -> Decision:
    if alert.level is Level.AMBER and forecast is ForecastLevel.HIGH and budget.allows(Level.RED, now):
        return Decision(Action.ESCALATE, Level.RED, Cause.FORECAST)
    # One nobody has looked at does not vanish because the next day's forecast is lower: it spoke of seven days.
    if forecast is ForecastLevel.USUAL and alert.acknowledged:
        return Decision(Action.RESOLVE, because=ResolvedBecause.RISK_FELL)
    if now - alert.triggered_at >= FORECAST_LASTS:
        return Decision(Action.RESOLVE, because=ResolvedBecause.HORIZON_PASSED)
    return Decision(Action.KEEP)


def is_past(alert: PreviousAlert | None, evidence: RedEvidence | None, now: datetime) -> bool:
    """True if what a rule's alert told of no longer concerns the patient, whether or not a clinician has looked."""
    if alert is None or alert.cause is Cause.FORECAST:
        return False
    return evidence is None or not _speaks(evidence.evidence_at, evidence.recovered_at, now)


def _rule_alert_is_over(alert: PreviousAlert, evidence: RedEvidence | None, now: datetime) -> ResolvedBecause | None:
    """A red sign is over only after somebody looked at it: Saturday's attack is still on Monday's list."""
    if evidence is None:
        # Nothing red is on record within EVIDENCE_LASTS: it was deleted or put right, unless time alone has passed.
        quiet = alert.evidence_at is not None and now - alert.evidence_at >= EVIDENCE_LASTS
        if not quiet:
            return ResolvedBecause.CORRECTED
        return ResolvedBecause.QUIET if alert.acknowledged else None
    if not alert.acknowledged:
        return None
    if evidence.recovered_at is not None:
        return ResolvedBecause.RECOVERED
    return ResolvedBecause.QUIET if now - evidence.evidence_at >= EVIDENCE_LASTS else None


@dataclass(frozen=True)
class Unanswered:
    """An open alert that no clinician has acknowledged. `since`: when it was raised, or last became more urgent."""

    level: Level
    since: datetime
    snoozed_until: datetime | None = None
    second_asked: bool = False
    emailed: bool = False


def next_step(alert: Unanswered, policy: AlertPolicy, now: datetime) -> tuple[Step | None, datetime | None]:
    """What to do for the alert now, or else when to look at it again; (None, None) when nothing is to come.

    Red goes to a second clinician and then to e-mail. Amber is the patient's; it only comes back from a snooze.
    """
    if alert.level is Level.RED:
        steps = [
            (alert.since + policy.second_after, Step.ASK_SECOND, alert.second_asked),
            (alert.since + policy.email_after, Step.SEND_MAIL, alert.emailed),
        ]
    else:
        steps = [] if alert.snoozed_until is None else [(alert.snoozed_until, Step.END_SNOOZE, False)]
    for at, step, done in steps:
        if not done:
            return (step, None) if at <= now else (None, at)
    return None, None
