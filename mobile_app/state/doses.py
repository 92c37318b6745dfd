"""Counting puffs and doses of a diary day against the prescription."""

from collections.abc import Iterable

from mobile_app.data.clinic import Inhaler
from mobile_app.data.journal import KeptEntry


def puffs_on_day(entries: Iterable[KeptEntry], inhaler_id: str) -> int:
    """Puffs of one inhaler among one day's entries.

    A recalled daily total is never added to counted puffs: the larger of the two counts.
    """
    counted = recalled = 0
    for kept in entries:
        if kept.entry.kind != "inhaler_use" or kept.entry.value["inhaler_id"] != inhaler_id:
            continue
        puffs = int(kept.entry.value.get("puffs") or 0)
        if kept.entry.value.get("source") == "day_recall":
            recalled = max(recalled, puffs)
        else:
            counted += puffs
    return max(counted, recalled)


def maintenance_puffs(entries: Iterable[KeptEntry], inhaler_id: str) -> int:
    """Puffs of one inhaler that were taken as the daily dose."""
    return sum(
        int(kept.entry.value.get("puffs") or 0)
        for kept in entries
        if kept.entry.kind == "inhaler_use"
        and kept.entry.value["inhaler_id"] == inhaler_id
        and kept.entry.value.get("purpose") == "maintenance"
    )


def doses_taken(entries: Iterable[KeptEntry], inhaler: Inhaler) -> int:
    """Whole maintenance doses of a day, never more than prescribed: extra doses do not make up for missed days.

    A day reported "as usual" or "more" counts as complete; "less" and "unsure" count only what was logged.
    """
    expected = inhaler.doses_per_day or 0
    day = list(entries)
    if any(
        kept.entry.kind == "inhaler_use"
        and kept.entry.value["inhaler_id"] == inhaler.id
        and kept.entry.value.get("amount") in ("as_usual", "more")
        for kept in day
    ):
        return expected
    return min(maintenance_puffs(day, inhaler.id) // max(inhaler.puffs_per_dose or 1, 1), expected)


def ceiling(inhaler: Inhaler, puffs_today: int) -> str | None:
    """``reached`` at the prescription's daily maximum, ``near`` from its warning on, else None."""
    if inhaler.max_puffs_per_day is not None and puffs_today >= inhaler.max_puffs_per_day:
        return "reached"
    if inhaler.warn_puffs_per_day is not None and puffs_today >= inhaler.warn_puffs_per_day:
        return "near"
    return None
