"""One patient as one screen: a constant number of queries, for a week of diary as for three years."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician, Device, EnrolmentCode
from backend.alerts.tables import Alert, AlertState
from backend.core.audit import ActorKind, AuditEntry
from backend.dashboard.alert_care import care_of
from backend.dashboard.diary_days import diary_days, reading_out
from backend.dashboard.hand_overs import hand_overs_of
from backend.dashboard.patient_schemas import (
    AuditEntryOut,
    AuditOut,
    ConsentEntryOut,
    DiaryDay,
    DiaryOut,
    ForecastsOut,
    InhalerOut,
    PatientOut,
    PhoneOut,
    PlanOut,
    PlanSince,
    WeekSummary,
)
from backend.dashboard.roster_schemas import PlanLines
from backend.dashboard.schemas import AlertOut, AlertsOut
from backend.dashboard.views import alert_out, forecast_out
from backend.dashboard.visits import ZONE_FRESH
from backend.diary.tables import Attack, PeakFlow
from backend.medication.tables import Inhaler
from backend.patients.store import care_team
from backend.patients.tables import Consent, Language, Patient, Sex
from backend.plans.store import plan_versions
from backend.plans.tables import ActionPlan, PlanReceipt
from backend.risk.store import newest_assessment
from backend.risk.tables import Assessment

ENDED_SHOWN_FOR = timedelta(days=30)
AUDIT_PAGE_SIZE = 50
WEEK_DAYS = 7


def local_today(patient: Patient, now: datetime) -> date:
    return now.astimezone(ZoneInfo(patient.time_zone)).date()


def patient_view(session: Session, patient: Patient, *, now: datetime, language: str) -> PatientOut:
    return patient_and_log(session, patient, now=now, language=language, log_days=WEEK_DAYS)[0]


def patient_and_log(
    session: Session, patient: Patient, *, now: datetime, language: str, log_days: int
) -> tuple[PatientOut, list[DiaryDay]]:
    """The patient, and the days with any entry of the last `log_days`, at least a week: read once for both."""
    plan = plan_in_force(session, patient.id)
    today = local_today(patient, now)
    assessment = newest_assessment(session, patient.id)
    reading = session.exec(
        select(PeakFlow)
        .where(PeakFlow.patient_id == patient.id, col(PeakFlow.deleted).is_(False))
        # By the indexed day first; within it by the moment.
        .order_by(col(PeakFlow.local_date).desc(), col(PeakFlow.taken_at).desc())
        .limit(1)
    ).first()
    newest = reading_out(reading, plan) if reading else None
    fresh = newest is not None and newest.taken_at > now - ZONE_FRESH
    log = diary_days(session, patient.id, first_day=today - timedelta(days=log_days - 1), last_day=today, plan=plan)
    week = [day for day in log if day.day > today - timedelta(days=WEEK_DAYS)]
    last_attack_on, attacks_12_months = session.exec(
        select(
            func.max(Attack.local_date), func.count().filter(col(Attack.local_date) > today - timedelta(days=365))
        ).where(Attack.patient_id == patient.id, col(Attack.deleted).is_(False))
    ).one()
    alerts = alerts_of(session, col(Patient.id) == patient.id, now=now, language=language)
    ledger = consent_ledger(session, patient.id)
    shown = PatientOut(
        id=patient.id,
        display_name=patient.display_name,
        born_on=patient.born_on,
        sex=Sex(patient.sex),
        height_cm=patient.height_cm,
        weight_kg=patient.weight_kg,
        language=Language(patient.language),
        time_zone=patient.time_zone,
        treatment_step=patient.treatment_step,
        severe_attacks_last_year=patient.severe_attacks_last_year,
        zone=newest.zone if newest and fresh else None,
        newest_reading=newest,
        newest_reading_is_fresh=fresh,
        newest_percent_of_best=(
            round(100 * newest.litres_per_min / plan.personal_best_litres_per_min) if newest and plan else None
        ),
        forecast=forecast_out(assessment, language) if assessment else None,
        last_entry_at=assessment.last_entry_at if assessment else None,
        week=week_summary(week),
        last_attack_on=last_attack_on,
        attacks_12_months=attacks_12_months,
        open_alerts=alerts.open,
        ended_alerts=alerts.ended,
        plan=plan,
        inhalers=_inhalers(session, patient.id),
        phones=_phones(session, patient.id),
        open_code_expires_at=session.exec(
            select(func.max(EnrolmentCode.expires_at)).where(
                EnrolmentCode.patient_id == patient.id,
                col(EnrolmentCode.used_at).is_(None),
                EnrolmentCode.expires_at > now,
            )
        ).one(),
        consents=sorted(entry.purpose for entry in ledger if entry.withdrawn_at is None),
        consent_ledger=ledger,
        care_team=[clinician.name for clinician in care_team(session, patient.id)],
    )
    return shown, log


def consent_ledger(session: Session, patient_id: UUID) -> list[ConsentEntryOut]:
    """Every consent that was given, by purpose, the newest of each first."""
    giver, withdrawer = aliased(Clinician), aliased(Clinician)
    found = session.exec(
        select(Consent, giver.name, withdrawer.name)
        .join(giver, col(giver.id) == col(Consent.granted_by), isouter=True)
        .join(withdrawer, col(withdrawer.id) == col(Consent.withdrawn_by), isouter=True)
        .where(Consent.patient_id == patient_id)
        .order_by(Consent.purpose, col(Consent.withdrawn_at).desc().nulls_first())
    )
    return [
        ConsentEntryOut(
            **consent.model_dump(include={"purpose", "text_version", "granted_at", "withdrawn_at"}),
            granted_by=granted_by,
            withdrawn_by=withdrawn_by,
        )
        for consent, granted_by, withdrawn_by in found
    ]


def week_summary(days: Sequence[DiaryDay]) -> WeekSummary:
    puffs = [day.reliever_puffs for day in days if day.reliever_puffs is not None]
    nights = [day.night_waking for day in days if day.night_waking is not None]
    limits = [day.activity_limited for day in days if day.activity_limited is not None]
    return WeekSummary(
        diary_days=len(days),
        reliever_puffs=sum(puffs) if puffs else None,
        reliever_days=sum(1 for count in puffs if count) if puffs else None,
        nights_woken=sum(nights) if nights else None,
        days_limited=sum(limits) if limits else None,
    )


def diary_view(session: Session, patient: Patient, *, first_day: date, last_day: date, language: str) -> DiaryOut:
    plan = plan_in_force(session, patient.id)
    return DiaryOut(
        first_day=first_day,
        last_day=last_day,
        time_zone=patient.time_zone,
        plan=PlanLines.model_validate(plan.model_dump(include=set(PlanLines.model_fields))) if plan else None,
        plans=_plans_between(session, patient, first_day, last_day, language),
        days=diary_days(session, patient.id, first_day=first_day, last_day=last_day, plan=plan),
    )


def _plans_between(
    session: Session, patient: Patient, first_day: date, last_day: date, language: str
) -> list[PlanSince]:
    zone = ZoneInfo(patient.time_zone)
    found = [
        PlanSince(
            **plan.model_dump(include=set(PlanLines.model_fields)),
            since=plan.signed_at.astimezone(zone).date(),
            difference=plan.difference.get(language, []),
        )
        for plan in plan_versions(session, patient.id)[::-1]
    ]
    ends = [*(following.since for following in found[1:]), date.max]
    # One end more than plans where there is none.
    return [plan for plan, end in zip(found, ends, strict=False) if plan.since <= last_day and end > first_day]


def forecasts_view(
    session: Session, patient: Patient, *, first_day: date, last_day: date, language: str
) -> ForecastsOut:
    assessments = session.exec(
        select(Assessment)
        .where(Assessment.patient_id == patient.id, col(Assessment.as_of).between(first_day, last_day))
        .order_by(col(Assessment.as_of))
    )
    return ForecastsOut(
        first_day=first_day,
        last_day=last_day,
        forecasts=[forecast_out(assessment, language) for assessment in assessments],
    )


def plan_in_force(session: Session, patient_id: UUID) -> PlanOut | None:
    found = session.exec(
        select(ActionPlan, Clinician.name)
        .join(Clinician, col(Clinician.id) == col(ActionPlan.signed_by))
        .where(ActionPlan.patient_id == patient_id)
        .order_by(col(ActionPlan.version).desc())
        .limit(1)
    ).first()
    if found is None:
        return None
    plan, signed_by = found
    read_at = session.exec(
        select(func.min(PlanReceipt.taken_at)).where(
            PlanReceipt.patient_id == patient_id,
            col(PlanReceipt.deleted).is_(False),
            PlanReceipt.plan_version == plan.version,
        )
    ).one()
    return PlanOut(
        **plan.model_dump(exclude={"patient_id", "signed_by", "change", "regimen"}),
        add_ons=[] if plan.regimen is None else plan.regimen["add_ons"],
        signed_by=signed_by,
        read_on_phone_at=read_at,
    )


def alerts_of(session: Session, patients: ColumnElement[bool], *, now: datetime, language: str) -> AlertsOut:
    """Alerts of the patients that the SQL condition selects: open ones by urgency, ended ones newest first."""
    found = session.exec(
        select(Alert, Patient, Clinician.name)
        .join(Patient, col(Patient.id) == col(Alert.patient_id))
        .join(Clinician, col(Clinician.id) == col(Alert.acknowledged_by), isouter=True)
        .where(
            patients,
            (col(Alert.state) != AlertState.RESOLVED.value) | (col(Alert.resolved_at) > now - ENDED_SHOWN_FOR),
        )
        .order_by(col(Alert.acknowledged_at).is_not(None), col(Alert.level).desc(), col(Alert.triggered_at).desc())
    ).all()
    handed = hand_overs_of(session, [alert for alert, _, _ in found])
    # A clinician's patients are all of one hospital.
    care = care_of(session, [row[0] for row in found], found[0][1].hospital_id, language) if found else {}
    shown: list[AlertOut] = [
        alert_out(alert, patient, name, handed.get(alert.id), language, care.get(alert.id))
        for alert, patient, name in found
    ]
    ended = [alert for alert in shown if alert.resolved_at is not None]
    return AlertsOut(
        open=[alert for alert in shown if alert.resolved_at is None],
        ended=sorted(ended, key=lambda alert: alert.resolved_at or now, reverse=True),
    )


def _inhalers(session: Session, patient_id: UUID) -> list[InhalerOut]:
    found = session.exec(
        select(Inhaler).where(Inhaler.patient_id == patient_id, Inhaler.active).order_by(Inhaler.role, Inhaler.name)
    )
    return [InhalerOut.model_validate(inhaler.model_dump(include=set(InhalerOut.model_fields))) for inhaler in found]


def _phones(session: Session, patient_id: UUID) -> list[PhoneOut]:
    found = session.exec(
        select(Device)
        .where(Device.patient_id == patient_id, col(Device.removed_at).is_(None))
        .order_by(col(Device.enrolled_at).desc())
    )
    return [PhoneOut.model_validate(device.model_dump(include=set(PhoneOut.model_fields))) for device in found]


def audit_trail(session: Session, patient: Patient, *, page: int) -> AuditOut:
    """Newest first. An actor whose account is gone, or a phone, is named by its kind alone."""
    found = session.exec(
        select(AuditEntry, Clinician.name)
        .join(Clinician, col(Clinician.id) == col(AuditEntry.actor_id), isouter=True)
        .where(AuditEntry.patient_id == patient.id)
        .order_by(col(AuditEntry.id).desc())
        .offset((page - 1) * AUDIT_PAGE_SIZE)
        .limit(AUDIT_PAGE_SIZE + 1)
    ).all()
    return AuditOut(
        page=page,
        more=len(found) > AUDIT_PAGE_SIZE,
        entries=[
            AuditEntryOut(
                happened_at=entry.happened_at,
                actor=name or (patient.display_name if entry.actor_kind == ActorKind.PATIENT else ""),
                actor_kind=entry.actor_kind,
                action=entry.action,
            )
            for entry, name in found[:AUDIT_PAGE_SIZE]
        ],
    )
