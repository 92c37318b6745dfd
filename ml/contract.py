"""What the rest of Soom knows of `ml`: diaries and profiles in, risk forecasts and treatment advice out.

Everything is columnar, so that 100,000 patients are one call and one patient is the same call. Rows of `Diaries` point
into `Profiles` through `patient_index`. Days are proleptic ordinals (`datetime.date.toordinal`) of the patient's own
local date. NaN means "not recorded", never "no".
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Int32 = NDArray[np.int32]
Float32 = NDArray[np.float32]

# Lowest and highest value that a diary column may hold; the same bounds as on the wire, puffs being a whole day's.
DIARY_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "morning_litres_per_min": (30, 900),
        "evening_litres_per_min": (30, 900),
        "day_symptoms": (0, 3),
        "night_waking": (0, 1),
        "activity_limited": (0, 1),
        "reliever_puffs": (0, 999),
        "controller_fraction": (0, 1),
        "trigger_count": (0, 99),
        "systemic_steroids": (0, 1),
        "emergency_visit": (0, 1),
        "hospital_admission": (0, 1),
    }
)
EVENT_COLUMNS = ("systemic_steroids", "emergency_visit", "hospital_admission")
SIGNAL_COLUMNS = tuple(name for name in DIARY_RANGES if name not in EVENT_COLUMNS)

PROFILE_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "age_years": (0, 125),
        "female": (0, 1),
        "height_cm": (40, 260),
        "personal_best_litres_per_min": (30, 900),
        "treatment_step": (1, 5),
        "severe_attacks_last_year": (0, 366),
        "eosinophils_per_microlitre": (1, 20000),
        "feno_ppb": (1, 400),
    }
)

# A patient-day is one that the patient answered: an attack alone, entered from a record, is not a diary day.
DIARY_DAYS_NEEDED = 7
HORIZONS_DAYS = (3, 7, 14)


def _check_column(name: str, column: NDArray[np.generic], dtype: type[np.generic], rows: int) -> None:
    if not isinstance(column, np.ndarray) or column.ndim != 1:
        raise TypeError(f"{name} must be a one-dimensional numpy array")
    if column.dtype != np.dtype(dtype):
        raise TypeError(f"{name} must have dtype {np.dtype(dtype).name}, not {column.dtype.name}")
    if len(column) != rows:
        raise ValueError(f"{name} has {len(column)} rows where {rows} are expected")


def _check_range(name: str, column: Float32, bounds: tuple[float, float]) -> None:
    low, high = bounds
    outside = np.flatnonzero((column < low) | (column > high))
    if len(outside):
        raise ValueError(f"{name} holds {column[outside[0]]:g} in row {outside[0]}; allowed are {low:g} to {high:g}")


@dataclass(frozen=True, slots=True, eq=False)
class Diaries:
    """One row per patient and local day with any entry, in the order (patient_index, day), no day twice.

    Peak flow is the best blow before noon and after it, in L/min on the EU scale. `day_symptoms` is 0 none, 1 mild,
    2 moderate, 3 severe; a bare "yes" counts 1. `reliever_puffs` are those of the whole day. `controller_fraction` is
    doses taken over doses expected, capped at 1. `systemic_steroids` is 1 on each day of a course, or at least on its
    first. A wrong dtype raises TypeError; a wrong length, order or value raises ValueError.
    """

    patient_index: Int32
    day: Int32
    morning_litres_per_min: Float32
    evening_litres_per_min: Float32
    day_symptoms: Float32
    night_waking: Float32
    activity_limited: Float32
    reliever_puffs: Float32
    controller_fraction: Float32
    trigger_count: Float32
    systemic_steroids: Float32
    emergency_visit: Float32
    hospital_admission: Float32

    def __post_init__(self) -> None:
        rows = len(self.patient_index)
        _check_column("patient_index", self.patient_index, np.int32, rows)
        _check_column("day", self.day, np.int32, rows)
        for name, bounds in DIARY_RANGES.items():
            _check_column(name, getattr(self, name), np.float32, rows)
            _check_range(name, getattr(self, name), bounds)
        if rows and self.patient_index[0] < 0:
            raise ValueError("patient_index holds a negative number")
        step = np.diff(self.patient_index)
        unsorted = (step < 0) | ((step == 0) & (np.diff(self.day) <= 0))
        if unsorted.any():
            row = int(np.flatnonzero(unsorted)[0]) + 1
            raise ValueError(f"rows must be sorted by patient_index and day, without repeats; see row {row}")

    def __len__(self) -> int:
        return len(self.patient_index)

    @classmethod
    def of(cls, patient_index: ArrayLike, day: ArrayLike, **columns: ArrayLike) -> Self:
        """Diaries from any array-likes: sorts rows, converts dtypes, fills a column that is not given with NaN."""
        unknown = sorted(set(columns) - set(DIARY_RANGES))
        if unknown:
            raise ValueError(f"unknown diary columns: {', '.join(unknown)}")
        index = np.asarray(patient_index, dtype=np.int32)
        days = np.asarray(day, dtype=np.int32)
        if index.shape != days.shape:
            raise ValueError("patient_index and day differ in length")
        order = np.lexsort((days, index))
        filled = {
            name: np.broadcast_to(np.asarray(columns.get(name, np.nan), dtype=np.float32), index.shape)[order]
            for name in DIARY_RANGES
        }
        return cls(patient_index=index[order], day=days[order], **filled)

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Self:
        """The chosen rows, in their present order."""
        return type(self)(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """One row per patient. `female` is 1, 0 or NaN; `hospital` is a site code, -1 where unknown.

    `severe_attacks_last_year` counts those in the twelve months before the diary began; blood eosinophils and exhaled
    nitric oxide are the latest measured. Errors as in `Diaries`.
    """

    age_years: Float32
    female: Float32
    height_cm: Float32
    personal_best_litres_per_min: Float32
    treatment_step: Float32
    severe_attacks_last_year: Float32
    eosinophils_per_microlitre: Float32
    feno_ppb: Float32
    hospital: Int32

    def __post_init__(self) -> None:
        patients = len(self.hospital)
        _check_column("hospital", self.hospital, np.int32, patients)
        for name, bounds in PROFILE_RANGES.items():
            _check_column(name, getattr(self, name), np.float32, patients)
            _check_range(name, getattr(self, name), bounds)

    def __len__(self) -> int:
        return len(self.hospital)

    @classmethod
    def of(cls, patients: int, hospital: ArrayLike = -1, **columns: ArrayLike) -> Self:
        """Profiles from any array-likes or scalars; what is not given is NaN."""
        unknown = sorted(set(columns) - set(PROFILE_RANGES))
        if unknown:
            raise ValueError(f"unknown profile columns: {', '.join(unknown)}")
        filled = {
            name: np.broadcast_to(np.asarray(columns.get(name, np.nan), dtype=np.float32), (patients,)).copy()
            for name in PROFILE_RANGES
        }
        return cls(hospital=np.broadcast_to(np.asarray(hospital, dtype=np.int32), (patients,)).copy(), **filled)

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Self:
        """The chosen patients, in their present order."""
        return type(self)(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


Status = Literal["ready", "not_enough_data"]
Level = Literal["usual", "raised", "high"]

# Every reason a forecast can give, with the unit of its value. The text is written outside `ml`, in the reader's
# language. "..._from_usual" compares the last days with the patient's own baseline; "usual_..." is the baseline itself.
REASON_UNITS: Mapping[str, str] = MappingProxyType(
    {
        "several_signs_worse": "percent",
        "peak_flow_below_usual": "percent",
        "peak_flow_swing": "percent",
        "symptoms_above_usual": "points_0_to_3",
        "night_waking_above_usual": "nights_per_week",
        "activity_limited_above_usual": "days_per_week",
        "reliever_above_usual": "puffs_per_day",
        "controller_taken": "percent",
        "triggers_above_usual": "per_day",
        "diary_gap": "days",
        "recent_attack": "days_ago",
        "frequent_worsenings": "percent",
        "usual_peak_flow": "percent_of_best",
        "usual_symptoms": "points_0_to_3",
        "usual_reliever": "puffs_per_day",
        "severe_attacks": "per_year",
        "treatment_step": "step",
        "eosinophils": "cells_per_microlitre",
        "feno": "ppb",
        "age": "years",
        "season": "month",
    }
)


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that raises the forecast. `contribution` is its exact share of the log-odds."""

    code: str
    value: float
    unit: str
    contribution: float


