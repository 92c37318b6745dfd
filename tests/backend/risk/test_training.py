"""Diaries of a Soom database as the file that soom-ml judges with: only who consented, nobody named, all audited."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select

from backend.core.audit import AuditEntry
from backend.patients.tables import Consent, Patient
from backend.risk.training import NobodyToExport, export_training
from ml.evaluation.study_data import study_data
from ml.training.cohort_file import read_cohort_file, read_hospitals
from tests.factories import clinic, entries

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def with_diary(session: Session, *, research: bool, days: int = 20) -> Patient:
    one = clinic.patient(session, clinic.hospital(session), now=NOW)
    entries.weeks_of_diary(session, one, until=NOW, days=days)
    if research:
        session.add(Consent(patient_id=one.id, purpose="research", text_version="1", granted_at=NOW))
    session.flush()
    return one


def test_only_who_consented_to_research_is_in_the_file_and_the_audit_says_so(session: Session, tmp_path: Path) -> None:
    first, second = with_diary(session, research=True), with_diary(session, research=True, days=9)
    with_diary(session, research=False)
    withdrawn = with_diary(session, research=True)
    consent = session.exec(select(Consent).where(Consent.patient_id == withdrawn.id, Consent.purpose == "research"))
    consent.one().withdrawn_at = NOW
    session.flush()
    file = tmp_path / "cohort.npz"
    found = export_training(session, file, hospital_id=None, now=NOW)
    cohort = read_cohort_file(file)
    assert (found.patients, len(cohort.profiles)) == (2, 2)
    assert found.patient_days == len(cohort.diaries)
    assert (cohort.last_day == max(cohort.diaries.day)).all()
    audited = session.exec(select(AuditEntry.patient_id).where(AuditEntry.action == "export_training")).all()
    assert set(audited) == {first.id, second.id}
    content = file.read_bytes()
    for one in (first, second):
        assert str(one.id).encode() not in content
        assert one.id.bytes not in content


def test_the_file_names_the_code_of_each_hospital_and_can_be_of_one_alone(session: Session, tmp_path: Path) -> None:
    first, second = with_diary(session, research=True), with_diary(session, research=True)
    export_training(session, tmp_path / "both.npz", hospital_id=None, now=NOW)
    codes = read_hospitals(tmp_path / "both.npz")
    assert set(codes) == {str(first.hospital_id), str(second.hospital_id)}
    assert set(read_cohort_file(tmp_path / "both.npz").profiles.hospital.tolist()) == set(codes.values()) == {0, 1}
    found = export_training(session, tmp_path / "one.npz", hospital_id=first.hospital_id, now=NOW)
    assert (found.patients, read_hospitals(tmp_path / "one.npz")) == (1, {str(first.hospital_id): 0})


def test_the_evaluation_of_soom_ml_takes_the_file(session: Session, tmp_path: Path) -> None:
    sick = with_diary(session, research=True, days=40)
    entries.attack(session, sick, taken_at=NOW - timedelta(days=10), systemic_steroids=True)
    export_training(session, tmp_path / "cohort.npz", hospital_id=None, now=NOW)
    data = study_data(read_cohort_file(tmp_path / "cohort.npz"))
    assert data.patients == 1
    assert data.judged.any()
    assert data.label.any()


def test_nothing_is_written_where_nobody_consented(session: Session, tmp_path: Path) -> None:
    with_diary(session, research=False)
    with pytest.raises(NobodyToExport):
        export_training(session, tmp_path / "cohort.npz", hospital_id=None, now=NOW)
    assert not (tmp_path / "cohort.npz").exists()
