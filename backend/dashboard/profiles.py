"""A patient's profile and consents as a clinician changes them, with what follows from a change."""

from datetime import date, timedelta

from backend.core import audit, due
from backend.core.errors import FieldError, InvalidFields
from backend.dashboard.patient_schemas import ConsentEntryOut, ConsentIn, PatientIn, PersonOut, ProfileIn
from backend.dashboard.patient_view import consent_ledger, local_today
from backend.dashboard.viewer import Viewer
from backend.patients import service
from backend.patients.store import next_changes
from backend.patients.tables import Patient
from backend.recommendations.drafting import predicted_for
from backend.recommendations.service import look_again
from backend.risk.service import ASSESS

OLDEST = timedelta(days=120 * 366)


def birth_is_plausible(born_on: date, today: date) -> bool:
    return today - OLDEST <= born_on <= today


def profile_out(viewer: Viewer, patient: Patient) -> PersonOut:
    predicted = predicted_for(viewer.session, patient, local_today(patient, viewer.now))
    return PersonOut(
        **patient.model_dump(include=set(PatientIn.model_fields)),
        profile_change=patient.profile_change,
        predicted_litres_per_min=None if predicted is None else round(predicted.litres_per_min),
        predicted_by=None if predicted is None else predicted.equation.value,
        predicted_source=None if predicted is None else predicted.source,
    )


def changed_profile(viewer: Viewer, patient: Patient, given: ProfileIn) -> list[str]:
    """The names of what changed. Rules that depend on age or place are asked again at once, the forecast soon.

    Raises ProfileChangedMeanwhile, or InvalidFields for a day of birth that cannot be.
    """
    if given.born_on is not None and not birth_is_plausible(given.born_on, local_today(patient, viewer.now)):
        raise InvalidFields(fields=[FieldError("born_on", "The day of birth must lie in the past.")])
    written = given.model_dump(exclude={"profile_change"}) | {"sex": given.sex.value, "language": given.language.value}
    changed = service.change_profile(viewer.session, patient, written, seen_change=given.profile_change)
    if changed:
        _record(viewer, patient, "change_profile", fields=changed)
        look_again(viewer.session, [patient.id], viewer.now)
        due.mark_due(viewer.session, ASSESS, [patient.id], due_at=viewer.now)
    return changed


def noted_consent(viewer: Viewer, patient: Patient, given: ConsentIn) -> list[ConsentEntryOut]:
    """The ledger after the patient's decision was written down; the phone learns of it at its next sync."""
    before = consent_ledger(viewer.session, patient.id)
    if given.given:
        service.grant(
            viewer.session,
            patient.id,
            given.purpose,
            text_version=given.text_version,
            now=viewer.now,
            by=viewer.clinician.id,
        )
    else:
        service.withdraw(viewer.session, patient.id, given.purpose, now=viewer.now, by=viewer.clinician.id)
    after = consent_ledger(viewer.session, patient.id)
    if after != before:
        patient.profile_change = next_changes(viewer.session, patient.id)
        _record(viewer, patient, "give_consent" if given.given else "withdraw_consent", purpose=given.purpose.value)
        due.mark_due(viewer.session, ASSESS, [patient.id], due_at=viewer.now)
    return after


def _record(viewer: Viewer, patient: Patient, action: str, **detail: object) -> None:
    audit.record(
        viewer.session,
        now=viewer.now,
        actor_kind=audit.ActorKind.CLINICIAN,
        actor_id=viewer.clinician.id,
        action=action,
        patient_ids=[patient.id],
        detail=dict(detail),
    )
