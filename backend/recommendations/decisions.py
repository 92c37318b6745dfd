"""What a clinician decides: answers of the checklist, a signed or rejected recommendation, a verdict on its outcome."""

from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import Session

from backend.accounts.tables import Clinician
from backend.clinical.medicines import Regimen
from backend.clinical.treatment_steps import Direction
from backend.core import audit
from backend.core.errors import FieldError, NotFound
from backend.medication.schemas import RegimenIn
from backend.patients.age import age_years
from backend.patients.store import next_changes
from backend.patients.tables import Patient
from backend.plans.draft import PlanDraft
from backend.plans.service import sign_draft
from backend.plans.tables import ActionPlan
from backend.recommendations.errors import (
    ChecklistNotInOrder,
    ChecklistOpen,
    OptionNotOffered,
    RecommendationNoLongerOpen,
    ReviewNotReady,
)
from backend.recommendations.making import benefit_of
from backend.recommendations.outcome import window_before
from backend.recommendations.picture import picture
from backend.recommendations.records import Records, read_records
from backend.recommendations.rules import CHECKLIST, CheckCode, direction_of, quiet_until, same_regimen, unanswered
from backend.recommendations.schemas import BenefitOut, ChecksIn, OptionOut, VerdictIn
from backend.recommendations.service import look_again
from backend.recommendations.store import open_recommendation
from backend.recommendations.tables import (
    ClinicalCheck,
    OutcomeReview,
    Recommendation,
    RecommendationState,
)


def answer_checks(session: Session, patient: Patient, clinician: Clinician, given: ChecksIn, *, now: datetime) -> None:
    """Keep the answers, and look again at once: they may open or close a step."""
    session.add_all(
        ClinicalCheck(
            patient_id=patient.id,
            code=answer.code.value,
            holds=answer.holds,
            note=answer.note,
            checked_at=now,
            checked_by=clinician.id,
        )
        for answer in given.answers
    )
    session.flush()
    _record(session, clinician, patient, "treatment.checked", now, answers=len(given.answers))
    look_again(session, [patient.id], now)


def sign_treatment(
    session: Session,
    patient: Patient,
    clinician: Clinician,
    draft: PlanDraft,
    *,
    reason: str,
    recommendation_id: UUID | None,
    option: str | None,
    despite_checklist: bool,
    now: datetime,
) -> ActionPlan:
    """Sign a plan, answer the recommendation it came from, and set its outcome review; all of it or nothing.

    Callers have asked for the password again. Raises RecommendationNoLongerOpen, OptionNotOffered, ChecklistOpen,
    ChecklistNotInOrder, and what `sign_draft` raises.
    """
    # Locks the patient's row before anything is read that another signature could change.
    next_changes(session, patient.id)
    standing = open_recommendation(session, patient.id, lock=True)
    if recommendation_id is not None and (standing is None or standing.id != recommendation_id):
        raise RecommendationNoLongerOpen
    records = read_records(session, [patient.id], now)[patient.id]
    today = now.astimezone(ZoneInfo(patient.time_zone)).date()
    chosen = _chosen(standing, option) if recommendation_id is not None else None
    before = records.regimen
    plan = sign_draft(session, patient, clinician, draft, reason=reason, now=now)
    regimen = draft.regimen.read()
    direction = direction_of(before, regimen, _age(records, now))
    as_offered = _same(chosen, regimen)
    if direction in {Direction.UP, Direction.SWITCH} and not (as_offered and chosen and not chosen.needs_checklist):
        _demand_checklist(records.standing_checks(today), despite_checklist=despite_checklist)
    if standing is not None:
        if recommendation_id is None:
            standing.state, standing.expired_because = RecommendationState.EXPIRED.value, "plan_signed"
        else:
            approved = RecommendationState.APPROVED if as_offered else RecommendationState.MODIFIED
            standing.state, standing.decided_by, standing.reason = approved.value, clinician.id, reason
            standing.signed_version, standing.chosen_code = plan.version, option
            standing.quiet_until = quiet_until(today, draft.review_on)
        standing.closed_at = now
        session.add(standing)
        session.flush()
    earlier = window_before(records, today)
    # A first plan of somebody without a diary has nothing to be compared with.
    if before is not None or earlier.diary_days:
        promised = chosen.benefit if chosen is not None and as_offered else _expected(records, regimen, today)
        session.add(
            OutcomeReview(
                patient_id=patient.id,
                plan_version=plan.version,
                recommendation_id=recommendation_id,
                direction=direction.value,
                way_back=_stored(before) if direction is Direction.DOWN else None,
                due_on=draft.review_on,
                before=earlier.model_dump(mode="json"),
                promised=None if promised is None else promised.model_dump(mode="json"),
            )
        )
        session.flush()
    _record(session, clinician, patient, "treatment.signed", now, version=plan.version)
    look_again(session, [patient.id], now)
    return plan


