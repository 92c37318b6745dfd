"""How a patient stands by the rules alone: zone, danger signs and whether they are over, personal best.

Read for many patients with five statements, then worked out in memory for any moment in what was read. The rules
themselves are in `backend.clinical`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlmodel import Session

from backend.alerts.rules import EVIDENCE_LASTS, RedSign
from backend.clinical.peak_flow import PeakFlowReading, Zone, ZoneThresholds, thresholds_from_personal_best, zone
from backend.clinical.personal_best import assess_personal_best
from backend.clinical.red_flags import RedFlag, recorded_flags
from backend.patients.tables import Purpose

# An older reading says nothing of how the patient is now.
ZONE_LASTS = timedelta(hours=48)
# Whoever wrote within it is read by the days of the index.
RECENT = timedelta(days=7)

_FROM_BEST_TO_WORST = (Zone.GREEN, Zone.YELLOW, Zone.RED)

_DIARY = ("peak_flow", "symptoms", "inhaler_use", "trigger_exposure", "attack", "questionnaire")


def _newest_entry(condition: str) -> str:
    """SQL of when and on which day patient p last wrote something. A phone whose clock is ahead cannot date an entry
    after its arrival: the earlier of the two times counts."""
    entries = " UNION ALL ".join(
        f"SELECT taken_at, received_at, local_date FROM {table} WHERE patient_id = p.id AND NOT deleted AND {condition}"  # noqa: S608
        for table in _DIARY
    )
    return f"""
    SELECT max(LEAST(taken_at, received_at)) AS last_at, max(local_date) AS last_on FROM ({entries}) AS entry
    WHERE LEAST(taken_at, received_at) <= :now
    """  # noqa: S608 (names of our own tables)


# The index on days finds the newest entry of whoever wrote lately; only of the others is the whole diary read, and of
# those whose recent days were dated ahead by a wrong clock long ago.
_PATIENTS = f"""
SELECT p.id, p.hospital_id, p.time_zone,
    EXISTS (
        SELECT 1 FROM consent WHERE patient_id = p.id AND purpose = '{Purpose.FORECASTING.value}'
        AND withdrawn_at IS NULL
    ) AS forecasting,
    COALESCE(whole.last_at, recent.last_at) AS last_at, COALESCE(whole.last_on, recent.last_on) AS last_on
FROM patient p
LEFT JOIN LATERAL ({_newest_entry("local_date >= CAST(:recent_on AS date)")}) AS recent ON true
LEFT JOIN LATERAL (
    {_newest_entry("(recent.last_at IS NULL OR recent.last_at < :recent_at)")}
) AS whole ON true
WHERE p.id = ANY(:ids)
"""  # noqa: S608 (an enum's value)

_PLANS = """
SELECT patient_id, signed_at, personal_best_litres_per_min, yellow_below_litres_per_min, red_below_litres_per_min
FROM action_plan WHERE patient_id = ANY(:ids) ORDER BY patient_id, version
"""

# Patients without a plan need all their readings, for the personal best; others the recent ones.
_READINGS = """
SELECT patient_id, LEAST(taken_at, received_at) AS at, local_date, litres_per_min, action_zone, meter FROM peak_flow
WHERE patient_id = ANY(:ids) AND NOT deleted AND LEAST(taken_at, received_at) <= :now
    AND (taken_at > :since OR NOT EXISTS (SELECT 1 FROM action_plan a WHERE a.patient_id = peak_flow.patient_id))
ORDER BY patient_id, at, taken_at
"""

_SYMPTOMS = """
SELECT patient_id, LEAST(taken_at, received_at) AS at, local_date, red_flags FROM symptoms
WHERE patient_id = ANY(:ids) AND NOT deleted AND taken_at > :since AND LEAST(taken_at, received_at) <= :now
ORDER BY patient_id, at, taken_at
"""

_CEILINGS = """
SELECT patient_id, max(LEAST(taken_at, received_at)) AS at, local_date,
    GREATEST(sum(puffs) FILTER (WHERE source <> 'day_recall'), max(puffs) FILTER (WHERE source = 'day_recall')) AS puffs
