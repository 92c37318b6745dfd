"""Figures of merit of daily scores. Arrays are (days, patients); only `judged` days count."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ml.alarms import DAYS_PER_MONTH, alarm_days, threshold_for_budget
from ml.personal import Float64, logistic
from ml.training.calibration import fit_calibration

Bool = NDArray[np.bool_]

# An alarm in the week before an attack is one that could have helped.
HELPFUL_DAYS = 7


def auroc(score: Float64, label: Bool) -> float:
    """Chance that a positive row scores above a negative one, ties half; NaN without both kinds."""
    positive = int(label.sum())
    negative = len(label) - positive
    if not positive or not negative:
        return float("nan")
    ranks = rankdata(score)
    return float((ranks[label].sum() - positive * (positive + 1) / 2) / (positive * negative))


def within_patient_auroc(score: Float64, label: Bool, patient: NDArray[np.intp]) -> float:
    """Mean of the own AUROC of patients with both kinds of day: it ranks days, where the pooled one ranks people."""
    order = np.argsort(patient, kind="stable")
    score, label, patient = score[order], label[order], patient[order]
    starts = np.flatnonzero(np.diff(patient, prepend=-1))
    values = [
        auroc(scores, labels)
        for scores, labels in zip(np.split(score, starts[1:]), np.split(label, starts[1:]), strict=True)
        if labels.any() and not labels.all()
    ]
    return float(np.mean(values)) if values else float("nan")


@dataclass(frozen=True, slots=True)
class AlarmFigures:
    """What a threshold's alarms caught. Lead times in days, over caught attacks, from the first alarm of its week."""

    threshold: float
    alarms_per_patient_month: float
    attacks: int
    sensitivity: float
    ppv: float
    lead_days_median: float
    lead_two_days_share: float
    share_on_top_twentieth: float

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class AlarmCounts:
    """Per-patient counts behind `AlarmFigures`, so that a bootstrap over patients only has to add them up."""

    alarms: NDArray[np.int64]
    helpful_alarms: NDArray[np.int64]
    attacks: NDArray[np.int64]
    caught: NDArray[np.int64]
    judged_days: NDArray[np.int64]
    lead_days: NDArray[np.int64]

    def figures(self, threshold: float) -> AlarmFigures:
        alarms, attacks, caught = int(self.alarms.sum()), int(self.attacks.sum()), int(self.caught.sum())
        most = np.sort(self.alarms)[::-1][: max(1, len(self.alarms) // 20)]
        lead = self.lead_days[self.lead_days > 0]
        return AlarmFigures(
            threshold=threshold,
            alarms_per_patient_month=float(alarms / max(self.judged_days.sum(), 1) * DAYS_PER_MONTH),
            attacks=attacks,
            sensitivity=caught / attacks if attacks else float("nan"),
            ppv=int(self.helpful_alarms.sum()) / alarms if alarms else float("nan"),
            lead_days_median=float(np.median(lead)) if len(lead) else float("nan"),
            lead_two_days_share=float((lead >= 2).mean()) if len(lead) else float("nan"),
            share_on_top_twentieth=float(most.sum() / alarms) if alarms else float("nan"),
        )


def alarm_counts(score: Float64, judged: Bool, onset: Bool, threshold: float) -> AlarmCounts:
    """Alarms and attacks of each patient. An attack counts if a day of its week before was judged at all."""
    alarm = alarm_days(score, judged, threshold)
    days = len(alarm)
    attack_day, attack_patient = np.nonzero(onset)
    lead = np.zeros(len(attack_day), dtype=np.int64)
    could = np.zeros(len(attack_day), dtype=np.bool_)
    for ahead in range(1, HELPFUL_DAYS + 1):
        before = attack_day - ahead
        inside = before >= 0
        could[inside] |= judged[before[inside], attack_patient[inside]]
        lead[inside] = np.where(alarm[before[inside], attack_patient[inside]], ahead, lead[inside])
    alarm_day, alarm_patient = np.nonzero(alarm)
    helpful = np.zeros(len(alarm_day), dtype=np.bool_)
    for ahead in range(1, HELPFUL_DAYS + 1):
        after = alarm_day + ahead
        inside = after < days
        helpful[inside] |= onset[after[inside], alarm_patient[inside]]
    patients = alarm.shape[1]

    def per_patient(which: NDArray[np.intp]) -> NDArray[np.int64]:
        return np.bincount(which, minlength=patients)

    return AlarmCounts(
        alarms=per_patient(alarm_patient),
        helpful_alarms=per_patient(alarm_patient[helpful]),
        attacks=per_patient(attack_patient[could]),
        caught=per_patient(attack_patient[could & (lead > 0)]),
        judged_days=judged.sum(axis=0),
        lead_days=lead[could],
    )


def alarms_at_budget(score: Float64, judged: Bool, onset: Bool, budget: float) -> AlarmFigures:
    """Figures at the lowest threshold within `budget` alarms per patient-month."""
    threshold = threshold_for_budget(score, judged, budget)
    return alarm_counts(score, judged, onset, threshold).figures(threshold)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Observed over expected, slope (1 is right), and a curve: mean chance and observed share by tenth of risk."""

    observed_over_expected: float
    slope: float
    brier: float
    curve: tuple[tuple[float, float, int], ...]


def calibration(logit: Float64, label: Bool) -> Calibration:
    """Calibration of log-odds on judged rows (one-dimensional)."""
    chance = logistic(logit)
    order = np.argsort(chance)
    tenths = [part for part in np.array_split(order, 10) if len(part)]
    return Calibration(
        observed_over_expected=float(label.sum() / chance.sum()) if chance.sum() else float("nan"),
        slope=fit_calibration(logit, label)[0] if label.any() else float("nan"),
        brier=float(np.mean((chance - label) ** 2)),
        curve=tuple((float(chance[part].mean()), float(label[part].mean()), len(part)) for part in tenths),
    )


def net_benefit(flagged: Bool, label: Bool, threshold: float) -> float:
    """Net benefit of acting on `flagged` rows where a chance of `threshold` is worth acting on (Vickers 2006)."""
    true = float((flagged & label).mean())
    false = float((flagged & ~label).mean())
    return true - false * threshold / (1.0 - threshold)
