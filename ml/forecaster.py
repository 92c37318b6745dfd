"""The forecaster that the server holds: diaries in, one forecast a patient out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml.contract import DIARY_DAYS_NEEDED, Diaries, Level, Profiles, RiskForecast
from ml.features.daily import first_days, patient_days
from ml.model import MAIN_HORIZON_DAYS, Model, ModelRefused, load_model
from ml.personal import HOSPITAL_PRIOR_ATTACKS, Float64, hospital_shift, logistic, shrunk_factor
from ml.reasons import reasons_of
from ml.scoring import head_logit, personalised

SHIPPED_MODEL = Path(__file__).parent / "models" / "demonstration"
PROVISIONAL_BELOW_DIARY_DAYS = 14

# Bounds memory: 375,000 patient-days are about 80 MB of features and twice that while they are scored.
PATIENT_DAYS_AT_ONCE = 375_000
PATIENTS_AT_ONCE = 4096

__all__ = ["SHIPPED_MODEL", "Forecaster", "ModelRefused", "load"]


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    """One chunk's last day; arrays have one element a patient, `features` a row."""

    features: NDArray[np.float32]
    logit: dict[int, Float64]
    personal_shift: Float64
    alarm_score: Float64
    diary_days: NDArray[np.int32]
    days_since_entry: NDArray[np.int32]
    days_since_attack: NDArray[np.int32]


