"""The account of every reminder on this phone: armed, fired, shown, acted upon, or missed and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from mobile_app.data.database import PhoneDatabase
from mobile_app.data.entries import instant_from_wire, instant_to_wire

_COLUMNS = (
    "key, local_date, wall, due_at, time_zone, revision, state, at, fired_at, action, skip_reason, cause, "
    "snoozed_times, words"
)
# Later ones are summed up by PhoneStatus: the clinic needs to know that they are armed, not each of them daily.
_SENT_BEFORE_DUE = timedelta(hours=36)


@dataclass(frozen=True, slots=True)
class KeptOccurrence:
    """One prompt of one reminder on one diary day. Its identity holds no time of day."""

    key: str
    local_date: date
    wall: datetime
    due_at: datetime
    time_zone: str
    state: str
    at: datetime
    revision: int = 0
    fired_at: datetime | None = None
    action: str | None = None
    skip_reason: str | None = None
    cause: str | None = None
    snoozed_times: int = 0
    words: str = ""

    @property
    def identity(self) -> tuple[str, date]:
        """What stays when the reminder is moved."""
        return self.key, self.local_date

    @property
    def id(self) -> str:
        """The identity as one text, the tag of the notification."""
        return f"{self.key}@{self.local_date.isoformat()}"

    def to_wire(self) -> dict[str, Any]:
        """The occurrence as POST /v1/sync carries it."""
        return {
            "key": self.key,
            "local_date": self.local_date.isoformat(),
            "due_at": instant_to_wire(self.due_at),
            "time_zone": self.time_zone,
            "revision": self.revision,
            "state": self.state,
            "at": instant_to_wire(self.at),
            "action": self.action,
            "skip_reason": self.skip_reason,
            "cause": self.cause,
            "snoozed_times": self.snoozed_times,
        }


@dataclass(frozen=True, slots=True)
class OccurrenceReceipt:
    """The server's answer to one occurrence."""

    key: str
    local_date: str
    revision: int
    outcome: str


@dataclass(frozen=True, slots=True)
class PushReceipt:
    """That a push message was received, or opened."""

    message_id: str
    event: str
    at: datetime

    def to_wire(self) -> dict[str, str]:
        """The receipt as POST /v1/sync carries it."""
        return {"message_id": self.message_id, "event": self.event, "at": instant_to_wire(self.at)}


