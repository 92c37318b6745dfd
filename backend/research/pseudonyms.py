"""Pseudonyms of one study: every consenting patient gets a number and a shift of dates, once and for good.

Two studies share neither numbers nor shifts, so that their exports cannot be joined.
"""

import random
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from backend.core.errors import SoomError
from backend.patients.tables import Consent, Patient, Purpose
from backend.research.tables import LARGEST_SHIFT_DAYS, Study, StudyPatient

LARGEST_PERSON_ID = 2_000_000_000


class StudyDiffers(SoomError):
    status = 409
    code = "study_differs"
    message = "A study of this name exists with other settings; choose another name."


def study_named(session: Session, study_id: str, title: str, *, dates_shifted: bool, now: datetime) -> Study:
    """The study, made if it is new. Raises StudyDiffers where it exists and treats dates differently."""
    study = session.get(Study, study_id)
    if study is None:
        study = Study(id=study_id, title=title, dates_shifted=dates_shifted, created_at=now)
        session.add(study)
        session.flush()
    if study.dates_shifted != dates_shifted:
        raise StudyDiffers
    return study


def consenting_patients(
    session: Session, purpose: Purpose, hospital_ids: Sequence[UUID] | None = None
) -> Sequence[UUID]:
    """Patients (of these hospitals) whose consent to `purpose` stands."""
    query = select(Consent.patient_id).where(Consent.purpose == purpose.value, col(Consent.withdrawn_at).is_(None))
    if hospital_ids is not None:
        query = query.join(Patient, col(Patient.id) == col(Consent.patient_id)).where(
            col(Patient.hospital_id).in_(hospital_ids)
        )
    return session.exec(query.order_by(col(Consent.patient_id))).all()


def assign(
    session: Session, study: Study, patient_ids: Sequence[UUID], *, now: datetime, random_source: random.Random
) -> None:
    """Give each patient who has none a pseudonym in the study. Numbers tell nothing, not even who came first."""
    # Two exports at once would draw numbers for the same patient.
    session.connection().execute(text("SELECT pg_advisory_xact_lock(hashtext(:study))"), {"study": study.id})
    known = session.exec(
        select(StudyPatient.patient_id, StudyPatient.person_id).where(StudyPatient.study_id == study.id)
    ).all()
    have = {patient_id for patient_id, _ in known}
    taken = {person_id for _, person_id in known}
    weeks = LARGEST_SHIFT_DAYS // 7
    for patient_id in patient_ids:
        if patient_id in have:
            continue
        person_id = random_source.randrange(1, LARGEST_PERSON_ID)
        while person_id in taken:
            person_id = random_source.randrange(1, LARGEST_PERSON_ID)
        taken.add(person_id)
        # Nobody keeps the true dates.
        shift = 7 * random_source.choice([-1, 1]) * random_source.randint(1, weeks) if study.dates_shifted else 0
        session.add(
            StudyPatient(study_id=study.id, patient_id=patient_id, person_id=person_id, shift_days=shift, added_at=now)
        )
    session.flush()
