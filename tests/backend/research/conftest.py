"""A clinic whose patients consent to research, all but one, in a database of its own."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from backend.medication.tables import Inhaler
from backend.patients.tables import Consent, Patient, Purpose
from backend.research.export import ExportReport, export_study
from tests.conftest import NOON
from tests.databases import new_database, unpooled_engine
from tests.factories.full_clinic import full_clinic
from tests.factories.step_five import bring_to_step_five

STEP_FIVE = "김민지"
REFUSES = "조예린"


@dataclass(frozen=True)
class ResearchClinic:
    engine: Engine
    patients: dict[str, Patient]

    def export(self, folder: Path, study: str = "peak-flow", *, dates_shifted: bool = True) -> ExportReport:
        return export_study(
            self.engine,
            study,
            "Peak flow before attacks",
            folder,
            now=NOON,
            random_source=random.Random(study),
            dates_shifted=dates_shifted,
        )


@pytest.fixture(scope="session")
def research_clinic(template_database: str) -> Iterator[ResearchClinic]:
    """Read it, export it; what it holds stays as it is for the other tests."""
    with new_database(template_url=template_database) as url:
        engine = unpooled_engine(url)
        with Session(engine, expire_on_commit=False) as session:
            made = full_clinic(session, now=NOON)
            bring_to_step_five(session, made.patients[STEP_FIVE], made.doctor, now=NOON)
            for name, patient in made.patients.items():
                if name != REFUSES:
                    session.add(
                        Consent(
                            patient_id=patient.id,
                            purpose=Purpose.RESEARCH.value,
                            text_version="1",
                            granted_at=NOON - timedelta(days=80),
                        )
                    )
            # One medicine that nobody's mapping knows.
            spray = session.exec(select(Inhaler).where(Inhaler.drug == "salbutamol").limit(1)).one()
            spray.drug = "Herbal spray"
            session.add(spray)
            session.commit()
        yield ResearchClinic(engine, made.patients)