class Ledger:
    """Reads and writes the account of one patient's reminders. A row changes by a greater revision only."""

    def __init__(self, database: PhoneDatabase) -> None:
        self._database = database
        self._connection = database.connection

    def put(self, occurrence: KeptOccurrence) -> KeptOccurrence:
        """Keeps a changed occurrence under the next revision."""
        kept = replace(occurrence, revision=occurrence.revision + 1)
        with self._database.transaction():
            self._connection.execute(
                f"INSERT INTO occurrence ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) "  # noqa: S608
                "ON CONFLICT (key, local_date) DO UPDATE SET wall = excluded.wall, due_at = excluded.due_at, "
                "time_zone = excluded.time_zone, revision = excluded.revision, state = excluded.state, "
                "at = excluded.at, fired_at = excluded.fired_at, action = excluded.action, "
                "skip_reason = excluded.skip_reason, cause = excluded.cause, "
                "snoozed_times = excluded.snoozed_times, words = excluded.words "
                "WHERE excluded.revision > occurrence.revision",
                _row(kept),
            )
        return kept

    def worded(self, occurrence: KeptOccurrence, words: str) -> KeptOccurrence:
        """Keeps which words the alarm was armed with; nothing that the clinic needs to hear of."""
        with self._database.transaction():
            self._connection.execute(
                "UPDATE occurrence SET words = ? WHERE key = ? AND local_date = ?",
                (words, occurrence.key, occurrence.local_date.isoformat()),
            )
        return replace(occurrence, words=words)

    def find(self, key: str, local_date: date) -> KeptOccurrence | None:
        """One occurrence, or None."""
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM occurrence WHERE key = ? AND local_date = ?",  # noqa: S608
            (key, local_date.isoformat()),
        ).fetchone()
        return None if row is None else _kept(row)

    def since(self, first: date, last: date = date.max) -> list[KeptOccurrence]:
        """All of the diary days first to last, by due time."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM occurrence WHERE local_date BETWEEN ? AND ? ORDER BY due_at, key",  # noqa: S608
            (first.isoformat(), last.isoformat()),
        )
        return [_kept(row) for row in rows]

    def armed_before(self, first: date) -> list[KeptOccurrence]:
        """Those of earlier diary days whose end is not written down yet."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM occurrence WHERE state = 'armed' AND local_date < ?",  # noqa: S608
            (first.isoformat(),),
        )
        return [_kept(row) for row in rows]

    def armed_ids(self, after: datetime) -> set[str]:
        """Identities, as text, of what waits for its time."""
        rows = self._connection.execute(
            "SELECT key || '@' || local_date FROM occurrence WHERE state = 'armed' AND due_at > ?",
            (instant_to_wire(after),),
        )
        return {identity for (identity,) in rows}

    # To the clinic

    def outbox(self, now: datetime, limit: int) -> list[KeptOccurrence]:
        """Versions neither taken nor refused by the server, but for those armed for later than a day and a half."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM occurrence WHERE revision > sent_revision AND refused_revision < revision "  # noqa: S608
            "AND (state NOT IN ('armed', 'cancelled') OR due_at < ? OR sent_revision > 0) ORDER BY due_at LIMIT ?",
            (instant_to_wire(now + _SENT_BEFORE_DUE), limit),
        )
        return [_kept(row) for row in rows]

    def settle(self, receipts: Iterable[OccurrenceReceipt]) -> None:
        """Notes the server's answers; what was refused is not sent again before it changes."""
        with self._database.transaction():
            for receipt in receipts:
                column = "refused_revision" if receipt.outcome == "refused" else "sent_revision"
                self._connection.execute(
                    f"UPDATE occurrence SET {column} = max({column}, ?) WHERE key = ? AND local_date = ?",  # noqa: S608
                    (receipt.revision, receipt.key, receipt.local_date),
                )

    def armed_until(self) -> tuple[datetime | None, int]:
        """When the last armed alarm is due, and how many are armed."""
        until, count = self._connection.execute(
            "SELECT max(due_at), count(*) FROM occurrence WHERE state = 'armed'"
        ).fetchone()
        return None if until is None else instant_from_wire(until), count

    def note_push(self, receipt: PushReceipt) -> None:
        """Keeps a receipt until it is sent; the first of its kind stands."""
        with self._database.transaction():
            self._connection.execute(
                "INSERT OR IGNORE INTO push_receipt VALUES (?, ?, ?)",
                (receipt.message_id, receipt.event, instant_to_wire(receipt.at)),
            )

    def push_receipts(self, limit: int) -> list[PushReceipt]:
        """Receipts to be sent, oldest first."""
        rows = self._connection.execute("SELECT message_id, event, at FROM push_receipt ORDER BY at LIMIT ?", (limit,))
        return [PushReceipt(message_id, event, instant_from_wire(at)) for message_id, event, at in rows]

    def forget_pushes(self, sent: Sequence[PushReceipt]) -> None:
        """The clinic has these."""
        with self._database.transaction():
            self._connection.executemany(
                "DELETE FROM push_receipt WHERE message_id = ? AND event = ?",
                [(one.message_id, one.event) for one in sent],
            )


def _row(kept: KeptOccurrence) -> tuple[object, ...]:
    return (
        kept.key,
        kept.local_date.isoformat(),
        kept.wall.isoformat(timespec="minutes"),
        instant_to_wire(kept.due_at),
        kept.time_zone,
        kept.revision,
        kept.state,
        instant_to_wire(kept.at),
        None if kept.fired_at is None else instant_to_wire(kept.fired_at),
        kept.action,
        kept.skip_reason,
        kept.cause,
        kept.snoozed_times,
        kept.words,
    )


def _kept(row: Sequence[Any]) -> KeptOccurrence:
    key, local_date, wall, due_at, time_zone, revision, state, at, fired_at = row[:9]
    action, skip_reason, cause, snoozed_times, words = row[9:]
    return KeptOccurrence(
        key=key,
        local_date=date.fromisoformat(local_date),
        wall=datetime.fromisoformat(wall),
        due_at=instant_from_wire(due_at),
        time_zone=time_zone,
        state=state,
        at=instant_from_wire(at),
        revision=revision,
        fired_at=None if fired_at is None else instant_from_wire(fired_at),
        action=action,
        skip_reason=skip_reason,
        cause=cause,
        snoozed_times=snoozed_times,
        words=words,
    )
