"""Who may see the diary, by touch: consents, who saw it, a link for a doctor, carers; a new phone, a scanned code."""

from datetime import timedelta

from mobile_app.data.credentials import Invitation
from mobile_app.widgets.qr_code import QrCode
from tests.fakes.soom_server import SoomServerFake
from tests.phone.conftest import WalkedClock
from tests.phone.scenes import two_months
from tests.phone.screens.conftest import AskedOwner, CameraLinks, Permissions, Start
from tests.phone.screens.hand import Hand
from tests.phone.screens.test_every_page import research_use
from tests.phone.screens.test_journeys import blow

Clinic = tuple[SoomServerFake, str]


def test_consents_are_given_and_withdrawn_one_by_one_and_reach_the_clinic(
    enrolled: Hand, clinic: Clinic, start: Start
) -> None:
    fake, address = clinic
    enrolled.tap("More")
    enrolled.photo("more")
    enrolled.tap("My data")
    enrolled.photo("my_data")
    enrolled.tap("What I agree to")
    enrolled.tap("Use my data for research")
    enrolled.wait_for(lambda: fake.consents["research"]["given"], "the consent reaches the clinic")
    enrolled.wait_for(lambda: not enrolled.sees("when this phone is online"), "the phone knows that it is known")
    enrolled.photo("consents")
    enrolled.tap("Send my diary to my clinic")
    enrolled.wait_for(lambda: not fake.consents["care"]["given"], "the withdrawal reaches the clinic")
    enrolled.show("today")
    enrolled.tap("No symptoms")
    enrolled.wait_for(lambda: enrolled.sees("Sending is switched off"), "the phone says that sending is off")
    assert fake.versions == {}

    other = start(folder="new phone", invitation=Invitation(address, "SOOM-2468"))
    other.wait_for(lambda: other.app.diary.clinic.plan() is not None, "the plan arrives")
    other.show("consents")
    assert other.sees("Given: Today")
    assert other.sees("Taken back: Today")


def test_the_patient_reads_who_saw_the_diary_also_without_a_network(enrolled: Hand, clinic: Clinic) -> None:
    fake, _ = clinic
    fake.accesses = [
        {"on": "2026-03-02", "role": "clinician", "name": "Dr. Kim", "times": 3},
        {"on": "2026-02-27", "role": "guest", "name": "Dr. Lee", "times": 1},
    ]
    enrolled.show("my_data")
    enrolled.tap("Who saw my data")
    enrolled.wait_for(lambda: enrolled.sees("Dr. Kim, of your clinic · 3 times"), "the list arrives")
    assert enrolled.sees("Dr. Lee, by your link · once")
    enrolled.photo("who_saw")
    fake.lose_answers = 1_000
    enrolled.show("who_saw")
    assert enrolled.sees("Dr. Kim, of your clinic · 3 times")
    enrolled.wait_for(lambda: enrolled.sees("cannot be reached now"), "the phone says that this is the last answer")


def test_the_patient_reads_what_the_diary_was_used_for_and_changes_what_may_follow(
    enrolled: Hand, clinic: Clinic
) -> None:
    fake, _ = clinic
    enrolled.show("my_data")
    enrolled.tap("What my data was used for")
    enrolled.wait_for(lambda: enrolled.sees("No study and no training round"), "the empty ledger arrives")
    fake.research_uses = [
        research_use("study", "research", 2),
        research_use("training_round", "federated_learning", 1),
    ]
    enrolled.show("research_uses")
    enrolled.wait_for(lambda: enrolled.sees("The study “Peak flow before attacks” used your diary"), "a study arrives")
    assert enrolled.sees("Friday 20 February 2026 to Friday 27 February 2026 · 2 times")
    assert enrolled.sees("You had agreed to research.")
    assert enrolled.sees("What it was for: A forecast of attacks for every hospital.")
    assert enrolled.sees("You do not agree to research: no later study uses your diary.")
    enrolled.photo("research_uses")
    enrolled.tap("What I agree to")
    enrolled.tap("Use my data for research")
    fake.lose_answers = 1_000
    enrolled.show("research_uses")
    assert enrolled.sees("Peak flow before attacks")
    assert enrolled.sees("You agree to research: later studies may use your diary.")
    enrolled.wait_for(lambda: enrolled.sees("cannot be reached now"), "the phone says that this is the last answer")


