from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.reminder_timing import QuietHours, reminder_minutes, wants_reminding

MONDAY = date(2026, 3, 2)
QUIET = QuietHours()


def doses(at: str, days: int, weekend_at: str | None = None, minutes_jitter: int = 0) -> list[datetime]:
    found = []
    for back in range(1, days + 1):
        day = MONDAY - timedelta(days=back)
        clock = weekend_at if weekend_at and day.weekday() >= 5 else at
        moment = datetime.fromisoformat(f"{day.isoformat()}T{clock}")
        found.append(moment + timedelta(minutes=(back * 7) % (minutes_jitter + 1)))
    return found


def minutes(history: list[datetime], day: date = MONDAY, doses_a_day: int = 1, quiet: QuietHours = QUIET) -> list[int]:
    return reminder_minutes(history, day, doses_a_day=doses_a_day, quiet=quiet, default_minutes=[8 * 60, 20 * 60])


def test_the_own_dosing_time_replaces_the_default() -> None:
    assert minutes([]) == [480]
    assert minutes(doses("09:40", 20)) == [580]


def test_one_late_night_does_not_move_the_habit() -> None:
    history = doses("09:40", 20)
    history[0] = history[0].replace(hour=2)
    assert minutes(history) == [580]


def test_weekends_have_a_habit_of_their_own() -> None:
    history = doses("07:15", 42, weekend_at="10:30")
    assert minutes(history, MONDAY) == [435]
    assert minutes(history, MONDAY - timedelta(days=1)) == [630]


def test_a_morning_and_an_evening_dose_are_two_habits() -> None:
    history = doses("07:30", 20, minutes_jitter=20) + doses("21:00", 20, minutes_jitter=20)
    first, second = minutes(history, doses_a_day=2)
    assert 450 <= first <= 470
    assert 1260 <= second <= 1280


def test_a_night_shift_habit_around_midnight_is_not_averaged_to_noon() -> None:
    history = doses("23:50", 10) + doses("00:10", 10)
    (found,) = minutes(history, quiet=QuietHours(9 * 60, 16 * 60))
    assert found in {23 * 60 + 50, 10}


def test_a_habit_in_the_quiet_hours_moves_to_their_nearer_edge() -> None:
    assert minutes(doses("05:30", 20)) == [420]
    assert minutes(doses("22:40", 20)) == [22 * 60 - 1]


def test_old_doses_are_forgotten() -> None:
    old = [dose - timedelta(days=60) for dose in doses("11:00", 20)]
    assert minutes(old) == [480]


@given(
    st.lists(st.datetimes(datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2026-03-31")), max_size=80),
    st.integers(1, 8),
    st.integers(0, 1439),
    st.integers(0, 1439),
)
def test_never_more_than_two_prompts_and_never_in_quiet_hours(
    history: list[datetime], doses_a_day: int, start: int, end: int
) -> None:
    quiet = QuietHours(start, end)
    found = minutes(history, doses_a_day=doses_a_day, quiet=quiet)
    assert 1 <= len(found) <= 2
    assert all(0 <= minute < 1440 and not quiet.holds(minute) for minute in found)
    assert minutes(history[::-1], doses_a_day=doses_a_day, quiet=quiet) == found


def test_people_who_take_their_doses_are_left_in_peace() -> None:
    assert not wants_reminding(taken=25, expected=28)
    assert wants_reminding(taken=14, expected=28)
    assert wants_reminding(taken=0, expected=0)


def test_a_time_with_a_zone_or_no_doses_a_day_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        minutes([datetime.fromisoformat("2026-03-01T08:00:00+09:00")])
    with pytest.raises(ValueError, match="at least 1"):
        minutes([], doses_a_day=0)
    with pytest.raises(ValueError, match="start_minute"):
        QuietHours(start_minute=1440)