FROM inhaler_use JOIN inhaler USING (patient_id)
WHERE patient_id = ANY(:ids) AND NOT deleted AND inhaler.id = inhaler_id AND taken_at > :since
    AND LEAST(taken_at, received_at) <= :now AND max_puffs_per_day IS NOT NULL
GROUP BY patient_id, local_date, inhaler_id, max_puffs_per_day
HAVING GREATEST(
    sum(puffs) FILTER (WHERE source <> 'day_recall'), max(puffs) FILTER (WHERE source = 'day_recall')
) > max_puffs_per_day
ORDER BY patient_id, at
"""


@dataclass(frozen=True, slots=True)
class Reading:
    at: datetime
    on: date
    litres_per_min: int
    shown_zone: Zone | None
    meter: str


@dataclass(frozen=True)
class Plan:
    signed_at: datetime
    personal_best_litres_per_min: int
    thresholds: ZoneThresholds


@dataclass(frozen=True)
class Standing:
    """`reasons` holds one `{"code", "value", "unit"}` for each flag in `signs`, its newest value."""

    zone: Zone | None
    newest: Reading | None
    best_litres_per_min: int | None
    personal_best_litres_per_min: float | None
    signs: list[RedSign]
    reasons: list[dict[str, Any]]


@dataclass
class Facts:
    """What was read of one patient; rows in the order of time."""

    patient_id: UUID
    hospital_id: UUID
    time_zone: str
    forecasting_consent: bool
    last_entry_at: datetime | None
    last_entry_on: date | None
    plans: list[Plan] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    answers: list[tuple[datetime, date, frozenset[str]]] = field(default_factory=list)
    ceilings: list[tuple[datetime, date, int]] = field(default_factory=list)

    def today(self, now: datetime) -> date:
        """The patient's local date; one day later for a traveller whose diary is already there."""
        here = now.astimezone(ZoneInfo(self.time_zone)).date()
        ahead = self.last_entry_on is not None and self.last_entry_on == here + timedelta(days=1)
        return here + timedelta(days=1) if ahead else here

    def at(self, now: datetime, as_of: date) -> Standing:
        """How the patient stands at `now`, the moment for which the facts were read."""
        personal_best, thresholds = self._yardstick(now, as_of)
        newest = self.readings[-1] if self.readings and now - self.readings[-1].at < ZONE_LASTS else None
        of_the_day = [reading.litres_per_min for reading in self.readings if reading.on == as_of]
        signs, values = self._signs(now, as_of, personal_best, thresholds)
        return Standing(
            zone=None if newest is None else _zone(newest, thresholds),
            newest=newest,
            best_litres_per_min=max(of_the_day, default=None),
            personal_best_litres_per_min=personal_best,
            signs=signs,
            reasons=[values[flag.value] for flag in RedFlag if flag.value in values],
        )

    def _yardstick(self, now: datetime, as_of: date) -> tuple[float | None, ZoneThresholds | None]:
        """Personal best and thresholds: of the plan in force, or measured with the meter now in use, or none."""
        if self.plans:
            signed = [plan for plan in self.plans if plan.signed_at <= now]
            plan = signed[-1] if signed else self.plans[0]
            return plan.personal_best_litres_per_min, plan.thresholds
        if not self.readings:
            return None, None
        best = assess_personal_best(
            [PeakFlowReading(r.on, r.litres_per_min, r.meter, morning=False) for r in self.readings],
            meter=self.readings[-1].meter,
            today=as_of,
        ).best
        if best is None:
            return None, None
        return best.litres_per_min, thresholds_from_personal_best(best.litres_per_min)

    def _signs(
        self,
        now: datetime,
        as_of: date,
        personal_best: float | None,
        thresholds: ZoneThresholds | None,
    ) -> tuple[list[RedSign], dict[str, dict[str, Any]]]:
        """Each flag of each entry in the last days, with the entry that ended it; and the newest value of each flag."""
        since = now - EVIDENCE_LASTS
        signs: list[RedSign] = []
        values: dict[str, dict[str, Any]] = {}
        recovered_at: datetime | None = None
        for reading in reversed(self.readings):
            if reading.at <= since:
                break
            flags = _flags(reading, personal_best, thresholds)
            if not flags:
                recovered_at = reading.at
            for flag in flags:
                signs.append(RedSign(flag.value, reading.at, reading.on, recovered_at))
                values.setdefault(flag.value, _value(flag, reading.litres_per_min, "litres_per_min"))
        without: dict[str, datetime] = {}
        for at, on, answered in reversed(self.answers):
            if at <= since:
                break
            for flag in RedFlag:
                if flag.value in answered:
                    signs.append(RedSign(flag.value, at, on, without.get(flag.value)))
                    values.setdefault(flag.value, _value(flag, None, None))
                else:
                    without[flag.value] = at
        for at, on, puffs in reversed(self.ceilings):
            if at > since:
                flag = RedFlag.RELIEVER_CEILING_PASSED
                # The ceiling is a day's: the next day begins anew.
                signs.append(RedSign(flag.value, at, on, at if on < as_of else None))
                values.setdefault(flag.value, _value(flag, puffs, "puffs"))
        return signs, values


