from datetime import timedelta

from mobile_app.theme import DARK, look
from mobile_app.widgets.press import Choice, Digit
from tests.fakes.soom_server import SoomServerFake
from tests.phone.conftest import WalkedClock, plan_wire
from tests.phone.scenes import two_months
from tests.phone.screens.conftest import Permissions, Start
from tests.phone.screens.hand import Hand

Clinic = tuple[SoomServerFake, str]


def blow(hand: Hand, digits: str) -> None:
    for digit in digits:
        key = next(one for one in hand.everything() if isinstance(one, Digit) and one.label == digit)
        hand.tap_widget(key)


def test_a_patient_begins_with_the_code_from_the_clinic(start: Start, clinic: Clinic) -> None:
    _, address = clinic
    hand = start()
    hand.photo("welcome")
    hand.tap("한국어")
    assert hand.sees("숨에 오신 것을 환영합니다")
    hand.photo("welcome_ko")
    hand.tap("English")
    hand.tap("Continue")
    hand.photo("intended_use")
    hand.tap("I understand")
    hand.photo("consent")
    hand.tap("Send my diary to my clinic")
    hand.tap("Continue")
    hand.photo("enrol")
    hand.type("Code from your clinic", "soom 2468")
    hand.type("Clinic's address", address)
    hand.tap("Connect")
    hand.wait_for(lambda: hand.sees("Almost there"), "the last page of the first run")
    hand.type("Name on the meter", "Mini-Wright")
    hand.tap("EU scale")
    hand.photo("first_steps")
    hand.tap("To my diary")
    hand.wait_for(lambda: hand.sees("Hello, Minji"), "Today greets by name")
    assert hand.app.diary.meter_scale == "eu"
    hand.tall_photo("today_first")


def test_without_consent_soom_works_and_sends_nothing(start: Start, clinic: Clinic) -> None:
    fake, _ = clinic
    hand = start()
    hand.tap("150%")
    assert look.text_scale == 1.5
    hand.tap("100%")
    hand.tap("Continue")
    hand.tap("I understand")
    hand.tap("Continue")
    hand.tap("To my diary")
    hand.tap("No symptoms")
    assert hand.sees("Saved on this phone. Not connected to a clinic.")
    assert fake.requests == []


def test_the_doctor_gets_one_page_and_the_table_holds_everything(enrolled: Hand) -> None:
    diary = enrolled.app.diary
    two_months(diary)
    enrolled.show("more")
    enrolled.tap("My data")
    enrolled.tap("One page for my doctor (PDF)")
    assert enrolled.sees(".pdf")
    folder = diary.database.path.parents[2] / "export"
    [page] = folder.glob("*.pdf")
    assert page.read_bytes().startswith(b"%PDF")
    enrolled.tap("Everything as a table (CSV)")
    [table] = folder.glob("*.csv")
    kept = diary.database.connection.execute("SELECT count(*) FROM entry WHERE deleted = 0").fetchone()[0]
    assert len(table.read_text(encoding="utf-8-sig").splitlines()) == kept + 1


def test_deleting_everything_asks_twice_and_leaves_no_diary(enrolled: Hand) -> None:
    path = enrolled.app.diary.database.path
    enrolled.tap("No symptoms")
    enrolled.show("my_data")
    enrolled.tap("Delete")
    assert path.exists()
    enrolled.tap("Yes, delete everything")
    assert enrolled.sees("Welcome to Soom")
    assert enrolled.app.diary.journal.latest("symptoms") is None


def test_the_monthly_check_tells_the_result_by_ginas_questions(enrolled: Hand, clinic: Clinic) -> None:
    fake, _ = clinic
    enrolled.show("control_check")
    choices = [one for one in enrolled.everything() if isinstance(one, Choice)]
    for number, choice in enumerate([*choices[0:6:2], choices[7]]):
        assert choice.label == ("Yes" if number == 3 else "No")
        enrolled.tap_widget(choice)
    assert enrolled.sees("Partly controlled")
    enrolled.photo("control_check")
    enrolled.tap("Save")
    enrolled.wait_for(lambda: len(fake.versions) == 1, "the answers arrive")
    [kept] = fake.versions.values()
    assert kept["body"]["instrument"] == "control_check"
    assert sum(kept["body"]["answers"].values()) == 1


