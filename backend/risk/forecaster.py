"""The door to `ml`: diaries of many patients as columns in, one forecast a patient out.

The diary is read with one statement for any number of patients; nothing here loops over patients but the packing of
the answer.
"""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import numpy as np
from sqlalchemy import text
from sqlmodel import Session

from backend.risk.tables import ForecastStatus, RiskLevel
from ml import forecaster as ml_forecaster
from ml.alarms import threshold_for_budget
from ml.contract import DIARY_RANGES, PROFILE_RANGES, REASON_UNITS, Diaries, Profiles, RiskForecast
from ml.registry import LEDGER, CurrentForecaster, Registry

logger = logging.getLogger(__name__)

HORIZON_DAYS = 7
# Every reason a forecast can give, with its unit; wording.toml has a sentence for each.
REASON_CODES = REASON_UNITS

DIARIES = (Path(__file__).parent / "diaries.sql").read_text(encoding="utf-8")

_PROFILES = """
SELECT id, hospital_id, born_on, sex, height_cm, treatment_step, severe_attacks_last_year,
    eosinophils_per_microlitre, feno_ppb
FROM patient LEFT JOIN (
    -- The latest measured; the table holds each kind in one unit only.
    SELECT patient_id,
        (array_agg(value ORDER BY measured_on DESC, entered_at DESC) FILTER (WHERE kind = 'blood_eosinophils'))[1]
            AS eosinophils_per_microlitre,
        (array_agg(value ORDER BY measured_on DESC, entered_at DESC) FILTER (WHERE kind = 'feno'))[1] AS feno_ppb
    FROM measurement WHERE patient_id = ANY(:ids) AND withdrawn_at IS NULL AND kind IN ('blood_eosinophils', 'feno')
    GROUP BY patient_id
) AS biomarkers ON patient_id = id
WHERE id = ANY(:ids)
"""


@dataclass(frozen=True)
class PatientDay:
    """Whom to forecast, after which local day. `personal_best_litres_per_min` is None where there is none."""

    patient_id: UUID
    as_of: date
    personal_best_litres_per_min: float | None = None


@dataclass(frozen=True)
class Forecast:
    """What the server keeps of a forecast. `reasons`: `{"code", "value", "unit"}`, the strongest first."""

    status: ForecastStatus
    diary_days: int
    probability_7_days: float | None
    level: RiskLevel | None
    alarm_score: float | None
    reasons: list[dict[str, Any]]
    model_id: str
    model_version: str


@dataclass(frozen=True)
class DiaryColumns:
    """The whole diaries of a list of patients, read once; good for any day in them."""

    patient_ids: Sequence[UUID]
    diaries: Diaries
    profiles: Mapping[UUID, Any]


class RiskForecaster:
    def __init__(self, model: ml_forecaster.Forecaster) -> None:
        self._model = model

    @classmethod
    def newest_in(cls, model_folder: Path) -> Self:
        """The newest model below `model_folder`, by the version in its card. Raises ModelUnusable, saying why."""
        folders = sorted((card.parent for card in model_folder.glob("*/card.json")), key=_version)
        if not folders:
            raise ModelUnusable(f"there is no model in {model_folder}")
        try:
            return cls(ml_forecaster.load(folders[-1]))
        except ml_forecaster.ModelRefused as error:
            raise ModelUnusable(str(error)) from error

    @property
    def model_id(self) -> str:
        return self._model.model.model_id

    @property
    def model_version(self) -> str:
        return self._model.model.model_version

    @property
    def name(self) -> str:
        return f"{self.model_id} {self.model_version}"

    @property
    def hospital_codes(self) -> Mapping[str, int]:
        """The code that the model learned for each hospital that it knows, by the hospital's id.

        A model says so in its card. One that was trained elsewhere, or on simulated hospitals, knows none of ours, and
        a code of its own for them would be another hospital's.
        """
        known = self._model.model.card.get("hospitals", {})
        return {str(hospital_id): int(code) for hospital_id, code in known.items()}

    def forecast(self, columns: DiaryColumns, days: Sequence[PatientDay]) -> list[Forecast]:
        """One forecast for each of `days`, whose patients must be those of `columns`, in the same order."""
        if [day.patient_id for day in days] != list(columns.patient_ids):
            raise ValueError("the days to forecast are not of the patients whose diaries were read")
        as_of = np.array([day.as_of.toordinal() for day in days], dtype=np.int32)
        profiles = profiles_of(columns, days, self.hospital_codes)
        return [_kept(forecast) for forecast in self._model.forecast(columns.diaries, profiles, as_of)]


