"""Any interleaving of two phones, offline edits, lost answers and repeated pushes ends in the same diary."""

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from mobile_app.data.entries import moment_at
from mobile_app.data.journal import KeptEntry
from mobile_app.data.server import SoomServer
from mobile_app.data.sync import Synchroniser
from tests.fakes.soom_server import SoomServerFake
from tests.phone.conftest import Phone

PHONES = st.integers(0, 1)
WORDS = st.sampled_from(["a", "b", "c"])


class TwoPhones(RuleBasedStateMachine):
    """Two phones of one patient and their server, without sockets: the same bytes through httpx's transport."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.server = SoomServerFake()
        self.lost_answers = 0
        self.written: list[str] = []
        self.phones = [self._phone("one"), self._phone("two")]

    def _phone(self, name: str) -> Phone:
        phone = Phone(Path(self._folder.name) / name)
        # Durability is what the kill test is for; here it would only cost time.
        phone.database.connection.execute("PRAGMA synchronous=OFF")
        phone.server.close()
        phone.server = SoomServer(phone.credentials, httpx.MockTransport(self._answer))
        phone.synchroniser = Synchroniser(phone.database, phone.server, phone.clock.now)
        # Chosen, not random: which version wins must not change between two runs of one example.
        phone.database.keep_setting("device_id", ("a" if name == "one" else "b") * 32)
        phone.enrol("http://localhost")
        return phone

    def _answer(self, request: httpx.Request) -> httpx.Response:
        content = request.content
        if request.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        body = json.loads(content) if content else None
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        status, wire = self.server.answer(request.method, request.url.path, dict(request.url.params), token, body)
        if self.lost_answers:
            self.lost_answers -= 1
            raise httpx.ReadError("the answer was lost")
        return httpx.Response(status, json=wire)

    def _all(self, phone: Phone) -> list[KeptEntry]:
        rows = phone.database.connection.execute("SELECT kind, id FROM entry ORDER BY id").fetchall()
        return [kept for kept in (phone.journal.find(*row) for row in rows) if kept is not None]

    @rule(which=PHONES, words=WORDS)
    def write(self, which: int, words: str) -> None:
        phone = self.phones[which]
        entry = phone.journal.record("note", {"text": words}, moment_at(phone.clock.now(), "Asia/Seoul"))
        self.written.append(entry.id)

    @precondition(lambda self: self.written)
    @rule(which=PHONES, place=st.integers(0, 4), words=WORDS)
    def correct(self, which: int, place: int, words: str) -> None:
        kept = self.phones[which].journal.find("note", self.written[place % len(self.written)])
        if kept is not None:
            self.phones[which].journal.revise(kept.entry, {"text": words})

    @precondition(lambda self: self.written)
    @rule(which=PHONES, place=st.integers(0, 4))
    def delete(self, which: int, place: int) -> None:
        kept = self.phones[which].journal.find("note", self.written[place % len(self.written)])
        if kept is not None:
            self.phones[which].journal.delete(kept.entry)

    @rule(which=PHONES)
    def sync(self, which: int) -> None:
        self.phones[which].synchroniser.run()

    @rule(answers=st.integers(1, 2))
    def lose_answers(self, answers: int) -> None:
        self.lost_answers = answers

    @rule(which=PHONES)
    def send_everything_again(self, which: int) -> None:
        """An old phone's backup was restored: it believes that nothing was sent and knows no cursor."""
        phone = self.phones[which]
        phone.database.connection.execute("UPDATE entry SET sent_revision = 0")
        phone.database.keep_setting("cursor", None)

    @rule()
    def access_tokens_expire(self) -> None:
        if not self.lost_answers:
            self.server.expire_access_tokens()

    def teardown(self) -> None:
        self.lost_answers = 0
        try:
            self._converges()
        finally:
            for phone in self.phones:
                phone.close()
            self._folder.cleanup()

    def _converges(self) -> None:
        for phone in (*self.phones, *self.phones):
            report = phone.synchroniser.run()
            if report.problem == "sign_in_lost":
                phone.enrol("http://localhost")
                report = phone.synchroniser.run()
            assert report.problem is None
        first, second = self.phones
        assert first.journal.digest() == second.journal.digest()
        assert first.journal.outbox_count().waiting == second.journal.outbox_count().waiting == 0
        held = {key: (one["revision"], one["device_id"]) for key, one in self.server.versions.items()}
        assert held == {(k.entry.kind, k.entry.id): k.entry.version for k in self._all(first)}


TwoPhones.TestCase.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
test_two_phones_converge: Any = TwoPhones.TestCase
