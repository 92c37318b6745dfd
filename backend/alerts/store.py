"""Queries on alerts. Those for a clinician go through `visible_to()`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import case, func
from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician
from backend.alerts.rules import AlertPolicy, Budget, Cause, ClinicBudget, Level
from backend.alerts.tables import Alert, AlertSettings, AlertState, AlertTrackRecord, ShadowAlert
from backend.core.errors import NotFound
from backend.notifications.wording import TrackRecord
from backend.patients.store import visible_to
from backend.patients.tables import Consent, Patient, Purpose


def locked_visible_alert(session: Session, clinician: Clinician, alert_id: UUID) -> Alert:
    """The alert, read anew and locked until the commit.

    Raises NotFound for an unknown alert and for one of a patient who is not the clinician's.
    """
    alert = session.exec(
        select(Alert)
        .join(Patient, col(Patient.id) == col(Alert.patient_id))
        .where(Alert.id == alert_id, visible_to(clinician))
        .with_for_update(of=Alert)
        .execution_options(populate_existing=True)
    ).first()
    if alert is None:
        raise NotFound
    return alert


def open_and_latest_rule_alerts(
    session: Session, patient_ids: Sequence[UUID]
) -> tuple[dict[UUID, Alert], dict[UUID, Alert]]:
    """Each patient's open alert, and the latest that a rule raised; read anew, locked against an acknowledgement."""
    latest_of_rule = (
        select(Alert.id)
        .where(col(Alert.patient_id).in_(patient_ids), Alert.cause != Cause.FORECAST)
        .ext(distinct_on(col(Alert.patient_id)))
        .order_by(col(Alert.patient_id), col(Alert.triggered_at).desc(), col(Alert.resolved_at).desc().nulls_first())
    )
    is_open = col(Alert.patient_id).in_(patient_ids) & (col(Alert.state) != AlertState.RESOLVED)
    found = session.exec(
        select(Alert)
        .where(is_open | col(Alert.id).in_(latest_of_rule))
        .order_by(col(Alert.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    return (
        {alert.patient_id: alert for alert in found if alert.state != AlertState.RESOLVED},
        {alert.patient_id: alert for alert in found if alert.cause != Cause.FORECAST},
    )


def budgets(session: Session, patient_ids: Sequence[UUID], now: datetime) -> dict[UUID, Budget]:
    """What forecast alerts each patient has had; patients without any are left out. Clinics are not counted here."""
    red_at = case((col(Alert.level) == Level.RED.value, func.coalesce(Alert.escalated_at, Alert.triggered_at)))
    recent = func.count().filter(col(Alert.triggered_at) > now - timedelta(days=30))
    rows = session.exec(
        select(Alert.patient_id, func.max(Alert.triggered_at), func.max(red_at), recent)
        .where(col(Alert.patient_id).in_(patient_ids), Alert.cause == Cause.FORECAST)
        .group_by(col(Alert.patient_id))
    )
    return {
        patient_id: Budget(last_amber_at=any_at, last_red_at=red, raised_in_30_days=count)
        for patient_id, any_at, red, count in rows
    }


def shadow_budgets(session: Session, patient_ids: Sequence[UUID], now: datetime) -> dict[UUID, Budget]:
    """The same of what a model in the shadow would have raised."""
    red_at = case((col(ShadowAlert.level) == Level.RED.value, ShadowAlert.at))
    recent = func.count().filter(col(ShadowAlert.at) > now - timedelta(days=30))
    rows = session.exec(
        select(ShadowAlert.patient_id, func.max(ShadowAlert.at), func.max(red_at), recent)
        .where(col(ShadowAlert.patient_id).in_(patient_ids))
        .group_by(col(ShadowAlert.patient_id))
    )
    return {
        patient_id: Budget(last_amber_at=any_at, last_red_at=red, raised_in_30_days=count)
        for patient_id, any_at, red, count in rows
    }


def policy_of(session: Session, hospital_id: UUID) -> AlertPolicy:
    return as_policy(session.get(AlertSettings, hospital_id))


def as_policy(chosen: AlertSettings | None) -> AlertPolicy:
    """What the hospital chose, or the defaults."""
    if chosen is None:
        return AlertPolicy()
    return AlertPolicy(
        amber_per_patient_month=chosen.amber_per_patient_month,
        red_per_patient_month=chosen.red_per_patient_month,
        second_after=timedelta(minutes=chosen.second_after_minutes),
        email_after=timedelta(minutes=chosen.email_after_minutes),
    )


def clinic_budget(session: Session, hospital_id: UUID, now: datetime) -> ClinicBudget:
    """The forecast alerts of the hospital's last 30 days, for as many patients as consented to forecasts."""
    patients = session.exec(
        select(func.count())
        .select_from(Consent)
        .join(Patient, col(Patient.id) == col(Consent.patient_id))
        .where(
            Patient.hospital_id == hospital_id,
            Consent.purpose == Purpose.FORECASTING.value,
            col(Consent.withdrawn_at).is_(None),
        )
    ).one()
    raised, red = session.exec(
        select(func.count(), func.count().filter(col(Alert.level) == Level.RED.value))
        .select_from(Alert)
        .join(Patient, col(Patient.id) == col(Alert.patient_id))
        .where(
            Patient.hospital_id == hospital_id,
            Alert.cause == Cause.FORECAST,
            Alert.triggered_at > now - timedelta(days=30),
        )
    ).one()
    return ClinicBudget(patients, raised, red, policy_of(session, hospital_id))


def track_records(session: Session, hospital_id: UUID) -> dict[tuple[str, str], TrackRecord]:
    """How often alerts came true at the hospital, by (level, cause)."""
    rows = session.exec(select(AlertTrackRecord).where(AlertTrackRecord.hospital_id == hospital_id))
    return {(row.level, row.cause): TrackRecord(row.alerts, row.came_true) for row in rows}
