"""Raises, changes and ends alerts, and lets a clinician acknowledge one or hand it over. Callers commit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician
from backend.alerts import store
from backend.alerts.errors import (
    AlertAcknowledgedByAnother,
    AlertAlreadyResolved,
    NoteTooLong,
    RedCannotBeSnoozed,
    SnoozeTooLong,
)
from backend.alerts.rules import (
    LONGEST_SNOOZE,
    Action,
    Budget,
    Cause,
    ClinicBudget,
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
from backend.alerts.tables import Alert, AlertState, ShadowAlert, SnoozedBy
from backend.core import audit, due
from backend.core.audit import ActorKind
from backend.core.errors import NotFound
from backend.notifications import service as notifications
from backend.notifications.mail import stop_mail
from backend.notifications.tables import MessageKind, MessageLevel
from backend.patients.hand_over import hand_over
from backend.patients.tables import Patient

NOTE_LENGTH = 2000
# Due work, keyed by the alert: nobody has answered a red one yet, or a snooze is over.
WATCH = "watch_alert"


@dataclass(frozen=True)
class Shadow:
    """What a model in the shadow found. Nobody is told."""

    level: ForecastLevel
    alarm_score: float
    model_id: str
    model_version: str


@dataclass(frozen=True)
class Finding:
    """What an assessment found of one patient. Reasons are `{"code", "value", "unit"}`, the strongest first.

    `rule_reasons` holds one entry a red sign, its code being the flag.
    """

    patient_id: UUID
    hospital_id: UUID
    assessment_id: UUID
    signs: Sequence[RedSign]
    rule_reasons: Sequence[dict[str, Any]]
    forecast: ForecastLevel | None
    forecast_reasons: Sequence[dict[str, Any]]
    shadow: Shadow | None = None


def review(session: Session, findings: Sequence[Finding], now: datetime) -> None:
    """Bring the alerts of many patients up to what was found, in the transaction of their assessments."""
    patient_ids = [finding.patient_id for finding in findings]
    open_alerts, latest_of_rule = store.open_and_latest_rule_alerts(session, patient_ids)
    spent = store.budgets(session, patient_ids, now)
    clinics: dict[UUID, ClinicBudget] = {}
    told: list[tuple[Alert, UUID]] = []
    _log_shadows(session, findings, now)
    for finding in findings:
        evidence = evidence_of(finding.signs, now)
        budget = spent.get(finding.patient_id, Budget())
        if finding.forecast in {ForecastLevel.RAISED, ForecastLevel.HIGH}:
            if finding.hospital_id not in clinics:
                clinics[finding.hospital_id] = store.clinic_budget(session, finding.hospital_id, now)
            budget = replace(budget, clinic=clinics[finding.hospital_id])
        alert, of_rule = open_alerts.get(finding.patient_id), latest_of_rule.get(finding.patient_id)
        decision = decide(_previous(alert), _previous(of_rule), evidence, finding.forecast, budget, now)
        if decision.action is Action.RESOLVE and alert is not None and decision.because is not None:
            _resolve(session, alert, decision.because, now)
            decision = decide(None, _previous(of_rule), evidence, finding.forecast, budget, now)
        if decision.cause is Cause.FORECAST and decision.action in {Action.RAISE, Action.ESCALATE}:
            clinics[finding.hospital_id] = _one_more(budget.clinic, decision)
        if decision.action is Action.RAISE:
            told.append((_raise(session, finding, decision, evidence, now), finding.hospital_id))
        elif decision.action is Action.ESCALATE and alert is not None:
            told.append((_escalate(session, alert, finding, decision, evidence, now), finding.hospital_id))
        elif decision.action is Action.KEEP and alert is not None and is_past(_previous(alert), evidence, now):
            # The patient is well again; the alert itself waits for a clinician.
            notifications.close_message(session, alert.patient_id, str(alert.id), now=now)
    _tell_of(session, told, now)


def _one_more(clinic: ClinicBudget, decision: Decision) -> ClinicBudget:
    """The next patients of this batch meet what this one has used up."""
    return replace(
        clinic,
        raised=clinic.raised + int(decision.action is Action.RAISE),
        raised_red=clinic.raised_red + int(decision.level is Level.RED),
    )


def _log_shadows(session: Session, findings: Sequence[Finding], now: datetime) -> None:
    """Write down what a model in the shadow would have raised, with a memory of its own. No clinic's budget is used."""
    shadows = {finding.patient_id: finding.shadow for finding in findings if finding.shadow is not None}
    if not shadows:
        return
    spent = store.shadow_budgets(session, list(shadows), now)
    for patient_id, shadow in shadows.items():
        decision = decide(None, None, None, shadow.level, spent.get(patient_id, Budget()), now)
        if decision.action is Action.RAISE and decision.level is not None:
            session.add(
                ShadowAlert(
                    patient_id=patient_id,
                    level=decision.level.value,
                    alarm_score=shadow.alarm_score,
                    model_id=shadow.model_id,
                    model_version=shadow.model_version,
                    at=now,
                )
            )


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
    stop_mail(session, alert.id, now=now)
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


