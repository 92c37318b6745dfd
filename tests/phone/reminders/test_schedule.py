"""The schedule as a rule: own times over habit over plan, two moments a day, equal to the evaluated habit rule."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from ml.reminder_timing import QuietHours as EvaluatedQuietHours
from ml.reminder_timing import reminder_minutes
from mobile_app.data.clinic import plan_from_wire
from mobile_app.device.wall_clock import instant_of
from mobile_app.state.reminders_habit import QuietHours, own_minutes
from mobile_app.state.reminders_schedule import Schedule, schedule_from
from mobile_app.state.reminders_settings import (
    Appointment,
    Opened,
    OwnTime,
    ReminderSettings,
    settings_from_body,
)
from tests.phone.conftest import CONTROLLER_ID
from tests.phone.reminders.conftest import EVENING, MORNING, signed_papers

MONDAY, SATURDAY = date(2026, 3, 2), date(2026, 3, 7)
SEOUL = ZoneInfo("Asia/Seoul")
minutes = st.integers(0, 1439)
walls = st.builds(
    lambda ago, minute: datetime.combine(MONDAY - timedelta(days=ago), time()) + timedelta(minutes=minute),
    st.integers(-2, 50),
    st.one_of(minutes, st.sampled_from([470, 480, 485, 1190, 1200, 1210, 5, 1435])),
)


def schedule(chosen: ReminderSettings | None = None, **plan: object) -> Schedule:
    papers = signed_papers(**plan)  # type: ignore[arg-type]
    return schedule_from(plan_from_wire(papers["plan"]), [], chosen, last_control_check=None, zone=SEOUL)


def due(made: Schedule, day: date = MONDAY, taken: list[datetime] | None = None) -> dict[str, str]:
    found = made.of_day(day, {CONTROLLER_ID: taken or []}, day)
    return {one.key: f"{one.wall:%H:%M}" for one in found}


@settings(max_examples=150, deadline=None)
@given(
    doses=st.lists(walls, max_size=90),
    day=st.dates(MONDAY, MONDAY + timedelta(days=7)),
    doses_a_day=st.integers(1, 4),
    quiet=st.tuples(minutes, minutes),
    defaults=st.lists(minutes, max_size=3),
)
def test_the_phones_habit_is_the_evaluated_rule(
    doses: list[datetime], day: date, doses_a_day: int, quiet: tuple[int, int], defaults: list[int]
) -> None:
    expected = reminder_minutes(
        doses, day, doses_a_day=doses_a_day, quiet=EvaluatedQuietHours(*quiet), default_minutes=defaults
    )
    assert expected == own_minutes(
        doses,
        day,
        weekend=day.weekday() >= 5,
        doses_a_day=doses_a_day,
        quiet=QuietHours(*quiet),
        default_minutes=defaults,
    )


def test_the_plans_times_stand_before_anything_is_known() -> None:
    assert due(schedule()) == {MORNING: "08:00", EVENING: "20:00", "check_in": "20:00"}


def test_own_times_win_over_habit_and_habit_over_the_plan() -> None:
    history = [datetime(2026, 2, day, hour, 30) for day in range(2, 28) for hour in (6, 21)]  # noqa: DTZ001 (wall)
    assert due(schedule(), taken=history) == {MORNING: "07:00", EVENING: "21:30", "check_in": "21:30"}
    own = ReminderSettings().with_time(MORNING, OwnTime(5 * 60, 9 * 60))
    assert due(schedule(own), taken=history)[MORNING] == "05:00"
    assert due(schedule(own), SATURDAY, history)[MORNING] == "09:00"
    assert due(schedule(replace(own, follow_habit=False)), taken=history)[EVENING] == "20:00"


def test_two_doses_a_day_leave_no_third_moment_for_questions() -> None:
    asked = ReminderSettings(check_in_minute=13 * 60)
    assert due(schedule(asked))["check_in"] == "08:00"
    assert due(schedule(replace(asked, check_in_minute=15 * 60)))["check_in"] == "20:00"
    own = asked.with_time("check_in", OwnTime(13 * 60, 13 * 60))
    assert due(schedule(own))["check_in"] == "13:00"


def test_a_plan_that_demands_four_doses_gets_four() -> None:
    four = due(schedule(times=("07:00", "12:00", "17:00", "21:00")))
    assert sorted(set(four.values())) == ["07:00", "12:00", "17:00", "21:00"]


def test_refill_review_visit_and_control_check_come_in_time() -> None:
    chosen = ReminderSettings(
        opened={CONTROLLER_ID: Opened(date(2026, 2, 7), 120)},
        appointments=(Appointment("a", date(2026, 3, 3), 600),),
    )
    made = schedule(chosen, review_on="2026-03-09", signed_at="2026-02-02T00:00:00Z")
    assert set(due(made)) - {MORNING, EVENING} == {
        "check_in",
        f"refill:{CONTROLLER_ID}",
        "appointment:a",
        "plan_review",
        "control_check",
    }
    assert set(due(made, MONDAY + timedelta(days=1))) == {MORNING, EVENING, "check_in"}


settings_strategy = st.builds(
    ReminderSettings,
    day_starts_minute=st.integers(0, 24).map(lambda half: half * 30),
    quiet=st.builds(QuietHours, minutes, minutes),
    times=st.dictionaries(st.sampled_from([MORNING, EVENING, "check_in"]), st.builds(OwnTime, minutes, minutes)),
    follow_habit=st.booleans(),
    check_in_minute=st.none() | minutes,
    paused_until=st.none() | st.dates(MONDAY, SATURDAY),
    health_words_on_lock_screen=st.booleans(),
    opened=st.dictionaries(st.just(CONTROLLER_ID), st.builds(Opened, st.dates(MONDAY, SATURDAY), st.integers(1, 400))),
    appointments=st.lists(st.builds(Appointment, st.uuids().map(str), st.dates(), minutes), max_size=2).map(tuple),
)


@settings(max_examples=100, deadline=None)
@given(settings_strategy)
def test_settings_come_back_from_the_wire_as_they_went(chosen: ReminderSettings) -> None:
    assert settings_from_body(chosen.to_body()) == chosen


@settings(max_examples=100, deadline=None)
@given(
    settings_strategy,
    st.lists(walls, max_size=30),
    st.sampled_from(["Asia/Seoul", "Europe/Tallinn", "America/Los_Angeles", "Australia/Lord_Howe"]),
)
def test_every_day_has_each_dose_once_within_its_own_day(
    chosen: ReminderSettings, taken: list[datetime], zone: str
) -> None:
    made = schedule(chosen)
    days = [date(2026, 3, 20) + timedelta(days=number) for number in range(14)]
    found = made.of_days(days, {CONTROLLER_ID: taken}, days[0])
    assert len({one.id for one in found}) == len(found)
    for day in days:
        on_day = [one for one in found if one.local_date == day]
        assert {one.key for one in on_day if one.key.startswith("dose")} == {MORNING, EVENING}
        for one in on_day:
            start = datetime.combine(day, time()) + timedelta(minutes=chosen.day_starts_minute)
            assert start <= one.wall < start + timedelta(days=1)
    instants = [instant_of(one.wall, ZoneInfo(zone)) for one in found]
    assert all(instant.microsecond == 0 for instant in instants)
    assert instants == sorted(instants)
