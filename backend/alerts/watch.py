"""Looks after alerts that nobody has answered: a second clinician, then e-mail; and ends snoozes that are over."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician, Role
from backend.alerts import store
from backend.alerts.rules import AlertPolicy, Level, Step, Unanswered, next_step
from backend.alerts.service import WATCH
from backend.alerts.tables import Alert, AlertSettings, AlertState, SnoozedBy
from backend.core import audit, due
from backend.core.audit import ActorKind
from backend.core.database import NewSession
from backend.notifications import service as notifications
from backend.notifications.mail import send_later
from backend.notifications.tables import InboxMessage
from backend.patients.store import add_to_care
from backend.patients.tables import CareRelation, CareRole, HandOver, Patient

logger = logging.getLogger(__name__)

LEASE_SECONDS = 60
AGAIN_AFTER = timedelta(minutes=1)
# Who is asked sees the patient for this long; who acknowledges in time can take the patient over for longer.
ASKED_SEES_FOR = timedelta(hours=24)


def watch_due(new_session: NewSession, now: datetime, limit: int = 50) -> int:
    """Do the next step of each alert that is due, each in a transaction of its own; return how many were claimed."""
    with new_session() as session:
        claims = due.claim_due(session, WATCH, now=now, limit=limit, lease_seconds=LEASE_SECONDS)
        session.commit()
    for claim in claims:
        try:
            with new_session() as session:
                again_at = look_at(session, claim.key, now)
                due.finish(session, [claim])
                if again_at is not None:
                    due.mark_due(session, WATCH, [claim.key], due_at=again_at)
                session.commit()
        except Exception as error:
            logger.error("an unanswered alert could not be looked after (%s)", type(error).__name__)
            with new_session() as session:
                due.postpone(session, claim, due_at=now + AGAIN_AFTER, error=type(error).__name__)
                session.commit()
    return len(claims)


def look_at(session: Session, alert_id: UUID, now: datetime) -> datetime | None:
    """Do what the rules ask for now; returns when to look again, None when nothing is to come."""
    alert = session.exec(
        select(Alert).where(Alert.id == alert_id).with_for_update().execution_options(populate_existing=True)
    ).first()
    if alert is None:
        return None
    patient = session.get_one(Patient, alert.patient_id)
    chosen = session.get(AlertSettings, patient.hospital_id)
    policy = store.as_policy(chosen)
    while True:
        step, again_at = _next(alert, policy, now)
        if step is None:
            return again_at
        if step is Step.END_SNOOZE:
            _end_snooze(session, alert, now)
        elif step is Step.ASK_SECOND:
            _ask_second(session, alert, patient, None if chosen is None else chosen.on_call_id, now)
        else:
            _mail_everybody(session, alert, now)
        session.flush()


def _next(alert: Alert, policy: AlertPolicy, now: datetime) -> tuple[Step | None, datetime | None]:
    if alert.state == AlertState.RESOLVED or alert.acknowledged_at is not None:
        return None, None
    unanswered = Unanswered(
        level=Level(alert.level),
        since=alert.escalated_at or alert.triggered_at,
        snoozed_until=alert.snoozed_until,
        second_asked=alert.second_asked_at is not None,
        emailed=alert.emailed_at is not None,
    )
    return next_step(unanswered, policy, now)


def _end_snooze(session: Session, alert: Alert, now: datetime) -> None:
    by_patient = alert.snoozed_by == SnoozedBy.PATIENT
    alert.snoozed_until = alert.snoozed_by = None
    message = session.exec(select(InboxMessage).where(InboxMessage.alert_id == alert.id)).first()
    if by_patient and message is not None and message.resolved_at is None:
        notifications.ring(session, [message], now=now)


def _ask_second(session: Session, alert: Alert, patient: Patient, on_call_id: UUID | None, now: datetime) -> None:
    """The clinician on call, or the second of the care team: sees the patient from now on, and gets an e-mail."""
    alert.second_asked_at = now
    team = _care_team(session, patient.id)
    on_call = session.get(Clinician, on_call_id) if on_call_id is not None else None
    if on_call is not None and on_call.active and on_call.id not in {member.id for member in team[:1]}:
        second = on_call
    elif len(team) > 1:
        second = team[1]
    else:
        return
    alert.second_clinician_id = second.id
    if second.id not in {member.id for member in team}:
        _let_see(session, alert, second, team, now)
    send_later(session, alert_id=alert.id, clinician_ids=[second.id], now=now)
    _record(session, alert, "ask_second_clinician", now, to=str(second.id))


def _let_see(session: Session, alert: Alert, second: Clinician, team: Sequence[Clinician], now: datetime) -> None:
    if not team:
        # Nobody cares for the patient: there is nobody to cover for, and no end to it.
        add_to_care(session, alert.patient_id, second.id, now=now, role=CareRole.COVERING)
        return
    cover = HandOver(
        from_clinician_id=team[0].id,
        to_clinician_id=second.id,
        note="Nobody had acknowledged a red alert in time.",
        began_at=now,
        ends_at=now + ASKED_SEES_FOR,
    )
    session.add(cover)
    session.flush()
    session.add(
        CareRelation(
            patient_id=alert.patient_id,
            clinician_id=second.id,
            role=CareRole.COVERING.value,
            began_at=now,
            hand_over_id=cover.id,
            ends_at=cover.ends_at,
        )
    )
    session.flush()
    alert.hand_over_id = cover.id


def _mail_everybody(session: Session, alert: Alert, now: datetime) -> None:
    alert.emailed_at = now
    team = _care_team(session, alert.patient_id)
    send_later(session, alert_id=alert.id, clinician_ids=[member.id for member in team], now=now)
    _record(session, alert, "mail_care_team", now, clinicians=len(team))


def _care_team(session: Session, patient_id: UUID) -> Sequence[Clinician]:
    """Active clinicians who see the patient, the responsible ones first, then in the order in which they came."""
    return session.exec(
        select(Clinician)
        .join(CareRelation, col(CareRelation.clinician_id) == col(Clinician.id))
        .where(
            CareRelation.patient_id == patient_id,
            col(CareRelation.ended_at).is_(None),
            Clinician.active,
            Clinician.role == Role.CLINICIAN.value,
        )
        .order_by(col(CareRelation.role) != CareRole.RESPONSIBLE.value, col(CareRelation.began_at), col(Clinician.id))
    ).all()


def _record(session: Session, alert: Alert, action: str, now: datetime, **detail: object) -> None:
    audit.record(
        session,
        now=now,
        actor_kind=ActorKind.SYSTEM,
        actor_id=None,
        action=action,
        patient_ids=[alert.patient_id],
        detail={"alert_id": str(alert.id), **detail},
    )
