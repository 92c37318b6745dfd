"""Raises, changes and ends alerts, and lets a clinician acknowledge one or hand it over. Callers commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician
from backend.alerts import store
from backend.alerts.errors import AlertAcknowledgedByAnother, AlertAlreadyResolved, NoteTooLong
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
from backend.alerts.tables import Alert, AlertState
from backend.core import audit
from backend.core.audit import ActorKind
from backend.notifications import service as notifications
from backend.notifications.tables import MessageKind, MessageLevel
from backend.patients.hand_over import hand_over

NOTE_LENGTH = 2000


@dataclass(frozen=True)
class Finding:
    """What an assessment found of one patient. Reasons are `{"code", "value", "unit"}`, the strongest first.

    `rule_reasons` holds one entry a red sign, its code being the flag.
    """

    patient_id: UUID
    assessment_id: UUID
    signs: Sequence[RedSign]
    rule_reasons: Sequence[dict[str, Any]]
    forecast: ForecastLevel | None
    forecast_reasons: Sequence[dict[str, Any]]


def review(session: Session, findings: Sequence[Finding], now: datetime) -> None:
    """Bring the alerts of many patients up to what was found, in the transaction of their assessments."""
    patient_ids = [finding.patient_id for finding in findings]
    open_alerts, latest_of_rule = store.open_and_latest_rule_alerts(session, patient_ids)
    spent = store.budgets(session, patient_ids, now)
    for finding in findings:
        evidence = evidence_of(finding.signs, now)
        budget = spent.get(finding.patient_id, Budget())
        alert, of_rule = open_alerts.get(finding.patient_id), latest_of_rule.get(finding.patient_id)
        decision = decide(_previous(alert), _previous(of_rule), evidence, finding.forecast, budget, now)
        if decision.action is Action.RESOLVE and alert is not None and decision.because is not None:
            _resolve(session, alert, decision.because, now)
            decision = decide(None, _previous(of_rule), evidence, finding.forecast, budget, now)
        if decision.action is Action.RAISE:
            _tell_of(session, _raise(session, finding, decision, evidence, now), now)
        elif decision.action is Action.ESCALATE and alert is not None:
            _tell_of(session, _escalate(session, alert, finding, decision, evidence, now), now)
        elif decision.action is Action.KEEP and alert is not None and is_past(_previous(alert), evidence, now):
            # The patient is well again; the alert itself waits for a clinician.
            notifications.close_message(session, alert.patient_id, str(alert.id), now=now)


def acknowledge(session: Session, clinician: Clinician, alert_id: UUID, note: str | None, now: datetime) -> Alert:
    """Record that the clinician has seen the alert. Again by the same clinician with the same note changes nothing.

    Raises NotFound, AlertAlreadyResolved, AlertAcknowledgedByAnother, or NoteTooLong.
    """
    note = (note or "").strip() or None
    if note is not None and len(note) > NOTE_LENGTH:
        raise NoteTooLong
    alert = store.locked_visible_alert(session, clinician, alert_id)
    if alert.acknowledged_by == clinician.id and alert.acknowledgement_note == note:
        return alert
    if alert.state == AlertState.RESOLVED:
        raise AlertAlreadyResolved
    if alert.acknowledged_by is not None and alert.acknowledged_by != clinician.id:
        raise AlertAcknowledgedByAnother
    alert.state = AlertState.ACKNOWLEDGED.value
    alert.acknowledged_at = alert.acknowledged_at or now
    alert.acknowledged_by = clinician.id
    alert.acknowledgement_note = note
    session.flush()
    audit.record(
        session,
        now=now,
        actor_kind=ActorKind.CLINICIAN,
        actor_id=clinician.id,
        action="acknowledge_alert",
        patient_ids=[alert.patient_id],
        detail={"alert_id": str(alert.id)},
    )
    return alert


def hand_over_alert(
    session: Session, clinician: Clinician, alert_id: UUID, to: UUID, *, note: str, days: int, now: datetime
) -> Alert:
    """Give the alert to a colleague, who sees the patient for `days` days.

    Raises NotFound, AlertAlreadyResolved or ColleagueUnknown.
    """
    alert = store.locked_visible_alert(session, clinician, alert_id)
    if alert.state == AlertState.RESOLVED:
        raise AlertAlreadyResolved
    handed = hand_over(
        session, clinician, to, [alert.patient_id], note=note, days=days, now=now, action="hand_over_alert"
    )
    alert.hand_over_id = handed.id
    session.flush()
    return alert


def mark_sent(session: Session, alert_ids: Sequence[UUID], now: datetime) -> None:
    """Note that a first message about each alert is on its way, or waits in the inbox of a phone."""
    unsent = select(Alert).where(col(Alert.id).in_(alert_ids), Alert.state == AlertState.TRIGGERED)
    # Locked in the order in which a review locks them.
    for alert in session.exec(unsent.order_by(col(Alert.id)).with_for_update()):
        alert.state = AlertState.SENT.value
        alert.sent_at = now
    session.flush()


def _previous(alert: Alert | None) -> PreviousAlert | None:
    if alert is None:
        return None
    return PreviousAlert(
        level=Level(alert.level),
        cause=Cause(alert.cause),
        triggered_at=alert.triggered_at,
        evidence_at=alert.evidence_at,
        evidence_on=alert.evidence_on,
        flags=frozenset(reason["code"] for reason in alert.reasons),
        acknowledged=alert.acknowledged_at is not None,
        resolved=alert.state == AlertState.RESOLVED,
    )


def _raise(
    session: Session, finding: Finding, decision: Decision, evidence: RedEvidence | None, now: datetime
) -> Alert:
    alert = Alert(
        patient_id=finding.patient_id,
        assessment_id=finding.assessment_id,
        level="",
        cause="",
        triggered_at=now,
    )
    _speak_of(alert, finding, decision, evidence)
    session.add(alert)
    session.flush()
    return alert


def _escalate(
    session: Session, alert: Alert, finding: Finding, decision: Decision, evidence: RedEvidence | None, now: datetime
) -> Alert:
    """What somebody acknowledged, or what a forecast said, stays on record: a rule's news is a new alert then."""
    rule_over_forecast = alert.cause == Cause.FORECAST and decision.cause is not Cause.FORECAST
    if alert.acknowledged_at is not None or rule_over_forecast:
        _resolve(session, alert, ResolvedBecause.ESCALATED, now)
        return _raise(session, finding, decision, evidence, now)
    _speak_of(alert, finding, decision, evidence)
    alert.assessment_id = finding.assessment_id
    alert.state = AlertState.TRIGGERED.value
    alert.escalated_at = now
    session.flush()
    return alert


