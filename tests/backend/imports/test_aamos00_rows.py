"""Rows of the published files, one oddity at a time."""

from datetime import date
from uuid import UUID

import pytest

from backend.imports.aamos00_rows import Person, RowRefused, daily, peak_flow, smart_inhaler, weekly

PERSON = Person(
    patient_id=UUID(int=1), first_day_on=date(2026, 3, 20), reliever_id=UUID(int=2), controller_id=UUID(int=3)
)
DAILY = {
    "date": "0",
    "daily_night_symp": "TRUE",
    "daily_day_symp": "FALSE",
    "daily_limit_activity": "NA",
    "daily_prev_inhaler": "3",
    "daily_relief_inhaler": "5",
    "daily_triggers": "5,9",
}
SESSION = {"date": "3", "hour": "7", "pef_max": "469", "pefs": "469|99|144", "morning": "TRUE"}
WEEKLY = {
    "date": "14",
    "weekly_night_symp": "5",
    "weekly_day_symp": "NA",
    "weekly_limit_activity": "5",
    "weekly_short_breath": "4",
    "weekly_wheeze": "4",
    "weekly_relief_inhaler": "5",
    "weekly_doc": "0",
    "weekly_hospital": "0",
    "weekly_er": "0",
    "weekly_oral": "1",
}


@pytest.mark.parametrize(
    ("code", "puffs", "puffs_at_most"),
    [("0", 0, None), ("1", 1, 2), ("3", 3, 4), ("5", 5, 8), ("9", 9, 12), ("12", 12, 99)],
)
def test_codes_of_reliever_puffs_are_ranges(code: str, puffs: int, puffs_at_most: int | None) -> None:
    use = daily(PERSON, {**DAILY, "daily_relief_inhaler": code}).entries[1]["body"]
    assert (use["puffs"], use["puffs_at_most"], use["source"]) == (puffs, puffs_at_most, "day_recall")


@pytest.mark.parametrize(
    ("code", "amount"), [("1", "none"), ("2", "as_usual"), ("3", "less"), ("4", "more"), ("5", "unsure")]
)
def test_codes_of_the_preventer_are_amounts(code: str, amount: str) -> None:
    use = daily(PERSON, {**DAILY, "daily_prev_inhaler": code}).entries[2]["body"]
    assert (use["amount"], use["purpose"], use["inhaler_id"]) == (amount, "maintenance", str(PERSON.controller_id))


def test_an_unanswered_question_stays_unanswered() -> None:
    translated = daily(PERSON, DAILY)
    symptoms = translated.entries[0]["body"]
    assert (symptoms["night_waking"], symptoms["daytime"], symptoms["activity_limited"]) == (True, False, None)
    assert translated.remarks == ["a question on symptoms was not answered"]


def test_triggers_are_told_apart_and_not_sure_is_none_of_them() -> None:
    triggers = [one["body"]["trigger"] for one in daily(PERSON, {**DAILY, "daily_triggers": "9,19,17"}).entries[3:]]
    assert triggers == ["pollen", "stress"]


def test_a_code_the_dictionary_does_not_know_is_refused() -> None:
    with pytest.raises(RowRefused, match="daily_relief_inhaler"):
        daily(PERSON, {**DAILY, "daily_relief_inhaler": "2"})


def test_an_artefact_blow_is_kept_and_pointed_out() -> None:
    translated = peak_flow(PERSON, SESSION)
    [one] = translated.entries
    assert one["body"]["blows_litres_per_min"] == [469, 99, 144]
    assert "artefact" in translated.remarks[0]
    assert (one["taken_at"], one["local_date"]) == ("2026-03-23T07:00:00Z", "2026-03-23")


def test_summer_time_moves_the_instant_and_not_the_hour_of_the_day() -> None:
    [one] = peak_flow(PERSON, {**SESSION, "date": "15"}).entries
    assert (one["taken_at"], one["utc_offset_minutes"]) == ("2026-04-04T06:00:00Z", 60)


