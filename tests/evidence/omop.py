"""Does an export satisfy OMOP's own definitions, and does it come back as it was?

A clinic of full diaries is exported, loaded into PostgreSQL by the official definitions with every key and constraint,
fetched again, and read as training reads it; the features are compared with those that the server computes itself.
"""

import datetime
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
from sqlmodel import Session, col, select

from backend.core.settings import Settings
from backend.patients.tables import Consent, Purpose
from backend.research import omop_database
from backend.research.export import export_study
from backend.research.tables import StudyPatient
from backend.risk.forecaster import PatientDay, profiles_of, read_diaries
from ml.features.catalogue import FEATURES
from ml.features.daily import PatientDays, patient_days
from ml.omop.concepts import concepts
from ml.omop.diaries import read_diaries as read_omop
from ml.omop.quality import FIELD_LIST, check_quality, read_field_list
from ml.omop.source import OmopSource
from tests.conftest import NOON
from tests.databases import new_database, unpooled_engine
from tests.factories.full_clinic import full_clinic
from tests.factories.step_five import bring_to_step_five
from tests.figures import Figure, figure

OFFICIAL = Settings().shared_data / "omop_cdm54"
SEASON = {"season_sine", "season_cosine", "half_season_sine", "half_season_cosine"}


def own_features(session: Session, study: str, personal_best: np.ndarray, as_of: np.ndarray) -> PatientDays:
    """As the server computes them from its tables."""
    ids = session.exec(
        select(StudyPatient.patient_id).where(StudyPatient.study_id == study).order_by(col(StudyPatient.person_id))
    ).all()
    columns = read_diaries(session, ids)
    days = [
        PatientDay(one, datetime.date.fromordinal(int(day)), None if np.isnan(best) else float(best))
        for one, day, best in zip(ids, as_of, personal_best, strict=True)
    ]
    return patient_days(columns.diaries, profiles_of(columns, days, {}))


def differing(folder: Path, session: Session, study: str) -> tuple[int, int, int]:
    """How many feature values differ, of them outside the season, and how many there are."""
    shifts = session.exec(
        select(StudyPatient.shift_days).where(StudyPatient.study_id == study).order_by(col(StudyPatient.person_id))
    ).all()
    with OmopSource.of_folder(folder) as source:
        back = read_omop(source)
    last = np.zeros(len(back.person_id), dtype=np.int64)
    np.maximum.at(last, back.diaries.patient_index, back.diaries.day)
    has_diary = last > 0
    as_of = np.where(has_diary, last, 738_000) - np.array(shifts)
    own = own_features(session, study, back.profiles.personal_best_litres_per_min, as_of).features[:, has_diary]
    omop = patient_days(back.diaries, back.profiles).features[:, has_diary]
    unequal = ~((own == omop) | (np.isnan(own) & np.isnan(omop)))
    rest = [place for place, feature in enumerate(FEATURES) if feature.name not in SEASON]
    return int(unequal.sum()), int(unequal[..., rest].sum()), unequal.size


def figures() -> Iterator[Figure]:
    if not OFFICIAL.is_dir():
        yield figure("omop.official_definitions", None, "folder", goal=f"{OFFICIAL} is missing")
        return
    with tempfile.TemporaryDirectory() as scratch, new_database() as url:
        engine = unpooled_engine(url)
        with Session(engine) as session:
            clinic = full_clinic(session, now=NOON)
            for patient in list(clinic.patients.values())[:6]:
                bring_to_step_five(session, patient, clinic.doctor, now=NOON)
            for patient in clinic.patients.values():
                session.add(
                    Consent(patient_id=patient.id, purpose=Purpose.RESEARCH.value, text_version="1", granted_at=NOON)
                )
            session.commit()
        folders = {}
        for study, dates_shifted in (("shifted", True), ("unshifted", False)):
            folders[study] = Path(scratch) / study
            report = export_study(
                engine,
                study,
                "Evidence",
                folders[study],
                now=NOON,
                random_source=random.Random(study),
                dates_shifted=dates_shifted,
            )
        fetched = Path(scratch) / "fetched"
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            loaded = omop_database.load(folders["shifted"], connection, "cdm", OFFICIAL / "postgresql")
            constraints = connection.execute(
                "SELECT count(*) FILTER (WHERE contype = 'p'), count(*) FILTER (WHERE contype = 'f')"
                " FROM pg_constraint WHERE connamespace = 'cdm'::regnamespace AND convalidated"
            ).fetchone()
            omop_database.fetch(connection, "cdm", fetched)
        primary, foreign = constraints if constraints else (0, 0)
        yield figure(
            "omop.rows_loaded_under_official_definitions",
            sum(loaded.values()),
            "rows",
            goal="all, with every primary and foreign key of the official files",
            met=sum(loaded.values()) == report.total_rows and primary > 0 and foreign > 0,
        )
        yield figure("omop.primary_keys_that_hold", primary, "constraints")
        yield figure("omop.foreign_keys_that_hold", foreign, "constraints")
        with OmopSource.of_folder(folders["shifted"]) as source:
            quality = check_quality(source, read_field_list(OFFICIAL / FIELD_LIST))
        failing = [check for check in quality.checks if not check.passed]
        yield figure(
            "omop.quality_checks_failing",
            len(failing),
            "checks",
            goal=f"none of {len(quality.checks)} checks of completeness, plausibility and conformance",
            met=not failing,
        )
        with Session(engine) as session:
            for name, folder, study in (
                ("unshifted", folders["unshifted"], "unshifted"),
                ("shifted", folders["shifted"], "shifted"),
                ("through_postgresql", fetched, "shifted"),
            ):
                unequal, outside_season, values = differing(folder, session, study)
                counted = unequal if name == "unshifted" else outside_season
                but = "" if name == "unshifted" else " but the season, which a shift of dates moves"
                yield figure(
                    f"omop.features_that_differ_{name}",
                    counted,
                    "values",
                    goal=f"none of {values}{but}",
                    met=counted == 0 and values > 0,
                )
    entries = [one for kind in concepts().values() for one in kind.values()]
    confirmed = sum(one.mark == "V" for one in entries)
    yield figure("omop.mapping_entries", len(entries), "entries")
    yield figure("omop.mapping_entries_confirmed_in_a_public_source", confirmed, "entries")
