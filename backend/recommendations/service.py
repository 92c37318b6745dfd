"""Keeps each patient's recommendation in line with the picture: made, replaced, expired, or rightly silent."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from backend.clinical.treatment_steps import Direction, Options
from backend.core import due
from backend.core.database import NewSession
from backend.plans.store import read_regimen
from backend.plans.tables import ActionPlan
from backend.recommendations import outcome
from backend.recommendations.advisor import Advice
from backend.recommendations.making import advice_out, order, picture_out, shown_options
from backend.recommendations.picture import Picture, Watched, picture
from backend.recommendations.records import Records, read_records
from backend.recommendations.rules import Shown, Step, next_step, options_for, reasons
from backend.recommendations.schemas import AdviceOut, OptionOut, PictureOut
from backend.recommendations.store import last_decided, open_recommendation
from backend.recommendations.tables import ControlChange, OutcomeReview, Recommendation, RecommendationState
from backend.risk.service import RECOMMEND

logger = logging.getLogger(__name__)

LEASE_SECONDS = 120
FIRST_WAIT_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 3600.0


@dataclass(frozen=True)
class Considered:
    """Everything the rules and the model have to say of one patient now."""

    picture: Picture
    options: Options
    reasons: list[str]
    advice: Advice

    @property
    def shown(self) -> tuple[PictureOut, list[OptionOut], AdviceOut]:
        return (
            picture_out(self.picture, self.options),
            shown_options(self.picture, self.options, self.advice),
            advice_out(self.advice),
        )


def recommend_due(new_session: NewSession, now: datetime, limit: int = 50) -> int:
    """Look at the patients that are due; return how many were claimed. One that fails is tried again later, alone."""
    with new_session() as session:
        claims = due.claim_due(session, RECOMMEND, now=now, limit=limit, lease_seconds=LEASE_SECONDS)
        session.commit()
    if not claims:
        return 0
    try:
        _look_at(new_session, claims, now)
    except Exception as error:
        if len(claims) == 1:
            _postpone(new_session, claims[0], error, now)
            return 1
        logger.warning("recommending for %d patients together failed (%s)", len(claims), type(error).__name__)
        for claim in claims:
            try:
                _look_at(new_session, [claim], now)
            except Exception as single_error:
                _postpone(new_session, claim, single_error, now)
    return len(claims)


def look_again(session: Session, patient_ids: Sequence[UUID], now: datetime) -> None:
    """Bring recommendations and outcome reviews in line, at once, for patients whose picture may have changed."""
    # Without structured prescriptions there is nothing to say, and no diary needs to be read.
    treated = session.exec(
        select(ActionPlan.patient_id)
        .where(col(ActionPlan.patient_id).in_(patient_ids), col(ActionPlan.regimen).is_not(None))
        .distinct()
    ).all()
    for records in read_records(session, treated, now).values():
        today = now.astimezone(ZoneInfo(records.patient.time_zone)).date()
        outcome.finish_due(session, records, today, now)
        _bring_in_line(session, records, today, now)


def consider(session: Session, records: Records, today: date) -> Considered | None:
    """None while there is no structured regimen or no date of birth to judge it by."""
    watched = _watched(session, records)
    found = picture(records, today, watched)
    if found is None:
        return None
    way_back = None if watched is None else watched.way_back
    options = options_for(found.regimen, found.state, found.relapse, way_back)
    advice = order(records, found, options)
    return Considered(found, options, reasons(found.clues, options), advice)


def _watched(session: Session, records: Records) -> Watched | None:
    """The step down in force, until somebody has given a verdict on it."""
    plan = records.plan
    if plan is None:
        return None
    review = session.get(OutcomeReview, (records.patient.id, plan.version))
    if review is None or review.direction != Direction.DOWN or review.way_back is None or review.verdict is not None:
        return None
    return Watched(records.local_day(plan.signed_at), read_regimen(review.way_back))


def _bring_in_line(session: Session, records: Records, today: date, now: datetime) -> None:
    considered = consider(session, records, today)
    standing = open_recommendation(session, records.patient.id, lock=True)
    if considered is not None:
        _note_control(session, records.patient.id, considered.picture, now)
    if considered is None:
        if standing is not None:
            _expire(session, standing, "picture_changed", now)
        return
    version = 0 if records.plan is None else records.plan.version
    current = Shown(frozenset(considered.reasons), considered.options.codes, version, considered.advice.status.value)
    decided = last_decided(session, records.patient.id)
    step = next_step(current, _shown(standing), _shown(decided), today)
    if step in {Step.EXPIRE, Step.REPLACE} and standing is not None:
        _expire(session, standing, "picture_changed", now)
    if step in {Step.MAKE, Step.REPLACE}:
        shown_picture, options, advice = considered.shown
        session.add(
            Recommendation(
                patient_id=records.patient.id,
                made_at=now,
                as_of=today,
                plan_version=version,
                reasons=considered.reasons,
                picture=shown_picture.model_dump(mode="json"),
                options=[option.model_dump(mode="json") for option in options],
                advice=advice.model_dump(mode="json"),
                edition=considered.options.edition,
            )
        )
        session.flush()


def _note_control(session: Session, patient_id: UUID, found: Picture, now: datetime) -> None:
    """A row for each change of the control class, so that it can be told since when it is so."""
    newest = session.exec(
        select(ControlChange)
        .where(ControlChange.patient_id == patient_id)
        .order_by(col(ControlChange.noted_at).desc())
        .limit(1)
    ).first()
    control_class = found.control.control_class.value
    if newest is None or (newest.control_class != control_class and newest.noted_at < now):
        session.add(ControlChange(patient_id=patient_id, noted_at=now, as_of=found.as_of, control_class=control_class))
        session.flush()


def _expire(session: Session, standing: Recommendation, because: str, now: datetime) -> None:
    standing.state, standing.closed_at, standing.expired_because = RecommendationState.EXPIRED.value, now, because
    session.add(standing)
    session.flush()


def _shown(row: Recommendation | None) -> Shown | None:
    if row is None:
        return None
    return Shown(
        reasons=frozenset(row.reasons),
        codes=frozenset(option["code"] for option in row.options),
        plan_version=row.plan_version,
        advice_status=row.advice["status"],
        quiet_until=row.quiet_until,
    )


def _look_at(new_session: NewSession, claims: Sequence[due.Claim], now: datetime) -> None:
    with new_session() as session:
        look_again(session, sorted({claim.key for claim in claims}), now)
        due.finish(session, claims)
        session.commit()


def _postpone(new_session: NewSession, claim: due.Claim, error: Exception, now: datetime) -> None:
    """The kind of error is all that is kept: its message may quote the diary."""
    wait_seconds = min(FIRST_WAIT_SECONDS * 2.0 ** min(claim.attempts - 1, 20), LONGEST_WAIT_SECONDS)
    logger.error("a patient's treatment could not be looked at (%s)", type(error).__name__)
    with new_session() as session:
        due.postpone(session, claim, due_at=now + timedelta(seconds=wait_seconds), error=type(error).__name__)
        session.commit()
