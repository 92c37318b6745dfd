from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backend.alerts.rules import (
    Action,
    Budget,
    Cause,
    Decision,
    ForecastLevel,
    Level,
    PreviousAlert,
    RedEvidence,
    RedSign,
    ResolvedBecause,
    decide,
    evidence_of,
    is_past,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = date(2026, 11, 20)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NOTHING_SPENT = Budget()
SPENT = Budget(last_amber_at=NOW - DAY, last_red_at=NOW - DAY, raised_in_30_days=2)
RANK = {None: 0, Level.AMBER: 1, Level.RED: 2}

RED_READING = RedEvidence(frozenset({"red_zone"}), NOW - HOUR, TODAY)
BLUE_LIPS = RedEvidence(frozenset({"red_zone", "blue_lips"}), NOW - HOUR, TODAY)
TOLD = PreviousAlert(Level.RED, Cause.RED_ZONE, NOW - HOUR, NOW - HOUR, TODAY, frozenset({"red_zone"}))
AMBER = PreviousAlert(Level.AMBER, Cause.FORECAST, NOW - DAY)

moments = st.integers(0, 24 * 10).map(lambda hours: NOW - hours * HOUR)
flag_sets = st.frozensets(st.sampled_from(["red_zone", "peak_flow_below_half", "blue_lips"]), min_size=1)
forecasts = st.none() | st.sampled_from(ForecastLevel)


@st.composite
def evidences(draw: st.DrawFn) -> RedEvidence:
    at = draw(moments)
    recovered_at = draw(st.none() | st.integers(0, 200).map(lambda hours: min(at + hours * HOUR, NOW)))
    return RedEvidence(draw(flag_sets), at, at.date(), recovered_at)


@st.composite
def rule_alerts(draw: st.DrawFn) -> PreviousAlert:
    at = draw(moments)
    return PreviousAlert(
        Level.RED,
        draw(st.sampled_from([Cause.RED_ZONE, Cause.RED_FLAG])),
        at,
        at,
        at.date(),
        draw(flag_sets),
        acknowledged=draw(st.booleans()),
        resolved=draw(st.booleans()),
    )


@st.composite
def forecast_alerts(draw: st.DrawFn) -> PreviousAlert:
    return PreviousAlert(draw(st.sampled_from(Level)), Cause.FORECAST, draw(moments), acknowledged=draw(st.booleans()))


@st.composite
def situations(draw: st.DrawFn) -> tuple[PreviousAlert | None, PreviousAlert | None, RedEvidence | None, Budget]:
    last_of_rule = draw(st.none() | rule_alerts())
    if last_of_rule is not None and not last_of_rule.resolved:
        open_alert: PreviousAlert | None = last_of_rule
    else:
        open_alert = draw(st.none() | forecast_alerts())
    budget = Budget(draw(st.none() | moments), draw(st.none() | moments), draw(st.integers(0, 3)))
    return open_alert, last_of_rule, draw(st.none() | evidences()), budget


def level_after(open_alert: PreviousAlert | None, decision: Decision) -> Level | None:
    if decision.action is Action.KEEP:
        return None if open_alert is None else open_alert.level
    return None if decision.action is Action.RESOLVE else decision.level


@given(situations(), forecasts)
def test_no_forecast_and_no_budget_lowers_what_the_rules_alone_decide(
    situation: tuple[PreviousAlert | None, PreviousAlert | None, RedEvidence | None, Budget],
    forecast: ForecastLevel | None,
) -> None:
    open_alert, last_of_rule, evidence, budget = situation
    by_rules = open_alert if open_alert is None or open_alert.cause is not Cause.FORECAST else None
    alone = decide(by_rules, last_of_rule, evidence, None, NOTHING_SPENT, NOW)
    together = decide(open_alert, last_of_rule, evidence, forecast, budget, NOW)
    assert RANK[level_after(open_alert, together)] >= RANK[level_after(by_rules, alone)]
    if by_rules is not None:
        assert together == alone


@given(evidences(), forecasts, st.none() | forecast_alerts())
def test_fresh_red_evidence_always_passes(
    evidence: RedEvidence, forecast: ForecastLevel | None, open_alert: PreviousAlert | None
) -> None:
    decision = decide(open_alert, None, replace(evidence, recovered_at=None, evidence_at=NOW), forecast, SPENT, NOW)
    assert decision.level is Level.RED
    assert decision.cause is evidence.cause
    assert decision.action is (Action.RAISE if open_alert is None else Action.ESCALATE)


@given(evidences(), forecasts, st.booleans())
def test_what_an_alert_has_told_is_not_told_again(
    evidence: RedEvidence, forecast: ForecastLevel | None, acknowledged: bool
) -> None:
    told = PreviousAlert(
        Level.RED,
        evidence.cause,
        evidence.evidence_at,
        evidence.evidence_at,
        evidence.evidence_on,
        evidence.flags,
        acknowledged=acknowledged,
    )
    decision = decide(told, told, evidence, forecast, NOTHING_SPENT, NOW)
    assert decision.action in {Action.KEEP, Action.RESOLVE}
    after = decide(None, replace(told, resolved=True), evidence, forecast, NOTHING_SPENT, NOW)
    assert after.cause in {None, Cause.FORECAST}


@given(situations(), forecasts)
def test_a_forecast_alert_is_raised_only_within_the_budget(
    situation: tuple[PreviousAlert | None, PreviousAlert | None, RedEvidence | None, Budget],
    forecast: ForecastLevel | None,
) -> None:
    open_alert, last_of_rule, evidence, _ = situation
    decision = decide(open_alert, last_of_rule, evidence, forecast, SPENT, NOW)
    assert not (decision.action in {Action.RAISE, Action.ESCALATE} and decision.cause is Cause.FORECAST)


def test_a_red_reading_raises_a_red_alert() -> None:
    assert decide(None, None, RED_READING, None, SPENT, NOW) == Decision(Action.RAISE, Level.RED, Cause.RED_ZONE)


def test_a_danger_sign_is_named_before_the_zone() -> None:
    assert decide(None, None, BLUE_LIPS, None, SPENT, NOW).cause is Cause.RED_FLAG


def test_a_red_reading_escalates_an_amber_alert() -> None:
    assert decide(AMBER, None, RED_READING, None, SPENT, NOW) == Decision(Action.ESCALATE, Level.RED, Cause.RED_ZONE)


def test_a_danger_sign_escalates_an_acknowledged_red_zone() -> None:
    seen = replace(TOLD, acknowledged=True)
    assert decide(seen, seen, BLUE_LIPS, None, SPENT, NOW) == Decision(Action.ESCALATE, Level.RED, Cause.RED_FLAG)


def test_a_red_reading_after_recovery_fires_again() -> None:
    over = replace(TOLD, acknowledged=True, resolved=True, evidence_at=NOW - 5 * HOUR)
    assert decide(None, over, RED_READING, None, SPENT, NOW).action is Action.RAISE


def test_the_same_reading_does_not_fire_again_after_the_alert_is_over() -> None:
    over = replace(TOLD, acknowledged=True, resolved=True)
    assert decide(None, over, RED_READING, None, SPENT, NOW).action is Action.KEEP


def test_red_on_the_day_after_the_acknowledgement_is_told_anew() -> None:
    seen = replace(TOLD, acknowledged=True, evidence_at=NOW - DAY, evidence_on=TODAY - DAY)
    assert decide(seen, seen, RED_READING, None, SPENT, NOW).action is Action.ESCALATE


def test_more_red_on_the_acknowledged_day_is_not() -> None:
    seen = replace(TOLD, acknowledged=True, evidence_at=NOW - 3 * HOUR)
    assert decide(seen, seen, RED_READING, None, SPENT, NOW).action is Action.KEEP


def test_recovery_ends_an_alert_that_somebody_has_looked_at_and_no_other() -> None:
    recovered = replace(RED_READING, recovered_at=NOW)
    seen = replace(TOLD, acknowledged=True)
    ended = Decision(Action.RESOLVE, because=ResolvedBecause.RECOVERED)
    assert decide(seen, seen, recovered, None, SPENT, NOW) == ended
    assert decide(TOLD, TOLD, recovered, None, SPENT, NOW).action is Action.KEEP
    assert decide(TOLD, TOLD, recovered, None, SPENT, NOW + 3 * DAY).action is Action.KEEP


def test_red_again_on_a_later_day_is_told_again_although_nobody_has_looked_but_once_a_day_at_most() -> None:
    again = replace(RED_READING, evidence_at=NOW + DAY, evidence_on=TODAY + DAY)
    assert decide(TOLD, TOLD, again, None, SPENT, NOW + DAY).action is Action.ESCALATE
    soon = replace(RED_READING, evidence_at=NOW + 10 * HOUR, evidence_on=TODAY + DAY)
    assert decide(TOLD, TOLD, soon, None, SPENT, NOW + 10 * HOUR).action is Action.KEEP


def test_what_is_over_concerns_the_patient_no_longer_while_the_alert_waits_for_a_clinician() -> None:
    recovered = replace(RED_READING, recovered_at=NOW)
    assert not is_past(TOLD, recovered, NOW + 2 * HOUR)
    assert is_past(TOLD, recovered, NOW + 2 * DAY)
    assert not is_past(TOLD, RED_READING, NOW + 2 * DAY)


def test_silence_is_no_recovery() -> None:
    for days in range(1, 40):
        evidence = RED_READING if days < 7 else None
        assert decide(TOLD, TOLD, evidence, ForecastLevel.USUAL, SPENT, NOW + days * DAY).action is Action.KEEP


def test_silence_after_the_acknowledgement_ends_the_alert_after_a_week() -> None:
    seen = replace(TOLD, acknowledged=True)
    assert decide(seen, seen, RED_READING, None, SPENT, NOW + 6 * DAY).action is Action.KEEP
    decision = decide(seen, seen, None, None, SPENT, NOW + 7 * DAY)
    assert decision == Decision(Action.RESOLVE, because=ResolvedBecause.QUIET)


def test_a_deleted_reading_takes_its_alert_with_it() -> None:
    decision = decide(TOLD, TOLD, None, None, SPENT, NOW)
    assert decision == Decision(Action.RESOLVE, because=ResolvedBecause.CORRECTED)


def test_a_high_forecast_is_red_and_a_raised_one_amber() -> None:
    high = decide(None, None, None, ForecastLevel.HIGH, NOTHING_SPENT, NOW)
    assert high == Decision(Action.RAISE, Level.RED, Cause.FORECAST)
    raised = decide(None, None, None, ForecastLevel.RAISED, NOTHING_SPENT, NOW)
    assert raised == Decision(Action.RAISE, Level.AMBER, Cause.FORECAST)
    assert decide(None, None, None, ForecastLevel.USUAL, NOTHING_SPENT, NOW).action is Action.KEEP


def test_a_forecast_rests_for_seven_days() -> None:
    just_spent = Budget(last_amber_at=NOW, raised_in_30_days=1)
    assert decide(None, None, None, ForecastLevel.RAISED, just_spent, NOW + 7 * DAY - HOUR).action is Action.KEEP
    assert decide(None, None, None, ForecastLevel.RAISED, just_spent, NOW + 7 * DAY).action is Action.RAISE


def test_an_amber_forecast_that_becomes_high_escalates() -> None:
    spent = Budget(last_amber_at=AMBER.triggered_at, raised_in_30_days=1)
    decision = decide(AMBER, None, None, ForecastLevel.HIGH, spent, NOW)
    assert decision == Decision(Action.ESCALATE, Level.RED, Cause.FORECAST)


def test_a_forecast_alert_that_was_seen_ends_when_the_risk_falls() -> None:
    seen = replace(AMBER, acknowledged=True)
    fell = decide(seen, None, None, ForecastLevel.USUAL, NOTHING_SPENT, NOW)
    assert fell == Decision(Action.RESOLVE, because=ResolvedBecause.RISK_FELL)
    assert decide(seen, None, None, None, NOTHING_SPENT, NOW).action is Action.KEEP


def test_a_forecast_alert_that_nobody_saw_stays_for_the_days_it_spoke_of() -> None:
    last_hour = AMBER.triggered_at + 7 * DAY - HOUR
    for forecast in (None, *ForecastLevel):
        spent = Budget(last_amber_at=AMBER.triggered_at, last_red_at=NOW, raised_in_30_days=1)
        assert decide(AMBER, None, None, forecast, spent, last_hour).action is Action.KEEP
        passed = decide(AMBER, None, None, forecast, spent, last_hour + HOUR)
        assert passed == Decision(Action.RESOLVE, because=ResolvedBecause.HORIZON_PASSED)


def test_evidence_gathers_all_that_still_speaks_and_is_over_only_when_all_of_it_is() -> None:
    lips = RedSign("blue_lips", NOW - 2 * DAY, TODAY - 2 * DAY)
    reading = RedSign("red_zone", NOW - HOUR, TODAY, recovered_at=NOW)
    assert evidence_of([lips, reading], NOW) == RedEvidence(
        frozenset({"blue_lips", "red_zone"}), NOW - HOUR, TODAY, recovered_at=None
    )
    over = replace(lips, recovered_at=NOW - DAY)
    assert evidence_of([over, reading], NOW) == RedEvidence(frozenset({"red_zone"}), NOW - HOUR, TODAY, NOW)
    assert evidence_of([over], NOW) == RedEvidence(frozenset({"blue_lips"}), over.at, over.on, over.recovered_at)
    assert evidence_of([], NOW) is None