def test_commas_separate_blows_too() -> None:
    [one] = peak_flow(PERSON, {**SESSION, "pefs": "445, 418, 465", "pef_max": "465"}).entries
    assert one["body"]["blows_litres_per_min"] == [445, 418, 465]


@pytest.mark.parametrize("pefs", ["NA", ""])
def test_a_session_without_blows_is_refused(pefs: str) -> None:
    with pytest.raises(RowRefused, match="blows are not recorded"):
        peak_flow(PERSON, {**SESSION, "pefs": pefs})


def test_a_maximum_that_is_not_the_best_blow_is_refused() -> None:
    with pytest.raises(RowRefused, match="not the best"):
        peak_flow(PERSON, {**SESSION, "pefs": "302|145|604", "pef_max": "302"})


def test_an_evening_reading_after_midnight_belongs_to_the_day_before() -> None:
    [one] = peak_flow(PERSON, {**SESSION, "hour": "0", "morning": "FALSE"}).entries
    assert (one["taken_at"], one["local_date"]) == ("2026-03-23T00:00:00Z", "2026-03-22")


def test_days_before_the_first_are_dated_before_it() -> None:
    [one] = peak_flow(PERSON, {**SESSION, "date": "-2"}).entries
    assert one["local_date"] == "2026-03-18"


def test_a_sensor_on_a_maintenance_inhaler_records_no_relief() -> None:
    fields = {"date": "0", "hour": "8", "name": "Fostair"}
    [use] = smart_inhaler(PERSON, fields, 1).entries
    assert (use["body"]["purpose"], use["body"]["inhaler_id"]) == ("maintenance", str(PERSON.controller_id))
    [relief] = smart_inhaler(PERSON, {**fields, "name": "VENTOLIN"}, 1).entries
    assert (relief["body"]["purpose"], relief["body"]["inhaler_id"]) == ("relief", str(PERSON.reliever_id))


def test_actuations_of_one_hour_are_entries_of_their_own() -> None:
    fields = {"date": "0", "hour": "8", "name": "VENTOLIN"}
    assert len({smart_inhaler(PERSON, fields, number).entries[0]["id"] for number in (1, 2, 3)}) == 3


def test_visits_of_a_week_become_attacks_on_their_days_and_steroids_go_with_the_first() -> None:
    fields = {**WEEKLY, "weekly_doc": "-1,-3", "weekly_er": "-2", "weekly_oral": "3"}
    answers, *attacks = weekly(PERSON, fields).entries
    assert answers["body"]["answers"]["doctor_visit_days"] == 2
    by_day = {one["local_date"]: {key for key, value in one["body"].items() if value is True} for one in attacks}
    assert by_day == {
        "2026-03-31": {"unscheduled_visit", "systemic_steroids"},
        "2026-04-01": {"emergency_visit"},
        "2026-04-02": {"unscheduled_visit"},
    }


def test_steroids_alone_are_an_attack_on_the_day_of_the_answer() -> None:
    _, attack = weekly(PERSON, {**WEEKLY, "weekly_oral": "3"}).entries
    assert (attack["local_date"], attack["body"]["systemic_steroids"]) == ("2026-04-03", True)


def test_steroid_as_usual_is_no_attack() -> None:
    assert [one["kind"] for one in weekly(PERSON, {**WEEKLY, "weekly_oral": "2"}).entries] == ["questionnaire"]


def test_an_impossible_answer_is_left_out_and_pointed_out() -> None:
    translated = weekly(PERSON, {**WEEKLY, "weekly_night_symp": "1.2"})
    assert "night_waking_days" not in translated.entries[0]["body"]["answers"]
    assert "1.2" in translated.remarks[0]


@pytest.mark.parametrize("days", ["-8", "1", "yes", "-1;-2"])
def test_days_outside_the_week_are_refused(days: str) -> None:
    with pytest.raises(RowRefused, match="weekly_doc"):
        weekly(PERSON, {**WEEKLY, "weekly_doc": days})


def test_a_row_without_a_day_is_refused() -> None:
    with pytest.raises(RowRefused, match="date"):
        daily(PERSON, {**DAILY, "date": "NA"})
