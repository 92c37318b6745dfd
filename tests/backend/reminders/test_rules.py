"""What is due when: wall time, changes of clock, the start of the day, two prompts a day; and what silence means."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.reminders.rules import (
    DailyDose,
    OwnTime,
    Quiet,
    Settings,
    Silence,
    Sources,
    Verdict,
    daily_dose,
    diary_day,
    occurrences,
    verdict,
)

NEW_YORK = ZoneInfo("America/New_York")
DUE = datetime(2026, 3, 10, 12, tzinfo=UTC)


def no_habit(dose: DailyDose, weekend: bool) -> Sequence[int]:
    return ()


def due_walls(sources: Sources, day: date, zone: ZoneInfo = NEW_YORK) -> dict[str, str]:
    found = occurrences(sources, [day], zone, no_habit)
    return {one.key: f"{one.due_at.astimezone(zone):%d %H:%M}" for one in found}


def dose_at(*minutes: int, day_starts_minute: int = 240) -> Sources:
    return Sources(
        settings=Settings(day_starts_minute=day_starts_minute, quiet=Quiet(0, 0)),
        doses=[daily_dose("a", 1, len(minutes), minutes, day_starts_minute)],
    )


def test_a_time_that_the_change_of_clock_skips_comes_at_the_change() -> None:
    sources = dose_at(150, day_starts_minute=0)
    assert due_walls(sources, date(2026, 3, 7)) == {"dose:a:0": "07 02:30"}
    assert due_walls(sources, date(2026, 3, 8)) == {"dose:a:0": "08 03:00"}


def test_a_time_that_comes_twice_counts_the_first_time() -> None:
    [one] = occurrences(dose_at(90, day_starts_minute=0), [date(2026, 11, 1)], NEW_YORK, no_habit)
    assert one.due_at == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_a_dose_after_midnight_belongs_to_the_evening_before() -> None:
    sources = dose_at(8 * 60, 10)
    assert due_walls(sources, date(2026, 3, 2)) == {"dose:a:0": "02 08:00", "dose:a:1": "03 00:10"}
    assert diary_day(datetime(2026, 3, 3, 5, 10, tzinfo=UTC), NEW_YORK, 240) == date(2026, 3, 2)


def test_own_times_stand_even_in_quiet_hours_and_the_plans_move_out_of_them() -> None:
    quiet = Quiet(22 * 60, 7 * 60)
    doses = [daily_dose("a", 1, 2, (6 * 60, 23 * 60), 240)]
    plain = Sources(settings=Settings(quiet=quiet), doses=doses)
    assert due_walls(plain, date(2026, 3, 2)) == {"dose:a:0": "02 07:00", "dose:a:1": "02 21:59"}
    times = {"dose:a:1": OwnTime(weekday=23 * 60, weekend=23 * 60 + 30)}
    own = Sources(settings=Settings(quiet=quiet, times=times), doses=doses)
    assert due_walls(own, date(2026, 3, 2))["dose:a:1"] == "02 23:00"
    assert due_walls(own, date(2026, 3, 7))["dose:a:1"] == "07 23:30"


def test_a_pause_leaves_its_days_out_and_ends_on_its_day() -> None:
    sources = replace(dose_at(480), settings=Settings(paused_until=date(2026, 3, 5)))
    assert due_walls(sources, date(2026, 3, 4)) == {}
    assert due_walls(sources, date(2026, 3, 5)) != {}


# A busy machine may be slow to draw; nothing here is timed.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@UNTIMED
@given(
    doses=st.lists(st.integers(0, 1439), min_size=0, max_size=4, unique=True),
    check_in=st.none() | st.integers(0, 1439),
    peak_flow=st.none() | st.integers(0, 1439),
    day=st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    day_starts=st.integers(0, 1439),
)
def test_at_most_two_prompts_a_day_unless_the_plan_demands_more_doses(
    doses: list[int], check_in: int | None, peak_flow: int | None, day: date, day_starts: int
) -> None:
    sources = Sources(
        settings=Settings(day_starts_minute=day_starts),
        doses=[daily_dose("a", 1, len(doses), doses, day_starts)] if doses else [],
        check_in_minute=check_in,
        peak_flow_minute=peak_flow,
        control_check_from=day - timedelta(days=28),
        review_on=day,
    )
    found = occurrences(sources, [day], ZoneInfo("Asia/Seoul"), no_habit)
    moments = {one.due_at for one in found}
    assert len(moments) <= max(2, len({one.due_at for one in found if one.key.startswith("dose")}))
    assert len(found) == len(doses) + (check_in is not None) + (peak_flow is not None) + 2


def silent(**changed: object) -> Silence:
    usual: dict[str, object] = {
        "due_at": DUE,
        "expected": True,
        "armed": False,
        "pushed": False,
        "heard_at": DUE - timedelta(hours=1),
        "permitted": True,
        "wanted": True,
        "logged": False,
        "quiet_now": False,
        "handed_over": False,
    }
    return Silence(**(usual | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minutes", "changed", "expected"),
    [
        (44, {}, Verdict.WAIT),
        (45, {}, Verdict.PUSH),
        (120, {}, Verdict.PUSH),
        (121, {}, Verdict.WAIT),
        (45, {"pushed": True}, Verdict.WAIT),
        (45, {"armed": True}, Verdict.WAIT),
        (45, {"armed": True, "heard_at": DUE - timedelta(hours=36)}, Verdict.PUSH),
        (45, {"armed": True, "heard_at": None}, Verdict.PUSH),
        (45, {"expected": False}, Verdict.WAIT),
        (45, {"permitted": False}, Verdict.WAIT),
        (45, {"wanted": False}, Verdict.WAIT),
        (45, {"quiet_now": True}, Verdict.WAIT),
        (45, {"logged": True}, Verdict.ALREADY_LOGGED),
        (2880, {"pushed": True, "handed_over": True}, Verdict.PUSHED),
        (2880, {"pushed": True}, Verdict.PHONE_SILENT),
        (2880, {"heard_at": DUE + timedelta(hours=1)}, Verdict.UNKNOWN),
        (2880, {"permitted": False}, Verdict.NOT_PERMITTED),
        (2880, {"wanted": False}, Verdict.CANCELLED),
        (2880, {"logged": True}, Verdict.ALREADY_LOGGED),
    ],
)
def test_silence_is_pushed_once_in_time_and_has_a_cause_in_the_end(
    minutes: int, changed: dict[str, object], expected: Verdict
) -> None:
    assert verdict(silent(**changed), DUE + timedelta(minutes=minutes)) is expected


@UNTIMED
@given(st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_after_two_days_nothing_is_left_open(
    expected: bool, armed: bool, pushed: bool, permitted: bool, wanted: bool, logged: bool, handed_over: bool
) -> None:
    found = verdict(
        silent(
            expected=expected,
            armed=armed,
            pushed=pushed,
            permitted=permitted,
            wanted=wanted,
            logged=logged,
            handed_over=handed_over,
        ),
        DUE + timedelta(hours=48),
    )
    assert found not in {Verdict.WAIT, Verdict.PUSH}