class Forecaster:
    """Scores patients with one model. Stateless: the same diary gives the same forecast, in any company."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def adapted(
        self,
        hospital_counts: Mapping[int, tuple[float, float]] | None = None,
        amber_threshold: float | None = None,
        red_threshold: float | None = None,
    ) -> "Forecaster":
        """The same model settled in at a site.

        `hospital_counts` holds, by hospital code, the attacks observed and those that this forecaster expected (the sum
        of its daily 7-day chances over 7), for hospitals old or new to the model; they multiply its factors, shrunk.
        Thresholds come from `ml.alarms.threshold_for_budget` over the last 90 days' alarm scores, set anew each week.
        """
        factors = dict(self.model.hospital_factor)
        for code, (observed, expected) in (hospital_counts or {}).items():
            shrunk = shrunk_factor(np.float64(observed), np.float64(expected), HOSPITAL_PRIOR_ATTACKS)
            factors[code] = factors.get(code, 1.0) * float(shrunk)
        amber = self.model.amber_threshold if amber_threshold is None else amber_threshold
        red = self.model.red_threshold if red_threshold is None else red_threshold
        if red < amber:
            raise ValueError("the red threshold must not lie below the amber one")
        return Forecaster(
            replace(self.model, hospital_factor=factors, amber_threshold=amber, red_threshold=red),
        )

    def forecast(
        self,
        diaries: Diaries,
        profiles: Profiles,
        as_of: NDArray[np.int32],
        explain: Literal["all", "raised"] = "all",
    ) -> list[RiskForecast]:
        """One forecast for each row of `profiles`, after that patient's day `as_of` (ordinal); later rows are not read.

        Give each patient's whole diary: baselines, attacks and the personal layer are learned from it. Rows of the
        patient's future (late corrections) do no harm. `explain="raised"` gives reasons only above the usual level,
        which is what a nightly run over a whole country wants. ValueError when the arrays do not fit together.
        """
        patients = len(profiles)
        if as_of.shape != (patients,):
            raise ValueError(f"as_of has {as_of.shape} elements where {patients} patients are given")
        if len(diaries) and diaries.patient_index[-1] >= patients:
            raise ValueError(f"a diary row names patient {diaries.patient_index[-1]}; profiles has {patients}")
        first = first_days(diaries, patients)
        span = np.maximum(np.where(first >= 0, as_of - first, 0), 0) + 1
        row_start = np.searchsorted(diaries.patient_index, np.arange(patients + 1))
        forecasts: dict[int, RiskForecast] = {}
        for members in _chunks(span):
            lengths = row_start[members + 1] - row_start[members]
            before = np.cumsum(lengths) - lengths
            rows = np.repeat(row_start[members] - before, lengths) + np.arange(lengths.sum())
            number = np.repeat(np.arange(len(members), dtype=np.int32), lengths)
            columns = {name: getattr(diaries, name)[rows] for name in diaries.__slots__}
            chunk = Diaries(**columns | {"patient_index": number})
            found = self._forecasts(chunk, profiles.rows(members), as_of[members], explain)
            forecasts.update(zip(members.tolist(), found, strict=True))
        return [forecasts[patient] for patient in range(patients)]

    def _forecasts(
        self, diaries: Diaries, profiles: Profiles, as_of: NDArray[np.int32], explain: str
    ) -> Iterator[RiskForecast]:
        diaries = diaries.rows(diaries.day <= as_of[diaries.patient_index])
        scores = self._scores(diaries, profiles, as_of)
        model = self.model
        ready = scores.diary_days >= DIARY_DAYS_NEEDED
        levels = self._levels(scores.alarm_score)
        probability = np.maximum.accumulate(
            np.stack([logistic(scores.logit[horizon]) for horizon in model.heads]), axis=0
        )
        explained = np.flatnonzero(ready & ((levels > 0) | (explain == "all")))
        shares: dict[int, Float64] = {}
        if len(explained):
            contributions, _ = model.heads[MAIN_HORIZON_DAYS].contributions(scores.features[explained])
            shares = dict(zip(explained.tolist(), contributions, strict=True))
        names: tuple[Level, ...] = ("usual", "raised", "high")
        for patient in range(len(profiles)):
            is_ready = bool(ready[patient])
            entered = scores.diary_days[patient] > 0
            yield RiskForecast(
                status="ready" if is_ready else "not_enough_data",
                as_of=int(as_of[patient]),
                diary_days=int(scores.diary_days[patient]),
                days_since_entry=int(scores.days_since_entry[patient]) if entered else None,
                provisional=bool(scores.diary_days[patient] < PROVISIONAL_BELOW_DIARY_DAYS),
                probability=dict(zip(model.heads, probability[:, patient].tolist(), strict=True)) if is_ready else None,
                level=names[levels[patient]] if is_ready else None,
                alarm_score=float(scores.alarm_score[patient]) if is_ready else None,
                reasons=reasons_of(
                    scores.features[patient],
                    shares[patient],
                    float(scores.personal_shift[patient]),
                    int(scores.days_since_attack[patient]),
                    int(as_of[patient]),
                )
                if patient in shares
                else (),
                model_id=model.model_id,
                model_version=model.model_version,
            )

    def _levels(self, alarm_score: Float64) -> NDArray[np.int64]:
        """0 usual, 1 raised, 2 high; a score of NaN is usual."""
        return (alarm_score >= self.model.amber_threshold).astype(np.int64) + (alarm_score >= self.model.red_threshold)

    def _scores(self, diaries: Diaries, profiles: Profiles, as_of: NDArray[np.int32]) -> _Scores:
        patients = len(profiles)
        first = first_days(diaries, patients)
        # A patient without a row has nothing to score: one empty day stands in.
        last = np.where(first >= 0, as_of - first, 0)
        days = patient_days(diaries, profiles, days=int(last.max(initial=0)) + 1)
        offset = np.arange(len(days.day))[:, None]
        wanted = (days.diary_days >= DIARY_DAYS_NEEDED) & (offset <= last)
        site_shift = hospital_shift(self.model.hospital_factor, profiles.hospital)
        population = head_logit(self.model.heads[MAIN_HORIZON_DAYS], days, wanted) + site_shift
        daily = personalised(days, population)
        everyone = np.arange(patients)
        at_last = days.features[last, everyone]
        ready = days.diary_days[last, everyone] >= DIARY_DAYS_NEEDED
        shift = site_shift + daily.shift[last, everyone]
        logit = {MAIN_HORIZON_DAYS: daily.logit[last, everyone]}
        for horizon, head in self.model.heads.items():
            if horizon != MAIN_HORIZON_DAYS:
                logit[horizon] = np.full(patients, np.nan)
                logit[horizon][ready] = head.logit(at_last[ready]) + shift[ready]
        return _Scores(
            features=at_last,
            logit=logit,
            personal_shift=daily.shift[last, everyone],
            alarm_score=np.where(ready, daily.alarm_score[last, everyone], np.nan),
            diary_days=days.diary_days[last, everyone],
            days_since_entry=days.days_since_entry[last, everyone],
            days_since_attack=days.days_since_attack[last, everyone],
        )


def _chunks(span: NDArray[np.int64]) -> Iterator[NDArray[np.intp]]:
    """Patients in groups of like span (days to walk), so that no long diary makes the others' arrays long."""
    order = np.argsort(span, kind="stable")
    stop = len(order)
    while stop:
        # The longest of the group comes last in the order and sets the size of its arrays.
        members = max(1, min(PATIENTS_AT_ONCE, PATIENT_DAYS_AT_ONCE // int(span[order[stop - 1]])))
        start = max(0, stop - members)
        yield order[start:stop]
        stop = start


def load(model_folder: Path = SHIPPED_MODEL) -> Forecaster:
    """A forecaster from a model folder. ModelRefused, with the reason, when the folder is not a usable model."""
    return Forecaster(load_model(model_folder))
