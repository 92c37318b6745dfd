"""What makes an attack severe, and which severe days belong to one episode."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from backend.clinical.guideline import Guideline, edition


@dataclass(frozen=True)
class Attack:
    """One reported attack; None = not known."""

    started_on: date
    systemic_steroid_days: int | None = None
    emergency_visit: bool | None = None
    hospital_admission: bool | None = None


@dataclass(frozen=True)
class Episode:
    started_on: date
    last_attack_on: date
    attacks: int


def is_severe(attack: Attack, guideline: Guideline | None = None) -> bool | None:
    """ATS/ERS 2009: steroid for three days or more, an emergency visit, or admission; None when nothing is known."""
    guideline = guideline or edition()
    days = attack.systemic_steroid_days
    long_enough = None if days is None else days >= guideline.number("attacks.steroid_days_severe_from")
    signs = (long_enough, attack.emergency_visit, attack.hospital_admission)
    if any(signs):
        return True
    return None if all(sign is None for sign in signs) else False


def review_window(
    ended_on: date, emergency_visit_or_admission: bool, guideline: Guideline | None = None
) -> tuple[date, date]:
    """When to see the patient after an attack: days after discharge, or after one managed at home."""
    guideline = guideline or edition()
    key = "review_after_discharge" if emergency_visit_or_admission else "review_after_self_managed"
    first, last = guideline.numbers(f"attacks.{key}")
    return ended_on + timedelta(days=int(first)), ended_on + timedelta(days=int(last))


def severe_episodes(attacks: Iterable[Attack], guideline: Guideline | None = None) -> list[Episode]:
    """Severe attacks joined while less than the edition's gap apart, oldest first."""
    guideline = guideline or edition()
    gap = timedelta(days=int(guideline.number("attacks.joined_within")))
    episodes: list[Episode] = []
    for attack in sorted((a for a in attacks if is_severe(a, guideline)), key=lambda each: each.started_on):
        if episodes and attack.started_on - episodes[-1].last_attack_on < gap:
            joined = episodes.pop()
            episodes.append(Episode(joined.started_on, attack.started_on, joined.attacks + 1))
        else:
            episodes.append(Episode(attack.started_on, attack.started_on, 1))
    return episodes
