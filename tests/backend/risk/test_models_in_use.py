"""The model in use: it follows the registry without a restart, and each hospital's thresholds hold its budget."""

import json
import logging
import shutil
import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from backend.alerts.tables import AlertSettings, AlertThreshold
from backend.risk.forecaster import ModelSource, RiskForecaster, thresholds_for
from backend.risk.service import assess_due
from backend.risk.sites import read_sites, switch_model
from backend.risk.tables import Assessment, ModelMode
from backend.risk.thresholds import PATIENT_DAYS_NEEDED, set_thresholds
from ml.alarms import alarm_days, alarms_per_patient_month
from ml.forecaster import SHIPPED_MODEL
from ml.registry import Registry
from tests.factories import clinic, entries

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def renamed(folder: Path, version: str, **more: object) -> Path:
    """The shipped model under another version, as a model folder of its own."""
    made = folder / f"made-{version}"
    shutil.copytree(SHIPPED_MODEL, made)
    card = json.loads((made / "card.json").read_text(encoding="utf-8"))
    (made / "card.json").write_text(json.dumps(card | {"model_version": version} | more), encoding="utf-8")
    return made


def version_in_use(source: ModelSource) -> str:
    forecaster = source.get()
    assert forecaster is not None
    return forecaster.model_version


def test_an_approved_model_is_used_at_once_and_a_roll_back_as_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.registry.try_model", lambda _: None)
    registry = Registry(tmp_path / "registry")
    source = ModelSource(registry.root)
    first, second = (registry.admit(renamed(tmp_path, version), by="a test", now=NOW) for version in ("8.1", "8.2"))
    registry.approve(first, by="a test", now=NOW, reason="better")
    assert version_in_use(source) == "8.1"
    registry.approve(second, by="a test", now=NOW, reason="better still")
    assert version_in_use(source) == "8.2"
    registry.roll_back(by="a test", now=NOW, reason="worse")
    assert version_in_use(source) == "8.1"


def test_a_broken_champion_leaves_the_last_good_model_in_use_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ml.registry.try_model", lambda _: None)
    registry = Registry(tmp_path / "registry")
    source = ModelSource(registry.root)
    good = registry.admit(renamed(tmp_path, "8.1"), by="a test", now=NOW)
    bad = registry.admit(renamed(tmp_path, "8.2"), by="a test", now=NOW)
    registry.approve(good, by="a test", now=NOW, reason="better")
    assert version_in_use(source) == "8.1"
    (registry.root / bad / "heads.json").write_text("{}")
    registry.approve(bad, by="a test", now=NOW, reason="looked fine")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert version_in_use(source) == "8.1"
    assert len([record for record in caplog.records if "model kept" in record.message]) == 1


def test_a_hospital_has_the_code_that_the_models_card_gives_it_and_none_otherwise(tmp_path: Path) -> None:
    known = uuid.uuid4()
    renamed(tmp_path, "9", hospitals={str(known): 3})
    assert RiskForecaster.newest_in(tmp_path).hospital_codes == {str(known): 3}
    assert RiskForecaster.newest_in(SHIPPED_MODEL.parent).hospital_codes == {}


def test_thresholds_keep_the_budget_on_the_scores_they_were_set_on() -> None:
    scores = np.random.default_rng(5).normal(size=(90, 200)).cumsum(axis=0) / 5
    scores[:, :20] = np.nan
    amber, red = thresholds_for(scores, 0.25, 0.10)
    assert amber < red
    known = ~np.isnan(scores)
    for threshold, budget in ((amber, 0.25), (red, 0.10)):
        rate = alarms_per_patient_month(alarm_days(np.where(known, scores, -np.inf), known, threshold), known)
        assert 0.8 * budget < rate <= budget


def scored(
    session: Session, forecaster: RiskForecaster, scores: np.ndarray[tuple[int, int], np.dtype[np.float64]], last: date
) -> uuid.UUID:
    """A hospital whose patients (columns) had these alarm scores on the days (rows) up to `last`."""
    hospital = clinic.hospital(session)
    days, patients = scores.shape
    for column in range(patients):
        one = clinic.patient(session, hospital, now=NOW)
        session.connection().execute(
            text("""
                INSERT INTO assessment (id, patient_id, as_of, assessed_at, red_flags, status, diary_days, reasons,
                    alarm_score, model_id, model_version, change)
                SELECT gen_random_uuid(), :patient_id, CAST(:last AS date) - (:days - place)::int, :now, '[]',
                    'not_enough_data', 0, '[]', score, :model_id, :model_version, 0
                FROM unnest(CAST(:scores AS float[])) WITH ORDINALITY AS made(score, place)
            """),
            {
                "patient_id": one.id,
                "last": last,
                "days": days,
                "now": NOW,
                "scores": scores[:, column].tolist(),
                "model_id": forecaster.model_id,
                "model_version": forecaster.model_version,
            },
        )
    return hospital.id


