"""What a note of the system makes of an occurrence: pure, monotone, and the same however often it is heard."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from mobile_app.data.ledger import KeptOccurrence
from mobile_app.device.ports import SNOOZES_AT_MOST, AlarmNote
from mobile_app.device.wall_clock import instant_of
from mobile_app.state.reminders_schedule import WINDOW_MINUTES, Occurrence
from mobile_app.state.reminders_words import is_dose

CAUSES = {
    "missed_off": "phone_off",
    "missed_stopped": "app_stopped",
    "missed_late": "too_late",
    "missed_clock": "clock_changed",
    "missed_zone": "zone_changed",
    "not_permitted": "not_permitted",
}

# A turned clock or a flight may bring the time of these back.
_COMES_BACK = ("clock_changed", "zone_changed")


def fresh_row(planned: Occurrence, zone: ZoneInfo, now: datetime) -> KeptOccurrence:
    """A planned occurrence as it is first kept: armed, due on the wall of that zone."""
    due_at = instant_of(planned.wall, zone)
    return KeptOccurrence(planned.key, planned.local_date, planned.wall, due_at, zone.key, "armed", now)


def waited(row: KeptOccurrence) -> bool:
    """Whether nothing is written down yet of how the occurrence ended."""
    return row.state in ("armed", "cancelled")


def after(row: KeptOccurrence, note: AlarmNote) -> KeptOccurrence | None:
    """The occurrence after the note; None when it says nothing new."""
    if note.event in CAUSES:
        return replace(row, state="missed", at=note.at, cause=CAUSES[note.event]) if waited(row) else None
    fired_at = row.fired_at or note.at
    if note.event in ("shown", "pushed"):
        if waited(row) or row.state == "missed":
            return replace(row, state="fired", at=note.at, fired_at=fired_at, cause=None)
        return None
    if row.state == "acted":
        return _reason_told_later(row, note)
    if note.event == "taken" and is_dose(row.key):
        return replace(row, state="acted", action="taken", at=note.at, fired_at=fired_at, cause=None)
    if note.event.startswith("skipped"):
        reason = note.event.partition("_")[2] or None
        return replace(
            row, state="acted", action="skipped", skip_reason=reason, at=note.at, fired_at=fired_at, cause=None
        )
    snoozed = int(note.event.partition("_")[2]) if note.event.startswith("snoozed_") else 0
    if row.state == "shown" and snoozed <= row.snoozed_times:
        return None
    snoozed_times = min(max(row.snoozed_times, snoozed), SNOOZES_AT_MOST)
    return replace(row, state="shown", at=note.at, fired_at=fired_at, snoozed_times=snoozed_times, cause=None)


def _reason_told_later(row: KeptOccurrence, note: AlarmNote) -> KeptOccurrence | None:
    reason = note.event.partition("_")[2] if note.event.startswith("skipped_") else ""
    if row.action != "skipped" or not reason or row.skip_reason is not None:
        return None
    return replace(row, skip_reason=reason, at=note.at)


def came_back(row: KeptOccurrence, now: datetime) -> bool:
    """Whether a clock that was set back, or a flight, brings an occurrence again that it had skipped."""
    return row.state == "missed" and row.cause in _COMES_BACK and row.due_at > now


def may_come(row: KeptOccurrence) -> bool:
    """Whether an occurrence may still ring: what fired or was acted upon never does so again."""
    return row.state in ("armed", "cancelled") or (row.state == "missed" and row.cause in _COMES_BACK)


def cause_without_note(
    row: KeptOccurrence, *, booted_at: datetime | None, waits: bool, allowed: bool, looked_at: datetime
) -> str:
    """Why an alarm whose time is over left no note, as far as it can be known.

    booted_at: when the system was started. waits: the system still keeps it. looked_at: when Soom last ran before.
    """
    if booted_at is not None and booted_at > row.due_at + timedelta(minutes=WINDOW_MINUTES):
        return "phone_off"
    if waits:
        return "too_late"
    if not allowed:
        return "not_permitted"
    return "app_stopped" if looked_at < row.due_at else "unknown"
