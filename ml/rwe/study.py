"""A whole study: what the hospitals sent, combined; diagnostics judged before results are opened."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.omop.source import OmopSource
from ml.rwe.calibration import SystematicError, fit_systematic_error
from ml.rwe.hospital import Document, HospitalDeclined, HospitalStudy, prepare
from ml.rwe.pooling import Estimate, estimate_from_profile, pool_fixed, pool_random
from ml.rwe.protocol import Analysis, Protocol
from ml.rwe.survival import Z95

Float64 = NDArray[np.float64]
# 80 % power at 5 %, two-sided (Schoenfeld 1981).
POWER80 = Z95 + 0.8416


class HospitalsDisagree(Exception):
    """A hospital's document belongs to another protocol; nothing is combined."""


def prepare_all(sources: Sequence[OmopSource], protocol: Protocol) -> tuple[list[HospitalStudy], list[str]]:
    """The hospitals that take part, and for each other one why it does not."""
    taking_part, declined = [], []
    for source in sources:
        try:
            taking_part.append(prepare(source, protocol))
        except HospitalDeclined as reason:
            declined.append(str(reason))
    return taking_part, declined


def combine_diagnostics(protocol: Protocol, hospitals: Sequence[Document], declined: Sequence[str]) -> Document:
    """Diagnostics of the network and whether they allow the results to be opened. `hospitals` as each sent them."""
    _same_protocol(protocol, hospitals)
    analyses = {one.name: _analysis_diagnostics(protocol, one, hospitals) for one in protocol.analyses}
    patients = [sum(one["patients"].values()) for one in hospitals]
    equipoise = (
        float(np.average([one["propensity"]["equipoise"] for one in hospitals], weights=patients)) if hospitals else 0.0
    )
    failed = [] if hospitals else ["no hospital can take part"]
    if hospitals:
        limits = protocol.diagnostics
        if equipoise < limits.least_equipoise:
            failed.append(f"equipoise is {equipoise:.2f}; at least {limits.least_equipoise:g} is needed")
        primary = analyses[protocol.primary.name]
        if primary["out_of_balance"] and protocol.primary.adjustment != "none":
            failed.append("out of balance after adjustment: " + ", ".join(primary["out_of_balance"][:10]))
        if primary["events"] < limits.least_events:
            failed.append(f"fewer than {limits.least_events} events over both arms")
    return {
        "protocol_sha256": protocol.sha256,
        "passed": not failed,
        "failed": failed,
        "equipoise": round(equipoise, 4),
        "analyses": analyses,
        "hospitals": list(hospitals),
        "declined": list(declined),
    }


def _analysis_diagnostics(protocol: Protocol, analysis: Analysis, hospitals: Sequence[Document]) -> Document:
    """Balance over all hospitals: the mean of theirs, each with the weight of its target arm."""
    found = [one["analyses"][analysis.name] for one in hospitals]
    names = sorted({name for one in found for name in one["balance"]})
    severity = {name for one in found for name in one["severity_terms"]}
    target = sum(one["target"] for one in found)
    events = sum(one["events"] or 0 for one in found)
    balance: Document = {}
    out_of_balance = []
    limit = protocol.diagnostics.largest_smd
    for name in names:
        having = [one for one in found if name in one["balance"]]
        weights = np.array([one["target"] for one in having], dtype=np.float64)
        if not weights.sum():
            continue
        before, after = (
            float(weights @ [one["balance"][name][side] for one in having] / weights.sum()) for side in (0, 1)
        )
        balance[name] = [round(before, 4), round(after, 4)]
        # Chance alone moves means of so many patients so far; a severity term is given no such allowance.
        variance = sum(
            (w / weights.sum()) ** 2 * (1 / max(one["target"], 1) + 1 / max(one["effective_comparator"], 1))
            for w, one in zip(weights, having, strict=True)
        )
        allowance = 0.0 if name in severity else Z95 * math.sqrt(variance)
        if abs(after) - allowance > limit:
            out_of_balance.append(name)
    share = target / max(target + sum(one["comparator"] for one in found), 1)
    detectable = math.exp(POWER80 / math.sqrt(events * share * (1 - share))) if events and 0 < share < 1 else None
    return {
        "adjustment": analysis.adjustment,
        "follow_up": analysis.follow_up,
        "target": target,
        "comparator": sum(one["comparator"] for one in found),
        "events": events,
        "detectable_hazard_ratio": None if detectable is None else round(detectable, 3),
        "largest_smd_before": max((abs(b) for b, _ in balance.values()), default=None),
        "largest_smd_after": max((abs(a) for _, a in balance.values()), default=None),
        "out_of_balance": out_of_balance,
        "balance": balance,
    }


