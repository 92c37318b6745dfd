"""What leaves for research: with consent alone, under pseudonyms, with shifted dates, and the same to the reader."""

import datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from sqlmodel import Session, col, select

from backend.core.audit import AuditEntry
from backend.patients.tables import Consent
from backend.research.export import FolderTaken
from backend.research.tables import StudyPatient
from backend.risk.forecaster import PatientDay, profiles_of, read_diaries
from ml.features.catalogue import FEATURES
from ml.features.daily import patient_days
from ml.omop.diaries import OmopDiaries
from ml.omop.diaries import read_diaries as read_omop
from ml.omop.source import OmopSource
from tests.backend.research.conftest import REFUSES, STEP_FIVE, ResearchClinic
from tests.conftest import NOON

SEASON = {"season_sine", "season_cosine", "half_season_sine", "half_season_cosine"}


@pytest.fixture(scope="module")
def shifted(research_clinic: ResearchClinic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("omop") / "shifted"
    research_clinic.export(folder)
    return folder


@pytest.fixture(scope="module")
def unshifted(research_clinic: ResearchClinic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("omop") / "unshifted"
    research_clinic.export(folder, "inside-the-hospital", dates_shifted=False)
    return folder


def keys(clinic: ResearchClinic, study: str) -> list[StudyPatient]:
    with Session(clinic.engine) as session:
        return list(
            session.exec(
                select(StudyPatient).where(StudyPatient.study_id == study).order_by(col(StudyPatient.person_id))
            ).all()
        )


def features_by_both_ways(clinic: ResearchClinic, folder: Path, study: str) -> tuple[np.ndarray, np.ndarray]:
    """Features of every patient-day: read from the server's tables as the forecast does, and read back from OMOP."""
    key = keys(clinic, study)
    with OmopSource.of_folder(folder) as source:
        back: OmopDiaries = read_omop(source)
    assert [one.person_id for one in key] == back.person_id.tolist()
    with Session(clinic.engine) as session:
        columns = read_diaries(session, [one.patient_id for one in key])
    last = dict.fromkeys(range(len(key)), 0)
    for patient, day in zip(columns.diaries.patient_index.tolist(), columns.diaries.day.tolist(), strict=True):
        last[patient] = max(last[patient], day)
    best = back.profiles.personal_best_litres_per_min
    days = [
        PatientDay(
            one.patient_id,
            datetime.date.fromordinal(last[place] or 738_000),
            None if np.isnan(best[place]) else float(best[place]),
        )
        for place, one in enumerate(key)
    ]
    own = patient_days(columns.diaries, profiles_of(columns, days, {}))
    omop = patient_days(back.diaries, back.profiles)
    has_diary = np.array([bool(last[place]) for place in range(len(key))])
    return own.features[:, has_diary], omop.features[:, has_diary]


def test_an_unshifted_export_gives_every_feature_back_exactly(research_clinic: ResearchClinic, unshifted: Path) -> None:
    own, omop = features_by_both_ways(research_clinic, unshifted, "inside-the-hospital")
    assert own.shape[0] == 61
    np.testing.assert_array_equal(own, omop)


def test_a_shifted_export_gives_every_feature_back_but_the_season(
    research_clinic: ResearchClinic, shifted: Path
) -> None:
    own, omop = features_by_both_ways(research_clinic, shifted, "peak-flow")
    same = [place for place, feature in enumerate(FEATURES) if feature.name not in SEASON]
    np.testing.assert_array_equal(own[..., same], omop[..., same])


def test_nobody_leaves_who_did_not_consent(research_clinic: ResearchClinic, shifted: Path) -> None:
    exported = {one.patient_id for one in keys(research_clinic, "peak-flow")}
    assert research_clinic.patients[REFUSES].id not in exported
    assert parquet.read_metadata(shifted / "person.parquet").num_rows == len(research_clinic.patients) - 1


def test_names_and_true_ids_are_nowhere_in_the_export(research_clinic: ResearchClinic, shifted: Path) -> None:
    for file in shifted.glob("*.parquet"):
        words = str(parquet.read_table(file).to_pylist())
        for name, patient in research_clinic.patients.items():
            assert name not in words
            assert str(patient.id) not in words


def test_every_patient_has_a_shift_of_their_own_and_keeps_it(research_clinic: ResearchClinic, tmp_path: Path) -> None:
    research_clinic.export(tmp_path / "again")
    first = {one.patient_id: (one.person_id, one.shift_days) for one in keys(research_clinic, "peak-flow")}
    research_clinic.export(tmp_path / "and again")
    assert first == {one.patient_id: (one.person_id, one.shift_days) for one in keys(research_clinic, "peak-flow")}
    shifts = {shift for _, shift in first.values()}
    assert 0 not in shifts
    assert len(shifts) > 3
    assert all(shift % 7 == 0 for shift in shifts)


def test_two_studies_cannot_be_joined_by_their_numbers(
    research_clinic: ResearchClinic, shifted: Path, unshifted: Path
) -> None:
    numbers = [
        {one.person_id for one in keys(research_clinic, study)} for study in ("peak-flow", "inside-the-hospital")
    ]
    assert numbers[0]
    assert not numbers[0] & numbers[1]


def test_who_withdraws_is_not_in_the_next_export(research_clinic: ResearchClinic, tmp_path: Path) -> None:
    patient = next(iter(research_clinic.patients.values()))
    with Session(research_clinic.engine) as session:
        consent = session.exec(
            select(Consent).where(Consent.patient_id == patient.id, Consent.purpose == "research")
        ).one()
        consent.withdrawn_at = consent.granted_at
        session.add(consent)
        session.commit()
    try:
        before = len(keys(research_clinic, "withdrawal"))
        report = research_clinic.export(tmp_path / "after", "withdrawal")
        assert before == 0
        assert report.patients == len(research_clinic.patients) - 2
    finally:
        with Session(research_clinic.engine) as session:
            consent = session.exec(
                select(Consent).where(Consent.patient_id == patient.id, Consent.purpose == "research")
            ).one()
            consent.withdrawn_at = None
            session.add(consent)
            session.commit()


def test_each_patient_can_see_in_the_audit_trail_which_study_used_their_data(
    research_clinic: ResearchClinic, shifted: Path
) -> None:
    patient = next(iter(research_clinic.patients.values()))
    with Session(research_clinic.engine) as session:
        entries = session.exec(
            select(AuditEntry).where(AuditEntry.patient_id == patient.id, AuditEntry.action == "research_export")
        ).all()
    assert {entry.detail["study"] for entry in entries} >= {"peak-flow"}


def test_an_export_over_an_existing_folder_is_refused_and_changes_nothing(
    research_clinic: ResearchClinic, shifted: Path
) -> None:
    before = sorted(file.stat().st_mtime_ns for file in shifted.iterdir())
    with pytest.raises(FolderTaken):
        research_clinic.export(shifted)
    assert sorted(file.stat().st_mtime_ns for file in shifted.iterdir()) == before


def test_biomarkers_of_the_profile_come_back_in_their_units(research_clinic: ResearchClinic, shifted: Path) -> None:
    with OmopSource.of_folder(shifted) as source:
        back = read_omop(source)
    [person] = [
        one.person_id
        for one in keys(research_clinic, "peak-flow")
        if one.patient_id == research_clinic.patients[STEP_FIVE].id
    ]
    measured = back.person_id == person
    assert back.profiles.eosinophils_per_microlitre[measured].tolist() == [640.0]
    assert back.profiles.feno_ppb[measured].tolist() == [48.0]
    assert np.isnan(back.profiles.feno_ppb[~measured]).all()


def test_add_on_treatment_leaves_as_exposures_from_the_plan_that_began_it_to_the_one_that_left_it_out(
    research_clinic: ResearchClinic, unshifted: Path
) -> None:
    patient = research_clinic.patients[STEP_FIVE]
    [person] = [one.person_id for one in keys(research_clinic, "inside-the-hospital") if one.patient_id == patient.id]
    rows = [
        (row["drug_source_value"], row["drug_concept_id"], row["drug_source_concept_id"],
         row["drug_exposure_start_date"], row["drug_exposure_end_date"])
        for row in parquet.read_table(unshifted / "drug_exposure.parquet").to_pylist()
        if row["person_id"] == person and row["drug_source_value"].startswith("add-on")
    ]  # fmt: skip
    day = {days_ago: (NOON - datetime.timedelta(days=days_ago)).date() for days_ago in (0, 10, 20, 30, 40)}
    montelukast = ("add-on: montelukast", 1154161, 1154161)
    assert sorted(rows) == [
        # Which antibody it is, the plan does not say; no concept is guessed.
        ("add-on: anti_il5", 0, 2_000_000_031, day[30], day[0]),
        (*montelukast, day[40], day[20]),
        (*montelukast, day[10], day[0]),
        # Under prednisolone's concept these tablets would read back as the course of an attack.
        ("add-on: oral_steroid_maintenance", 0, 2_000_000_033, day[20], day[10]),
    ]


def test_medicines_without_a_concept_are_listed_with_their_own_words(
    research_clinic: ResearchClinic, tmp_path: Path
) -> None:
    report = research_clinic.export(tmp_path / "unmapped")
    assert report.unmapped == {"Herbal spray": 1}
    rows = parquet.read_table(tmp_path / "unmapped" / "drug_exposure.parquet").to_pylist()
    # A local concept is a name, if not a standard one.
    nameless = [row for row in rows if row["drug_concept_id"] == row["drug_source_concept_id"] == 0]
    assert {row["drug_source_value"] for row in nameless} == {"Herbal spray"}
