"""The patient's own clock and day, walked: changes of summer time, a flight, midnight, night work."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobile_app.data.entries import moment_at
from mobile_app.device.desktop import NothingInTheWay
from mobile_app.state.day_list import DayList
from mobile_app.state.diary_form import PeakFlowForm, PuffsForm
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.today import Today
from mobile_app.state.trends import Trends
from mobile_app.state.when import When
from tests.phone.conftest import CONTROLLER_ID, Phone

SEOUL, TALLINN = "Asia/Seoul", "Europe/Tallinn"


@pytest.fixture(autouse=True)
def from_midnight(diary: OpenDiary) -> None:
    """Each walk says for itself when the day begins; here it is midnight."""
    diary.database.keep_setting("day_starts_at_hour", 0)


def at(phone: Phone, zone: str, *utc: int) -> None:
    phone.clock.zone, phone.clock.instant = zone, datetime(*utc, tzinfo=UTC)  # type: ignore[arg-type,misc]


def blow(diary: OpenDiary, digits: str = "410") -> PeakFlowForm:
    form = PeakFlowForm(diary)
    for digit in digits:
        form.press(digit)
    return form


def take_dose(diary: OpenDiary) -> None:
    inhaler = next(one for one in diary.clinic.inhalers() if one.controls)
    Today(diary, NothingInTheWay()).take_dose(inhaler)


def doses(diary: OpenDiary) -> int:
    return Today(diary, NothingInTheWay()).doses[0].taken


def times(diary: OpenDiary) -> list[str]:
    listed = DayList(diary)
    listed.refresh()
    return [line.time or line.text for line in listed.lines]


def test_the_hour_that_spring_skips_loses_no_dose_and_moves_none(diary: OpenDiary, phone: Phone) -> None:
    at(phone, TALLINN, 2026, 3, 29, 0, 59)  # 02:59; a minute later it is 04:00
    take_dose(diary)
    phone.clock.walk(minutes=1)
    take_dose(diary)
    assert doses(diary) == 2
    assert times(diary) == ["Today", "04:00", "02:59"]
    assert diary.today() == date(2026, 3, 29)


def test_the_hour_that_comes_twice_in_autumn_keeps_its_order(diary: OpenDiary, phone: Phone) -> None:
    at(phone, TALLINN, 2026, 10, 25, 0, 30)  # 03:30 for the first time
    first = blow(diary, "430").submit()
    phone.clock.walk(hours=1)  # 03:30 again
    second = blow(diary, "390").submit()
    assert (first.moment.utc_offset_minutes, second.moment.utc_offset_minutes) == (180, 120)
    assert Today(diary, NothingInTheWay()).zone_card.headline == "390 L/min"
    assert times(diary) == ["Today", "03:30", "03:30"]
    trends = Trends(diary)
    trends.refresh()
    assert [reading.litres_per_min for reading in trends.readings] == [430, 390]
    assert trends.days_written == 1


def test_yesterday_same_time_keeps_the_wall_clock_over_both_changes(diary: OpenDiary, phone: Phone) -> None:
    for now, yesterday in (
        ((2026, 3, 29, 12, 0), (2026, 3, 28, 13, 0)),
        ((2026, 10, 25, 13, 0), (2026, 10, 24, 12, 0)),
    ):
        at(phone, TALLINN, *now)
        when = When(diary, blow(diary))
        assert when.time_text == "15:00"
        when.move_day(-1)
        assert when.time_text == "15:00"
        assert when.at == datetime(*yesterday, tzinfo=UTC)


def test_a_flight_from_seoul_to_tallinn_keeps_each_entry_in_its_own_day(diary: OpenDiary, phone: Phone) -> None:
    at(phone, SEOUL, 2026, 3, 2, 23, 0)  # 08:00 on 3 March
    before = blow(diary).submit()
    take_dose(diary)
    phone.clock.zone = TALLINN
    phone.clock.walk(hours=12)  # 13:00 on 3 March
    after = blow(diary, "420").submit()
    assert (before.moment.local_date, before.moment.utc_offset_minutes) == (date(2026, 3, 3), 540)
    assert (after.moment.local_date, after.moment.utc_offset_minutes) == (date(2026, 3, 3), 120)
    assert before.moment.local.hour == 8
    assert doses(diary) == 1, "the morning's dose is still today's"


def test_landing_on_the_day_before_loses_nothing_of_the_day_that_had_begun(diary: OpenDiary, phone: Phone) -> None:
    at(phone, SEOUL, 2026, 3, 2, 16, 0)  # 01:00 on 3 March
    blow(diary).submit()
    at(phone, TALLINN, 2026, 3, 2, 19, 0)  # 21:00 on 2 March
    assert diary.today() == date(2026, 3, 2)
    assert doses(diary) == 0
    assert "01:00" in times(diary), "the entry of tomorrow's date is in the list"


def test_a_dose_of_five_to_midnight_logged_at_ten_past_is_yesterdays(diary: OpenDiary, phone: Phone) -> None:
    at(phone, SEOUL, 2026, 3, 2, 15, 10)  # 00:10 on 3 March
    form = PuffsForm(diary)
    form.choose(CONTROLLER_ID)
    when = When(diary, form)
    for _ in range(3):
        when.move(timedelta(minutes=-5))
    assert (when.day_text, when.time_text) == ("Yesterday", "23:55")
    when.take()
    assert form.submit().moment.local_date == date(2026, 3, 2)
    assert doses(diary) == 0, "it uses up none of the new day's doses"


def test_a_night_worker_starts_the_day_when_they_do(diary: OpenDiary, phone: Phone) -> None:
    diary.database.keep_setting("day_starts_at_hour", 5)
    at(phone, SEOUL, 2026, 3, 2, 13, 0)  # 22:00 on 2 March
    take_dose(diary)
    at(phone, SEOUL, 2026, 3, 2, 19, 59)  # 04:59 on 3 March
    take_dose(diary)
    assert diary.today() == date(2026, 3, 2)
    assert doses(diary) == 2
    phone.clock.walk(minutes=1)
    assert diary.today() == date(2026, 3, 3)
    assert doses(diary) == 0


def test_without_a_setting_ten_past_midnight_is_still_the_evening(diary: OpenDiary, phone: Phone) -> None:
    diary.database.keep_setting("day_starts_at_hour", None)
    at(phone, SEOUL, 2026, 3, 2, 15, 10)  # 00:10 on 3 March
    take_dose(diary)
    assert doses(diary) == 1
    phone.clock.walk(hours=4)
    assert (diary.today(), doses(diary)) == (date(2026, 3, 3), 0)


def test_a_reading_of_three_in_the_morning_stands_after_the_evenings_on_the_chart(
    diary: OpenDiary, phone: Phone
) -> None:
    diary.database.keep_setting("day_starts_at_hour", 4)
    at(phone, SEOUL, 2026, 3, 2, 12, 0)  # 21:00 on 2 March
    blow(diary, "430").submit()
    phone.clock.walk(hours=6)  # 03:00 on 3 March, in the diary still the 2nd
    blow(diary, "310").submit()
    trends = Trends(diary)
    trends.show(7)
    evening, night = trends.readings
    assert night.at_day - evening.at_day == pytest.approx(6 / 24)
    assert night.words.startswith("Today 03:00")


@given(
    instant=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 (bounds)
    zone=st.sampled_from([SEOUL, TALLINN, "America/Los_Angeles", "Australia/Lord_Howe", "Pacific/Apia"]),
    hour=st.integers(0, 12),
)
def test_a_diary_day_is_never_more_than_one_from_the_calendar(instant: datetime, zone: str, hour: int) -> None:
    moment = moment_at(instant, zone, hour)
    behind = (moment.local.date() - moment.local_date).days
    assert behind == (1 if moment.local.hour < hour else 0)


@pytest.mark.parametrize("zone", [SEOUL, TALLINN])
def test_an_instant_survives_the_way_through_the_diary(diary: OpenDiary, phone: Phone, zone: str) -> None:
    at(phone, zone, 2026, 10, 25, 0, 30)
    entry = blow(diary).submit()
    kept = diary.journal.find("peak_flow", entry.id)
    assert kept is not None
    assert kept.entry.moment == entry.moment
