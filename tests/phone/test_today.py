from datetime import timedelta

import pytest

from mobile_app.data.entries import Entry
from mobile_app.data.sync import SyncReport
from mobile_app.device.desktop import NothingInTheWay
from mobile_app.locales import Wording
from mobile_app.state.day_list import DayList
from mobile_app.state.emergency import Emergency, emergency_number
from mobile_app.state.enrolment import Enrolment, normal_code
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.sync_truth import SyncTruth, Truth
from mobile_app.state.today import Today
from mobile_app.state.trends import Trends
from tests.phone.conftest import CONTROLLER_ID, RELIEVER_ID, Phone, papers, plan_wire
from tests.phone.scenes import two_months


def measure(diary: OpenDiary, litres_per_min: int) -> Entry:
    plan = diary.clinic.plan()
    zone = plan.zone_of(litres_per_min) if plan else None
    return diary.record("peak_flow", {"blows_litres_per_min": [litres_per_min], "action_zone": zone})


def flag(diary: OpenDiary, red_flag: str) -> Entry:
    return diary.record("symptoms", {"red_flags": [red_flag], "severity": None})


def test_without_a_reading_today_shows_the_last_one_and_no_zone(diary: OpenDiary, phone: Phone) -> None:
    measure(diary, 410)
    phone.clock.walk(days=1)
    card = Today(diary, NothingInTheWay()).zone_card
    assert (card.zone, card.headline) == ("none", "No peak flow yet today")
    assert card.detail == "Last: 410 L/min · Yesterday · Green zone"


@pytest.mark.parametrize(("litres_per_min", "zone"), [(400, "green"), (399, "yellow"), (250, "yellow"), (249, "red")])
def test_today_shows_the_zone_of_the_last_reading_with_the_plans_steps(
    diary: OpenDiary, litres_per_min: int, zone: str
) -> None:
    measure(diary, litres_per_min)
    card = Today(diary, NothingInTheWay()).zone_card
    assert card.zone == zone
    assert card.steps == papers()["plan"]["instructions"][zone]
    assert card.is_emergency is (zone == "red")


def test_a_green_reading_never_takes_back_a_warning_sign(diary: OpenDiary, phone: Phone) -> None:
    flag(diary, "blue_lips")
    phone.clock.walk(hours=2)
    measure(diary, 480)
    card = Today(diary, NothingInTheWay()).zone_card
    assert card.zone == "red"
    assert card.is_emergency
    assert "blue lips" in card.detail


def test_a_warning_sign_stands_over_midnight_and_ends_after_a_day(diary: OpenDiary, phone: Phone) -> None:
    flag(diary, "reliever_not_helping")
    phone.clock.walk(hours=23)
    assert Today(diary, NothingInTheWay()).zone_card.is_emergency
    phone.clock.walk(hours=2)
    assert not Today(diary, NothingInTheWay()).zone_card.is_emergency


def test_a_better_reading_ends_a_red_zone(diary: OpenDiary, phone: Phone) -> None:
    measure(diary, 200)
    phone.clock.walk(hours=1)
    measure(diary, 430)
    assert Today(diary, NothingInTheWay()).zone_card.zone == "green"


def test_a_deleted_warning_is_gone(diary: OpenDiary) -> None:
    diary.delete(flag(diary, "blue_lips"))
    assert not Today(diary, NothingInTheWay()).zone_card.is_emergency


def test_a_puff_is_one_tap_and_can_be_taken_back(diary: OpenDiary) -> None:
    today = Today(diary, NothingInTheWay())
    assert today.log_puff(RELIEVER_ID) == "1 puff of Ventolin saved"
    assert today.relievers[0].puffs_today == 1
    today.undo()
    assert today.relievers[0].puffs_today == 0
    assert today.relievers[0].text == "No puffs today"


def test_the_ceiling_warns_before_it_is_reached_and_leads_to_help_when_it_is(diary: OpenDiary) -> None:
    today = Today(diary, NothingInTheWay())
    levels = []
    for _ in range(12):
        today.log_puff(RELIEVER_ID)
        levels.append(today.relievers[0].ceiling)
    assert levels == [None] * 7 + ["near"] * 4 + ["reached"]
    assert "12 puffs" in today.relievers[0].ceiling_text


def test_a_recalled_total_is_not_added_to_counted_puffs(diary: OpenDiary) -> None:
    today = Today(diary, NothingInTheWay())
    today.log_puff(RELIEVER_ID)
    diary.record("inhaler_use", {"inhaler_id": RELIEVER_ID, "puffs": 4, "source": "day_recall", "purpose": "relief"})
    today.refresh()
    assert today.relievers[0].puffs_today == 4


def test_doses_are_counted_and_never_above_the_prescription(diary: OpenDiary) -> None:
    today = Today(diary, NothingInTheWay())
    [card] = today.doses
    assert (card.inhaler.id, card.taken, card.expected) == (CONTROLLER_ID, 0, 2)
    for _ in range(3):
        today.take_dose(card.inhaler)
    assert (today.doses[0].taken, today.doses[0].complete) == (2, True)


def test_the_check_in_is_one_tap_when_well(diary: OpenDiary) -> None:
    today = Today(diary, NothingInTheWay())
    assert not today.checked_in
    today.feel_fine()
    assert today.checked_in
    assert today.check_in_text == "No symptoms"


