"""The phone's own journal against the real server: any order of events ends in one diary, everywhere."""

import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlmodel import Session

from backend.accounts.tokens import create_enrolment_code
from backend.app import build_app
from backend.core.settings import Settings
from backend.patients.tables import Patient
from mobile_app.data.credentials import Credentials
from mobile_app.data.database import PhoneDatabase
from mobile_app.data.entries import Entry, moment_at
from mobile_app.data.journal import Journal
from mobile_app.data.seal import Seal
from mobile_app.data.server import Parcel, SoomServer
from mobile_app.data.sync import Synchroniser
from tests.conftest import NOON, SettableClock
from tests.databases import unpooled_engine
from tests.factories import clinic
from tests.factories.diary import BODIES

PHONES = st.integers(0, 1)
READINGS = st.integers(30, 900)
WHICH = st.integers(0, 1000)


class Phone:
    """One phone's data layer, talking to the application without sockets."""

    def __init__(self, folder: Path, client: TestClient, code: str) -> None:
        self.client = client
        self.lost_answers = 0
        self.database = PhoneDatabase(folder / "diary.sqlite", Seal(b"k" * 32))
        # Durability has its own test; here it would only cost time.
        self.database.connection.execute("PRAGMA synchronous=OFF")
        self.journal = Journal(self.database)
        server = SoomServer(Credentials(self.database), httpx.MockTransport(self._carry))
        server.enrol("http://testserver", code, self.journal.device_id, "test phone", "desktop")
        self.server = server
        self.synchroniser = Synchroniser(self.database, server, lambda: NOON)

    def _carry(self, request: httpx.Request) -> httpx.Response:
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        answer = self.client.request(
            request.method, request.url.raw_path.decode(), content=request.read(), headers=headers
        )
        if self.lost_answers:
            self.lost_answers -= 1
            raise httpx.ReadError("the answer was lost")
        return httpx.Response(answer.status_code, json=answer.json())

    def entries(self) -> list[Entry]:
        rows = self.database.connection.execute("SELECT kind, id FROM entry ORDER BY kind, id").fetchall()
        return [kept.entry for kept in (self.journal.find(*row) for row in rows) if kept is not None]

    def close(self) -> None:
        self.server.close()
        self.database.connection.close()


