"""Sending and fetching: one run at a time, off the UI thread, resumable at any point."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random

from mobile_app.data.clinic import Clinic
from mobile_app.data.credentials import Credentials
from mobile_app.data.database import PhoneDatabase
from mobile_app.data.journal import Journal
from mobile_app.data.server import ServerRefused, ServerUnreachable, SignInLost, SoomServer

BATCH_ENTRIES = 200
_FIRST_WAIT_SECONDS = 5.0
_LONGEST_WAIT_SECONDS = 900.0
# With nothing to send, look for a new plan or message this often while the app is open.
_IDLE_WAIT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class SyncReport:
    """How a run ended. ``problem`` is a message code, or None when everything was exchanged."""

    ended_at: datetime
    sent: int
    refused: int
    fetched: int
    problem: str | None
    retry_after_seconds: float | None = None
    clock_ahead_seconds: float | None = None


class Synchroniser:
    """One exchange with the server: push everything waiting, then pull everything new."""

    def __init__(self, database: PhoneDatabase, server: SoomServer, now: Callable[[], datetime]) -> None:
        self._database = database
        self._journal = Journal(database)
        self._clinic = Clinic(database)
        self._server = server
        self._now = now

    def run(self, push_token: str | None = None) -> SyncReport:
        """Exchanges until nothing is left. Whatever was settled before a failure stays settled.

        Without the patient's consent nothing is asked and nothing is sent.
        """
        if not Credentials(self._database).may_send:
            return SyncReport(self._now(), 0, 0, 0, "not_agreed")
        sent = refused = fetched = 0
        problem: str | None = None
        retry_after = clock_ahead = None
        try:
            while batch := self._journal.outbox(BATCH_ENTRIES):
                asked_at = self._now()
                answer = self._server.push(batch, asked_at, push_token)
                clock_ahead = (asked_at - answer.server_time).total_seconds()
                known = {(entry.kind, entry.id, entry.revision) for entry in batch}
                receipts = [one for one in answer.receipts if (one.kind, one.id, one.revision) in known]
                if not receipts:
                    raise ServerUnreachable("no receipt for any entry of the batch")
                self._journal.settle(receipts)
                refused += sum(one.outcome == "refused" for one in receipts)
                sent += sum(one.outcome != "refused" for one in receipts)
            fetched, seen_ahead = self._pull_all()
            clock_ahead = seen_ahead if clock_ahead is None else clock_ahead
        except SignInLost:
            problem = "sign_in_lost"
        except ServerUnreachable:
            problem = "unreachable"
        except ServerRefused as error:
            problem = "too_busy" if error.status == 429 else "server_declined"
            retry_after = error.retry_after_seconds
        ended_at = self._now()
        with self._database.transaction():
            if problem is None:
                self._database.keep_setting("exchanged_at", ended_at.isoformat())
            if clock_ahead is not None:
                self._database.keep_setting("clock_ahead_seconds", round(clock_ahead))
        return SyncReport(ended_at, sent, refused, fetched, problem, retry_after, clock_ahead)

    def close(self) -> None:
        """Closes the connections to server and file."""
        self._server.close()
        self._database.close()

    def _pull_all(self) -> tuple[int, float]:
        fetched = 0
        while True:
            cursor = str(self._database.setting("cursor", ""))
            asked_at = self._now()
            try:
                page = self._server.pull(cursor)
            except ServerRefused as error:
                if error.code != "cursor_invalid" or not cursor:
                    raise
                # The server forgot this cursor: read everything again; known versions change nothing.
                self._database.keep_setting("cursor", None)
                continue
            with self._database.transaction():
                fetched += self._journal.absorb(page.entries)
                self._clinic.absorb(page.papers)
                self._database.keep_setting("cursor", page.cursor)
            if not page.more:
                return fetched, (asked_at - page.server_time).total_seconds()


def wait_seconds(failures: int, generator: Random) -> float:
    """How long to wait after so many failures in a row: doubling, with jitter so that phones do not return as one."""
    longest = min(_FIRST_WAIT_SECONDS * 2.0 ** (failures - 1), _LONGEST_WAIT_SECONDS)
    return longest * generator.uniform(0.5, 1.0)


class BackgroundSync:
    """One thread that runs the synchroniser when asked, and again by itself after a failure.

    ``open_synchroniser`` is called in that thread, so that its database connection belongs to it, and returns None
    while the phone is not enrolled. ``on_report`` is called in that thread, too.
    """

    def __init__(
        self,
        open_synchroniser: Callable[[], Synchroniser | None],
        on_report: Callable[[SyncReport], None],
        generator: Random,
    ) -> None:
        self._open_synchroniser = open_synchroniser
        self._on_report = on_report
        self._generator = generator
        self._wanted = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="soom-sync", daemon=True)

    def start(self) -> None:
        """Starts the thread; the first run happens at the first request."""
        self._thread.start()

    def request(self) -> None:
        """Asks for a run; requests made while one is under way become one more run."""
        self._wanted.set()

    def stop(self) -> None:
        """Ends the thread after the run under way."""
        self._stopped = True
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        synchroniser: Synchroniser | None = None
        failures = 0
        pause: float | None = None
        while True:
            self._wanted.wait(pause)
            self._wanted.clear()
            if self._stopped:
                break
            synchroniser = synchroniser or self._open_synchroniser()
            if synchroniser is None:
                continue
            report = synchroniser.run()
            failures = 0 if report.problem is None else failures + 1
            pause = _IDLE_WAIT_SECONDS if failures == 0 else wait_seconds(failures, self._generator)
            if report.retry_after_seconds is not None:
                pause = max(pause, report.retry_after_seconds)
            self._on_report(report)
        if synchroniser is not None:
            synchroniser.close()
