"""Phones with two daily doses, whose clocks the tests walk."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.phone.conftest import CONTROLLER_ID, papers
from tests.phone.reminders.simulated_phone import PhoneClock, SimulatedPhone

MORNING, EVENING = f"dose:{CONTROLLER_ID}:0", f"dose:{CONTROLLER_ID}:1"


def signed_papers(*, times: tuple[str, ...] = ("08:00", "20:00"), **plan: Any) -> dict[str, Any]:
    """A clinic's papers with a daily inhaler at these times."""
    sent = papers()
    sent["plan"] |= {
        "signed_at": "2026-02-28T09:00:00Z",
        "prescriptions": [
            {
                "inhaler_id": CONTROLLER_ID,
                "name": "Symbicort",
                "use": "maintenance",
                "inhalations": 2,
                "times_a_day": len(times),
                "text": "",
            }
        ],
        "reminders": [{"kind": "take_inhaler", "at": at, "inhaler_id": CONTROLLER_ID, "text": ""} for at in times],
        **plan,
    }
    return sent


def at(text: str, zone: str = "UTC") -> datetime:
    """The instant of a wall time in a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def doses_only(phone: SimulatedPhone) -> None:
    """No daily question, no habit: what is left are the doses of the plan."""
    settings = phone.keeper.settings
    chosen = settings.read() or phone.keeper.schedule().settings
    settings.keep(replace(chosen, check_in_minute=None, follow_habit=False))


def phone_in(zone: str, local: str, **papers_changed: Any) -> SimulatedPhone:
    """An enrolled, closed phone whose alarms are armed for the doses of the plan."""
    phone = SimulatedPhone(clock=PhoneClock(at(local, zone), zone))
    phone.enrolled_as("7e6f0c1e-0000-4000-8000-000000000001")
    phone.receive(signed_papers(**papers_changed))
    doses_only(phone)
    phone.open()
    phone.close()
    return phone


@pytest.fixture
def phone() -> Iterator[SimulatedPhone]:
    """In Seoul, on a Monday at 07:00."""
    one = phone_in("Asia/Seoul", "2026-03-02 07:00")
    yield one
    one.end()