@dataclass(frozen=True, slots=True)
class RiskForecast:
    """The chance of a severe attack after `as_of`, for one patient.

    `probability` maps horizon in days to chance (never falls as the horizon grows); None, like `level` and
    `alarm_score`, while `status` is "not_enough_data". `provisional` marks a diary of less than two weeks.
    `days_since_entry` is None where nothing was ever entered. `level` compares `alarm_score` with the thresholds of the
    alarm budget and may only add to what an action-plan rule says, never take away from it.
    """

    status: Status
    as_of: int
    diary_days: int
    days_since_entry: int | None
    provisional: bool
    probability: Mapping[int, float] | None
    level: Level | None
    alarm_score: float | None
    reasons: tuple[Reason, ...]
    model_id: str
    model_version: str


Reliever = Literal["saba", "ics_saba", "ics_formoterol"]
Biologic = Literal["none", "anti_ige", "anti_il4r", "anti_il5", "anti_tslp"]


@dataclass(frozen=True, slots=True)
class TreatmentRegimen:
    """A prescription as the adviser sees it. Doses are budesonide-equivalent metered micrograms (dry powder).

    `code` is the caller's own name, given back unchanged. `ics_micrograms_per_day` is the scheduled dose; with reliever
    "ics_formoterol" it makes MART, and 0 makes AIR. Raises ValueError where the parts contradict each other.
    """

    code: str
    step: int
    ics_micrograms_per_day: float
    laba: bool
    lama: bool
    reliever: Reliever
    reliever_ics_micrograms_per_puff: float
    biologic: Biologic = "none"

    def __post_init__(self) -> None:
        if not 1 <= self.step <= 5:
            raise ValueError(f"step is {self.step}; allowed are 1 to 5")
        for name in ("ics_micrograms_per_day", "reliever_ics_micrograms_per_puff"):
            if not 0 <= getattr(self, name) <= 6400:
                raise ValueError(f"{name} is {getattr(self, name):g}; allowed are 0 to 6400 micrograms")
        if self.reliever not in get_args(Reliever) or self.biologic not in get_args(Biologic):
            raise ValueError(f"unknown reliever or biologic: {self.reliever}, {self.biologic}")
        if (self.reliever_ics_micrograms_per_puff > 0) != (self.reliever != "saba"):
            raise ValueError(
                "reliever_ics_micrograms_per_puff belongs to ics_saba and ics_formoterol, and only to them"
            )


