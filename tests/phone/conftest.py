"""One phone and one loopback server a test."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mobile_app.data.clinic import Clinic
from mobile_app.data.credentials import Credentials
from mobile_app.data.database import PhoneDatabase
from mobile_app.data.journal import Journal
from mobile_app.data.seal import Seal
from mobile_app.data.server import SoomServer
from mobile_app.data.sync import Synchroniser
from mobile_app.locales import Wording
from mobile_app.state.open_diary import OpenDiary
from tests.fakes.soom_server import SoomServerFake, running

RELIEVER_ID = "0f0e0d0c-0b0a-4908-8706-050403020100"
CONTROLLER_ID = "1f0e0d0c-0b0a-4908-8706-050403020100"


@dataclass
class WalkedClock:
    """A clock that a test walks."""

    instant: datetime = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    zone: str = "Asia/Seoul"

    def now(self) -> datetime:
        return self.instant

    def time_zone(self) -> str:
        return self.zone

    def walk(self, **by: float) -> None:
        self.instant += timedelta(**by)


@dataclass
class Phone:
    """One phone's data layer, as app.py would construct it."""

    folder: Path
    clock: WalkedClock = field(default_factory=WalkedClock)
    key: bytes = b"k" * 32
    # Off where durability is not what is tested: waiting for the disk is nearly all the time such a test takes.
    is_durable: bool = False

    def __post_init__(self) -> None:
        self.database = PhoneDatabase(self.folder / "diary.sqlite", Seal(self.key))
        if not self.is_durable:
            self.database.connection.execute("PRAGMA synchronous=OFF")
        self.journal = Journal(self.database)
        self.clinic = Clinic(self.database)
        self.credentials = Credentials(self.database)
        self.server = SoomServer(self.credentials)
        self.synchroniser = Synchroniser(self.database, self.server, self.clock.now)

    def enrol(self, address: str) -> None:
        self.server.enrol(address, "SOOM-2468", self.journal.device_id, "test phone", "desktop")

    def close(self) -> None:
        self.server.close()
        self.database.close()


def plan_wire(version: int = 1, **changes: Any) -> dict[str, Any]:
    """A signed plan: personal best 500, green from 400, red below 250."""
    return {
        "version": version,
        "signed_at": "2026-02-20T09:00:00Z",
        "signed_by": "Dr. Kim",
        "personal_best_litres_per_min": 500,
        "meter": "Mini-Wright",
        "yellow_below_litres_per_min": 400,
        "red_below_litres_per_min": 250,
        "instructions": {
            "green": ["Take your preventer, 2 puffs, morning and evening."],
            "yellow": ["Take 2 puffs of your reliever.", "Double your preventer for 7 days.", "Call us if no better."],
            "red": ["Take 6 puffs of your reliever, one at a time.", "Call 119 now.", "Sit upright."],
        },
        "language": "en",
        "review_on": None,
        **changes,
    }


def papers() -> dict[str, Any]:
    """What the clinic sends to a newly enrolled phone."""
    reliever = {
        "id": RELIEVER_ID,
        "name": "Ventolin",
        "role": "reliever",
        "drug": "salbutamol 100 µg",
        "device": "pmdi",
        "puffs_per_dose": 2,
        "doses_per_day": None,
        "max_puffs_per_day": 12,
        "warn_puffs_per_day": 8,
        "active": True,
    }
    controller = {
        **reliever,
        "id": CONTROLLER_ID,
        "name": "Symbicort Turbuhaler",
        "role": "controller",
        "drug": "budesonide/formoterol 160/4.5 µg",
        "device": "dpi",
        "doses_per_day": 2,
        "max_puffs_per_day": None,
        "warn_puffs_per_day": None,
    }
    return {
        "profile": {
            "patient_id": "p",
            "display_name": "Minji",
            "born_on": "1984-05-05",
            "sex": "female",
            "height_cm": 162,
            "language": "en",
            "time_zone": "Asia/Seoul",
            "emergency_number": "119",
            "hospital": "Seoul Chest Clinic",
        },
        "inhalers": [reliever, controller],
        "plan": plan_wire(),
        "forecast": {
            "status": "ready",
            "as_of": "2026-03-01",
            "made_at": "2026-03-01T20:00:00Z",
            "diary_days": 41,
            "horizon_days": 7,
            "probability": 0.06,
            "level": "raised",
            "reasons": [
                {"code": "night_waking", "text": "You woke at night on 3 of the last 7 days", "value": 3, "unit": "d"},
                {
                    "code": "reliever",
                    "text": "More reliever than usual: 9 puffs this week",
                    "value": 9,
                    "unit": "puffs",
                },
            ],
            "model_id": "soom-risk",
            "model_version": "0.1.0",
        },
        "inbox": [],
    }


@pytest.fixture
def server() -> Iterator[tuple[SoomServerFake, str]]:
    fake = SoomServerFake()
    fake.inhaler_ids = {RELIEVER_ID, CONTROLLER_ID}
    with running(fake) as address:
        yield fake, address


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Phone]:
    one = Phone(tmp_path / "phone")
    yield one
    one.close()


@pytest.fixture
def diary(phone: Phone) -> OpenDiary:
    opened = OpenDiary(phone.database, phone.clock, Wording("en"))
    opened.clinic.absorb(papers())
    return opened
