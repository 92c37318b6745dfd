from mobile_app.widgets.press import Digit
from tests.fakes.soom_server import SoomServerFake
from tests.phone.conftest import WalkedClock
from tests.phone.screens.conftest import Start
from tests.phone.screens.hand import Hand

Clinic = tuple[SoomServerFake, str]


def blow(hand: Hand, digits: str) -> None:
    for digit in digits:
        key = next(one for one in hand.everything() if isinstance(one, Digit) and one.label == digit)
        hand.tap_widget(key)


def test_a_patient_joins_with_the_code_from_the_clinic(start: Start, clinic: Clinic) -> None:
    _, address = clinic
    hand = start()
    hand.photo("enrol")
    hand.type("Code from your clinic", "soom 2468")
    hand.type("Clinic's address", address)
    hand.tap("Connect")
    hand.wait_for(lambda: hand.sees("Hello, Minji"), "Today greets by name")
    hand.tall_photo("today_first")


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
    from tests.phone.scenes import two_months

    two_months(enrolled.app.diary)
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