def test_the_forecast_is_said_in_people_with_its_reasons_and_source(diary: OpenDiary) -> None:
    card = Today(diary, NothingInTheWay()).forecast_card
    assert card.level == "raised"
    assert "about 6" in card.detail
    assert len(card.reasons) == 2
    assert "soom-risk 0.1.0" in card.source


def test_an_old_forecast_is_not_shown_as_if_it_were_fresh(diary: OpenDiary, phone: Phone) -> None:
    phone.clock.walk(days=4)
    card = Today(diary, NothingInTheWay()).forecast_card
    assert card.level is None
    assert card.headline == "No fresh forecast"


def test_too_little_diary_means_no_number(diary: OpenDiary) -> None:
    forecast = {**papers()["forecast"], "status": "not_enough_data", "probability": None, "level": None}
    diary.clinic.absorb({"forecast": {**forecast, "diary_days": 3}})
    card = Today(diary, NothingInTheWay()).forecast_card
    assert (card.level, card.headline) == (None, "Still learning you")
    assert card.detail.startswith("3 diary days")


def test_the_line_of_truth_follows_the_outbox(diary: OpenDiary, phone: Phone) -> None:
    truth = SyncTruth(diary)
    assert truth.now().tone == "alone"
    diary.database.keep_setting("tokens", {"patient_id": "p", "access_token": "a", "refresh_token": "r"})
    measure(diary, 410)
    truth.reported(SyncReport(phone.clock.now(), 0, 0, 0, "unreachable"))
    assert truth.now() == Truth("waiting", "Saved on this phone · 1 waiting for a connection")
    diary.database.keep_setting("clock_ahead_seconds", 1200)
    assert truth.clock_note == "This phone's clock is about 20 min fast. Please set it to automatic."


def test_the_day_list_shows_the_newest_day_first_and_grows_on_demand(diary: OpenDiary) -> None:
    two_months(diary)
    days = DayList(diary)
    days.refresh()
    first = [line.text for line in days.lines if line.entry is None]
    assert first[0] == "Today"
    assert len(first) == 21
    while not days.reached_the_end:
        days.more()
    shown = [line.entry for line in days.lines if line.entry is not None]
    every = diary.journal.between(diary.today() - timedelta(days=90), diary.today())
    assert {entry.id for entry in shown} == {kept.entry.id for kept in every}


def test_trends_tell_gaps_from_zeros(diary: OpenDiary, phone: Phone) -> None:
    phone.clock.walk(days=-1)
    diary.record("symptoms", {"severity": 0, "red_flags": []})
    phone.clock.walk(days=1)
    trends = Trends(diary)
    trends.show(7)
    assert [bar.value for bar in trends.symptoms] == [None] * 5 + [0.0, None]
    assert trends.symptoms[-1].words == "Today: nothing written"


def test_each_plan_bands_its_own_days(diary: OpenDiary) -> None:
    diary.clinic.absorb({"plan": plan_wire(2, signed_at="2026-02-28T00:00:00Z", red_below_litres_per_min=300)})
    trends = Trends(diary)
    trends.show(7)
    assert [span.red_below_litres_per_min for span in trends.plan_spans] == [250, 300]
    assert trends.plan_spans[0].from_day == 0
    assert trends.plan_spans[0].to_day == trends.plan_spans[1].from_day == 4
    assert trends.plan_spans[1].to_day == 7


@pytest.mark.parametrize(
    ("zone", "of_profile", "number"),
    [
        ("Asia/Seoul", None, "119"),
        ("Europe/Tallinn", None, "112"),
        ("America/New_York", None, "911"),
        ("Asia/Kolkata", None, "112"),
        ("Europe/Tallinn", "999", "999"),
    ],
)
def test_the_emergency_number_is_that_of_the_clinic_or_the_place(zone: str, of_profile: str, number: str) -> None:
    assert emergency_number(zone, of_profile) == number


def test_help_needs_neither_plan_nor_account(phone: Phone) -> None:
    class NoTelephone:
        def dial(self, number: str) -> bool:
            return False

    emergency = Emergency(OpenDiary(phone.database, phone.clock, Wording("en")), NoTelephone())
    assert len(emergency.steps) == 4
    emergency.took_puff()
    phone.clock.walk(minutes=20)
    assert emergency.timer_text.startswith("1 puff · 20:00. 20 minutes are over")
    assert phone.journal.outbox(10) == []


def test_a_code_is_read_however_it_is_typed() -> None:
    assert normal_code(" abcd efgh") == normal_code("ABCD-EFGH") == normal_code("abcdefgh") == "ABCD-EFGH"


def test_a_mistyped_code_never_leaves_the_phone() -> None:
    asked: list[str] = []
    enrolment = Enrolment(
        Wording("en"), lambda address, code: asked.append(code), lambda work, then: work(), lambda: None
    )
    enrolment.address, enrolment.code = "localhost:1", "ABC"
    enrolment.submit()
    assert asked == []
    assert enrolment.problem is not None
    assert enrolment.problem.startswith("The code has 8")


def test_a_scanned_invitation_fills_code_and_address() -> None:
    enrolment = Enrolment(Wording("en"), lambda address, code: None, lambda work, then: work(), lambda: None)
    assert enrolment.read_qr("soom://enrol?code=ABCD-EFGH&server=https://soom.example.org")
    assert (enrolment.code, enrolment.address) == ("ABCD-EFGH", "https://soom.example.org")
    assert not enrolment.read_qr("https://example.org")
