import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from mobile_app.data.clinic import Inhaler
from mobile_app.locales import LANGUAGES
from mobile_app.state.medicines import Medicines, NewInhaler
from mobile_app.state.open_diary import OpenDiary
from tests.phone.conftest import CONTROLLER_ID, RELIEVER_ID, Phone

# Every way of inhaling in the clinic's list of medicines, which names it on each line as `device`.
LIST = Path(__file__).parents[2] / "backend" / "clinical" / "medicines.toml"
DEVICES = sorted({*re.findall(r'^device = "(\w+)"', LIST.read_text(encoding="utf-8"), re.MULTILINE), "pmdi_spacer"})


def inhaler(diary: OpenDiary, inhaler_id: str = RELIEVER_ID) -> Inhaler:
    return next(one for one in diary.clinic.inhalers() if one.id == inhaler_id)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("device", DEVICES)
def test_every_device_that_a_clinic_prescribes_has_its_own_steps(diary: OpenDiary, device: str, language: str) -> None:
    diary.wording.language = language
    assert len(DEVICES) >= 4
    steps = Medicines(diary).technique(replace(inhaler(diary), device=device, name="X"))
    assert len(steps) >= 6, "an unknown device has one line that sends to the pharmacist"
    assert len(set(steps)) == len(steps)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Symbicort Turbuhaler", "Twist the base"),
        ("Seretide Diskus", "slide the lever"),
        ("Relvar Ellipta", "Open the cover"),
        ("Onbrez Breezhaler", "Put one capsule in"),
        ("Some powder", "Load the dose as your inhaler needs it."),
    ],
)
def test_each_powder_inhaler_is_loaded_in_its_own_way(diary: OpenDiary, name: str, says: str) -> None:
    steps = Medicines(diary).technique(replace(inhaler(diary), device="dpi", name=name))
    assert says in steps[0]


def test_the_date_on_the_package_warns_a_month_ahead_and_when_it_has_passed(diary: OpenDiary, phone: Phone) -> None:
    fresh = NewInhaler(diary, inhaler(diary))
    fresh.move_expiry(1)
    assert fresh.expiry_words == "March 2027"
    for _ in range(60):
        fresh.move_expiry(-1)
    assert fresh.expires_on == date(2026, 3, 31), "never before this month"
    fresh.move_expiry(1)
    fresh.choose(200)
    assert fresh.begin()
    medicines = Medicines(diary)
    [card] = [one for one in medicines.cards if one.inhaler.id == RELIEVER_ID]
    assert (card.left, card.needs_refill) == ("About 200 puffs left, by your entries\nUse by April 2026.", False)
    phone.clock.walk(days=40)
    [card] = [one for one in medicines.cards if one.inhaler.id == RELIEVER_ID]
    assert card.left.endswith("Use by April 2026: time for a new one.")
    assert card.needs_refill
    phone.clock.walk(days=30)
    [card] = [one for one in medicines.cards if one.inhaler.id == RELIEVER_ID]
    assert card.left.endswith("It has passed its date.")


def test_without_its_puffs_nothing_is_begun(diary: OpenDiary) -> None:
    assert not NewInhaler(diary, inhaler(diary)).begin()
    assert Medicines(diary).puffs_left(inhaler(diary)) is None


def test_puffs_left_are_counted_from_the_day_it_was_begun_and_a_refill_is_due_a_week_ahead(
    diary: OpenDiary, phone: Phone
) -> None:
    use = {"inhaler_id": CONTROLLER_ID, "puffs": 2, "purpose": "maintenance", "source": "logged"}
    diary.record("inhaler_use", use)
    phone.clock.walk(minutes=1)
    Medicines(diary).start_new(CONTROLLER_ID, 60, None)
    for _ in range(14):
        phone.clock.walk(hours=12)
        diary.record("inhaler_use", use)
    medicines, symbicort = Medicines(diary), inhaler(diary, CONTROLLER_ID)
    assert medicines.puffs_left(symbicort) == 32
    phone.clock.walk(hours=12)
    for _ in range(2):
        diary.record("inhaler_use", use)
    [card] = [one for one in medicines.cards if one.inhaler.id == CONTROLLER_ID]
    assert card.left == "About 28 puffs left. Time for a new one."
    assert card.needs_refill