def test_a_new_plan_shows_what_changed_and_the_receipt_reaches_the_clinic(enrolled: Hand, clinic: Clinic) -> None:
    fake, _ = clinic
    enrolled.tap("A new plan from Dr. Kim. Please read it.")
    enrolled.tap("I have read it")
    enrolled.wait_for(lambda: len(fake.versions) == 1, "the first receipt arrives")
    fake.publish(plan=plan_wire(2, red_below_litres_per_min=275))
    enrolled.app.request_sync()
    enrolled.wait_for(lambda: enrolled.sees("Red below 275 instead of 250 L/min"), "the difference is shown")
    enrolled.photo("plan_new")
    enrolled.tap("I have read it")
    enrolled.wait_for(lambda: len(fake.versions) == 2, "both receipts arrive")
    assert {one["body"]["plan_version"] for one in fake.versions.values()} == {1, 2}


def test_a_family_of_three_keeps_three_diaries_apart(enrolled: Hand) -> None:
    enrolled.tap("No symptoms")
    for name in ("Jun", "Hana"):
        enrolled.show("people")
        enrolled.type("Name", name)
        enrolled.tap("Begin a diary for this person")
        assert enrolled.sees("Your diary and your clinic")
    enrolled.show("people")
    enrolled.photo("people")
    assert enrolled.app.diary.journal.latest("symptoms") is None
    enrolled.tap("Diary 1")
    assert enrolled.app.diary.journal.latest("symptoms") is not None
    assert enrolled.sees("Hello, Minji")


def test_the_pin_keeps_others_out_but_never_from_help(start: Start) -> None:
    hand = start(welcomed=True)
    hand.show("people")
    hand.type("Four digits", "2468")
    hand.tap("Set the PIN")
    locked = start(welcomed=True)
    locked.photo("locked")
    assert locked.sees("Locked")
    locked.tap("Help now")
    assert locked.sees("Call 119")
    assert locked.app.frame is not None
    locked.app.frame.back()
    locked.frames()
    blow(locked, "1111")
    assert locked.sees("That was not the PIN.")
    blow(locked, "2468")
    assert locked.sees("Start with a peak flow")


def test_a_back_dated_correction_and_a_deletion_with_undo(enrolled: Hand) -> None:
    enrolled.tap("Peak flow")
    blow(enrolled, "410")
    enrolled.tap("When")
    enrolled.tap("-1 h")
    enrolled.tap("Done")
    enrolled.tap("Save")
    enrolled.tap("Diary")
    enrolled.frames(6)
    enrolled.tap("410 L/min")
    enrolled.tap("Blow 2")
    blow(enrolled, "455")
    enrolled.photo("correct")
    enrolled.tap("Save")
    enrolled.frames(6)
    enrolled.tap("455 L/min")
    enrolled.tap("Delete")
    enrolled.frames(6)
    assert not enrolled.sees("455 L/min")
    enrolled.tap("Undo")
    enrolled.frames(6)
    assert enrolled.sees("455 L/min")


def test_a_taken_dose_can_be_undone(enrolled: Hand) -> None:
    enrolled.tap("Taken")
    assert enrolled.sees("1 of 2 taken today")
    enrolled.photo("dose_taken")
    enrolled.tap("Undo")
    assert enrolled.sees("0 of 2 taken today")


def test_large_text_and_dark_are_chosen_by_touch(start: Start) -> None:
    hand = start(welcomed=True)
    hand.tap("More")
    hand.tap("Settings")
    hand.tap("200%")
    hand.tap("Dark")
    hand.photo("settings_large_dark")
    assert look.text_scale == 2.0
    assert look.palette is DARK


