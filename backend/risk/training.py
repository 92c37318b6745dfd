"""Diaries of who consented to a purpose, as the cohort file that `soom-ml` trains on and judges with.

The file holds no name and no identifier of a person: patients are numbered in an order that says nothing.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from uuid import UUID

import numpy as np
from sqlmodel import Session, col, select

from backend.core import audit
from backend.patients.tables import Consent, Patient, Purpose
from backend.risk.forecaster import DiaryColumns, PatientDay, profiles_of, read_diaries
from backend.risk.standing import read_facts
from ml.contract import Diaries, Profiles
from ml.training.cohort_file import write_cohort
from ml.training.fit import Cohort

PATIENTS_AT_ONCE = 500


class NobodyToExport(Exception):
    """Nobody with a diary has consented to the purpose."""


@dataclass(frozen=True)
class Exported:
    patients: int
    patient_days: int


def export_training(
    session: Session,
    file: Path,
    *,
    hospital_id: UUID | None,
    now: datetime,
    purpose: Purpose = Purpose.RESEARCH,
    detail: Mapping[str, str] | None = None,
) -> Exported:
    """Write the cohort file, and leave an entry with `detail` in the audit of each patient in it. Callers commit.

    Raises NobodyToExport. A hospital's code in the file is kept beside its id, so that a model trained on it knows it.
    """
    chosen = list(_consenting(session, hospital_id, purpose))
    random.SystemRandom().shuffle(chosen)
    codes = {str(one): code for code, one in enumerate(sorted({hospital for _, hospital in chosen}, key=str))}
    parts = [
        _part(session, [patient_id for patient_id, _ in chosen[start : start + PATIENTS_AT_ONCE]], codes, now)
        for start in range(0, len(chosen), PATIENTS_AT_ONCE)
    ]
    kept = [part for part in parts if part is not None]
    if not kept:
        raise NobodyToExport
    cohort = _together([cohort for cohort, _ in kept])
    write_cohort(cohort, file, codes)
    audit.record(
        session,
        now=now,
        actor_kind=audit.ActorKind.SYSTEM,
        actor_id=None,
        action="export_training",
        patient_ids=[patient_id for _, ids in kept for patient_id in ids],
        detail={"purpose": purpose.value} | dict(detail or {}),
    )
    return Exported(len(cohort.profiles), len(cohort.diaries))


def _consenting(session: Session, hospital_id: UUID | None, purpose: Purpose) -> Sequence[tuple[UUID, UUID]]:
    """Patients and their hospitals."""
    query = (
        select(Patient.id, Patient.hospital_id)
        .join(Consent, col(Consent.patient_id) == col(Patient.id))
        .where(Consent.purpose == purpose.value, col(Consent.withdrawn_at).is_(None))
    )
    if hospital_id is not None:
        query = query.where(Patient.hospital_id == hospital_id)
    return session.exec(query).all()


def _part(
    session: Session, patient_ids: Sequence[UUID], codes: dict[str, int], now: datetime
) -> tuple[Cohort, list[UUID]] | None:
    """The cohort of those who have a diary, with their ids in its order."""
    facts = read_facts(session, patient_ids, now)
    days = read_diaries(session, patient_ids)
    with_diary = sorted(set(days.diaries.patient_index.tolist()))
    if not with_diary:
        return None
    number = np.full(len(patient_ids), -1, dtype=np.int32)
    number[with_diary] = np.arange(len(with_diary), dtype=np.int32)
    columns = {field.name: getattr(days.diaries, field.name) for field in fields(Diaries)}
    diaries = Diaries(**columns | {"patient_index": number[days.diaries.patient_index]})
    ids = [patient_ids[index] for index in with_diary]
    last_day = np.zeros(len(ids), dtype=np.int64)
    np.maximum.at(last_day, diaries.patient_index, diaries.day)
    asked = []
    for patient_id in ids:
        today = facts[patient_id].today(now)
        best = facts[patient_id].at(now, today).personal_best_litres_per_min
        asked.append(PatientDay(patient_id, today, best))
    profiles = profiles_of(DiaryColumns(ids, diaries, days.profiles), asked, codes)
    return Cohort(diaries, profiles, last_day), ids


def _together(cohorts: Sequence[Cohort]) -> Cohort:
    offsets = np.cumsum([0, *(len(cohort.profiles) for cohort in cohorts)])
    columns = {
        field.name: np.concatenate([getattr(cohort.diaries, field.name) for cohort in cohorts])
        for field in fields(Diaries)
    }
    columns["patient_index"] = np.concatenate(
        [cohort.diaries.patient_index + np.int32(offset) for cohort, offset in zip(cohorts, offsets, strict=False)]
    )
    profiles = {
        field.name: np.concatenate([getattr(cohort.profiles, field.name) for cohort in cohorts])
        for field in fields(Profiles)
    }
    return Cohort(Diaries(**columns), Profiles(**profiles), np.concatenate([cohort.last_day for cohort in cohorts]))
