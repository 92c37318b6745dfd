"""Sending and fetching: one run at a time, off the UI thread, resumable at any point."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Protocol

from mobile_app.data.clinic import Clinic
from mobile_app.data.consents import TEXT_VERSION, Consents
from mobile_app.data.database import PhoneDatabase
from mobile_app.data.entries import instant_to_wire
from mobile_app.data.journal import Journal
from mobile_app.data.ledger import Ledger
from mobile_app.data.server import Page, Parcel, PushAnswer, ServerRefused, ServerUnreachable, SignInLost

BATCH_ENTRIES = 200
_FIRST_WAIT_SECONDS = 5.0
_LONGEST_WAIT_SECONDS = 900.0
# With nothing to send, look for a new plan or message this often while the app is open.
_IDLE_WAIT_SECONDS = 300.0
# A phone with nothing to tell says this often that it lives: the clinic looks for phones that went silent.
_SIGN_OF_LIFE_EVERY = timedelta(hours=6)
PHONE_STATUS = "phone_status"


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


class Server(Protocol):
    """The server as the synchroniser needs it; SoomServer is the one over HTTP."""

    def push(self, parcel: Parcel, sent_at: datetime) -> PushAnswer:
        """Sends a parcel."""
        ...

    def pull(self, cursor: str) -> Page:
        """What changed after the cursor."""
        ...

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Anything else that the server answers a signed-in phone."""
        ...

    def close(self) -> None:
        """Ends the conversation."""
        ...


class Synchroniser:
    """One exchange with the server: push everything waiting, then pull everything new."""

    def __init__(self, database: PhoneDatabase, server: Server, now: Callable[[], datetime]) -> None:
        self._database = database
        self._journal = Journal(database)
        self._ledger = Ledger(database)
        self._clinic = Clinic(database)
        self._consents = Consents(database)
        self._server = server
        self._now = now

    def run(self, push_token: str | None = None) -> SyncReport:
        """Exchanges until nothing is left. Whatever was settled before a failure stays settled.

        Without the patient's consent nothing is asked and nothing is sent but that it was withdrawn.
        """
        sent = refused = fetched = 0
        problem: str | None = None
        retry_after = clock_ahead = None
        try:
            self._tell_consents()
            if not self._consents.may_send:
                return SyncReport(self._now(), 0, 0, 0, "not_agreed")
            while parcel := self._parcel(push_token):
                asked_at = self._now()
                answer = self._server.push(parcel, asked_at)
                clock_ahead = (asked_at - answer.server_time).total_seconds()
                taken, declined = self._settle(parcel, answer, asked_at)
                sent, refused = sent + taken, refused + declined
            fetched, seen_ahead = self._pull_all()
            clock_ahead = seen_ahead if clock_ahead is None else clock_ahead
        except SignInLost:
            problem = "sign_in_lost"
        except ServerUnreachable:
            problem = "unreachable"
        except ServerRefused as error:
            if error.code == "consent_withdrawn":
                self._consents.withdrawn_elsewhere()
                return SyncReport(self._now(), sent, refused, fetched, "not_agreed")
            problem = "too_busy" if error.status == 429 else "server_declined"
            retry_after = error.retry_after_seconds
        ended_at = self._now()
        with self._database.transaction():
            if problem is None:
                self._database.keep_setting("exchanged_at", ended_at.isoformat())
            if clock_ahead is not None:
                self._database.keep_setting("clock_ahead_seconds", round(clock_ahead))
        return SyncReport(ended_at, sent, refused, fetched, problem, retry_after, clock_ahead)

    def _parcel(self, push_token: str | None) -> Parcel | None:
        """What waits to be told, or None."""
        parcel = Parcel(
            entries=self._journal.outbox(BATCH_ENTRIES),
            occurrences=self._ledger.outbox(self._now(), BATCH_ENTRIES),
            push_receipts=self._ledger.push_receipts(BATCH_ENTRIES),
            phone=self._phone_status(),
            push_token=push_token,
        )
        waits = parcel.entries or parcel.occurrences or parcel.push_receipts or self._has_news(parcel)
        return parcel if waits else None

    def _phone_status(self) -> dict[str, Any] | None:
        known: dict[str, Any] | None = self._database.setting(PHONE_STATUS)
        if known is None:
            return None
        until, count = self._ledger.armed_until()
        return {**known, "armed_until": None if until is None else instant_to_wire(until), "armed_count": count}

    def _has_news(self, parcel: Parcel) -> bool:
        told = self._database.setting("told_of_phone", {})
        if parcel.push_token is not None and parcel.push_token != told.get("push_token"):
            return True
        if parcel.phone is None:
            return False
        told_at = told.get("at")
        silent = told_at is None or self._now() - datetime.fromisoformat(told_at) >= _SIGN_OF_LIFE_EVERY
        return silent or bool(parcel.phone != told.get("phone"))

    def _settle(self, parcel: Parcel, answer: PushAnswer, asked_at: datetime) -> tuple[int, int]:
        """Notes what the server answered; how many entries it took, and how many it refused."""
        sent = {(entry.kind, entry.id, entry.revision) for entry in parcel.entries}
        receipts = [one for one in answer.receipts if (one.kind, one.id, one.revision) in sent]
        told = {(one.key, one.local_date.isoformat(), one.revision) for one in parcel.occurrences}
        settled = [one for one in answer.occurrence_receipts if (one.key, one.local_date, one.revision) in told]
        if (sent and not receipts) or (told and not settled):
            raise ServerUnreachable("no receipt for anything of the batch")
        with self._database.transaction():
            self._journal.settle(receipts)
            self._ledger.settle(settled)
            self._ledger.forget_pushes(parcel.push_receipts)
            self._database.keep_setting(
                "told_of_phone", {"push_token": parcel.push_token, "phone": parcel.phone, "at": asked_at.isoformat()}
            )
        refused = sum(one.outcome == "refused" for one in receipts)
        return len(receipts) - refused, refused

    def close(self) -> None:
        """Closes the connections to server and file."""
        self._server.close()
        self._database.close()

    def _tell_consents(self) -> None:
        for consent in self._consents.untold():
            body = {"purpose": consent.purpose, "given": consent.given, "text_version": TEXT_VERSION}
            try:
                self._server.ask("POST", "/v1/patient/consents", body)
            except ServerRefused as error:
                # A carer decides for this phone alone; the patient's own decision stands.
                if error.code != "carer_not_allowed":
                    raise
            self._consents.told(consent)

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
                self._consents.absorb(page.papers.get("consents") or [])
                self._database.keep_setting("cursor", page.cursor)
            if not page.more:
                return fetched, (asked_at - page.server_time).total_seconds()


