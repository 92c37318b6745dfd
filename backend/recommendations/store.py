"""Queries on recommendations, checks and outcome reviews. Callers check access to the patient."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import Session, col, select

from backend.recommendations.tables import OutcomeReview, Recommendation, RecommendationState

DECIDED = (RecommendationState.APPROVED, RecommendationState.MODIFIED, RecommendationState.REJECTED)


def open_recommendation(session: Session, patient_id: UUID, *, lock: bool = False) -> Recommendation | None:
    asked = select(Recommendation).where(
        Recommendation.patient_id == patient_id, Recommendation.state == RecommendationState.OPEN.value
    )
    if lock:
        asked = asked.with_for_update().execution_options(populate_existing=True)
    return session.exec(asked).first()


def last_decided(session: Session, patient_id: UUID) -> Recommendation | None:
    return session.exec(
        select(Recommendation)
        .where(
            Recommendation.patient_id == patient_id,
            col(Recommendation.state).in_([state.value for state in DECIDED]),
        )
        .order_by(col(Recommendation.closed_at).desc())
        .limit(1)
    ).first()


def outcome_reviews(session: Session, patient_id: UUID) -> Sequence[OutcomeReview]:
    """Newest plan first."""
    return session.exec(
        select(OutcomeReview)
        .where(OutcomeReview.patient_id == patient_id)
        .order_by(col(OutcomeReview.plan_version).desc())
    ).all()
