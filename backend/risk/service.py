"""Assesses patients: rules always, the forecast where there is consent, a model and enough diary."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from backend.alerts import service as alerts
from backend.alerts.rules import ForecastLevel, speaking
from backend.core import due
from backend.core.database import NewSession
from backend.patients.tables import Patient
from backend.risk.forecaster import Forecast, PatientDay, RiskForecaster, read_diaries
from backend.risk.sites import ASSESS_DAY, Site, read_sites
from backend.risk.standing import Facts, Standing, read_facts
from backend.risk.tables import Assessment, ForecastStatus, ModelMode

logger = logging.getLogger(__name__)

# What a new entry asks for; what a new day does is ASSESS_DAY, and entries come first.
ASSESS = "assess"
# After each assessment: does the treatment ask for a decision? (recommendations/service.py)
RECOMMEND = "recommend"
LEASE_SECONDS = 120
FIRST_WAIT_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 3600.0


@dataclass(frozen=True)
class _Assessed:
    """One patient's day, worked out and not yet written."""

    facts: Facts
    as_of: date
    standing: Standing
    forecast: Forecast | None
    without_forecast: ForecastStatus
    # What a model in the shadow found: kept for its thresholds and its log, shown to nobody.
    shadow: Forecast | None = None


def assess_due(new_session: NewSession, forecaster: RiskForecaster | None, now: datetime, limit: int = 200) -> int:
    """Assess the patients that are due, those with new entries first; return how many were claimed.

    A patient whose data cannot be assessed holds nobody else up: the batch is then done one by one, and that patient
    is tried again later.
    """
    claims: list[due.Claim] = []
    with new_session() as session:
        for kind in (ASSESS, ASSESS_DAY):
            claims += due.claim_due(session, kind, now=now, limit=limit - len(claims), lease_seconds=LEASE_SECONDS)
        session.commit()
    if not claims:
        return 0
    try:
        _assess(new_session, forecaster, claims, now)
    except Exception as error:
        if len(claims) == 1:
            _postpone(new_session, claims[0], error, now)
            return 1
        logger.warning("assessing %d patients together failed (%s); one by one now", len(claims), type(error).__name__)
        for claim in claims:
            try:
                _assess(new_session, forecaster, [claim], now)
            except Exception as single_error:
                _postpone(new_session, claim, single_error, now)
    return len(claims)


def mark_new_day(session: Session, now: datetime) -> int:
    """Ask for an assessment of every patient whose local day has changed since the last one, silent ones too."""
    marked = 0
    for name in session.exec(select(Patient.time_zone).distinct()).all():
        try:
            today = now.astimezone(ZoneInfo(name)).date()
        except (ZoneInfoNotFoundError, ValueError):
            logger.error("patients with the unknown time zone %r get no daily assessment", name)
            continue
        patient_ids = session.connection().execute(
            text("""
                SELECT id FROM patient WHERE time_zone = :time_zone
                    AND NOT EXISTS (SELECT 1 FROM assessment WHERE patient_id = patient.id AND as_of >= :today)
                    AND NOT EXISTS (SELECT 1 FROM due_work WHERE kind IN (:assess, :assess_day) AND key = patient.id)
            """),
            {"time_zone": name, "today": today, "assess": ASSESS, "assess_day": ASSESS_DAY},
        )
        ids = list(patient_ids.scalars())
        due.mark_due(session, ASSESS_DAY, ids, due_at=now)
        marked += len(ids)
    return marked


def _assess(
    new_session: NewSession, forecaster: RiskForecaster | None, claims: Sequence[due.Claim], now: datetime
) -> None:
    patient_ids = sorted({claim.key for claim in claims})
    with new_session() as session:
        assessed = _work_out(session, forecaster, patient_ids, now)
    with new_session() as session:
        _write(session, assessed, now)
        due.finish(session, claims)
        session.commit()


def _work_out(
    session: Session, forecaster: RiskForecaster | None, patient_ids: Sequence[UUID], now: datetime
) -> list[_Assessed]:
    """Reads, closes the transaction, then computes: a forecast holds no lock and no snapshot."""
    facts = read_facts(session, patient_ids, now)
    sites: dict[UUID, Site] = {}
    if forecaster is not None:
        hospitals = {one.hospital_id for one in facts.values()}
        sites = read_sites(session, hospitals, forecaster.model_id, forecaster.model_version)
    asked = [
        patient_id
        for patient_id, one in facts.items()
        if one.forecasting_consent and one.hospital_id in sites and sites[one.hospital_id].mode is not ModelMode.OFF
    ]
    columns = read_diaries(session, asked) if asked else None
    session.rollback()
    today = {patient_id: facts[patient_id].today(now) for patient_id in facts}
    standings = {patient_id: facts[patient_id].at(now, today[patient_id]) for patient_id in facts}
    forecasts: dict[UUID, Forecast] = {}
    if forecaster is not None and columns is not None:
        days = [
            PatientDay(patient_id, today[patient_id], standings[patient_id].personal_best_litres_per_min)
            for patient_id in columns.patient_ids
        ]
        forecasts = dict(zip(columns.patient_ids, forecaster.forecast(columns, days), strict=True))
    return [
        _settled(one, sites.get(one.hospital_id), today, standings[one.patient_id], forecasts.get(one.patient_id))
        for one in facts.values()
    ]


