"""The account in words, and what a tap on the page does."""

from datetime import date, timedelta

from mobile_app.state.reminders import Reminders
from mobile_app.state.today import Today
from tests.phone.reminders.conftest import EVENING, MORNING, at
from tests.phone.reminders.simulated_phone import SimulatedPhone


def page_of(phone: SimulatedPhone) -> Reminders:
    phone.open()
    return Reminders(phone.diary, phone.keeper)


def test_the_last_fourteen_days_in_words(phone: SimulatedPhone) -> None:
    for day in range(14):
        phone.permissions.notifications = day != 5
        phone.walk_to(at("2026-03-02 15:00", "Asia/Seoul") + timedelta(days=day))
        phone.permissions.notifications = True
        phone.walk_to(at("2026-03-02 22:00", "Asia/Seoul") + timedelta(days=day))
        phone.open()
        phone.close()
    page = page_of(phone)
    assert page.account == ["27 of 28 reminders came.", "One missed: notifications were off."]
    assert page.silences == ["Saturday 7 March 08:00: one reminder missed, notifications were off."]


def test_a_flat_battery_is_one_silence_and_not_five(phone: SimulatedPhone) -> None:
    phone.walk(hours=14)
    phone.power_off()
    phone.walk(days=3)
    phone.power_on()
    page = page_of(phone)
    assert page.account == ["3 of 8 reminders came.", "5 missed: the phone was off."]
    assert page.silences == ["Tuesday 3 March 08:00 to Thursday 5 March 08:00: 5 reminders missed, the phone was off."]


def test_what_was_logged_before_its_time_was_not_needed(phone: SimulatedPhone) -> None:
    page = page_of(phone)
    line = page.today[0]
    undo = page.take(line)
    assert page.today[0].state == "Taken at 07:00"
    undo()
    assert page.today[0].state == "Will come"
    phone.log_dose(page.today[0].key.split(":")[1])
    phone.walk(hours=2)
    assert Reminders(phone.diary, phone.keeper).account == ["One was not needed: it was logged before."]


def test_times_show_week_and_weekend_and_give_back_plan_and_habit(phone: SimulatedPhone) -> None:
    page = page_of(phone)
    morning = next(line for line in page.times if line.key == MORNING)
    page.move(morning, 30, weekend=True)
    moved = next(line for line in page.times if line.key == MORNING)
    assert (moved.weekday, moved.weekend, moved.is_own) == ("08:00", "08:30", True)
    assert [line.text for line in page.times if line.key in (MORNING, EVENING)] == ["Symbicort · 1", "Symbicort · 2"]
    page.give_back(moved)
    assert not any(line.is_own for line in page.times)
    page.pause(7)
    assert len(page.times) == len([MORNING, EVENING]), "a pause hides no times"


def test_the_start_of_the_day_holds_for_diary_and_reminders_alike(phone: SimulatedPhone) -> None:
    page = page_of(phone)
    page.move_day_start(1)
    assert phone.diary.day_starts_at_hour == 5
    assert page.settings.day_starts_minute == 300
    phone.walk_to(at("2026-03-03 04:30", "Asia/Seoul"))
    assert phone.diary.today() == phone.keeper.day() == date(2026, 3, 2)


def test_a_pushed_reminder_is_no_news_and_a_silent_phone_leads_to_the_account(phone: SimulatedPhone) -> None:
    item = {"alert_id": None, "level": "info", "title": "t", "text": "x", "created_at": "2026-03-02T00:00:00Z"}
    for number, kind in enumerate(("reminder", "phone_silent")):
        phone.clinic.absorb({"inbox": [{**item, "id": str(number), "kind": kind, "resolved_at": None}]})
    news = [one for one in Today(phone.diary, phone.permissions).news if one.page != "plan"]
    assert [(one.text, one.page) for one in news] == [("t\nx", "reminders")]
