"""What the person does with a reminder, on the notification with Soom dead or inside Soom, counts once."""

from datetime import date, timedelta

import pytest

from mobile_app.data.ledger import Ledger
from tests.phone.conftest import CONTROLLER_ID
from tests.phone.reminders.conftest import EVENING, MORNING, at
from tests.phone.reminders.simulated_phone import SimulatedPhone

MONDAY = date(2026, 3, 2)
ALARM = f"{MORNING}@2026-03-02"


def doses(phone: SimulatedPhone) -> list[tuple[str, object]]:
    """Every dose in the diary: when, and how many puffs."""
    kept = phone.journal.between(MONDAY - timedelta(days=1), MONDAY + timedelta(days=3), ("inhaler_use",))
    return [(f"{one.entry.moment.local:%H:%M}", one.entry.value["puffs"]) for one in kept]


def test_taken_on_the_notification_becomes_a_dose_of_that_minute(phone: SimulatedPhone) -> None:
    phone.walk(hours=1, minutes=7)
    phone.press(ALARM, "taken")
    phone.walk(hours=5)
    phone.open()
    assert doses(phone) == [("08:07", 2)]
    row = phone.ledger.find(MORNING, MONDAY)
    assert row is not None
    assert (row.state, row.action, row.at) == ("acted", "taken", at("2026-03-02 08:07", "Asia/Seoul"))


def test_killed_before_the_system_heard_that_it_is_written_down_the_dose_still_counts_once(
    phone: SimulatedPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.walk(hours=1, minutes=1)
    phone.press(ALARM, "taken")

    def killed(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(phone.android, "settle", killed)
        with pytest.raises(KeyboardInterrupt):
            phone.open()
    phone.kill()
    phone.open()
    assert doses(phone) == [("08:01", 2)]
    assert phone.android.notes() == []


def test_killed_before_it_is_written_down_nothing_is_lost(
    phone: SimulatedPhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.walk(hours=1, minutes=1)
    phone.press(ALARM, "taken")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "put", killed)
        with pytest.raises(KeyboardInterrupt):
            phone.open()
    assert doses(phone) == []
    phone.kill()
    phone.open()
    assert doses(phone) == [("08:01", 2)]


def test_a_dose_that_was_taken_back_does_not_return_with_an_old_note(phone: SimulatedPhone) -> None:
    phone.walk(hours=1, minutes=1)
    phone.press(ALARM, "taken")
    notes = phone.android.notes()
    phone.open()
    entry = phone.journal.between(MONDAY, MONDAY, ("inhaler_use",))[0].entry
    phone.diary.delete(entry)
    for note in notes:
        phone.android.note(note.at, note.event, note.id)
    phone.keeper.look()
    assert doses(phone) == []


def test_snoozed_it_comes_back_after_a_quarter_of_an_hour_three_times(phone: SimulatedPhone) -> None:
    phone.walk(hours=1)
    for times in range(1, 4):
        phone.press(ALARM, "snooze")
        assert ALARM not in phone.android.shown
        phone.walk(minutes=16)
        assert ALARM in phone.android.shown
        assert phone.android.kept.get(ALARM) is None
        phone.open()
        row = phone.ledger.find(MORNING, MONDAY)
        assert row is not None
        assert (row.state, row.snoozed_times) == ("shown", times)
        phone.close()
    phone.press(ALARM, "taken")
    phone.open()
    assert phone.ledger.find(MORNING, MONDAY).action == "taken"  # type: ignore[union-attr]


def test_a_snoozed_reminder_goes_away_when_the_dose_is_logged(phone: SimulatedPhone) -> None:
    phone.walk(hours=1)
    phone.press(ALARM, "snooze")
    phone.open()
    phone.log_dose(CONTROLLER_ID)
    phone.close()
    phone.walk(hours=1)
    assert phone.android.shown == {}


def test_skipped_with_its_reason(phone: SimulatedPhone) -> None:
    phone.walk(hours=1)
    phone.press(ALARM, "skip")
    phone.android.note(phone.clock.now(), "skipped_ran_out", ALARM)
    phone.open()
    row = phone.ledger.find(MORNING, MONDAY)
    assert row is not None
    assert (row.state, row.action, row.skip_reason) == ("acted", "skipped", "ran_out")
    assert doses(phone) == []


def test_taken_inside_soom_and_taken_back_leaves_it_as_it_was(phone: SimulatedPhone) -> None:
    phone.walk(hours=1)
    phone.open()
    entry = phone.keeper.take(MORNING, MONDAY)
    assert entry is not None
    assert doses(phone) == [("08:00", 2)]
    phone.diary.delete(entry)
    assert phone.ledger.find(MORNING, MONDAY).state == "shown"  # type: ignore[union-attr]
    assert phone.keeper.take(MORNING, MONDAY) is not None
    assert doses(phone) == [("08:00", 2)]


def test_taken_ahead_of_time_and_taken_back_is_asked_for_again(phone: SimulatedPhone) -> None:
    phone.open()
    entry = phone.keeper.take(EVENING, MONDAY)
    assert entry is not None
    assert f"{EVENING}@2026-03-02" not in phone.android.waiting()
    phone.diary.delete(entry)
    assert phone.ledger.find(EVENING, MONDAY).state == "armed"  # type: ignore[union-attr]
    assert f"{EVENING}@2026-03-02" in phone.android.waiting()


def test_a_skip_can_be_undone(phone: SimulatedPhone) -> None:
    phone.open()
    undo = phone.keeper.skip(EVENING, MONDAY, "ill")
    assert phone.ledger.find(EVENING, MONDAY).skip_reason == "ill"  # type: ignore[union-attr]
    undo()
    phone.close()
    phone.walk(days=1)
    phone.open()
    assert phone.ledger.find(EVENING, MONDAY).state == "fired"  # type: ignore[union-attr]


def test_a_push_for_an_occurrence_counts_as_fired_and_silences_its_own_alarm(phone: SimulatedPhone) -> None:
    phone.walk(minutes=30)
    phone.android.receive_push("6b1f7d0e-0000-4000-8000-000000000009", ALARM)
    phone.open()
    assert phone.ledger.find(MORNING, MONDAY).state == "fired"  # type: ignore[union-attr]
    assert ALARM not in phone.android.waiting()
    assert [(one.event, one.message_id[:4]) for one in phone.ledger.push_receipts(9)] == [("received", "6b1f")]


def test_swept_away_means_seen(phone: SimulatedPhone) -> None:
    phone.walk(hours=1)
    phone.press(ALARM, "dismissed")
    phone.open()
    assert phone.ledger.find(MORNING, MONDAY).state == "shown"  # type: ignore[union-attr]


def test_the_alarms_of_another_diary_on_this_phone_are_left_alone(phone: SimulatedPhone) -> None:
    from mobile_app.state.reminders_keeper import ReminderKeeper

    other = ReminderKeeper(phone.diary, phone.android, phone.permissions, mark="b")
    phone.walk(hours=1)
    phone.press(ALARM, "taken")
    other.look()
    assert [note.event for note in phone.android.notes()] == ["shown", "taken"]
