"""The Reminders page as a person uses it, and a desk that rings by itself."""

from datetime import UTC, datetime, timedelta

from mobile_app.data.ledger import KeptOccurrence, Ledger
from mobile_app.state.open_diary import OpenDiary
from tests.fakes.soom_server import SoomServerFake
from tests.phone.conftest import CONTROLLER_ID, WalkedClock
from tests.phone.reminders.conftest import EVENING, MORNING, signed_papers
from tests.phone.screens.conftest import Permissions, Start
from tests.phone.screens.hand import Hand

NOW = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)


def fortnight(diary: OpenDiary) -> None:
    """Two weeks of reminders: three days of flat battery, one evening without permission."""
    ledger, today = Ledger(diary.database), datetime(2026, 3, 2)  # noqa: DTZ001 (wall time)
    for ago in range(13, 0, -1):
        for key, hour in ((MORNING, 8), (EVENING, 20)):
            wall = today - timedelta(days=ago) + timedelta(hours=hour)
            due_at = (wall - timedelta(hours=9)).replace(tzinfo=UTC)
            cause = "phone_off" if 8 <= ago <= 10 else "not_permitted" if (ago, hour) == (4, 20) else None
            ledger.put(
                KeptOccurrence(
                    key,
                    wall.date(),
                    wall,
                    due_at,
                    "Asia/Seoul",
                    "missed" if cause else "acted",
                    due_at,
                    fired_at=None if cause else due_at,
                    action=None if cause else "taken",
                    cause=cause,
                )
            )


def opened(start: Start, clock: WalkedClock, **settings: object) -> Hand:
    """Soom at 20:00 in Seoul with plan and account, on its Reminders page."""
    clock.instant = NOW - timedelta(hours=2)
    hand = start(welcomed=True, **settings)
    hand.app.diary.clinic.absorb(signed_papers())
    fortnight(hand.app.diary)
    hand.app._reminding.look()
    clock.instant = NOW + timedelta(minutes=1)
    hand.app._reminding._tick()
    hand.show("reminders")
    # The line of words for the reminder that just came would lie over what is pressed next.
    hand.app.frame._toast.leave()  # type: ignore[union-attr]
    return hand


def test_a_person_sees_what_came_and_answers_it(start: Start, clock: WalkedClock, reliability: Permissions) -> None:
    hand = opened(start, clock)
    assert hand.sees("21 of 28 reminders came.")
    assert hand.sees("One missed: notifications were off.")
    assert any("6 reminders missed, the phone was off." in words for words in hand.words())
    hand.tall_photo("reminders")
    hand.tap("Skip")
    hand.tall_photo("reminders_skip")
    hand.tap("Side effects")
    assert hand.sees("Skipped: side effects")
    hand.tap("Undo")
    assert not hand.sees("Skipped: side effects")
    hand.tap("Done")
    today = hand.app.diary.today()
    doses = hand.app.diary.journal.between(today, today, ("inhaler_use",))
    assert [one.entry.value["inhaler_id"] for one in doses] == [CONTROLLER_ID]
    reliability.given["notifications"] = False
    hand.app._reminding._show()
    hand.tap("Warnings may not reach you. See why.")
    assert hand.sees("Will warnings reach me?")


def test_times_and_pause_are_the_persons_own(start: Start, clock: WalkedClock) -> None:
    hand = opened(start, clock)
    hand.tap("Change the times")
    hand.frames(4)
    hand.tall_photo("reminders_times")
    page = hand.app.frame.page  # type: ignore[union-attr]
    line = next(one for one in page.state.times if one.key == MORNING)
    page.state.move(line, 15, weekend=False)
    moved = next(one for one in page.state.times if one.key == MORNING)
    assert (moved.weekday, moved.weekend, moved.is_own) == ("08:15", "08:00", True)
    hand.frames(4)
    hand.tap("For one week")
    hand.frames(2)
    assert page.state.paused_line == "Paused. Reminders return on Monday 9 March."
    coming = Ledger(hand.app.diary.database).since(NOW.date())
    assert min(row.local_date.day for row in coming if row.state == "armed") == 9


def test_the_clinic_hears_of_each_reminder(
    enrolled: Hand, clinic: tuple[SoomServerFake, str], clock: WalkedClock
) -> None:
    fake, _ = clinic
    fake.publish(**signed_papers())
    enrolled.app.request_sync()
    enrolled.wait_for(lambda: bool(fake.occurrences), "armed reminders are told")
    clock.walk(hours=3, minutes=5)
    enrolled.app._reminding._tick()
    enrolled.app.request_sync()
    enrolled.wait_for(
        lambda: any(one["state"] in ("fired", "shown") for one in fake.occurrences.values()),
        "a reminder that came is told",
    )
    posts = [body for method, path, body in fake.requests if method == "POST" and path == "/v1/sync" and body]
    assert posts[-1]["phone"]["time_zone"] == "Asia/Seoul"
