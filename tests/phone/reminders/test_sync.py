"""What the clinic hears of reminders, and two phones of one person that learn from each other through it."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import httpx
import pytest

from mobile_app.data.server import SoomServer
from mobile_app.state.reminders_settings import OwnTime
from tests.fakes.soom_server import SoomServerFake
from tests.phone.conftest import CONTROLLER_ID, RELIEVER_ID
from tests.phone.reminders.conftest import EVENING, MORNING, at, doses_only, signed_papers
from tests.phone.reminders.simulated_phone import PhoneClock, SimulatedPhone

MONDAY = date(2026, 3, 2)
ALARM = f"{MORNING}@2026-03-02"


class Home:
    """Two phones of one patient and their server, by httpx without sockets."""

    def __init__(self) -> None:
        self.fake = SoomServerFake()
        self.fake.inhaler_ids = {RELIEVER_ID, CONTROLLER_ID}
        self.fake.publish(**signed_papers())
        self.phones = [self._phone("a"), self._phone("b")]
        self.fake.now = self.phones[0].clock.now

    def _phone(self, name: str) -> SimulatedPhone:
        phone = SimulatedPhone(clock=PhoneClock(at("2026-03-02 07:00", "Asia/Seoul")))
        phone.database.keep_setting("device_id", name * 32)
        server = SoomServer(phone.credentials, httpx.MockTransport(self._answer))
        server.enrol("http://localhost", "SOOM-2468", name * 32, name, "android")
        phone.server = server
        phone.open()
        phone.close()
        return phone

    def _answer(self, request: httpx.Request) -> httpx.Response:
        content = request.content
        if request.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        body = json.loads(content) if content else None
        status, wire = self.fake.answer(request.method, request.url.path, dict(request.url.params), token, body)
        return httpx.Response(status, json=wire)

    def walk(self, **by: float) -> None:
        for phone in self.phones:
            phone.walk(**by)

    def told(self, name: str, key: str) -> str:
        """The state that one phone told the clinic."""
        return str(self.fake.occurrences[name * 32, key, "2026-03-02"]["state"])

    def posts(self) -> list[dict[str, object]]:
        return [body for method, path, body in self.fake.requests if (method, path) == ("POST", "/v1/sync") and body]


@pytest.fixture
def home() -> Iterator[Home]:
    one = Home()
    doses_only(one.phones[0])
    for phone in one.phones:
        phone.open()
        phone.close()
    yield one
    for phone in one.phones:
        assert phone.server is not None
        phone.server.close()
        phone.end()


def test_a_dose_logged_on_one_phone_silences_the_other(home: Home) -> None:
    first, second = home.phones
    first.open()
    first.log_dose(CONTROLLER_ID)
    first.sync()
    second.open()
    second.close()
    home.walk(hours=3)
    assert first.android.shown == second.android.shown == {}
    second.open()
    assert home.told("b", MORNING) == "acted"


def test_taken_on_both_phones_is_one_dose(home: Home) -> None:
    home.walk(hours=1, minutes=5)
    for phone in home.phones:
        phone.press(ALARM, "taken")
    for phone in (*home.phones, *home.phones):
        phone.open()
    for phone in home.phones:
        doses = phone.journal.between(MONDAY, MONDAY, ("inhaler_use",))
        assert [one.entry.value["puffs"] for one in doses] == [2]
    assert home.phones[0].journal.digest() == home.phones[1].journal.digest()


def test_a_time_moved_on_one_phone_is_moved_on_the_other(home: Home) -> None:
    first, second = home.phones
    chosen = first.keeper.settings.read()
    assert chosen is not None
    first.keeper.settings.keep(chosen.with_time(EVENING, OwnTime(21 * 60, 21 * 60)))
    first.open()
    second.open()
    row = second.ledger.find(EVENING, MONDAY)
    assert row is not None
    assert f"{row.wall:%H:%M}" == "21:00"


def test_the_start_of_the_day_reaches_the_other_phones_diary(home: Home) -> None:
    first, second = home.phones
    chosen = first.keeper.settings.read()
    assert chosen is not None
    first.keeper.settings.keep(replace(chosen, day_starts_minute=9 * 60))
    first.open()
    second.open()
    assert second.diary.day_starts_at_hour == 9


def test_each_state_is_told_once_and_only_what_is_near_is_told_as_armed(home: Home) -> None:
    phone = home.phones[0]
    far = [key for key in home.fake.occurrences if date.fromisoformat(key[2]) > MONDAY + timedelta(days=2)]
    assert far == []
    assert home.told("a", MORNING) == "armed"
    phone.walk(hours=2)
    phone.open()
    assert home.told("a", MORNING) == "fired"
    posts = len(home.posts())
    phone.sync()
    assert len(home.posts()) == posts, "nothing was new"


def test_what_the_clinic_refuses_is_not_sent_again_before_it_changes(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = home.phones[0]
    account = home.fake._account
    with monkeypatch.context() as patched:
        patched.setattr(home.fake, "_account", lambda one, by: {**account(one, by), "outcome": "refused"})
        phone.walk(hours=2)
        phone.open()
        posts = len(home.posts())
        phone.sync()
        assert len(home.posts()) == posts
    phone.log_dose(CONTROLLER_ID)
    phone.sync()
    assert home.told("a", MORNING) == "acted"


def test_a_new_push_address_is_told_with_nothing_else_to_tell_and_a_silent_phone_says_that_it_lives(home: Home) -> None:
    phone = home.phones[0]
    phone.sync("address-1")
    assert home.posts()[-1]["push_token"] == "address-1"
    posts = len(home.posts())
    phone.sync("address-1")
    assert len(home.posts()) == posts
    phone.clock.true_now += timedelta(minutes=30)
    phone.sync("address-2")
    assert home.posts()[-1]["push_token"] == "address-2"
    phone.clock.true_now += timedelta(hours=7)
    phone.sync("address-2")
    said = home.posts()[-1]["phone"]
    assert isinstance(said, dict)
    assert (said["time_zone"], said["notifications_allowed"]) == ("Asia/Seoul", True)
    assert said["armed_count"] > 20


def test_receipts_of_pushes_are_told_once(home: Home) -> None:
    phone = home.phones[0]
    phone.android.receive_push("6b1f7d0e-0000-4000-8000-000000000009", None)
    phone.open()
    phone.keeper.opened_message("6b1f7d0e-0000-4000-8000-000000000009")
    phone.sync()
    phone.sync()
    assert [one["event"] for one in home.fake.push_receipts] == ["received", "opened"]
