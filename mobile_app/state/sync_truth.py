"""What is saved, sent or refused, in one honest line."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from mobile_app.data.consents import Consents
from mobile_app.data.credentials import Credentials
from mobile_app.data.sync import SyncReport
from mobile_app.state.open_diary import OpenDiary

_CLOCK_WRONG_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Truth:
    """One line, and the tone that chooses its symbol: sent, waiting, refused or alone."""

    tone: str
    line: str


class SyncTruth:
    """The state of the exchange with the clinic."""

    def __init__(self, diary: OpenDiary) -> None:
        self._diary = diary
        self._credentials = Credentials(diary.database)
        self._consents = Consents(diary.database)
        self.busy = False
        self.problem: str | None = None
        self.on_change: Callable[[], None] = lambda: None

    def requested(self) -> None:
        """A run was asked for."""
        self.busy = self._credentials.tokens is not None
        self.on_change()

    def reported(self, report: SyncReport) -> None:
        """A run ended."""
        self.busy = False
        self.problem = report.problem
        self.on_change()

    def now(self) -> Truth:
        """What is true now."""
        say = self._diary.wording.say
        if self._credentials.tokens is not None and not self._consents.may_send:
            return Truth("alone", say("sync.not_agreed"))
        if self._credentials.tokens is None:
            problem = "waiting_sign_in_lost" if self._credentials.patient_id else "alone"
            return Truth("alone", say(f"sync.{problem}", count=self._diary.journal.outbox_count().waiting))
        count = self._diary.journal.outbox_count()
        if count.refused:
            return Truth("refused", say("sync.refused", count=count.refused))
        exchanged_at = self._exchanged_at()
        if self.busy:
            return Truth("waiting", say("sync.busy"))
        if count.waiting or exchanged_at is None:
            return Truth("waiting", say(f"sync.waiting_{self.problem or 'unreachable'}", count=count.waiting))
        moment = self._diary.moment(exchanged_at)
        day = self._diary.wording.day(moment.local_date, self._diary.today())
        return Truth("sent", say("sync.sent", day=day, time=self._diary.wording.time(moment.local)))

    @property
    def clock_note(self) -> str | None:
        """A sentence when the phone's clock is wrong by two minutes or more."""
        ahead = self._diary.database.setting("clock_ahead_seconds", 0)
        if abs(ahead) < _CLOCK_WRONG_SECONDS:
            return None
        return self._diary.wording.say(
            "sync.clock_fast" if ahead > 0 else "sync.clock_slow", minutes=round(abs(ahead) / 60)
        )

    def reasons(self) -> list[str]:
        """Why entries were refused, newest first, each with its day."""
        wording = self._diary.wording
        lines = []
        for kept in self._diary.journal.refused():
            refusal = kept.refusal
            if refusal is None:
                continue
            is_known = wording.knows(f"refusal.{refusal.code}")
            why = wording.say(f"refusal.{refusal.code}") if is_known else refusal.message
            day = wording.day(kept.entry.moment.local_date, self._diary.today())
            lines.append(f"{day} {wording.time(kept.entry.moment.local)} · {why}")
        return lines

    def _exchanged_at(self) -> datetime | None:
        text = self._diary.database.setting("exchanged_at")
        return None if text is None else datetime.fromisoformat(text)