def test_a_link_for_a_doctor_is_made_shown_as_a_code_and_ended(enrolled: Hand, clinic: Clinic) -> None:
    fake, _ = clinic
    enrolled.show("my_data")
    enrolled.tap("Show a doctor")
    enrolled.wait_for(lambda: not enrolled.sees("Asking your clinic"), "the list of links arrives")
    enrolled.type("For whom, in your words", "Dr. Lee")
    enrolled.tap("1 day")
    enrolled.photo("links")
    enrolled.tap("Make a link")
    enrolled.wait_for(lambda: enrolled.sees("Let the doctor scan this."), "the link is shown")
    [code] = [one for one in enrolled.everything() if isinstance(one, QrCode)]
    assert code.text.startswith("https://soom.clinic.example/shared/")
    assert enrolled.sees("Dr. Lee")
    enrolled.photo("link")
    enrolled.tap("End this link now")
    enrolled.wait_for(lambda: enrolled.sees("The link no longer opens"), "the clinic ends it")
    assert fake.links == []
    assert not enrolled.sees("Dr. Lee")


def test_a_carer_helps_on_a_second_phone_and_can_be_shut_out(enrolled: Hand, clinic: Clinic, start: Start) -> None:
    fake, address = clinic
    enrolled.show("carers")
    enrolled.wait_for(lambda: not enrolled.sees("Asking your clinic"), "the list arrives")
    enrolled.tap("Code for a carer's phone")
    enrolled.wait_for(lambda: enrolled.sees("CARE-2468"), "the code is shown")
    enrolled.photo("carer_code")

    carer = start(folder="carer", invitation=Invitation(address, "CARE-2468"))
    carer.wait_for(lambda: carer.sees("You help Minji with this diary"), "the carer's phone knows its role")
    carer.tap("Taken")
    assert not carer.sees("Undo")
    carer.wait_for(lambda: len(fake.versions) == 1, "the dose reaches the clinic")
    carer.photo("today_carer")
    carer.tap("Diary")
    carer.frames(6)
    carer.tap("2 puffs")
    assert carer.sees("A carer's phone cannot correct or delete.")
    assert not carer.sees("Delete")
    carer.photo("entry_carer")
    carer.show("my_data")
    assert not carer.sees("Who saw my data")

    owner = start()
    owner.show("carers")
    owner.wait_for(lambda: owner.sees("test phone"), "the carer's phone is listed")
    owner.tap("Remove this phone")
    assert fake.carers
    owner.tap("Yes, shut it out now")
    owner.wait_for(lambda: not fake.carers, "the carer is shut out")


def test_a_new_phone_brings_the_same_diary_back(enrolled: Hand, clinic: Clinic, start: Start) -> None:
    fake, address = clinic
    two_months(enrolled.app.diary, days=20)
    enrolled.app.request_sync()
    enrolled.wait_for(lambda: enrolled.app.diary.journal.outbox_count().waiting == 0, "everything is sent")
    before = enrolled.app.diary.journal.digest()
    new = start(folder="new phone")
    new.tap("Continue")
    new.tap("I understand")
    new.tap("Send my diary to my clinic")
    new.tap("Continue")
    new.type("Code from your clinic", "SOOM-2468")
    new.type("Clinic's address", address)
    new.tap("Connect")
    new.wait_for(lambda: new.app.diary.journal.digest() == before, "the diary is the same")
    new.tap("To my diary")
    new.tap("Diary")
    new.photo("restored")
    assert len(fake.versions) > 50


def test_the_camera_fills_in_the_code_and_connecting_stays_a_touch(
    start: Start, clinic: Clinic, links: CameraLinks
) -> None:
    fake, address = clinic
    links.link = f"soom://enrol?code=SOOM-2468&server={address}"
    hand = start()
    assert hand.sees("Read from the square code")
    hand.photo("enrol_camera")
    assert fake.requests == []
    hand.tap("Connect")
    hand.wait_for(lambda: hand.sees("Almost there"), "the phone is enrolled")
    hand.tap("To my diary")
    hand.wait_for(lambda: hand.sees("Hello, Minji"), "Today greets by name")
    links.link = "https://elsewhere.example"
    hand.app.on_resume()
    hand.frames()
    assert hand.sees("Hello, Minji")


