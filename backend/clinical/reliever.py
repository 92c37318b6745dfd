"""Reliever use: overuse, bursts, canisters a year, and how near a day comes to an inhaler's ceiling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from backend.clinical.guideline import Guideline, edition
from backend.clinical.medicines import Prescription, inhalation_limits


class RelieverBurst(StrEnum):
    BURST = "burst"
    NO_BURST = "no_burst"
    NOT_ENOUGH_DATA = "not_enough_data"


class RelieverOveruse(StrEnum):
    OVERUSE = "overuse"
    NO_OVERUSE = "no_overuse"
    NOT_ENOUGH_DATA = "not_enough_data"


class CeilingStatus(StrEnum):
    """Ordered: within, near (warn), reached (stop here), passed (call)."""

    WITHIN = "within"
    NEAR = "near"
    REACHED = "reached"
    PASSED = "passed"

    @property
    def rank(self) -> int:
        return list(CeilingStatus).index(self)


@dataclass(frozen=True)
class SabaYear:
    """SABA canisters a year at this pace, and whether they reach the two thresholds of risk."""

    canisters_a_year: float
    overuse: bool
    life_threatening: bool
    source: str


def reliever_burst(puffs_by_day: Mapping[date, int], until: date, guideline: Guideline | None = None) -> RelieverBurst:
    """A burst: the mean of the last two days reaches the threshold and lies above the two weeks before them.

    `puffs_by_day` holds logged days only; a missing day is unknown, never zero.
    """
    guideline = guideline or edition()
    days = int(guideline.number("reliever.burst_days"))
    recent = [puffs_by_day.get(until - timedelta(days=back)) for back in range(days)]
    before = [
        puffs_by_day[day]
        for back in range(days, days + int(guideline.number("reliever.burst_reference_days")))
        if (day := until - timedelta(days=back)) in puffs_by_day
    ]
    known = [puffs for puffs in recent if puffs is not None]
    if len(known) < days or len(before) < guideline.number("reliever.burst_reference_days_needed"):
        return RelieverBurst.NOT_ENOUGH_DATA
    mean = sum(known) / days
    if mean >= guideline.number("reliever.burst_mean_puffs_from") and mean > sum(before) / len(before):
        return RelieverBurst.BURST
    return RelieverBurst.NO_BURST


def reliever_overuse(
    puffs_by_day: Mapping[date, int], until: date, guideline: Guideline | None = None
) -> RelieverOveruse:
    """Overuse: the threshold is reached in every recent week; a week below it counts only when it is complete."""
    guideline = guideline or edition()
    threshold = guideline.number("reliever.overuse_puffs_a_week_from")
    unknown = False
    for week in range(int(guideline.number("reliever.overuse_weeks"))):
        days = [until - timedelta(days=7 * week + back) for back in range(7)]
        logged = [puffs_by_day[day] for day in days if day in puffs_by_day]
        if sum(logged) >= threshold:
            continue
        if len(logged) == len(days):
            return RelieverOveruse.NO_OVERUSE
        unknown = True
    return RelieverOveruse.NOT_ENOUGH_DATA if unknown else RelieverOveruse.OVERUSE


def saba_year(puffs: float, days: int, guideline: Guideline | None = None) -> SabaYear:
    """Canisters a year at the pace of `puffs` over `days` logged days; raises ValueError without a day."""
    guideline = guideline or edition()
    if days < 1 or puffs < 0:
        raise ValueError("a pace needs at least one day and no fewer than 0 puffs")
    return saba_canisters(puffs / days * 365 / guideline.number("risk.puffs_in_a_canister"), guideline)


def saba_canisters(canisters_a_year: float, guideline: Guideline | None = None) -> SabaYear:
    """The same judgement for canisters dispensed in a year."""
    guideline = guideline or edition()
    return SabaYear(
        canisters_a_year=canisters_a_year,
        overuse=canisters_a_year >= guideline.number("risk.canisters_a_year"),
        life_threatening=canisters_a_year >= guideline.number("risk.canisters_a_year_life_threatening"),
        source=guideline.citation("risk.canisters_a_year"),
    )


def ceiling_status(
    inhalations_today: int, prescription: Prescription, age_years: float, guideline: Guideline | None = None
) -> CeilingStatus:
    """Where today's inhalations of one inhaler stand, maintenance doses included."""
    limits = inhalation_limits(prescription, age_years, guideline)
    if limits.most_a_day is not None:
        if inhalations_today > limits.most_a_day:
            return CeilingStatus.PASSED
        if inhalations_today == limits.most_a_day:
            return CeilingStatus.REACHED
    if limits.warn_from is not None and inhalations_today >= limits.warn_from:
        return CeilingStatus.NEAR
    return CeilingStatus.WITHIN
