"""Keeps the alarm burden where a hospital wants it: thresholds set anew each week on its own last 90 days of scores.

And counts, from the hospital's own log, how often its alerts came true.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
from sqlalchemy import text
from sqlmodel import Session, col, select

from backend.accounts.tables import Hospital
from backend.alerts.rules import FORECAST_LASTS
from backend.alerts.store import policy_of
from backend.alerts.tables import AlertThreshold
from backend.core.database import NewSession
from backend.risk.forecaster import RiskForecaster, thresholds_for

logger = logging.getLogger(__name__)

SCORES_OF = timedelta(days=90)
SET_AGAIN_AFTER = timedelta(days=7)
# A red budget of 0.10 a month is three alerts in 30 patient-months; fewer would set a threshold on noise.
PATIENT_DAYS_NEEDED = 900
# Older alerts say little of today's model and clinic.
COUNTED_FOR = timedelta(days=365)
# Any fixed number: of several workers one does this.
LOCK = 5_066_408


def settle(new_session: NewSession, forecaster: RiskForecaster | None, now: datetime) -> int:
    """Count what came true, and set the thresholds that are a week old or missing; returns how many were set."""
    with new_session() as session:
        locked = session.connection().execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": LOCK})
        if not locked.scalar_one():
            return 0
        count_what_came_true(session, now)
        set_now = 0
        if forecaster is not None:
            for hospital_id in session.exec(select(Hospital.id).order_by(col(Hospital.id))).all():
                set_now += set_thresholds(session, hospital_id, forecaster, now)
        session.commit()
    return set_now


def set_thresholds(session: Session, hospital_id: UUID, forecaster: RiskForecaster, now: datetime) -> bool:
    """New thresholds for the model in use, unless they are young or the scores too few. Callers commit."""
    newest = session.exec(
        select(AlertThreshold.set_at)
        .where(
            AlertThreshold.hospital_id == hospital_id,
            AlertThreshold.model_id == forecaster.model_id,
            AlertThreshold.model_version == forecaster.model_version,
        )
        .order_by(col(AlertThreshold.set_at).desc())
        .limit(1)
    ).first()
    if newest is not None and now - newest < SET_AGAIN_AFTER:
        return False
    rows = (
        session.connection()
        .execute(
            text("""
            SELECT dense_rank() OVER (ORDER BY patient_id) - 1 AS patient, as_of, alarm_score
            FROM assessment JOIN patient ON patient.id = patient_id
            WHERE hospital_id = :hospital_id AND as_of > :since AND alarm_score IS NOT NULL
                AND model_id = :model_id AND model_version = :model_version
        """),
            {
                "hospital_id": hospital_id,
                "since": (now - SCORES_OF).date(),
                "model_id": forecaster.model_id,
                "model_version": forecaster.model_version,
            },
        )
        .all()
    )
    if len(rows) < PATIENT_DAYS_NEEDED:
        return False
    patient = np.array([row.patient for row in rows])
    day = np.array([row.as_of.toordinal() for row in rows])
    scores = np.full((day.max() - day.min() + 1, patient.max() + 1), np.nan)
    scores[day - day.min(), patient] = [row.alarm_score for row in rows]
    policy = policy_of(session, hospital_id)
    amber, red = thresholds_for(scores, policy.amber_per_patient_month, policy.red_per_patient_month)
    session.add(
        AlertThreshold(
            hospital_id=hospital_id,
            model_id=forecaster.model_id,
            model_version=forecaster.model_version,
            amber=amber,
            red=red,
            patient_days=len(rows),
            set_at=now,
        )
    )
    session.flush()
    logger.info("alarm thresholds set on %d patient-days of a hospital", len(rows))
    return True


def count_what_came_true(session: Session, now: datetime) -> None:
    """How many alerts of each hospital, level and cause had their days, and after how many a severe attack began.

    Severe: systemic steroids, an emergency visit or a hospital admission (ATS/ERS 2009). An attack counts only when it
    began after the alert; one that is recorded later counts at the next round.
    """
    session.connection().execute(
        text("""
            INSERT INTO alert_track_record (hospital_id, level, cause, alerts, came_true, counted_at)
            SELECT patient.hospital_id, level, cause, count(*),
                count(*) FILTER (WHERE EXISTS (
                    SELECT 1 FROM attack WHERE attack.patient_id = alert.patient_id AND NOT deleted
                        AND (systemic_steroids OR emergency_visit OR hospital_admission)
                        AND taken_at > triggered_at AND taken_at <= triggered_at + :days
                )), :now
            FROM alert JOIN patient ON patient.id = alert.patient_id
            WHERE triggered_at > :since AND triggered_at <= :until
            GROUP BY patient.hospital_id, level, cause
            ON CONFLICT (hospital_id, level, cause) DO UPDATE SET
                alerts = excluded.alerts, came_true = excluded.came_true, counted_at = excluded.counted_at
        """),
        {"now": now, "days": FORECAST_LASTS, "since": now - COUNTED_FOR, "until": now - FORECAST_LASTS},
    )