def read_facts(session: Session, patient_ids: Sequence[UUID], now: datetime) -> dict[UUID, Facts]:
    """What is known of these patients at `now`; patients that do not exist are left out."""
    connection = session.connection()
    bound: Mapping[str, Any] = {
        "ids": list(patient_ids),
        "now": now,
        "since": now - EVIDENCE_LASTS - timedelta(days=1),
        "recent_at": now - RECENT,
        # A local day differs by less than two from the day in UTC.
        "recent_on": (now - RECENT).date() - timedelta(days=2),
    }

    def rows(statement: str) -> Sequence[Any]:
        # All at once: asking the driver for one row after the other took a fifth of an assessment's time.
        return connection.execute(text(statement), bound).all()

    facts = {
        row.id: Facts(row.id, row.hospital_id, row.time_zone, row.forecasting, row.last_at, row.last_on)
        for row in rows(_PATIENTS)
    }
    for patient_id, signed_at, best, yellow_below, red_below in rows(_PLANS):
        facts[patient_id].plans.append(Plan(signed_at, best, ZoneThresholds(yellow_below, red_below)))
    for patient_id, at, on, litres_per_min, shown_zone, meter in rows(_READINGS):
        shown = None if shown_zone is None else Zone(shown_zone)
        facts[patient_id].readings.append(Reading(at, on, litres_per_min, shown, meter))
    for patient_id, at, on, red_flags in rows(_SYMPTOMS):
        facts[patient_id].answers.append((at, on, frozenset(red_flags)))
    for patient_id, at, on, puffs in rows(_CEILINGS):
        facts[patient_id].ceilings.append((at, on, puffs))
    return facts


def _zone(reading: Reading, thresholds: ZoneThresholds | None) -> Zone | None:
    """The worse of what the phone showed and what the yardstick of now says: neither lowers the other."""
    zones = [] if thresholds is None else [zone(reading.litres_per_min, thresholds)]
    if reading.shown_zone is not None:
        zones.append(reading.shown_zone)
    return max(zones, key=_FROM_BEST_TO_WORST.index, default=None)


def _flags(reading: Reading, personal_best: float | None, thresholds: ZoneThresholds | None) -> tuple[RedFlag, ...]:
    flags = recorded_flags(
        litres_per_min=reading.litres_per_min,
        personal_best_litres_per_min=personal_best,
        red_below_litres_per_min=None if thresholds is None else thresholds.red_below_litres_per_min,
    )
    if reading.shown_zone is Zone.RED and RedFlag.RED_ZONE not in flags:
        return (*flags, RedFlag.RED_ZONE)
    return flags


def _value(flag: RedFlag, value: float | None, unit: str | None) -> dict[str, Any]:
    return {"code": flag.value, "value": value, "unit": unit}