class TwoPhones(RuleBasedStateMachine):
    """Two phones of one patient. `made` holds every version that either of them ever made."""

    def __init__(self, app: FastAPI, client: TestClient) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.new_session = app.state.new_session
        self.client = client
        with self.new_session() as session:
            self.patient = clinic.patient(session, clinic.hospital(session), now=NOON)
            session.commit()
        self.phones = [self.new_phone("one"), self.new_phone("two")]
        self.made: list[Entry] = []

    def new_phone(self, name: str) -> Phone:
        with self.new_session() as session:
            code = create_enrolment_code(session, self.patient.id, created_by=None, now=NOON)
            session.commit()
        return Phone(Path(self.folder.name) / name, self.client, code)

    def few(self) -> bool:
        """Few entries, so that the phones often touch the same one."""
        return len({entry.id for entry in self.made}) < 3

    @precondition(few)
    @rule(which=PHONES, litres_per_min=READINGS)
    def measures(self, which: int, litres_per_min: int) -> None:
        body = {**BODIES["peak_flow"], "blows_litres_per_min": [litres_per_min]}
        self.made.append(self.phones[which].journal.record("peak_flow", body, moment_at(NOON, "Asia/Seoul")))

    @precondition(few)
    @rule(which=PHONES)
    def notes(self, which: int) -> None:
        self.made.append(self.phones[which].journal.record("note", BODIES["note"], moment_at(NOON, "Asia/Seoul")))

    @precondition(lambda self: self.made)
    @rule(which=PHONES, place=WHICH, litres_per_min=READINGS)
    def corrects_or_revives(self, which: int, place: int, litres_per_min: int) -> None:
        entries = [entry for entry in self.phones[which].entries() if entry.kind == "peak_flow"]
        if entries:
            body = {**BODIES["peak_flow"], "blows_litres_per_min": [litres_per_min]}
            self.made.append(self.phones[which].journal.revise(entries[place % len(entries)], body))

    @precondition(lambda self: self.made)
    @rule(which=PHONES, place=WHICH)
    def deletes(self, which: int, place: int) -> None:
        entries = [entry for entry in self.phones[which].entries() if not entry.deleted]
        if entries:
            self.made.append(self.phones[which].journal.delete(entries[place % len(entries)]))

    @rule(which=PHONES, lost_answers=st.sampled_from([0, 0, 0, 1, 2]))
    def exchanges(self, which: int, lost_answers: int) -> None:
        self.phones[which].lost_answers = lost_answers
        self.phones[which].synchroniser.run()
        self.phones[which].lost_answers = 0

    @precondition(lambda self: any(entry.revision > 1 for entry in self.made))
    @rule(places=st.lists(WHICH, min_size=1, max_size=6))
    def old_versions_arrive_late_and_twice(self, places: list[int]) -> None:
        for phone in self.phones:
            own = [entry for entry in self.made if entry.device_id == phone.journal.device_id]
            if own:
                phone.server.push(Parcel([own[place % len(own)] for place in places]), NOON)

    def teardown(self) -> None:
        for phone in (*self.phones, *self.phones):
            assert phone.synchroniser.run().problem is None
        restored = self.new_phone("restored")
        assert restored.synchroniser.run().problem is None
        everywhere = [*self.phones, restored]
        assert len({phone.journal.digest() for phone in everywhere}) == 1
        newest: dict[tuple[str, str], Entry] = {}
        for entry in self.made:
            known = newest.get((entry.kind, entry.id))
            if known is None or entry.version > known.version:
                newest[entry.kind, entry.id] = entry
        assert {(entry.kind, entry.id): entry for entry in restored.entries()} == newest
        for phone in everywhere:
            phone.close()
        self.folder.cleanup()


# Many small exchanges: on a busy machine they take longer than one test usually may.
@pytest.mark.timeout(300)
def test_any_order_of_events_on_two_phones_ends_in_one_diary_and_no_deletion_is_undone(own_database: str) -> None:
    app = build_app(Settings(database_url=own_database, demo=True), clock=SettableClock())
    with TestClient(app, raise_server_exceptions=False) as client:

        class TwoPhonesOfThisServer(TwoPhones):
            def __init__(self) -> None:
                super().__init__(app, client)

        run_state_machine_as_test(
            TwoPhonesOfThisServer,
            settings=settings(
                max_examples=14,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
    app.state.engine.dispose()


def test_a_phone_gets_its_papers_once_and_again_when_they_change(own_database: str, tmp_path: Path) -> None:
    app = build_app(Settings(database_url=own_database, demo=True), clock=SettableClock())
    with TestClient(app) as client, Session(unpooled_engine(own_database)) as session:
        at = clinic.hospital(session)
        patient = clinic.patient(session, at, now=NOON)
        code = create_enrolment_code(session, patient.id, created_by=None, now=NOON)
        session.commit()
        phone = Phone(tmp_path, client, code)
        first = phone.server.pull("")
        assert first.papers["profile"]["hospital"] == at.name
        assert first.papers["profile"]["emergency_number"] == "119"
        assert phone.server.pull(first.cursor).papers["profile"] is None
        _rename(session, patient.id)
        assert phone.server.pull(first.cursor).papers["profile"]["display_name"] == "Minji Park"
        phone.close()
    app.state.engine.dispose()


def _rename(session: Session, patient_id: UUID) -> None:
    from backend.patients.store import next_changes

    change = next_changes(session, patient_id)
    patient: Any = session.get_one(Patient, patient_id, populate_existing=True)
    patient.display_name, patient.profile_change = "Minji Park", change
    session.commit()