def _settled(
    one: Facts, site: Site | None, today: dict[UUID, date], standing: Standing, forecast: Forecast | None
) -> _Assessed:
    """The forecast as this hospital's budget reads it, or none where its model is not to speak."""
    if forecast is not None and site is not None and forecast.level is not None and forecast.alarm_score is not None:
        forecast = replace(forecast, level=site.level(forecast.alarm_score, forecast.level))
    shadow = None
    if site is not None and site.mode is ModelMode.SHADOW:
        forecast, shadow = None, forecast
    return _Assessed(one, today[one.patient_id], standing, forecast, _why_none(one, site), shadow)


def _write(session: Session, assessed: Sequence[_Assessed], now: datetime) -> None:
    """Store the assessments and bring the alerts in line, unless somebody stored a later one in the meantime."""
    changes = _next_changes(session, [item.facts.patient_id for item in assessed])
    rows = [_row(item, now, changes[item.facts.patient_id]) for item in assessed]
    if not rows:
        return
    statement = insert(Assessment)
    kept = {"id", "patient_id", "as_of"}
    statement = statement.on_conflict_do_update(
        index_elements=["patient_id", "as_of"],
        set_={name: statement.excluded[name] for name in rows[0] if name not in kept},
        where=col(Assessment.assessed_at) <= statement.excluded.assessed_at,
    )
    stored = session.connection().execute(statement.returning(col(Assessment.patient_id), col(Assessment.id)), rows)
    written: dict[UUID, UUID] = {row[0]: row[1] for row in stored}
    due.mark_due(session, RECOMMEND, list(written), due_at=now)
    alerts.review(
        session,
        [
            alerts.Finding(
                patient_id=item.facts.patient_id,
                hospital_id=item.facts.hospital_id,
                assessment_id=written[item.facts.patient_id],
                signs=item.standing.signs,
                rule_reasons=item.standing.reasons,
                forecast=_level(item.forecast),
                forecast_reasons=[] if item.forecast is None else item.forecast.reasons,
                shadow=_shadow(item.shadow),
            )
            for item in assessed
            if item.facts.patient_id in written
        ],
        now,
    )


def _row(item: _Assessed, now: datetime, change: int) -> dict[str, object]:
    standing, forecast = item.standing, item.forecast
    scored = item.shadow if forecast is None else forecast
    flags = {sign.flag for sign in speaking(standing.signs, now)}
    return {
        "id": uuid4(),
        "patient_id": item.facts.patient_id,
        "as_of": item.as_of,
        "assessed_at": now,
        "zone": None if standing.zone is None else standing.zone.value,
        "newest_litres_per_min": None if standing.newest is None else standing.newest.litres_per_min,
        "newest_reading_at": None if standing.newest is None else standing.newest.at,
        "best_litres_per_min": standing.best_litres_per_min,
        "red_flags": [reason["code"] for reason in standing.reasons if reason["code"] in flags],
        "status": item.without_forecast.value if forecast is None else forecast.status.value,
        "diary_days": 0 if forecast is None else forecast.diary_days,
        "probability_7_days": None if forecast is None else forecast.probability_7_days,
        "level": None if forecast is None or forecast.level is None else forecast.level.value,
        "reasons": [] if forecast is None else forecast.reasons,
        "alarm_score": None if scored is None else scored.alarm_score,
        "model_id": None if scored is None else scored.model_id,
        "model_version": None if scored is None else scored.model_version,
        "last_entry_at": item.facts.last_entry_at,
        "change": change,
    }


def _why_none(facts: Facts, site: Site | None) -> ForecastStatus:
    if not facts.forecasting_consent:
        return ForecastStatus.NO_CONSENT
    if site is None:
        return ForecastStatus.NO_MODEL
    return ForecastStatus.NOT_ENOUGH_DATA if site.mode is ModelMode.ON else ForecastStatus.SWITCHED_OFF


def _shadow(found: Forecast | None) -> alerts.Shadow | None:
    if found is None or found.level is None or found.alarm_score is None:
        return None
    return alerts.Shadow(ForecastLevel(found.level.value), found.alarm_score, found.model_id, found.model_version)


def _level(forecast: Forecast | None) -> ForecastLevel | None:
    return None if forecast is None or forecast.level is None else ForecastLevel(forecast.level.value)


def _next_changes(session: Session, patient_ids: Sequence[UUID]) -> dict[UUID, int]:
    """One change number for each patient, in the order of ids so that two batches cannot lock each other out."""
    rows = session.connection().execute(
        text("""
            WITH locked AS (SELECT id FROM patient WHERE id = ANY(:ids) ORDER BY id FOR UPDATE)
            UPDATE patient SET last_change = last_change + 1 FROM locked WHERE patient.id = locked.id
            RETURNING patient.id, last_change
        """),
        {"ids": list(patient_ids)},
    )
    return {row[0]: row[1] for row in rows}


def _postpone(new_session: NewSession, claim: due.Claim, error: Exception, now: datetime) -> None:
    """The kind of error is all that is kept: its message may quote the diary."""
    wait_seconds = min(FIRST_WAIT_SECONDS * 2.0 ** min(claim.attempts - 1, 20), LONGEST_WAIT_SECONDS)
    logger.error("a patient could not be assessed (%s); again in %.0f s", type(error).__name__, wait_seconds)
    with new_session() as session:
        due.postpone(session, claim, due_at=now + timedelta(seconds=wait_seconds), error=type(error).__name__)
        session.commit()