def snooze_by_clinician(session: Session, clinician: Clinician, alert_id: UUID, hours: int, now: datetime) -> Alert:
    """Let an amber alert rest. Raises NotFound, AlertAlreadyResolved, RedCannotBeSnoozed or SnoozeTooLong."""
    alert = store.locked_visible_alert(session, clinician, alert_id)
    _snooze(session, alert, hours, SnoozedBy.CLINICIAN, clinician.id, now)
    return alert


def snooze_by_patient(session: Session, patient_id: UUID, alert_id: UUID, hours: int, now: datetime) -> Alert:
    """The same by one of the patient's phones; when the time is over the patient is told again."""
    alert = _locked_alert_of(session, patient_id, alert_id)
    _snooze(session, alert, hours, SnoozedBy.PATIENT, patient_id, now)
    return alert


def end_snooze_by_patient(session: Session, patient_id: UUID, alert_id: UUID, now: datetime) -> Alert:
    """Wake an alert that a phone of the patient snoozed; a clinician's snooze stays. Raises NotFound."""
    alert = _locked_alert_of(session, patient_id, alert_id)
    if alert.snoozed_by == SnoozedBy.PATIENT:
        alert.snoozed_until = alert.snoozed_by = None
        session.flush()
        audit.record(
            session,
            now=now,
            actor_kind=ActorKind.PATIENT,
            actor_id=patient_id,
            action="end_alert_snooze",
            patient_ids=[patient_id],
            detail={"alert_id": str(alert.id)},
        )
    return alert


def _locked_alert_of(session: Session, patient_id: UUID, alert_id: UUID) -> Alert:
    alert = session.exec(
        select(Alert)
        .where(Alert.id == alert_id, Alert.patient_id == patient_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()
    if alert is None:
        raise NotFound
    return alert


def _snooze(session: Session, alert: Alert, hours: int, by: SnoozedBy, actor_id: UUID, now: datetime) -> None:
    if alert.state == AlertState.RESOLVED:
        raise AlertAlreadyResolved
    if alert.level == Level.RED:
        raise RedCannotBeSnoozed
    if not 1 <= hours <= LONGEST_SNOOZE / timedelta(hours=1):
        raise SnoozeTooLong
    alert.snoozed_until, alert.snoozed_by = now + timedelta(hours=hours), by.value
    session.flush()
    due.mark_due(session, WATCH, [alert.id], due_at=alert.snoozed_until)
    audit.record(
        session,
        now=now,
        actor_kind=ActorKind(by.value),
        actor_id=actor_id,
        action="snooze_alert",
        patient_ids=[alert.patient_id],
        detail={"alert_id": str(alert.id), "hours": hours},
    )


def end_forecast_alerts(session: Session, hospital_id: UUID, now: datetime) -> int:
    """Close what a model said at a hospital that has switched it off; alerts of rules stay. Returns how many."""
    open_ones = session.exec(
        select(Alert)
        .join(Patient, col(Patient.id) == col(Alert.patient_id))
        .where(
            Patient.hospital_id == hospital_id, Alert.cause == Cause.FORECAST, Alert.state != AlertState.RESOLVED.value
        )
        .order_by(col(Alert.id))
        .with_for_update(of=Alert)
    ).all()
    for alert in open_ones:
        _resolve(session, alert, ResolvedBecause.SWITCHED_OFF, now)
    return len(open_ones)


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
    # More urgent than what was snoozed, and news for whoever was asked before.
    alert.snoozed_until = alert.snoozed_by = None
    alert.second_asked_at = alert.second_clinician_id = alert.emailed_at = None
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
    stop_mail(session, alert.id, now=now)


def _tell_of(session: Session, told: Sequence[tuple[Alert, UUID]], now: datetime) -> None:
    """Put the messages of alerts, each with its hospital, into inboxes and on the way; red ones are watched."""
    session.flush()
    forecasts = {hospital_id for alert, hospital_id in told if alert.cause == Cause.FORECAST}
    records = {hospital_id: store.track_records(session, hospital_id) for hospital_id in forecasts}
    notifications.tell_of_alerts(
        session,
        [
            notifications.AlertNews(
                patient_id=alert.patient_id,
                alert_id=alert.id,
                kind=MessageKind(alert.cause),
                level=MessageLevel(alert.level),
                track_record=records.get(hospital_id, {}).get((alert.level, alert.cause)),
            )
            for alert, hospital_id in told
        ],
        now=now,
    )
    red: dict[UUID, list[UUID]] = {}
    for alert, hospital_id in told:
        if alert.level == Level.RED:
            red.setdefault(hospital_id, []).append(alert.id)
    for hospital_id, alert_ids in red.items():
        due.mark_due(session, WATCH, alert_ids, due_at=now + store.policy_of(session, hospital_id).second_after)