def combine_results(protocol: Protocol, hospitals: Sequence[Document]) -> Document:
    """Pooled and calibrated estimates of each analysis. `hospitals` as each sent them after opening."""
    _same_protocol(protocol, hospitals)
    return {
        "protocol_sha256": protocol.sha256,
        "pooling": protocol.pooling,
        "analyses": {one.name: _analysis_results(protocol, one, hospitals) for one in protocol.analyses},
    }


def _analysis_results(protocol: Protocol, analysis: Analysis, hospitals: Sequence[Document]) -> Document:
    found = {one["hospital"]: one["analyses"][analysis.name] for one in hospitals}
    profiles = [np.array(one["profile"]) for one in found.values() if one["profile"] is not None]
    pooled, tau, i_squared = pool(protocol, profiles)
    controls = pooled_controls(protocol, list(found.values()))
    bias = fit_systematic_error(
        [one.log_hazard_ratio for one in controls.values()], [one.standard_error for one in controls.values()]
    )
    return {
        "adjustment": analysis.adjustment,
        "follow_up": analysis.follow_up,
        "arms": {arm: _arm(arm, list(found.values())) for arm in ("target", "comparator")},
        "hospitals": {
            name: {
                "arms": one["arms"],
                "estimate": None if one["profile"] is None else shown(estimate_from_profile(np.array(one["profile"]))),
            }
            for name, one in found.items()
        },
        "estimate": shown(pooled),
        "tau": None if tau is None else round(tau, 4),
        "i_squared": None if i_squared is None else round(i_squared, 4),
        "systematic_error": _bias(bias),
        "calibrated": None if bias is None or pooled is None else shown(bias.calibrated(pooled)),
        "calibrated_p": None if bias is None or pooled is None else round(bias.p_value(pooled), 5),
        "negative_controls": {name: shown(one) for name, one in sorted(controls.items())},
    }


def pool(protocol: Protocol, profiles: Sequence[Float64]) -> tuple[Estimate | None, float | None, float | None]:
    """The estimate in the protocol's way of pooling, and the spread between hospitals where there are two."""
    random = pool_random(profiles)
    tau, i_squared = (None, None) if random is None else (random.tau, random.i_squared)
    if protocol.pooling == "random" and random is not None:
        return random.estimate, tau, i_squared
    return pool_fixed(profiles), tau, i_squared


def pooled_controls(protocol: Protocol, analyses: Sequence[Document]) -> dict[str, Estimate]:
    """Negative controls that have an estimate over all hospitals."""
    known: dict[str, Estimate] = {}
    for concept in protocol.negative_controls:
        profiles = [
            np.array(one["negative_controls"][str(concept)])
            for one in analyses
            if one["negative_controls"].get(str(concept)) is not None
        ]
        estimate = pool(protocol, profiles)[0]
        if estimate is not None:
            known[str(concept)] = estimate
    return known


def _arm(arm: str, analyses: Sequence[Document]) -> Document:
    """Counts of all hospitals together; the curve is the mean of theirs, weighted by their patients."""
    parts = [one["arms"][arm] for one in analyses]
    known = all(part["events"] is not None for part in parts) and bool(parts)
    years = sum(part["person_years"] for part in parts)
    events = sum(part["events"] for part in parts) if known else None
    days = sorted({day for part in parts for day in part["curve"]["day"]})
    weights = np.array([part["patients"] for part in parts], dtype=np.float64)
    curves = [np.interp(days, part["curve"]["day"], part["curve"]["without_event"]) for part in parts]
    survival = weights @ np.array(curves) / weights.sum() if len(days) and weights.sum() else np.zeros(0)
    return {
        "patients": sum(part["patients"] for part in parts),
        "person_years": round(years, 1),
        "events": events,
        "rate_per_1000_person_years": round(1000 * events / years, 2) if events is not None and years else None,
        "curve": {"day": days, "without_event": [round(float(value), 4) for value in survival]},
    }


def shown(estimate: Estimate | None) -> Document | None:
    """An estimate as results hold it: hazard ratio with interval, and the log with its error."""
    if estimate is None:
        return None
    return {
        "hazard_ratio": round(estimate.hazard_ratio, 4),
        "low": round(math.exp(estimate.low), 4),
        "high": round(math.exp(estimate.high), 4),
        "log_hazard_ratio": round(estimate.log_hazard_ratio, 5),
        "standard_error": round(estimate.standard_error, 5),
    }


def _bias(bias: SystematicError | None) -> Document | None:
    if bias is None:
        return None
    return {"mean": round(bias.mean, 4), "sd": round(bias.sd, 4), "controls": bias.controls}


def _same_protocol(protocol: Protocol, documents: Sequence[dict[str, Any]]) -> None:
    for document in documents:
        if document["protocol_sha256"] != protocol.sha256:
            raise HospitalsDisagree(f"{document['hospital']} ran another version of the protocol; nothing was combined")
