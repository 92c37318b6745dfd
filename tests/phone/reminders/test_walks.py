"""Days in the life of a phone: whatever befalls it, every reminder ends fired, acted upon, or missed with a cause."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from mobile_app.state.reminders_habit import QuietHours
from mobile_app.state.reminders_schedule import PENDING_AT_MOST
from mobile_app.state.reminders_settings import OwnTime
from tests.phone.conftest import CONTROLLER_ID
from tests.phone.reminders.conftest import EVENING, MORNING, at, phone_in, signed_papers
from tests.phone.reminders.simulated_phone import SimulatedPhone

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


def outcome(phone: SimulatedPhone, key: str, day: date) -> tuple[str, str | None]:
    """What became of a reminder, and why or how."""
    row = phone.ledger.find(key, day)
    assert row is not None, f"nothing is known of {key} on {day}"
    return row.state, row.cause or row.action


def wake(phone: SimulatedPhone) -> None:
    phone.open()
    phone.close()


def test_a_reminder_fires_with_soom_closed_and_is_written_down_when_it_opens(phone: SimulatedPhone) -> None:
    phone.walk(hours=2)
    wake(phone)
    row = phone.ledger.find(MORNING, MONDAY)
    assert row is not None
    assert (row.state, row.at, row.fired_at) == ("fired", at("2026-03-02 08:00", "Asia/Seoul"), row.at)


def test_fourteen_days_and_no_more_than_sixty_alarms_are_armed() -> None:
    phone = phone_in("Asia/Seoul", "2026-03-02 07:00")
    assert len(phone.android.waiting()) == 28
    many = phone_in("Asia/Seoul", "2026-03-02 07:00", times=("06:00", "09:00", "12:00", "15:00", "18:00", "21:00"))
    assert len(many.android.waiting()) == PENDING_AT_MOST
    many.walk(days=1)
    wake(many)
    assert len(many.android.waiting()) == PENDING_AT_MOST


def test_a_dose_logged_before_its_time_is_not_asked_for(phone: SimulatedPhone) -> None:
    phone.open()
    phone.log_dose(CONTROLLER_ID)
    assert outcome(phone, MORNING, MONDAY) == ("acted", "already_logged")
    phone.walk(hours=3)
    assert phone.android.shown == {}
    assert phone.ledger.find(EVENING, MONDAY).state == "armed"  # type: ignore[union-attr]


def test_a_dose_at_five_to_midnight_logged_at_ten_past_belongs_to_the_evening(phone: SimulatedPhone) -> None:
    settings = phone.keeper.settings.read()
    assert settings is not None
    phone.keeper.settings.keep(settings.with_time(EVENING, OwnTime(23 * 60 + 55, 23 * 60 + 55)))
    phone.walk_to(at("2026-03-03 00:10", "Asia/Seoul"))
    phone.open()
    phone.log_dose(CONTROLLER_ID)
    assert outcome(phone, EVENING, MONDAY) == ("acted", "taken")
    assert phone.ledger.find(MORNING, TUESDAY).state == "armed"  # type: ignore[union-attr]


def test_a_night_workers_day_begins_when_they_say(phone: SimulatedPhone) -> None:
    settings = phone.keeper.settings.read()
    assert settings is not None
    night = replace(settings, day_starts_minute=12 * 60, quiet=QuietHours(9 * 60, 16 * 60))
    phone.keeper.settings.keep(
        night.with_time(MORNING, OwnTime(18 * 60, 18 * 60)).with_time(EVENING, OwnTime(360, 360))
    )
    phone.walk_to(at("2026-03-03 07:00", "Asia/Seoul"))
    phone.open()
    phone.log_dose(CONTROLLER_ID)
    assert outcome(phone, EVENING, MONDAY) == ("acted", "taken")


def test_spring_forward_moves_a_skipped_time_to_the_end_of_the_gap_and_no_other() -> None:
    phone = phone_in("Europe/Tallinn", "2026-03-28 12:00")
    settings = phone.keeper.settings.read()
    assert settings is not None
    phone.keeper.settings.keep(
        replace(settings, day_starts_minute=0).with_time(MORNING, OwnTime(3 * 60 + 30, 3 * 60 + 30))
    )
    wake(phone)
    due = {row.local_date: row.due_at for row in phone.account() if row.key == MORNING}
    assert due[date(2026, 3, 29)] == at("2026-03-29 04:00", "Europe/Tallinn")
    assert due[date(2026, 3, 30)] == at("2026-03-30 03:30", "Europe/Tallinn")
    phone.walk_to(at("2026-03-30 12:00", "Europe/Tallinn"))
    wake(phone)
    fired = [row.at for row in phone.account() if row.state == "fired" and row.key == EVENING]
    assert fired == [at(f"2026-03-{day} 20:00", "Europe/Tallinn") for day in (28, 29)]


def test_fall_back_rings_once_in_the_hour_that_comes_twice() -> None:
    phone = phone_in("Europe/Tallinn", "2026-10-24 12:00")
    settings = phone.keeper.settings.read()
    assert settings is not None
    phone.keeper.settings.keep(
        replace(settings, day_starts_minute=0).with_time(MORNING, OwnTime(3 * 60 + 30, 3 * 60 + 30))
    )
    wake(phone)
    phone.walk_to(at("2026-10-25 12:00", "Europe/Tallinn"))
    wake(phone)
    row = phone.ledger.find(MORNING, date(2026, 10, 25))
    assert row is not None
    assert (row.state, row.at.isoformat()) == ("fired", "2026-10-25T00:30:00+00:00")


def test_seoul_to_los_angeles_rings_each_dose_of_the_diary_once_at_the_time_on_the_wall(phone: SimulatedPhone) -> None:
    phone.walk_to(at("2026-03-03 18:00", "Asia/Seoul"))
    phone.fly("America/Los_Angeles")
    phone.walk_to(at("2026-03-04 12:00", "America/Los_Angeles"))
    wake(phone)
    fired = [(row.key, row.local_date.day) for row in phone.account() if row.state == "fired"]
    assert fired == [(MORNING, 2), (EVENING, 2), (MORNING, 3), (EVENING, 3), (MORNING, 4)]
    evening = phone.ledger.find(EVENING, TUESDAY)
    assert evening is not None
    assert evening.at == at("2026-03-03 20:00", "America/Los_Angeles")


def test_what_a_flight_skips_is_missed_because_of_the_zone() -> None:
    phone = phone_in("America/Los_Angeles", "2026-03-02 07:00")
    phone.fly("Asia/Seoul")
    wake(phone)
    assert outcome(phone, MORNING, MONDAY) == ("missed", "zone_changed")
    assert outcome(phone, EVENING, MONDAY) == ("missed", "zone_changed")


def test_a_reboot_loses_no_alarm(phone: SimulatedPhone) -> None:
    phone.reboot()
    phone.walk(hours=2)
    wake(phone)
    assert outcome(phone, MORNING, MONDAY) == ("fired", None)


def test_switched_on_within_two_hours_it_still_rings(phone: SimulatedPhone) -> None:
    phone.power_off()
    phone.walk_to(at("2026-03-02 09:30", "Asia/Seoul"))
    phone.power_on()
    wake(phone)
    row = phone.ledger.find(MORNING, MONDAY)
    assert row is not None
    assert (row.state, row.at) == ("fired", at("2026-03-02 09:30", "Asia/Seoul"))


def test_a_forced_stop_is_told_from_everything_else(phone: SimulatedPhone) -> None:
    phone.force_stop()
    phone.walk_to(at("2026-03-02 12:00", "Asia/Seoul"))
    wake(phone)
    assert outcome(phone, MORNING, MONDAY) == ("missed", "app_stopped")
    phone.walk_to(at("2026-03-02 21:00", "Asia/Seoul"))
    wake(phone)
    assert outcome(phone, EVENING, MONDAY) == ("fired", None)


def test_three_days_of_flat_battery_are_three_days_of_phone_off(phone: SimulatedPhone) -> None:
    phone.power_off()
    phone.walk(days=3)
    phone.power_on()
    wake(phone)
    causes = {(row.key, row.local_date): row.cause for row in phone.account() if row.state == "missed"}
    days = [MONDAY + timedelta(days=number) for number in range(3)]
    assert causes == {(key, day): "phone_off" for key in (MORNING, EVENING) for day in days}


def test_off_for_longer_than_alarms_were_planned_still_leaves_nothing_out(phone: SimulatedPhone) -> None:
    phone.power_off()
    phone.walk(days=20)
    phone.power_on()
    wake(phone)
    missed = [row for row in phone.account() if row.state == "missed"]
    assert len(missed) == 40
    assert {row.cause for row in missed} == {"phone_off"}


def test_what_gave_way_to_nearer_alarms_is_accounted_for_when_the_phone_was_off_at_its_time(
    phone: SimulatedPhone,
) -> None:
    six = ("06:00", "08:00", "12:00", "15:00", "18:00", "20:00")
    phone.receive(signed_papers(times=six, version=2))
    wake(phone)
    last_week = [phone.ledger.find(MORNING, MONDAY + timedelta(days=number)) for number in (11, 12, 13)]
    assert [row.state for row in last_week if row is not None] == ["cancelled"] * 3
    phone.power_off()
    phone.walk(days=20)
    phone.power_on()
    wake(phone)
    over = [row for row in phone.account() if row.due_at <= phone.clock.now() - timedelta(hours=6)]
    assert {(row.state, row.cause) for row in over} == {("missed", "phone_off")}
    assert len(over) == 20 * len(six)


def test_a_killed_app_rings_all_the_same(phone: SimulatedPhone) -> None:
    phone.open()
    phone.kill()
    phone.walk(days=1)
    wake(phone)
    assert outcome(phone, MORNING, MONDAY) == outcome(phone, EVENING, MONDAY) == ("fired", None)


def test_without_permission_it_says_so_instead_of_nothing(phone: SimulatedPhone) -> None:
    phone.permissions.notifications = False
    phone.walk(hours=2)
    wake(phone)
    assert outcome(phone, MORNING, MONDAY) == ("missed", "not_permitted")


def test_a_phone_that_sleeps_too_deeply_is_too_late(phone: SimulatedPhone) -> None:
    phone.android.late_by = timedelta(hours=3)
    phone.walk(hours=6)
    wake(phone)
    assert outcome(phone, MORNING, MONDAY) == ("missed", "too_late")


def test_a_clock_set_over_a_reminder_misses_it_and_set_back_brings_it_back_once(phone: SimulatedPhone) -> None:
    phone.turn_clock(timedelta(hours=5))
    wake(phone)
    assert outcome(phone, MORNING, MONDAY) == ("missed", "clock_changed")
    phone.turn_clock(timedelta(hours=-5))
    wake(phone)
    phone.walk(hours=2)
    wake(phone)
    assert outcome(phone, MORNING, MONDAY) == ("fired", None)


def test_a_clock_set_back_over_a_fired_reminder_does_not_fire_it_again(phone: SimulatedPhone) -> None:
    phone.walk(hours=2)
    wake(phone)
    phone.turn_clock(timedelta(hours=-2))
    wake(phone)
    phone.walk(hours=2)
    assert [note.event for note in phone.android.notes()] == []


def test_editing_never_fires_the_past_again(phone: SimulatedPhone) -> None:
    phone.walk(hours=2)
    phone.open()
    for plan_version, time in ((2, "09:30"), (3, "08:00"), (4, "11:00")):
        phone.receive(signed_papers(times=(time, "20:00"), version=plan_version))
    phone.close()
    phone.walk(hours=6)
    wake(phone)
    assert len([row for row in phone.account() if row.key == MORNING and row.local_date == MONDAY]) == 1
    assert outcome(phone, MORNING, MONDAY) == ("fired", None)


def test_a_reminder_moved_to_a_time_that_is_over_still_comes_today(phone: SimulatedPhone) -> None:
    phone.walk(hours=6)
    phone.open()
    settings = phone.keeper.settings.read()
    assert settings is not None
    phone.keeper.settings.keep(settings.with_time(EVENING, OwnTime(12 * 60, 12 * 60)))
    phone.close()
    phone.walk(hours=12)
    wake(phone)
    assert outcome(phone, EVENING, MONDAY) == ("fired", None)


def test_a_plan_that_arrives_later_in_the_day_asks_for_nothing_that_was_before() -> None:
    phone = SimulatedPhone()
    phone.clock.true_now = at("2026-03-02 12:00", "Asia/Seoul")
    phone.open()
    phone.receive(signed_papers())
    assert phone.ledger.find(MORNING, MONDAY) is None
    assert phone.ledger.find(EVENING, MONDAY).state == "armed"  # type: ignore[union-attr]


def test_a_pause_cancels_and_its_end_brings_back(phone: SimulatedPhone) -> None:
    settings = phone.keeper.settings.read()
    assert settings is not None
    phone.open()
    phone.keeper.settings.keep(replace(settings, paused_until=date(2026, 3, 5)))
    assert outcome(phone, MORNING, MONDAY) == ("cancelled", None)
    assert min(row.local_date for row in phone.account() if row.state == "armed") == date(2026, 3, 5)
    phone.keeper.settings.keep(settings)
    assert outcome(phone, MORNING, MONDAY) == ("armed", None)


def test_another_language_is_armed_anew_and_nothing_is_told_to_the_clinic_for_it(phone: SimulatedPhone) -> None:
    revisions = {row.id: row.revision for row in phone.account()}
    phone.language = "ko"
    phone.close()
    phone.open()
    assert {kept.alarm.title for kept in phone.android.kept.values()} == {"숨"}
    assert {row.id: row.revision for row in phone.account()} == revisions


def test_the_notification_says_nothing_of_asthma_unless_that_is_wanted(phone: SimulatedPhone) -> None:
    said = {word for kept in phone.android.kept.values() for word in (kept.alarm.title, kept.alarm.text)}
    assert not any("Symbicort" in words or "puff" in words for words in said)
    settings = phone.keeper.settings.read()
    assert settings is not None
    phone.open()
    phone.keeper.settings.keep(replace(settings, health_words_on_lock_screen=True))
    assert any("Symbicort" in kept.alarm.title for kept in phone.android.kept.values())


def test_an_alarm_that_was_called_off_while_soom_was_killed_stays_silent(
    phone: SimulatedPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = phone.keeper.settings.read()
    assert settings is not None

    def killed(_: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(phone.android, "cancel", killed)
        with pytest.raises(KeyboardInterrupt):
            phone.keeper.settings.keep(replace(settings, paused_until=date(2026, 3, 5)))
    phone.kill()
    wake(phone)
    phone.walk(hours=20)
    assert phone.android.shown == {}


@pytest.mark.parametrize("looks", [1, 3])
def test_looking_again_changes_nothing(phone: SimulatedPhone, looks: int) -> None:
    phone.walk(hours=2)
    phone.open()
    before = phone.account()
    for _ in range(looks):
        phone.keeper.look()
    assert phone.account() == before