def _speak_of(alert: Alert, finding: Finding, decision: Decision, evidence: RedEvidence | None) -> None:
    if decision.level is None or decision.cause is None:
        raise ValueError("a decision to raise an alert names its level and cause")
    alert.level, alert.cause = decision.level.value, decision.cause.value
    if decision.cause is Cause.FORECAST or evidence is None:
        alert.reasons = list(finding.forecast_reasons)
        return
    alert.reasons = [reason for reason in finding.rule_reasons if reason["code"] in evidence.flags]
    alert.evidence_at, alert.evidence_on = evidence.evidence_at, evidence.evidence_on


def _resolve(session: Session, alert: Alert, because: ResolvedBecause, now: datetime) -> None:
    alert.state = AlertState.RESOLVED.value
    alert.resolved_at = now
    alert.resolved_because = because.value
    session.flush()
    notifications.close_message(session, alert.patient_id, str(alert.id), now=now)


def _tell_of(session: Session, alert: Alert, now: datetime) -> None:
    """Put the alert's message into the patient's inbox and on the way to the phones."""
    notifications.tell_of_alert(
        session,
        patient_id=alert.patient_id,
        alert_id=alert.id,
        kind=MessageKind(alert.cause),
        level=MessageLevel(alert.level),
        now=now,
    )
