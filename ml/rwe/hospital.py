"""One hospital's part of a study: everything that sees a patient happens here, and what leaves is aggregates.

Two documents leave, as plain JSON: the diagnostics, blind to how the outcome fell on the arms, and after opening the
results: log-likelihood profiles, counts without small cells, and thinned curves. A profile lets its reader work out
roughly how many events each arm had; a coordinator who must not know that adds profiles up under masks
(`ml/federated/masking.py`), for pooling needs their sum alone.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.omop.source import OmopSource
from ml.rwe.adjustment import AdjustedSample, adjust
from ml.rwe.cohort import MAIN_OUTCOME, Cohort, ConceptSetUnusable, build_cohort
from ml.rwe.covariates import CovariateTable, build_covariates
from ml.rwe.disclosure import small, suppressed, thinned
from ml.rwe.pooling import normal_profile
from ml.rwe.propensity import PropensityModel, fit_propensity
from ml.rwe.protocol import Adjustment, Analysis, Protocol
from ml.rwe.survival import (
    incidence,
    kaplan_meier,
    partial_likelihood,
    robust_standard_error,
)

Float64 = NDArray[np.float64]
Document = dict[str, Any]

# Fewer patients in an arm make no propensity model that means anything (and would be told apart in what is shared).
LEAST_PATIENTS_PER_ARM = 20
CURVE_STEP_DAYS = 15
PREFERENCE_BINS = 20


class HospitalDeclined(Exception):
    """This hospital cannot take part; the message says why, and tells no small count."""


@dataclass(eq=False)
class HospitalStudy:
    """Cohort, covariates and propensity model of one hospital. Nothing here may leave but what the methods return."""

    name: str
    protocol: Protocol
    cohort: Cohort
    covariates: CovariateTable
    model: PropensityModel
    _samples: dict[Adjustment, AdjustedSample] = field(default_factory=dict)

    def sample(self, method: Adjustment) -> AdjustedSample:
        if method not in self._samples:
            self._samples[method] = adjust(self.model, self.cohort.target, method, self.protocol.propensity)
        return self._samples[method]

    def diagnostics(self) -> Document:
        """Attrition, missing data, propensity and balance; events are counted over both arms together."""
        cell = self.protocol.smallest_cell
        target = self.cohort.target
        return {
            "hospital": self.name,
            "protocol_sha256": self.protocol.sha256,
            "patients": {"target": int(target.sum()), "comparator": int((~target).sum())},
            "attrition": _attrition(self.cohort, cell),
            "missing": {
                name: _shares(absent, target, cell) for name, absent in sorted(self.covariates.missing.items())
            },
            "propensity": {
                "covariates": len(self.covariates.names),
                "covariates_used": self.model.covariates_used,
                "equipoise": round(self.model.equipoise, 4),
                "preference": _preference(self.model, target, cell),
            },
            "analyses": {one.name: self._analysis_diagnostics(one) for one in self.protocol.analyses},
        }

    def _analysis_diagnostics(self, analysis: Analysis) -> Document:
        cell = self.protocol.smallest_cell
        sample = self.sample(analysis.adjustment)
        _, event = self.cohort.times(MAIN_OUTCOME, analysis.follow_up)
        events = int(event[sample.kept].sum())
        weight = balance_weights(self.cohort.target[sample.kept], sample)
        everybody = np.arange(len(self.cohort))
        before = standardised_differences(self.covariates, self.cohort.target, everybody, np.ones(len(everybody)))
        after = standardised_differences(self.covariates, self.cohort.target, sample.kept, weight)
        target = self.cohort.target[sample.kept]
        return {
            "target": int(target.sum()),
            "comparator": int((~target).sum()),
            "effective_comparator": round(_effective(weight[~target]), 1),
            "events": None if small(events, cell) else events,
            "balance": {
                name: [round(float(was), 3), round(float(now), 3)]
                for name, was, now in zip(self.covariates.names, before, after, strict=True)
            },
            "severity_terms": [n for n, s in zip(self.covariates.names, self.covariates.severity, strict=True) if s],
        }

    def results(self) -> Document:
        """Outcome by arm, to be called once results are opened."""
        return {
            "hospital": self.name,
            "protocol_sha256": self.protocol.sha256,
            "analyses": {one.name: self._analysis_results(one) for one in self.protocol.analyses},
        }

    def _analysis_results(self, analysis: Analysis) -> Document:
        sample = self.sample(analysis.adjustment)
        cell = self.protocol.smallest_cell
        days, event = self.cohort.times(MAIN_OUTCOME, analysis.follow_up)
        days, event, target = days[sample.kept], event[sample.kept], self.cohort.target[sample.kept]
        weight = balance_weights(target, sample)
        arms = {}
        counts = [int(event[target].sum()), int(event[~target].sum())]
        shown = suppressed(counts, cell)
        for name, arm, count in (("target", target, shown[0]), ("comparator", ~target, shown[1])):
            rate = incidence(days[arm], event[arm])
            told = count is not None
            arms[name] = {
                "patients": rate.patients,
                "person_years": round(rate.person_years, 1),
                "events": count,
                "rate_per_1000_person_years": round(rate.rate, 2) if told else None,
                "rate_low": round(rate.low, 2) if told else None,
                "rate_high": round(rate.high, 2) if told else None,
                "curve": _curve(days[arm], event[arm], weight[arm], self.protocol, cell),
            }
        controls = {}
        for name in self.cohort.first_event:
            if name != MAIN_OUTCOME:
                controls[name] = self.profile(name, analysis)
        return {"arms": arms, "profile": self.profile(MAIN_OUTCOME, analysis), "negative_controls": controls}

    def profile(self, outcome: str, analysis: Analysis) -> list[float] | None:
        """Log likelihood on the common grid; None where there are too few events to tell."""
        sample = self.sample(analysis.adjustment)
        days, event = self.cohort.times(outcome, analysis.follow_up)
        days, event, target = days[sample.kept], event[sample.kept], self.cohort.target[sample.kept]
        if not event.any() or small(int(event.sum()), self.protocol.smallest_cell):
            return None
        likelihood = partial_likelihood(days, event, target, sample.stratum, sample.weight)
        if sample.weighted:
            found = likelihood.estimate()
            if found is None:
                return None
            error = robust_standard_error(days, event, target, sample.weight, found[0])
            return _rounded(normal_profile(found[0], error))
        profile = likelihood.on_grid()
        return _rounded(profile - profile.max())


def prepare(source: OmopSource, protocol: Protocol) -> HospitalStudy:
    """Build the cohort and fit the propensity model. Raises HospitalDeclined where the hospital cannot take part."""
    try:
        cohort = build_cohort(source, protocol)
    except ConceptSetUnusable as error:
        raise HospitalDeclined(str(error)) from error
    for arm, count in ((protocol.target, cohort.target.sum()), (protocol.comparator, (~cohort.target).sum())):
        if count < LEAST_PATIENTS_PER_ARM:
            raise HospitalDeclined(
                f"{source.name}: fewer than {LEAST_PATIENTS_PER_ARM} patients begin “{arm.label}” and meet the"
                " criteria; the hospital takes no part in this study"
            )
    covariates = build_covariates(source, protocol, cohort)
    return HospitalStudy(source.name, protocol, cohort, covariates, fit_propensity(covariates, cohort.target))


def balance_weights(target: NDArray[np.bool_], sample: AdjustedSample) -> Float64:
    """Weights with which comparators stand for the target arm: strata are given the target's sizes."""
    if sample.weighted or not sample.stratum.any():
        return sample.weight
    treated = np.bincount(sample.stratum, weights=target * 1.0)
    others = np.bincount(sample.stratum, weights=~target * 1.0)
    ratio = np.divide(treated, others, out=np.zeros_like(treated), where=others > 0)
    return np.where(target, 1.0 * (others[sample.stratum] > 0), ratio[sample.stratum])


