"""The ledger is written ahead, what no phone spoke of is pushed once, and everything is accounted for in the end."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session, select

from backend.accounts.tables import Clinician
from backend.medication.tables import Inhaler, InhalerRole
from backend.notifications.push import PushOutcome
from backend.notifications.tables import InboxMessage
from backend.patients import service as patients
from backend.patients.tables import Patient, Purpose
from backend.reminders.tables import ReminderOccurrence, ReminderPhone
from tests.backend.reminders.conftest import Server
from tests.factories import clinic, entries
from tests.factories import reminders as made

DAY = date(2026, 11, 21)
NEXT_DAY = DAY + timedelta(days=1)


def seoul(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo("Asia/Seoul")).astimezone(UTC)


SIGNED_AT = seoul(6)


@pytest.fixture
def inhaler(session: Session, patient: Patient, doctor: Clinician, server: Server) -> Inhaler:
    """Twice a day at 08:00 and 20:00, no check-in; the phone was last heard of at 06:00, and a minute later planned."""
    made.chosen(session, patient, now=SIGNED_AT)
    made.phone_of(session, patient, heard_at=SIGNED_AT)
    taken = made.plan_that_reminds(session, patient, doctor.id, signed_at=SIGNED_AT)
    server.round(seoul(6, 1))
    return taken


def dose(of: Inhaler, slot: int = 0, day: date = DAY) -> tuple[str, date]:
    return f"dose:{of.id}:{slot}", day


def end(server: Server, which: tuple[str, date]) -> tuple[str, str | None]:
    row = server.ledger()[which]
    return row.state, row.cause


def test_the_next_day_and_a_half_stand_in_the_ledger_as_soon_as_the_plan_is_signed(
    server: Server, inhaler: Inhaler
) -> None:
    assert {which: row.due_at for which, row in server.ledger().items()} == {
        dose(inhaler, 0): seoul(8),
        dose(inhaler, 1): seoul(20),
        dose(inhaler, 0, NEXT_DAY): seoul(8, day=NEXT_DAY),
    }


def test_an_occurrence_of_which_no_phone_speaks_is_pushed_after_45_minutes_and_only_once(
    server: Server, inhaler: Inhaler, session: Session
) -> None:
    for minutes in range(1, 240):
        server.round(seoul(7, 0) + timedelta(minutes=minutes))
    [message] = server.push.messages
    row = server.ledger()[dose(inhaler)]
    assert message.tag == f"{row.key}@{DAY}"
    assert message.data["occurrence_key"] == row.key
    assert message.data["occurrence_date"] == str(DAY)
    assert row.pushed_at == seoul(8, 45)
    assert row.state == "pushed"
    inbox = session.exec(select(InboxMessage)).one()
    assert inbox.kind == "reminder"
    assert "08:00" in inbox.text
    assert inbox.resolved_at is not None, "two hours later it is of no use"


def test_the_push_stands_as_the_end_when_it_was_handed_over(server: Server, inhaler: Inhaler) -> None:
    server.round(seoul(8, 45))
    server.round(seoul(8, 45) + timedelta(days=3))
    assert end(server, dose(inhaler)) == ("pushed", None)


def test_a_push_that_nobody_took_is_a_miss_with_its_cause(server: Server, inhaler: Inhaler) -> None:
    server.push.outcome = PushOutcome.NO_PUSH_SERVICE
    server.round(seoul(8, 45))
    assert end(server, dose(inhaler)) == ("pushed", None)
    server.round(seoul(8, 45) + timedelta(days=2))
    assert end(server, dose(inhaler)) == ("missed", "phone_silent")


def test_what_a_phone_armed_is_left_to_it_while_the_phone_was_heard_of_lately(
    server: Server, inhaler: Inhaler, session: Session
) -> None:
    def arm_all() -> None:
        for row in server.ledger().values():
            if row.state == "due":
                row.state, row.decided_by = "armed", "phone"
                session.add(row)

    arm_all()
    server.round(seoul(8, 45))
    server.round(seoul(20, 45))
    server.round(seoul(8, 45, NEXT_DAY))
    arm_all()
    assert server.push.messages == []
    server.round(seoul(20, 45, NEXT_DAY))
    assert [message.tag for message in server.push.messages] == [f"dose:{inhaler.id}:1@{NEXT_DAY}"]


@pytest.mark.parametrize(
    "reason", ["logged", "paused", "quiet_hours", "no_consent", "not_permitted", "too_late", "another_plan"]
)
def test_nothing_is_pushed_where_it_would_not_help_or_is_not_wanted(
    server: Server, inhaler: Inhaler, session: Session, patient: Patient, doctor: Clinician, reason: str
) -> None:
    judged_at = seoul(8, 46)
    expected: tuple[str, str | None] = ("missed", "phone_silent")
    if reason == "logged":
        entries.inhaler_use(session, patient, inhaler, taken_at=seoul(7, 40), puffs=1, purpose="maintenance")
        expected = ("acted", None)
    elif reason == "paused":
        made.chosen(session, patient, now=seoul(8, 20), paused_until=NEXT_DAY)
        expected = ("cancelled", None)
    elif reason == "quiet_hours":
        made.chosen(session, patient, now=seoul(8, 20), quiet_from="08:30", quiet_until="09:30")
    elif reason == "no_consent":
        patients.withdraw(session, patient.id, Purpose.CARE, now=seoul(8, 20))
        expected = ("cancelled", None)
    elif reason == "not_permitted":
        for told in session.exec(select(ReminderPhone)):
            told.notifications_allowed = False
            session.add(told)
        expected = ("missed", "not_permitted")
    elif reason == "too_late":
        judged_at = seoul(10, 1)
    elif reason == "another_plan":
        made.plan_that_reminds(
            session, patient, doctor.id, signed_at=seoul(7), version=2, inhaler=inhaler, at=("12:00",)
        )
        server.round(seoul(7, 1))
        assert server.ledger()[dose(inhaler)].due_at == seoul(12)
        judged_at = seoul(12, 15)
    server.round(judged_at)
    assert server.push.messages == []
    server.round(seoul(12) + timedelta(days=2, hours=1))
    assert end(server, dose(inhaler)) == expected


def test_a_recalled_day_counts_as_logged_and_a_relief_puff_does_not(
    server: Server, inhaler: Inhaler, session: Session, patient: Patient
) -> None:
    entries.inhaler_use(session, patient, inhaler, taken_at=seoul(7, 40), puffs=2, purpose="relief")
    server.round(seoul(8, 45))
    assert end(server, dose(inhaler, 0)) == ("pushed", None)
    entries.inhaler_use(
        session, patient, inhaler, taken_at=seoul(20, 30), amount="as_usual", purpose="maintenance", source="day_recall"
    )
    server.round(seoul(20, 45))
    assert end(server, dose(inhaler, 1)) == ("acted", None)


def test_the_phone_that_comes_back_knows_better_than_the_server(
    server: Server, inhaler: Inhaler, session: Session, phone: clinic.Phone
) -> None:
    from tests.backend.reminders.test_reports import occurrence, send

    for late in (seoul(8, 45), seoul(20, 45) + timedelta(days=5)):
        server.round(late)
    assert end(server, dose(inhaler, 1)) == ("missed", "phone_silent")
    send(
        phone,
        occurrences=[
            occurrence(key=f"dose:{inhaler.id}:0", local_date=str(DAY), due_at=seoul(8).isoformat(), state="acted"),
            occurrence(
                key=f"dose:{inhaler.id}:1",
                local_date=str(DAY),
                due_at=seoul(20).isoformat(),
                state="missed",
                cause="phone_off",
            ),
        ],
    )
    assert end(server, dose(inhaler, 0)) == ("acted", None)
    assert end(server, dose(inhaler, 1)) == ("missed", "phone_off")


def test_a_moved_time_changes_what_is_to_come_and_never_what_was_due(
    server: Server, inhaler: Inhaler, session: Session, patient: Patient
) -> None:
    server.round(seoul(8, 45))
    own = {f"dose:{inhaler.id}:{slot}": {"weekday": "21:00", "weekend": "21:30"} for slot in (0, 1)}
    made.chosen(session, patient, now=seoul(9), times=own)
    server.round(seoul(9, 1))
    ledger = server.ledger()
    assert ledger[dose(inhaler, 0)].due_at == seoul(8)
    assert ledger[dose(inhaler, 1)].due_at == seoul(21, 30), "a Saturday"
    assert len(server.push.messages) == 1
    server.round(seoul(22, 15) - timedelta(minutes=16))
    assert len(server.push.messages) == 1


def test_a_stopped_inhaler_is_taken_out_of_what_is_to_come(
    server: Server, inhaler: Inhaler, session: Session, patient: Patient, doctor: Clinician
) -> None:
    server.round(seoul(8, 45))
    other = entries.inhaler(session, patient, InhalerRole.CONTROLLER, now=seoul(9), doses_per_day=1)
    made.plan_that_reminds(session, patient, doctor.id, signed_at=seoul(9), version=2, inhaler=other, at=("20:00",))
    server.round(seoul(9, 1))
    assert set(server.ledger()) == {dose(inhaler, 0), dose(other, 0), dose(other, 0, NEXT_DAY)}


def test_a_flight_moves_what_is_to_come_to_the_new_wall_clock_and_repeats_nothing(
    server: Server, inhaler: Inhaler, session: Session, patient: Patient
) -> None:
    server.round(seoul(8, 45))
    for told in session.exec(select(ReminderPhone)):
        told.time_zone = "America/Los_Angeles"
        session.add(told)
    made.chosen(session, patient, now=seoul(19))
    server.round(seoul(19))
    ledger = server.ledger()
    # In Los Angeles it is Saturday 02:00, still Friday's diary day; Saturday's morning dose was due in Seoul.
    assert ledger[dose(inhaler, 0)].due_at == seoul(8)
    assert ledger[dose(inhaler, 1)].due_at == datetime(2026, 11, 22, 4, tzinfo=UTC)
    assert len({which for which in ledger if which[1] == DAY}) == 2


def test_after_a_standstill_of_the_worker_the_days_in_between_are_accounted_for(
    server: Server, inhaler: Inhaler
) -> None:
    server.round(seoul(6, 1) + timedelta(days=6))
    server.round(seoul(6, 2) + timedelta(days=6))
    ledger = server.ledger()
    for back in range(6):
        for slot in (0, 1):
            assert dose(inhaler, slot, DAY + timedelta(days=back)) in ledger
    assert end(server, dose(inhaler, 1, DAY + timedelta(days=2))) == ("missed", "phone_silent")
    assert server.push.messages == []


def test_a_patient_without_a_phone_that_reminds_expects_nothing(
    server: Server, session: Session, patient: Patient, doctor: Clinician
) -> None:
    made.plan_that_reminds(session, patient, doctor.id, signed_at=SIGNED_AT)
    server.round(seoul(8, 45))
    assert server.ledger() == {}


def test_a_habit_moves_the_reminder_to_when_the_dose_is_usually_taken(
    server: Server, session: Session, patient: Patient, doctor: Clinician
) -> None:
    made.chosen(session, patient, now=SIGNED_AT)
    made.phone_of(session, patient, heard_at=SIGNED_AT)
    taken = made.plan_that_reminds(session, patient, doctor.id, signed_at=SIGNED_AT, at=("08:00",))
    for back in range(1, 36):
        day = DAY - timedelta(days=back)
        hour = 10 if day.weekday() >= 5 else 7
        entries.inhaler_use(session, patient, taken, taken_at=seoul(hour, 20, day), puffs=1, purpose="maintenance")
    server.round(seoul(6, 1))
    assert server.ledger()[dose(taken)].due_at == seoul(10, 20), "DAY is a Saturday"


def test_rows_of_a_key_that_means_nothing_do_not_stop_the_round(
    server: Server, inhaler: Inhaler, session: Session, patient: Patient
) -> None:
    for key in ("dose:nonsense:x", "dose", "::", "dose:" + "9" * 40 + ":99999999999"):
        session.add(
            ReminderOccurrence(
                patient_id=patient.id,
                key=key,
                local_date=DAY,
                due_at=seoul(8),
                time_zone="Asia/Seoul",
                expected=True,
                at=seoul(8),
                judge_at=seoul(8, 45),
            )
        )
    server.round(seoul(8, 45))
    assert {row.state for row in server.ledger().values() if row.due_at == seoul(8)} == {"pushed"}