def reject(
    session: Session, patient: Patient, clinician: Clinician, recommendation_id: UUID, *, reason: str, now: datetime
) -> Recommendation:
    """Decide against it. The same reasons stay quiet until the earliest review of the edition."""
    standing = open_recommendation(session, patient.id, lock=True)
    if standing is None or standing.id != recommendation_id:
        raise RecommendationNoLongerOpen
    today = now.astimezone(ZoneInfo(patient.time_zone)).date()
    standing.state, standing.closed_at = RecommendationState.REJECTED.value, now
    standing.decided_by, standing.reason = clinician.id, reason
    standing.quiet_until = quiet_until(today, None)
    session.add(standing)
    session.flush()
    _record(session, clinician, patient, "treatment.rejected", now)
    return standing


def give_verdict(
    session: Session, patient: Patient, clinician: Clinician, given: VerdictIn, *, now: datetime
) -> OutcomeReview:
    """Raises NotFound, or ReviewNotReady before its day and after it was answered."""
    review = session.get(OutcomeReview, (patient.id, given.plan_version), with_for_update=True)
    if review is None:
        raise NotFound
    if review.ready_at is None or review.verdict is not None:
        raise ReviewNotReady
    review.verdict, review.note = given.verdict.value, given.note
    review.reviewed_at, review.reviewed_by = now, clinician.id
    session.add(review)
    session.flush()
    _record(session, clinician, patient, "treatment.reviewed", now, version=given.plan_version)
    look_again(session, [patient.id], now)
    return review


def _expected(records: Records, regimen: Regimen, today: date) -> BenefitOut | None:
    """Of a treatment that the clinician changed before signing, the model is asked anew; of none, nothing."""
    found = picture(records, today, None)
    if found is None or same_regimen(found.regimen, regimen):
        return None
    return benefit_of(records, found, regimen)


def _chosen(standing: Recommendation | None, option: str | None) -> OptionOut | None:
    if standing is None or option is None:
        return None
    found = next((one for one in standing.options if one["code"] == option and one["regimen"] is not None), None)
    if found is None:
        raise OptionNotOffered
    return OptionOut.model_validate(found)


def _same(chosen: OptionOut | None, regimen: Regimen) -> bool:
    return chosen is not None and chosen.regimen is not None and same_regimen(chosen.regimen.read(), regimen)


def _demand_checklist(checks: dict[CheckCode, bool], *, despite_checklist: bool) -> None:
    missing = unanswered(checks)
    if missing:
        raise ChecklistOpen(
            fields=[FieldError(f"checks.{item.value}", "Not answered yet.", "not_answered") for item in missing]
        )
    wrong = [item for item in CHECKLIST if not checks[item]]
    if wrong and not despite_checklist:
        raise ChecklistNotInOrder(
            fields=[FieldError(f"checks.{item.value}", "Not in order.", "not_in_order") for item in wrong]
        )


def _stored(regimen: Regimen | None) -> dict[str, object] | None:
    return None if regimen is None else RegimenIn.of(regimen).model_dump(mode="json")


def _age(records: Records, now: datetime) -> float:
    born_on = records.patient.born_on
    return 0.0 if born_on is None else age_years(born_on, records.local_day(now))


def _record(
    session: Session, clinician: Clinician, patient: Patient, action: str, now: datetime, **detail: object
) -> None:
    audit.record(
        session,
        now=now,
        actor_kind=audit.ActorKind.CLINICIAN,
        actor_id=clinician.id,
        action=action,
        patient_ids=[patient.id],
        detail=dict(detail),
    )