def wait_seconds(failures: int, generator: Random) -> float:
    """How long to wait after so many failures in a row: doubling, with jitter so that phones do not return as one."""
    longest = min(_FIRST_WAIT_SECONDS * 2.0 ** (failures - 1), _LONGEST_WAIT_SECONDS)
    return longest * generator.uniform(0.5, 1.0)


class BackgroundSync:
    """One thread that runs the synchroniser when asked, again by itself after a failure, and when a network returns.

    ``open_synchroniser`` is called in that thread, so that its database connection belongs to it, and returns None
    while the phone is not enrolled. ``on_report`` is called in that thread, too, and so are ``push_token`` and
    ``has_route``.
    """

    def __init__(
        self,
        open_synchroniser: Callable[[], Synchroniser | None],
        on_report: Callable[[SyncReport], None],
        generator: Random,
        push_token: Callable[[], str | None] = lambda: None,
        has_route: Callable[[], bool] = lambda: True,
        look_for_route_every_seconds: float = 5.0,
    ) -> None:
        self._push_token = push_token
        self._has_route = has_route
        self._look_every_seconds = look_for_route_every_seconds
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
        is_cut_off = False
        while True:
            self._wait(pause, is_cut_off)
            self._wanted.clear()
            if self._stopped:
                break
            synchroniser = synchroniser or self._open_synchroniser()
            if synchroniser is None:
                continue
            report = synchroniser.run(self._push_token())
            failures = 0 if report.problem is None else failures + 1
            pause = _IDLE_WAIT_SECONDS if failures == 0 else wait_seconds(failures, self._generator)
            if report.retry_after_seconds is not None:
                pause = max(pause, report.retry_after_seconds)
            is_cut_off = report.problem == "unreachable" and not self._has_route()
            self._on_report(report)
        if synchroniser is not None:
            synchroniser.close()

    def _wait(self, pause: float | None, is_cut_off: bool) -> None:
        """Until asked or until the pause is over; without a network also until there is one."""
        if pause is None or not is_cut_off:
            self._wanted.wait(pause)
            return
        while pause > 0:
            if self._wanted.wait(min(pause, self._look_every_seconds)) or self._has_route():
                return
            pause -= self._look_every_seconds
