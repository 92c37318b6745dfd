"""What is saved, sent or refused, in one honest line."""

from collections.abc import Callable
from datetime import datetime

from mobile_app.data.credentials import Credentials
from mobile_app.data.sync import SyncReport
from mobile_app.state.open_diary import OpenDiary

_CLOCK_WRONG_SECONDS = 120


class SyncTruth:
    """The state of the exchange with the clinic."""

    def __init__(self, diary: OpenDiary) -> None:
        self._diary = diary
        self._credentials = Credentials(diary.database)
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

    @property
    def tone(self) -> str:
        """``sent``, ``waiting``, ``refused`` or ``alone``: which symbol stands before the line."""
        count = self._diary.journal.outbox_count()
        if self._credentials.tokens is None:
            return "alone"
        if count.refused:
            return "refused"
        return "waiting" if count.waiting or self._exchanged_at() is None else "sent"

    @property
    def line(self) -> str:
        """What is true now."""
        say = self._diary.wording.say
        count = self._diary.journal.outbox_count()
        tone = self.tone
        if tone == "alone":
            return say("sync.alone")
        if tone == "refused":
            return say("sync.refused", count=count.refused)
        if self.busy:
            return say("sync.busy")
        exchanged_at = self._exchanged_at()
        if tone == "sent" and exchanged_at is not None:
            moment = self._diary.moment(exchanged_at)
            day = self._diary.wording.day(moment.local_date, self._diary.today())
            return say("sync.sent", day=day, time=self._diary.wording.time(moment.local))
        return say(f"sync.waiting_{self.problem or 'unreachable'}", count=count.waiting)

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
            key = f"refusal.{refusal.code}" if refusal else ""
            why = wording.say(key) if refusal and wording.knows(key) else (refusal.message if refusal else "")
            day = wording.day(kept.entry.moment.local_date, self._diary.today())
            lines.append(f"{day} {wording.time(kept.entry.moment.local)} · {why}")
        return lines

    def _exchanged_at(self) -> datetime | None:
        text = self._diary.database.setting("exchanged_at")
        return None if text is None else datetime.fromisoformat(text)