def test_the_owners_finger_opens_and_another_leaves_the_pin(start: Start, owner: AskedOwner) -> None:
    owner.has_sensor, owner.fits = True, False
    hand = start(welcomed=True)
    hand.show("people")
    hand.type("Four digits", "2468")
    hand.tap("Set the PIN")
    locked = start(welcomed=True)
    locked.tap("Use finger or face")
    assert owner.asked == ["Open Soom"]
    assert locked.sees("Locked")
    locked.photo("locked")
    owner.fits = True
    locked.tap("Use finger or face")
    assert locked.sees("Start with a peak flow")


def test_the_language_changes_everywhere_at_once(enrolled: Hand) -> None:
    enrolled.tap("More")
    enrolled.tap("Settings")
    enrolled.tap("한국어")
    enrolled.photo("settings_ko")
    enrolled.show("today")
    enrolled.photo("today_ko")
    assert enrolled.sees("증상 없음")
    enrolled.show("preferences")
    enrolled.tap("Eesti")
    enrolled.show("today")
    assert enrolled.sees("Sümptomeid ei ole")
    assert not enrolled.sees("No symptoms")


def test_the_plan_says_in_the_clinics_words_what_is_new_and_lists_medicines_and_reminders(
    enrolled: Hand, clinic: Clinic
) -> None:
    from tests.phone.screens.test_every_page import plan_with_everything

    fake, _ = clinic
    fake.publish(plan=plan_with_everything())
    enrolled.tap("Plan")
    enrolled.app.request_sync()
    enrolled.wait_for(lambda: enrolled.sees("Personal best 520 instead of 500 L/min"), "the new plan is shown")
    assert enrolled.sees("1 inhalation twice a day, and 1 when needed")
    assert enrolled.sees("07:30")
    enrolled.tall_photo("plan_everything")


def test_what_usually_comes_before_and_the_triggers_are_one_touch_from_trends(
    enrolled: Hand, clock: WalkedClock
) -> None:
    diary = enrolled.app.diary
    two_months(diary, days=120)
    for days_ago in (100, 70, 45, 9):
        onset = clock.now() - timedelta(days=days_ago)
        diary.record("attack", {"systemic_steroids": True, "source": "self"}, diary.moment(onset))
        cold = diary.moment(onset - timedelta(days=2))
        diary.record("trigger", {"trigger": "infection", "note": None}, cold)
    diary.record("trigger", {"trigger": "pollen", "note": None}, diary.moment(clock.now() - timedelta(days=4)))
    enrolled.tap("Trends")
    enrolled.tap("3 months")
    enrolled.tall_photo("trends_triggers")
    enrolled.tap("What usually comes before")
    assert enrolled.sees("Cold or flu")
    assert enrolled.sees("Before 4 of")
    enrolled.photo("precursors")


def test_a_new_inhaler_keeps_its_date_and_warns_before_it_ends(enrolled: Hand, clock: WalkedClock) -> None:
    enrolled.show("medicines")
    enrolled.tap("I begin a new one")
    enrolled.tap("120 puffs")
    plus = next(one for one in enrolled.everything() if getattr(one, "icon", "") == "plus")
    enrolled.tap_widget(plus)
    assert enrolled.sees("March 2027")
    enrolled.photo("new_inhaler")
    enrolled.tap("Begin this one")
    assert enrolled.sees("About 120 puffs left, by your entries\nUse by March 2027.")
    clock.walk(days=380)
    enrolled.show("medicines")
    assert enrolled.sees("Use by March 2027: time for a new one.")
    enrolled.photo("medicines")


def test_each_maker_hides_the_battery_setting_elsewhere_and_soom_says_where(
    start: Start, reliability: Permissions
) -> None:
    reliability.given["battery"] = False
    hand = start(welcomed=True)
    hand.tap("Warnings may not reach you")
    assert hand.sees("Never sleeping apps: add Soom")
    hand.photo("reliability_samsung")


def test_the_third_blow_is_best_and_the_cough_is_questioned(enrolled: Hand) -> None:
    enrolled.tap("Peak flow")
    blow(enrolled, "430250460")
    assert enrolled.sees("A cough?")
    enrolled.tap("Save")
    assert enrolled.sees("460 L/min")