TREATMENT_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "age_years": (0, 125),
        "eosinophils_per_microlitre": (1, 20000),
        "feno_ppb": (1, 400),
        "severe_attacks_last_year": (0, 366),
        "technique_correct": (0, 1),
        "severe_attacks": (0, 366),
        "diary_days": (0, 36600),
        "controlled_days": (0, 36600),
        "reliever_puffs_per_day": (0, 99),
        "controller_fraction": (0, 1),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class TreatmentPeriods:
    """One row per patient and stretch of unchanged treatment, in the order (patient_index, first_day).

    `regimen` points into `TreatmentPatients.regimens`; each patient's last row is the present treatment. `first_day`
    and `last_day` are ordinals, both included. `diary_days` were answered; on `controlled_days` of them there were no
    symptoms, no night waking and no limited activity. `controller_fraction` is doses taken over expected (NaN: not
    known, or nothing scheduled). Errors as in `Diaries`.
    """

    patient_index: Int32
    regimen: Int32
    first_day: Int32
    last_day: Int32
    severe_attacks: Float32
    diary_days: Float32
    controlled_days: Float32
    reliever_puffs_per_day: Float32
    controller_fraction: Float32

    def __post_init__(self) -> None:
        rows = len(self.patient_index)
        for field in fields(self):
            column = getattr(self, field.name)
            if field.name in TREATMENT_RANGES:
                _check_column(field.name, column, np.float32, rows)
                _check_range(field.name, column, TREATMENT_RANGES[field.name])
            else:
                _check_column(field.name, column, np.int32, rows)
        for name in ("severe_attacks", "diary_days", "controlled_days"):
            if np.isnan(getattr(self, name)).any():
                raise ValueError(f"{name} must be known; a stretch without entries has 0 diary_days")
        if (self.last_day < self.first_day).any() or (self.controlled_days > self.diary_days).any():
            raise ValueError("a period must end after it began, and controlled_days must lie within diary_days")
        step = np.diff(self.patient_index)
        unsorted = (step < 0) | ((step == 0) & (self.first_day[1:] <= self.last_day[:-1]))
        if unsorted.any():
            row = int(np.flatnonzero(unsorted)[0]) + 1
            raise ValueError(f"periods must be sorted by patient_index and day, without overlap; see row {row}")

    def __len__(self) -> int:
        return len(self.patient_index)


