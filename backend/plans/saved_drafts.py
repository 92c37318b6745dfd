"""Half-written plans, kept for the clinician who writes them until they are signed or thrown away."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from backend.plans.errors import DraftChangedMeanwhile
from backend.plans.store import plan_in_force
from backend.plans.tables import SavedDraft


def saved_draft(session: Session, clinician_id: UUID, patient_id: UUID) -> SavedDraft | None:
    return session.get(SavedDraft, (clinician_id, patient_id), populate_existing=True)


def save(
    session: Session,
    clinician_id: UUID,
    patient_id: UUID,
    fields: Mapping[str, str],
    *,
    based_on_version: int,
    editor: UUID,
    seen_at: datetime | None,
    now: datetime,
) -> SavedDraft:
    """Keep what stands in the open page `editor`, which began from the draft of `seen_at`, or from none.

    Raises DraftChangedMeanwhile when another page has saved since; what that one saved stays.
    """
    kept = session.get(SavedDraft, (clinician_id, patient_id), with_for_update=True, populate_existing=True)
    if kept is not None and kept.editor != editor and kept.saved_at != seen_at:
        raise DraftChangedMeanwhile
    if kept is None:
        kept = SavedDraft(
            clinician_id=clinician_id,
            patient_id=patient_id,
            based_on_version=based_on_version,
            fields=dict(fields),
            editor=editor,
            saved_at=now,
        )
    kept.fields, kept.based_on_version, kept.editor, kept.saved_at = dict(fields), based_on_version, editor, now
    session.add(kept)
    session.flush()
    return kept


def discard(session: Session, clinician_id: UUID, patient_id: UUID) -> None:
    """Throw the draft away; where there is none nothing happens."""
    kept = saved_draft(session, clinician_id, patient_id)
    if kept is not None:
        session.delete(kept)
        session.flush()


def take_over(session: Session, clinician_id: UUID, patient_id: UUID) -> None:
    """Base the draft on the plan in force now: the clinician has looked at both."""
    kept = saved_draft(session, clinician_id, patient_id)
    plan = plan_in_force(session, patient_id)
    if kept is not None and plan is not None:
        kept.based_on_version = plan.version
        kept.fields = kept.fields | {"based_on_version": str(plan.version)}
        session.add(kept)
        session.flush()
