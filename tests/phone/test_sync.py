import threading
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from mobile_app.data.credentials import AddressRefused, OtherPatient, server_address
from mobile_app.data.entries import moment_at
from mobile_app.data.route import has_route
from mobile_app.data.server import ServerRefused, ServerUnreachable
from mobile_app.data.sync import BackgroundSync, SyncReport, wait_seconds
from tests.fakes.soom_server import SoomServerFake
from tests.phone.conftest import RELIEVER_ID, Phone, papers

Server = tuple[SoomServerFake, str]


def log_note(phone: Phone, text: str = "tight chest") -> None:
    phone.journal.record("note", {"text": text}, moment_at(phone.clock.now(), phone.clock.time_zone()))


def test_enrolling_brings_the_plan_and_everything_else_the_clinic_has(phone: Phone, server: Server) -> None:
    fake, address = server
    fake.publish(**papers())
    phone.enrol(address)
    assert phone.synchroniser.run().problem is None
    plan, profile, forecast = phone.clinic.plan(), phone.clinic.profile(), phone.clinic.forecast()
    assert plan is not None
    assert (plan.zone_of(400), plan.zone_of(399), plan.zone_of(249)) == ("green", "yellow", "red")
    assert profile is not None
    assert profile.display_name == "Minji"
    assert forecast is not None
    assert forecast.level == "raised"
    assert [inhaler.name for inhaler in phone.clinic.inhalers()] == ["Ventolin", "Symbicort Turbuhaler"]


def test_a_wrong_code_says_so_and_enrols_nobody(phone: Phone, server: Server) -> None:
    _, address = server
    with pytest.raises(ServerRefused) as refused:
        phone.server.enrol(address, "NOPE-NOPE", phone.journal.device_id, "test", "desktop")
    assert refused.value.code == "enrolment_code_unknown"
    assert phone.credentials.tokens is None


def test_a_diary_never_changes_its_owner(phone: Phone, server: Server) -> None:
    fake, address = server
    phone.enrol(address)
    owner = phone.credentials.patient_id
    fake.patient_id = "someone else"
    with pytest.raises(OtherPatient):
        phone.enrol(address)
    assert phone.credentials.patient_id == owner


def test_a_batch_whose_answer_was_lost_is_sent_again_and_counted_once(phone: Phone, server: Server) -> None:
    fake, address = server
    phone.enrol(address)
    log_note(phone)
    fake.lose_answers = 1
    assert phone.synchroniser.run().problem == "unreachable"
    assert phone.journal.outbox_count().waiting == 1
    assert phone.synchroniser.run().problem is None
    assert phone.journal.outbox_count().waiting == 0
    assert len(fake.versions) == 1


def test_a_long_offline_diary_goes_out_in_batches_of_at_most_200_and_compressed(phone: Phone, server: Server) -> None:
    fake, address = server
    phone.enrol(address)
    with phone.database.transaction():
        for number in range(450):
            log_note(phone, f"note {number}")
    assert phone.synchroniser.run().sent == 450
    sizes = [len(body["entries"]) for method, path, body in fake.requests if path == "/v1/sync" and body is not None]
    assert sizes == [200, 200, 50]
    assert fake.compressed_requests == 3


def test_one_refused_entry_costs_no_other(phone: Phone, server: Server) -> None:
    _, address = server
    phone.enrol(address)
    moment = moment_at(phone.clock.now(), "Asia/Seoul")
    phone.journal.record("inhaler_use", {"inhaler_id": "00000000-0000-4000-8000-000000000000", "puffs": 2}, moment)
    phone.journal.record("inhaler_use", {"inhaler_id": RELIEVER_ID, "puffs": 2}, moment)
    report = phone.synchroniser.run()
    assert (report.sent, report.refused, report.problem) == (1, 1, None)
    [kept] = phone.journal.refused()
    assert kept.refusal is not None
    assert kept.refusal.code == "unknown_inhaler"


def test_an_expired_access_token_is_renewed_unseen(phone: Phone, server: Server) -> None:
    fake, address = server
    phone.enrol(address)
    before = phone.credentials.tokens
    fake.expire_access_tokens()
    log_note(phone)
    assert phone.synchroniser.run().problem is None
    after = phone.credentials.tokens
    assert before is not None
    assert after is not None
    assert before.refresh_token != after.refresh_token


def test_a_lost_sign_in_keeps_the_diary_and_asks_for_a_new_code(phone: Phone, server: Server) -> None:
    fake, address = server
    phone.enrol(address)
    log_note(phone)
    fake.revoke_everything()
    assert phone.synchroniser.run().problem == "sign_in_lost"
    assert phone.journal.outbox_count().waiting == 1
    phone.enrol(address)
    assert phone.synchroniser.run().sent == 1


