"""Adding patients and keeping their consent ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlmodel import Session, col, select

from backend.patients.errors import ProfileChangedMeanwhile
from backend.patients.store import next_changes
from backend.patients.tables import Consent, Language, Patient, Purpose, Sex


def add_patient(
    session: Session,
    *,
    hospital_id: UUID,
    display_name: str,
    now: datetime,
    born_on: date | None = None,
    sex: Sex = Sex.UNKNOWN,
    height_cm: int | None = None,
    weight_kg: int | None = None,
    language: Language = Language.ENGLISH,
    time_zone: str = "Asia/Seoul",
    treatment_step: int | None = None,
    severe_attacks_last_year: int | None = None,
    consents: tuple[Purpose, ...] = (Purpose.CARE, Purpose.FORECASTING),
    patient_id: UUID | None = None,
) -> Patient:
    """Add a patient with open consents. `patient_id` is for importers that may run again."""
    patient = Patient(
        id=patient_id or uuid4(),
        hospital_id=hospital_id,
        display_name=display_name,
        born_on=born_on,
        sex=sex.value,
        height_cm=height_cm,
        weight_kg=weight_kg,
        language=language.value,
        time_zone=time_zone,
        treatment_step=treatment_step,
        severe_attacks_last_year=severe_attacks_last_year,
        created_at=now,
    )
    session.add(patient)
    session.flush()
    patient.profile_change = patient.last_change = next_changes(session, patient.id)
    for purpose in consents:
        grant(session, patient.id, purpose, text_version="2026-11", now=now)
    return patient


def change_profile(session: Session, patient: Patient, changes: Mapping[str, Any], *, seen_change: int) -> list[str]:
    """Set the named columns; the names of those that were another. The phone pulls the profile anew.

    Raises ProfileChangedMeanwhile when the profile is no longer the one of `seen_change`.
    """
    number = next_changes(session, patient.id)
    session.refresh(patient)
    if patient.profile_change != seen_change:
        raise ProfileChangedMeanwhile
    changed = [name for name, value in changes.items() if getattr(patient, name) != value]
    for name in changed:
        setattr(patient, name, changes[name])
    if changed:
        patient.profile_change = number
    session.flush()
    return changed


def grant(
    session: Session, patient_id: UUID, purpose: Purpose, *, text_version: str, now: datetime, by: UUID | None = None
) -> None:
    """Record a consent; granting what is granted changes nothing. `by`: the clinician who wrote it down."""
    if _open_consent(session, patient_id, purpose) is None:
        session.add(
            Consent(
                patient_id=patient_id,
                purpose=purpose.value,
                text_version=text_version,
                granted_at=now,
                granted_by=by,
            )
        )
        session.flush()


def withdraw(session: Session, patient_id: UUID, purpose: Purpose, *, now: datetime, by: UUID | None = None) -> None:
    """Close the open consent; withdrawing what is not granted changes nothing."""
    consent = _open_consent(session, patient_id, purpose)
    if consent is not None:
        consent.withdrawn_at, consent.withdrawn_by = now, by
        session.flush()


@dataclass(frozen=True)
class ConsentStanding:
    """Where one purpose stands; `since` is None when it was never given."""

    purpose: Purpose
    given: bool
    since: datetime | None


def consents(session: Session, patient_id: UUID) -> Sequence[ConsentStanding]:
    """Where every purpose stands, in the order of Purpose."""
    # The open row of a purpose comes last, after those that were closed.
    rows = session.exec(
        select(Consent).where(Consent.patient_id == patient_id).order_by(col(Consent.withdrawn_at).asc().nulls_last())
    )
    newest = {row.purpose: row for row in rows}
    return [_standing(purpose, newest.get(purpose.value)) for purpose in Purpose]


def _standing(purpose: Purpose, row: Consent | None) -> ConsentStanding:
    if row is None:
        return ConsentStanding(purpose, given=False, since=None)
    return ConsentStanding(purpose, given=row.withdrawn_at is None, since=row.withdrawn_at or row.granted_at)


def _open_consent(session: Session, patient_id: UUID, purpose: Purpose) -> Consent | None:
    return session.exec(
        select(Consent)
        .where(Consent.patient_id == patient_id, Consent.purpose == purpose.value, col(Consent.withdrawn_at).is_(None))
        .with_for_update()
    ).first()