@dataclass(frozen=True, slots=True, eq=False)
class TreatmentPatients:
    """What advice is drawn from, one entry per patient; NaN is "not known".

    `severe_attacks_last_year` counts the twelve months before the patient's first period, under a treatment taken to be
    that of the first period. `technique_correct` is the latest inhaler check, 1 or 0. Errors as in `Diaries`.
    """

    age_years: Float32
    eosinophils_per_microlitre: Float32
    feno_ppb: Float32
    severe_attacks_last_year: Float32
    technique_correct: Float32
    periods: TreatmentPeriods
    regimens: tuple[TreatmentRegimen, ...]

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self) if field.name in TREATMENT_RANGES):
            _check_column(name, getattr(self, name), np.float32, len(self.age_years))
            _check_range(name, getattr(self, name), TREATMENT_RANGES[name])
        periods = self.periods
        for column, allowed in ((periods.patient_index, len(self)), (periods.regimen, len(self.regimens))):
            if ((column < 0) | (column >= allowed)).any():
                raise ValueError("a period points to a patient or regimen that is not there")

    def __len__(self) -> int:
        return len(self.age_years)


@dataclass(frozen=True, slots=True)
class UtilityWeights:
    """What counts how much, in severe attacks: the clinic's own choice, shown with every advice.

    The defaults are product decisions without a source: 100 uncontrolled days weigh as much as one severe attack.
    """

    severe_attack: float = 1.0
    uncontrolled_day: float = 0.01
    ics_100_micrograms_per_day_for_a_year: float = 0.01
    biologic_for_a_year: float = 0.25

    def __post_init__(self) -> None:
        for field in fields(self):
            if not 0 <= getattr(self, field.name) < float("inf"):
                raise ValueError(f"{field.name} must be zero or a positive number")


@dataclass(frozen=True, slots=True)
class Estimate:
    """Expected value with the 10th and 90th percentile of the posterior."""

    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class TreatmentOption:
    """One legal regimen against the present one, for this patient.

    `gain` is in severe attacks a year (see `UtilityWeights`); options are ordered by `gain.low`. A severe attack is
    defined by its course of systemic steroids (ATS/ERS 2009), so courses averted equal attacks averted.
    `ics_micrograms_per_day_change` counts what is taken, relief included.
    """

    code: str
    gain: Estimate
    attacks_averted_per_year: Estimate
    controlled_days_gained_per_year: Estimate
    ics_micrograms_per_day_change: float
    probability_best: float
    steps_up: bool

    @property
    def steroid_courses_averted_per_year(self) -> Estimate:
        return self.attacks_averted_per_year


@dataclass(frozen=True, slots=True)
class PreAction:
    """To be settled before any step up. Without a measurement (`measured` False) there is no estimate either.

    The benefit is that of reaching 80 % of doses, or a correct technique, under the present regimen.
    """

    code: Literal["adherence", "technique"]
    measured: bool
    attacks_averted_per_year: Estimate | None
    controlled_days_gained_per_year: Estimate | None


AdviceStatus = Literal["ready", "pre_actions_first", "no_clear_preference", "not_enough_data"]
AdviceMissing = Literal["present_regimen", "attack_history", "diary", "legal_regimens"]


@dataclass(frozen=True, slots=True)
class TreatmentAdvice:
    """The legal set in the order of the patient's own expected benefit; a doctor decides.

    `preferred` is the code of the first option when `status` is "ready", else None. "pre_actions_first": the first
    option is a step up and `pre_actions` are open. "no_clear_preference": no option is best with enough probability.
    "not_enough_data": see `missing`; there are no options. `refused` names regimens without inhaled steroid, or
    with a long-acting bronchodilator but no scheduled steroid: they are never advised even when given.
    """

    status: AdviceStatus
    preferred: str | None
    options: tuple[TreatmentOption, ...]
    pre_actions: tuple[PreAction, ...]
    refused: tuple[str, ...]
    missing: tuple[AdviceMissing, ...]
    attacks_per_year: Estimate | None
    controlled_days_per_year: Estimate | None
    weights: UtilityWeights
    model_id: str
    model_version: str