class ModelSource:
    """The forecaster to use now, asked before each batch, so that an approval or roll-back needs no restart.

    A folder with a registry's ledger follows its champion; any other gives the newest model in it.
    """

    def __init__(self, model_folder: Path) -> None:
        self._folder = model_folder
        self._registry = CurrentForecaster(Registry(model_folder))
        self._seen: object = None
        self._forecaster: RiskForecaster | None = None
        self._problem: str | None = None

    def get(self) -> RiskForecaster | None:
        """None, with a word in the log, where there is no usable model: the rules go on without it."""
        seen: object = None
        problem: str | None = None
        try:
            if (self._folder / LEDGER).exists():
                model = self._registry.get()
                seen, problem = model, self._registry.problem
            else:
                # A folder without a ledger does not change while a worker runs.
                seen, model = "folder", None
            if seen != self._seen:
                self._forecaster = RiskForecaster(model) if model else RiskForecaster.newest_in(self._folder)
                logger.info("forecasts by model %s", self._forecaster.name)
        except (ModelUnusable, ml_forecaster.ModelRefused) as error:
            self._forecaster, problem = None, str(error)
        self._seen = seen
        if problem is not None and problem != self._problem:
            logger.error("no forecasts, rules alone: %s" if self._forecaster is None else "model kept: %s", problem)
        self._problem = problem
        return self._forecaster


def load_forecaster(model_folder: Path) -> RiskForecaster | None:
    """The model to use at this moment, or None with a word in the log."""
    return ModelSource(model_folder).get()


def thresholds_for(
    scores: np.ndarray[Any, np.dtype[np.float64]], amber_per_patient_month: float, red_per_patient_month: float
) -> tuple[float, float]:
    """Alarm thresholds, amber and red, that would have kept these budgets on `scores` (days, patients; NaN: none)."""
    known = ~np.isnan(scores)
    filled = np.where(known, scores, -np.inf)
    amber = threshold_for_budget(filled, known, amber_per_patient_month)
    return amber, max(amber, threshold_for_budget(filled, known, red_per_patient_month))


class ModelUnusable(Exception):
    """No model, or one that must not be used."""


def read_diaries(session: Session, patient_ids: Sequence[UUID]) -> DiaryColumns:
    """Everything the forecaster needs of these patients' diaries, with two statements."""
    connection = session.connection()
    ids = list(patient_ids)
    rows = connection.execute(text(DIARIES), {"ids": ids}).mappings().all()
    index_of = {patient_id: index for index, patient_id in enumerate(ids)}
    diaries = Diaries.of(
        patient_index=[index_of[row["patient_id"]] for row in rows],
        day=[row["local_date"].toordinal() for row in rows],
        **{
            name: np.clip(np.array([row[name] for row in rows], dtype=np.float32), low, high)
            for name, (low, high) in DIARY_RANGES.items()
        },
    )
    profiles = {row.id: row for row in connection.execute(text(_PROFILES), {"ids": ids})}
    return DiaryColumns(ids, diaries, profiles)


def profiles_of(columns: DiaryColumns, days: Sequence[PatientDay], hospital_codes: Mapping[str, int]) -> Profiles:
    """One profile for each of `days`; `hospital_codes` by the hospital's id, -1 for any other."""
    rows = [columns.profiles[day.patient_id] for day in days]
    ages = [
        None if row.born_on is None else (day.as_of - row.born_on).days / 365.25
        for row, day in zip(rows, days, strict=True)
    ]
    values: dict[str, list[float | None]] = {
        "age_years": ages,
        "female": [{"female": 1.0, "male": 0.0}.get(row.sex) for row in rows],
        "height_cm": [row.height_cm for row in rows],
        "personal_best_litres_per_min": [day.personal_best_litres_per_min for day in days],
        "treatment_step": [row.treatment_step for row in rows],
        "severe_attacks_last_year": [row.severe_attacks_last_year for row in rows],
        "eosinophils_per_microlitre": [row.eosinophils_per_microlitre for row in rows],
        "feno_ppb": [row.feno_ppb for row in rows],
    }
    return Profiles.of(
        len(rows),
        hospital=[hospital_codes.get(str(row.hospital_id), -1) for row in rows],
        **{name: np.clip(np.array(column, dtype=np.float32), *PROFILE_RANGES[name]) for name, column in values.items()},
    )


def _kept(forecast: RiskForecast) -> Forecast:
    return Forecast(
        status=ForecastStatus(forecast.status),
        diary_days=forecast.diary_days,
        probability_7_days=None if forecast.probability is None else forecast.probability[HORIZON_DAYS],
        level=None if forecast.level is None else RiskLevel(forecast.level),
        alarm_score=forecast.alarm_score,
        reasons=[{"code": r.code, "value": r.value, "unit": r.unit} for r in forecast.reasons],
        model_id=forecast.model_id,
        model_version=forecast.model_version,
    )


def _version(folder: Path) -> tuple[list[int], str]:
    """Versions compare by their numbers ("10" above "9"); an unreadable card is older than any."""
    try:
        version = str(json.loads((folder / "card.json").read_text(encoding="utf-8"))["model_version"])
    except (OSError, ValueError, KeyError, TypeError):
        return ([], folder.name)
    return ([int(number) for number in re.findall(r"\d+", version)], folder.name)