def test_a_new_phone_restores_the_identical_diary(phone: Phone, server: Server, tmp_path: Path) -> None:
    _, address = server
    phone.enrol(address)
    for text in ("one", "two", "three"):
        log_note(phone, text)
    [kept, *_] = phone.journal.between(moment_at(phone.clock.now(), "Asia/Seoul").local_date, phone.clock.now().date())
    phone.journal.delete(kept.entry)
    phone.synchroniser.run()
    fresh = Phone(tmp_path / "new phone", phone.clock)
    fresh.enrol(address)
    fresh.synchroniser.run()
    assert fresh.journal.digest() == phone.journal.digest()
    fresh.close()


def test_a_forgotten_cursor_reads_everything_again(phone: Phone, server: Server) -> None:
    _, address = server
    phone.enrol(address)
    log_note(phone)
    phone.synchroniser.run()
    before = phone.journal.digest()
    phone.database.keep_setting("cursor", "from another server")
    assert phone.synchroniser.run().problem is None
    assert phone.journal.digest() == before


def test_a_busy_server_says_when_to_come_back(phone: Phone, server: Server) -> None:
    fake, address = server
    phone.enrol(address)
    fake.decline_with = [(429, "too_many_requests", {"Retry-After": "30"})]
    report = phone.synchroniser.run()
    assert (report.problem, report.retry_after_seconds) == ("too_busy", 30.0)


def test_a_wrong_phone_clock_is_measured(phone: Phone, server: Server) -> None:
    fake, address = server
    phone.enrol(address)
    phone.clock.instant = fake.now()
    phone.clock.walk(minutes=20)
    assert phone.synchroniser.run().clock_ahead_seconds == 1200


def test_a_connection_that_breaks_off_costs_nothing(phone: Phone, server: Server) -> None:
    fake, address = server
    phone.enrol(address)
    log_note(phone)
    fake.lose_answers = 10
    with pytest.raises(ServerUnreachable):
        phone.server.pull("")
    assert phone.journal.outbox_count().waiting == 1


def test_many_requests_while_one_run_is_under_way_become_one_more_run(phone: Phone, server: Server) -> None:
    _, address = server
    phone.enrol(address)
    entered, leave = threading.Event(), threading.Event()
    reports: list[SyncReport] = []
    done = threading.Semaphore(0)

    def on_report(report: SyncReport) -> None:
        reports.append(report)
        if len(reports) == 1:
            entered.set()
            leave.wait(10)
        done.release()

    background = BackgroundSync(lambda: phone.synchroniser, on_report, Random(1))
    background.start()
    background.request()
    assert entered.wait(10)
    for _ in range(20):
        background.request()
    leave.set()
    assert done.acquire(timeout=10)
    assert done.acquire(timeout=10)
    background.stop()
    assert len(reports) == 2


def test_a_network_that_returns_is_used_at_once_and_not_after_the_pause() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    # Ten minutes would have to pass, were it not for the network.
    reports = [SyncReport(at, 0, 0, 0, "unreachable", 600.0), SyncReport(at, 1, 0, 0, None)]

    class Runs:
        def run(self, _: str | None) -> SyncReport:
            return reports.pop(0)

        def close(self) -> None:
            """Nothing is open."""

    routes = [False, False, True]
    done = threading.Semaphore(0)
    background = BackgroundSync(
        lambda: Runs(),  # type: ignore[arg-type,return-value]
        lambda _: done.release(),
        Random(1),
        has_route=lambda: routes.pop(0),
        look_for_route_every_seconds=0.01,
    )
    background.start()
    background.request()
    assert done.acquire(timeout=10)
    assert done.acquire(timeout=10)
    background.stop()
    assert reports == []


def test_a_way_is_known_by_asking_the_system_and_not_the_network() -> None:
    assert has_route("http://127.0.0.1:9"), "nobody needs to listen"
    assert not has_route("http://255.255.255.255:9"), "the system declines it by itself"


def test_waiting_doubles_to_a_quarter_of_an_hour() -> None:
    generator = Random(2)
    waits = [wait_seconds(failures, generator) for failures in range(1, 12)]
    assert 2.5 <= waits[0] <= 5.0
    assert max(waits) <= 900.0
    assert waits[-1] >= 450.0


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("soom.example.org/", "https://soom.example.org"),
        (" https://soom.example.org ", "https://soom.example.org"),
        ("localhost:8000", "http://localhost:8000"),
        ("192.168.0.7:8000", "http://192.168.0.7:8000"),
    ],
)
def test_an_address_is_understood_as_typed(typed: str, meant: str) -> None:
    assert server_address(typed) == meant


@pytest.mark.parametrize("typed", ["", "http://soom.example.org", "ftp://x", "https://user:pw@soom.example.org"])
def test_an_address_that_would_expose_the_diary_is_refused(typed: str) -> None:
    with pytest.raises(AddressRefused):
        server_address(typed)
