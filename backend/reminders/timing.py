"""The one door to how a habit is read from past doses; the rule itself was evaluated where the models are."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from backend.reminders.rules import SATURDAY, DailyDose, Habit, Quiet
from ml.reminder_timing import HISTORY_DAYS as HISTORY_DAYS
from ml.reminder_timing import QuietHours, reminder_minutes


def habit_of(taken: Mapping[str, Sequence[datetime]], quiet: Quiet, known_on: date) -> Habit:
    """From zone-free local times of doses by inhaler; those before `known_on` count."""
    quiet_hours = QuietHours(quiet.from_minute, quiet.until_minute)

    def minutes(dose: DailyDose, weekend: bool) -> Sequence[int]:
        day = known_on
        while (day.weekday() >= SATURDAY) != weekend:
            day += timedelta(days=1)
        return reminder_minutes(
            taken.get(dose.inhaler_id, ()),
            day,
            doses_a_day=len(dose.minutes),
            quiet=quiet_hours,
            default_minutes=dose.minutes,
            known_on=known_on,
        )

    return minutes