def test_a_green_reading_shows_its_zone_and_reaches_the_clinic(enrolled: Hand, clinic: Clinic) -> None:
    fake, _ = clinic
    enrolled.tap("Peak flow")
    enrolled.photo("peak_flow_empty")
    blow(enrolled, "430460445")
    assert enrolled.sees("Green zone")
    enrolled.photo("peak_flow_green")
    enrolled.tap("Save")
    assert enrolled.sees("460 L/min")
    enrolled.wait_for(lambda: len(fake.versions) == 1, "the reading arrives")
    enrolled.photo("today_green")
    [sent] = fake.versions.values()
    assert sent["body"]["blows_litres_per_min"] == [430, 460, 445]
    assert sent["body"]["action_zone"] == "green"


def test_symptoms_with_a_warning_sign_lead_to_help(enrolled: Hand) -> None:
    enrolled.tap("Symptoms")
    enrolled.photo("symptoms")
    enrolled.tap("I cannot speak a whole sentence")
    assert enrolled.sees("These are warning signs")
    enrolled.photo("symptoms_red_flag")
    enrolled.tap("These are warning signs")
    assert enrolled.app.frame is not None
    assert enrolled.app.frame.page_name == "emergency"
    enrolled.tap("I took a puff")
    enrolled.photo("emergency")


def test_trends_and_diary_look_right_after_two_months(enrolled: Hand, clock: WalkedClock) -> None:
    two_months(enrolled.app.diary, days=300)
    enrolled.app.diary.record(
        "attack",
        {"systemic_steroids": True, "source": "self"},
        enrolled.app.diary.moment(clock.now() - timedelta(days=20)),
    )
    enrolled.tap("Trends")
    enrolled.tall_photo("trends")
    enrolled.tap("1 week")
    enrolled.photo("trends_week")
    enrolled.tap("1 year")
    enrolled.photo("trends_year")
    enrolled.tap("Diary")
    enrolled.photo("diary")


def test_puffs(enrolled: Hand) -> None:
    enrolled.tap("Puffs")
    enrolled.photo("puffs")
    enrolled.tap("Now")
    enrolled.photo("when")


def test_a_red_zone_reading_at_night_without_a_network_warns_at_once_and_arrives_later(
    enrolled: Hand, clinic: Clinic, clock: WalkedClock
) -> None:
    fake, _ = clinic
    fake.lose_answers = 1_000
    clock.walk(hours=10)
    enrolled.tap("Peak flow")
    blow(enrolled, "210230220")
    assert enrolled.sees("Red zone")
    enrolled.photo("peak_flow_red")
    enrolled.tap("Save")
    assert enrolled.sees("Call 119")
    enrolled.photo("emergency_red_zone")
    enrolled.app.frame.back()  # type: ignore[union-attr]
    enrolled.frames()
    assert enrolled.sees("Get help now")
    enrolled.wait_for(lambda: enrolled.sees("1 waiting for a connection"), "the phone says that the reading waits")
    enrolled.photo("today_red")
    fake.lose_answers = 0
    enrolled.app.request_sync()
    enrolled.wait_for(lambda: enrolled.sees("All saved and sent"), "the reading is sent")
    [arrived] = fake.versions.values()
    assert arrived["body"]["action_zone"] == "red"


def test_a_phone_that_holds_back_warnings_says_so_and_leads_to_the_setting(
    start: Start, reliability: Permissions
) -> None:
    reliability.given["exact_alarms"] = False
    hand = start(welcomed=True)
    hand.tap("Warnings may not reach you")
    hand.photo("reliability")
    hand.tap("Open the setting")
    assert reliability.opened == ["exact_alarms"]
    reliability.given["exact_alarms"] = True
    hand.show("today")
    assert not hand.sees("Warnings may not reach you")
