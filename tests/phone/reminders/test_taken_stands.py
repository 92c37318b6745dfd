"""A dose that was taken stays taken, whatever the plan, the zone or the diary day become afterwards."""

from tests.phone.reminders.conftest import MORNING, at, signed_papers
from tests.phone.reminders.simulated_phone import SimulatedPhone

ALARM = f"{MORNING}@2026-03-02"
OTHER_ID = "6f1f7c80-0000-4000-8000-0000000000aa"


def taken_at_eight(phone: SimulatedPhone) -> None:
    phone.walk(hours=1, minutes=7)
    phone.press(ALARM, "taken")
    phone.open()
    assert phone.states()[ALARM] == "acted"


def test_a_new_plan_with_another_inhaler_takes_no_dose_back(phone: SimulatedPhone) -> None:
    taken_at_eight(phone)
    changed = signed_papers(version=2, signed_at="2026-03-02T01:00:00Z")
    for one in (*changed["plan"]["prescriptions"], *changed["plan"]["reminders"]):
        one["inhaler_id"] = OTHER_ID
    phone.receive(changed)
    phone.walk(hours=3)
    phone.open()
    assert phone.states()[ALARM] == "acted"


def test_a_dose_pressed_after_a_flight_in_which_the_day_changed_stays_with_its_reminder(phone: SimulatedPhone) -> None:
    phone.walk(hours=1, minutes=7)
    phone.fly("America/Los_Angeles")
    phone.press(ALARM, "taken")
    phone.open()
    phone.walk(hours=2)
    phone.open()
    assert phone.states()[ALARM] == "acted"


def test_a_dose_deleted_from_the_diary_is_wanted_again(phone: SimulatedPhone) -> None:
    taken_at_eight(phone)
    [kept] = phone.journal.between(at("2026-03-01 12:00").date(), at("2026-03-03 12:00").date(), ("inhaler_use",))
    phone.diary.delete(kept.entry)
    assert phone.states()[ALARM] == "shown"
