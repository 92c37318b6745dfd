"""Turns days of the virtual cohort into the entries that a phone would have sent.

The cohort knows days; a diary has moments. Hours, the two lower blows and the names of triggers are drawn here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import numpy as np

from ml.contract import Diaries

TRIGGERS = ("pollen", "house_dust", "cold_air", "infection", "exercise", "strong_smells", "air_pollution")


@dataclass(frozen=True)
class Phone:
    """Whose diary it is, and what its entries refer to."""

    patient_id: UUID
    time_zone: str
    reliever_id: UUID
    controller_id: UUID | None
    plan_version: int
    yellow_below_litres_per_min: int
    red_below_litres_per_min: int


class DiaryOfOne:
    def __init__(self, phone: Phone, diaries: Diaries, random: np.random.Generator, *, not_after: datetime) -> None:
        self.phone = phone
        self.diaries = diaries
        self.random = random
        self.not_after = not_after

    def entries(self) -> Iterator[dict[str, Any]]:
        """Entries in the order of their days, none later than `not_after`."""
        course_began: date | None = None
        for row in range(len(self.diaries)):
            day = date.fromordinal(int(self.diaries.day[row]))
            yield from self._peak_flows(row, day)
            yield from self._symptoms(row, day)
            yield from self._inhalers(row, day)
            yield from self._triggers(row, day)
            severe = self._is(row, "systemic_steroids") or self._is(row, "emergency_visit")
            # A course of tablets runs over days; the attack is written once, on its first.
            if severe and (course_began is None or (day - course_began).days > 14):
                course_began = day
                yield from self._attack(row, day)

    def _is(self, row: int, column: str) -> bool:
        return bool(getattr(self.diaries, column)[row] == 1)

    def _at(self, kind: str, part: str, day: date, hour: int, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        local = datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(self.phone.time_zone))
        local += timedelta(minutes=int(self.random.integers(0, 50)))
        taken_at = local.astimezone(UTC)
        offset = local.utcoffset()
        if taken_at > self.not_after or offset is None:
            return
        yield {
            "kind": kind,
            "id": str(uuid5(self.phone.patient_id, f"{kind}/{part}/{day.isoformat()}")),
            "revision": 1,
            "deleted": False,
            "taken_at": taken_at.isoformat().replace("+00:00", "Z"),
            "time_zone": self.phone.time_zone,
            "utc_offset_minutes": int(offset.total_seconds() // 60),
            "local_date": day.isoformat(),
            "body": body,
        }

    def _peak_flows(self, row: int, day: date) -> Iterator[dict[str, Any]]:
        for part, hour in (("morning", 7), ("evening", 20)):
            litres_per_min = getattr(self.diaries, f"{part}_litres_per_min")[row]
            if np.isnan(litres_per_min):
                continue
            best = int(np.clip(round(float(litres_per_min)), 30, 900))
            lower = np.clip(np.round(best * (1 - np.abs(self.random.normal(0, 0.04, 2)))), 30, best).astype(int)
            blows = [best, *lower.tolist()]
            self.random.shuffle(blows)
            zone = "green"
            if best < self.phone.red_below_litres_per_min:
                zone = "red"
            elif best < self.phone.yellow_below_litres_per_min:
                zone = "yellow"
            yield from self._at(
                "peak_flow",
                part,
                day,
                hour,
                {
                    "blows_litres_per_min": blows,
                    "meter": "Mini-Wright",
                    "scale": "eu",
                    "bronchodilator": "before",
                    "action_zone": zone,
                    "plan_version": self.phone.plan_version,
                },
            )

    def _symptoms(self, row: int, day: date) -> Iterator[dict[str, Any]]:
        severity = self.diaries.day_symptoms[row]
        waking, limited = self.diaries.night_waking[row], self.diaries.activity_limited[row]
        if np.isnan([severity, waking, limited]).all():
            return
        body: dict[str, Any] = {
            "daytime": None if np.isnan(severity) else bool(severity > 0),
            "night_waking": None if np.isnan(waking) else bool(waking > 0),
            "activity_limited": None if np.isnan(limited) else bool(limited > 0),
            "severity": None if np.isnan(severity) else round(float(severity)),
            "red_flags": [],
        }
        yield from self._at("symptoms", "day", day, 20, body)

    def _inhalers(self, row: int, day: date) -> Iterator[dict[str, Any]]:
        puffs = self.diaries.reliever_puffs[row]
        if not np.isnan(puffs):
            count = min(99, round(float(puffs)))
            body: dict[str, Any] = {
                "inhaler_id": str(self.phone.reliever_id),
                "puffs": count,
                "puffs_at_most": None,
                "purpose": "relief",
                "source": "logged" if count else "day_recall",
            }
            yield from self._at("inhaler_use", "relief", day, 19, body)
        taken = self.diaries.controller_fraction[row]
        if not np.isnan(taken) and self.phone.controller_id is not None:
            amount = "as_usual" if taken >= 0.99 else "none" if taken <= 0.01 else "less"
            body = {
                "inhaler_id": str(self.phone.controller_id),
                "amount": amount,
                "purpose": "maintenance",
                "source": "day_recall",
            }
            yield from self._at("inhaler_use", "maintenance", day, 20, body)

    def _triggers(self, row: int, day: date) -> Iterator[dict[str, Any]]:
        count = self.diaries.trigger_count[row]
        for number in range(0 if np.isnan(count) else min(3, int(count))):
            trigger = str(self.random.choice(TRIGGERS))
            yield from self._at("trigger", str(number), day, 18, {"trigger": trigger, "note": None})

    def _attack(self, row: int, day: date) -> Iterator[dict[str, Any]]:
        body = {
            "systemic_steroids": self._is(row, "systemic_steroids") or None,
            "systemic_steroid_days": None,
            "emergency_visit": self._is(row, "emergency_visit"),
            "hospital_admission": self._is(row, "hospital_admission"),
            "unscheduled_visit": None,
            "source": "self",
        }
        yield from self._at("attack", "onset", day, 15, body)