def test_each_hospital_gets_thresholds_of_its_own_scores_anew_every_week(session: Session) -> None:
    forecaster = RiskForecaster.newest_in(SHIPPED_MODEL.parent)
    calm = np.random.default_rng(6).normal(size=(60, 20))
    hospital_id = scored(session, forecaster, calm, NOW.date())
    drifted_id = scored(session, forecaster, calm + 3, NOW.date())
    assert set_thresholds(session, hospital_id, forecaster, NOW)
    assert set_thresholds(session, drifted_id, forecaster, NOW)
    sites = read_sites(session, [hospital_id, drifted_id], forecaster.model_id, forecaster.model_version)
    # A shift of everybody's scores shifts the thresholds, so the burden stays.
    assert sites[drifted_id].red == pytest.approx((sites[hospital_id].red or 0) + 3, abs=1e-6)
    assert not set_thresholds(session, hospital_id, forecaster, NOW + timedelta(days=6))
    assert set_thresholds(session, hospital_id, forecaster, NOW + timedelta(days=7))
    assert len(session.exec(select(AlertThreshold).where(AlertThreshold.hospital_id == hospital_id)).all()) == 2


def test_a_tighter_budget_gives_higher_thresholds_and_too_few_scores_give_none(session: Session) -> None:
    forecaster = RiskForecaster.newest_in(SHIPPED_MODEL.parent)
    scores = np.random.default_rng(7).normal(size=(60, 20))
    usual, tight = scored(session, forecaster, scores, NOW.date()), scored(session, forecaster, scores, NOW.date())
    session.add(
        AlertSettings(
            hospital_id=tight,
            amber_per_patient_month=0.05,
            red_per_patient_month=0.05,
            second_after_minutes=30,
            email_after_minutes=60,
            changed_at=NOW,
        )
    )
    session.flush()
    for hospital_id in (usual, tight):
        set_thresholds(session, hospital_id, forecaster, NOW)
    sites = read_sites(session, [usual, tight], forecaster.model_id, forecaster.model_version)
    assert (sites[tight].amber or 0) > (sites[usual].amber or 0)
    few = scored(session, forecaster, scores[:, : PATIENT_DAYS_NEEDED // 60 - 1], NOW.date())
    assert not set_thresholds(session, few, forecaster, NOW)


def test_switched_off_a_model_is_not_asked_and_in_the_shadow_its_score_is_kept_and_nobody_sees_a_forecast(
    session: Session,
) -> None:
    forecaster = RiskForecaster.newest_in(SHIPPED_MODEL.parent)
    patient = clinic.patient(session, clinic.hospital(session), now=NOW)
    entries.weeks_of_diary(session, patient, until=NOW, days=30)
    session.commit()

    def assessed(mode: ModelMode, now: datetime) -> Assessment:
        switch_model(session, patient.hospital_id, forecaster.model_id, mode, reason="Test.", set_by=None, now=now)
        session.commit()
        assess_due(
            lambda: Session(session.connection(), join_transaction_mode="create_savepoint", expire_on_commit=False),
            forecaster,
            now,
        )
        session.expire_all()
        return session.exec(select(Assessment).where(Assessment.patient_id == patient.id)).one()

    on = assessed(ModelMode.ON, NOW)
    assert (on.status, on.probability_7_days is None, on.alarm_score is None) == ("ready", False, False)
    score = on.alarm_score
    shadow = assessed(ModelMode.SHADOW, NOW + timedelta(minutes=1))
    assert (shadow.status, shadow.probability_7_days, shadow.level, shadow.reasons) == ("switched_off", None, None, [])
    assert (shadow.alarm_score, shadow.model_id) == (score, forecaster.model_id)
    off = assessed(ModelMode.OFF, NOW + timedelta(minutes=2))
    assert (off.status, off.alarm_score, off.model_id) == ("switched_off", None, None)
    assert assessed(ModelMode.ON, NOW + timedelta(minutes=3)).status == "ready"