def standardised_differences(
    table: CovariateTable, target: NDArray[np.bool_], kept: NDArray[np.int64], weight: Float64
) -> Float64:
    """Difference of the arms' means in SD of the whole cohort before adjustment, per covariate."""
    overall: list[Float64] = []
    for arm in (target, ~target):
        rows = table.matrix[arm]
        mean = np.asarray(rows.mean(axis=0)).ravel()
        overall.append(np.asarray(rows.multiply(rows).mean(axis=0)).ravel() - mean**2)
    spread = np.sqrt(np.maximum((overall[0] + overall[1]) / 2, 1e-12))
    rows, chosen = table.matrix[kept], target[kept]
    means = [
        np.asarray(rows.T @ (weight * arm)).ravel() / max(float((weight * arm).sum()), 1e-12)
        for arm in (chosen, ~chosen)
    ]
    return np.asarray((means[0] - means[1]) / spread)


def _effective(weight: Float64) -> float:
    """Kish's effective number of patients behind weights."""
    return float(weight.sum() ** 2 / np.sum(weight**2)) if len(weight) else 0.0


def _attrition(cohort: Cohort, cell: int) -> list[Document]:
    target = thinned([step.target for step in cohort.attrition], cell)
    comparator = thinned([step.comparator for step in cohort.attrition], cell)
    return [
        {"criterion": step.criterion, "target": shown, "comparator": other}
        for step, shown, other in zip(cohort.attrition, target, comparator, strict=True)
    ]


def _shares(absent: NDArray[np.bool_], target: NDArray[np.bool_], cell: int) -> Document:
    """Share of each arm without a value; None where the number behind it (or behind its rest) is small."""
    shares: Document = {}
    for name, arm in (("target", target), ("comparator", ~target)):
        missing, total = int(absent[arm].sum()), int(arm.sum())
        told = not small(missing, cell) and not small(total - missing, cell)
        shares[name] = round(missing / total, 4) if told and total else None
    return shares


def _preference(model: PropensityModel, target: NDArray[np.bool_], cell: int) -> Document:
    edges = np.linspace(0, 1, PREFERENCE_BINS + 1)
    return {
        name: suppressed(np.histogram(model.preference[arm], edges)[0].tolist(), cell)
        for name, arm in (("target", target), ("comparator", ~target))
    }


def _curve(days: Float64, event: NDArray[np.bool_], weight: Float64, protocol: Protocol, cell: int) -> Document:
    """Kaplan–Meier at a grid of days, those days left out between which a small number had the event."""
    length = protocol.follow_up.last_day - protocol.follow_up.first_day + 1
    at = np.unique(np.append(np.arange(0, length, CURVE_STEP_DAYS), length)).astype(np.float64)
    happened = [int(np.sum(event & (days <= day))) for day in at]
    survival = kaplan_meier(days, event, weight, at)
    told = [place for place, count in enumerate(thinned(happened, cell)) if count is not None]
    return {
        "day": [int(at[place]) for place in told],
        "without_event": [round(float(survival[place]), 4) for place in told],
    }


def _rounded(profile: Float64) -> list[float]:
    rounded: list[float] = np.round(profile, 4).tolist()
    return rounded
