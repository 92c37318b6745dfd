"""The diary on the phone. What is unsent is what has ``revision > sent_revision``; nothing else marks it."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID, uuid4

from mobile_app.data.database import PhoneDatabase
from mobile_app.data.entries import Body, Entry, Moment, instant_from_wire, instant_to_wire

_COLUMNS = "kind, id, revision, device_id, deleted, taken_at, time_zone, utc_offset_minutes, local_date, body"
# Settings travel as entries do, and are no part of the day.
_LIVED = "AND kind <> 'reminder_settings'"
_STATE_COLUMNS = _COLUMNS + ", sent_revision, refused_revision, refusal"


class EntryChangedMeanwhile(Exception):
    """The stored entry is no longer the version that the person saw; show it to them again."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the server did not take a version of an entry."""

    code: str
    message: str
    field: str | None


@dataclass(frozen=True, slots=True)
class KeptEntry:
    """An entry and where it stands: on this phone only, sent, or refused."""

    entry: Entry
    sent: bool
    refusal: Refusal | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The server's answer to one entry of a batch."""

    kind: str
    id: str
    revision: int
    outcome: str
    refusal: Refusal | None


@dataclass(frozen=True, slots=True)
class OutboxCount:
    """How many entries wait to be sent, and how many the server refused."""

    waiting: int
    refused: int


class Journal:
    """Reads and writes the diary of one patient on this phone."""

    def __init__(self, database: PhoneDatabase) -> None:
        self._database = database
        self._connection = database.connection

    @property
    def device_id(self) -> str:
        """This phone's id as lowercase hex, made once."""
        known = self._database.setting("device_id")
        if known is None:
            known = uuid4().hex
            self._database.keep_setting("device_id", known)
        return str(known)

    # Writing

    def record(self, kind: str, body: Body, moment: Moment) -> Entry:
        """Keeps a new entry; it is on disk when this returns."""
        entry = Entry(kind, str(uuid4()), 1, self.device_id, False, moment, body)
        with self._database.transaction():
            self._put(entry)
        return entry

    def record_once(self, kind: str, entry_id: str, body: Body, moment: Moment) -> Entry | None:
        """Keeps a new entry under an id that says what it stands for; None when there is one, even a deleted one."""
        entry = Entry(kind, entry_id, 1, self.device_id, False, moment, body)
        with self._database.transaction():
            if self._version_of(kind, entry_id) is not None:
                return None
            self._put(entry)
        return entry

    def revise(self, seen: Entry, body: Body | None = None, moment: Moment | None = None) -> Entry:
        """A corrected version of the entry that the person saw. Raises EntryChangedMeanwhile."""
        return self._replace(
            seen, deleted=False, body=seen.body if body is None else body, moment=moment or seen.moment
        )

    def delete(self, seen: Entry) -> Entry:
        """The tombstone of the entry that the person saw. Raises EntryChangedMeanwhile."""
        return self._replace(seen, deleted=True, body=None, moment=seen.moment)

    def _replace(self, seen: Entry, *, deleted: bool, body: Body | None, moment: Moment) -> Entry:
        with self._database.transaction():
            stored = self.find(seen.kind, seen.id)
            if stored is None or stored.entry.version != seen.version:
                raise EntryChangedMeanwhile(f"{seen.kind} {seen.id} was changed on another device")
            entry = replace(
                seen, revision=seen.revision + 1, device_id=self.device_id, deleted=deleted, body=body, moment=moment
            )
            self._put(entry)
        return entry

    def absorb(self, entries: Iterable[Entry]) -> int:
        """Takes versions from the server: the greater version stays. Returns how many changed the diary."""
        changed = 0
        with self._database.transaction():
            for entry in entries:
                stored = self._version_of(entry.kind, entry.id)
                if stored is None or entry.version > stored:
                    self._put(entry, sent_revision=entry.revision)
                    changed += 1
                elif entry.version == stored:
                    self._mark_sent(entry.kind, entry.id, entry.revision)
        return changed

    def settle(self, receipts: Sequence[Receipt]) -> None:
        """Notes the server's answers. A refused version stays in the diary with the reason and is not sent again."""
        with self._database.transaction():
            for receipt in receipts:
                if receipt.outcome == "refused":
                    self._connection.execute(
                        "UPDATE entry SET refused_revision = ?, refusal = ? WHERE kind = ? AND id = ? AND revision = ?",
                        (
                            receipt.revision,
                            self._database.seal(_refusal_to_json(receipt.refusal)),
                            receipt.kind,
                            receipt.id,
                            receipt.revision,
                        ),
                    )
                else:
                    self._mark_sent(receipt.kind, receipt.id, receipt.revision)

    def _mark_sent(self, kind: str, entry_id: str, revision: int) -> None:
        self._connection.execute(
            "UPDATE entry SET sent_revision = max(sent_revision, ?) WHERE kind = ? AND id = ?",
            (revision, kind, entry_id),
        )

    def _put(self, entry: Entry, sent_revision: int | None = None) -> None:
        self._connection.execute(
            f"INSERT INTO entry ({_COLUMNS}, sent_revision) VALUES (?,?,?,?,?,?,?,?,?,?,?) "  # noqa: S608
            "ON CONFLICT (kind, id) DO UPDATE SET revision = excluded.revision, device_id = excluded.device_id, "
            "deleted = excluded.deleted, taken_at = excluded.taken_at, time_zone = excluded.time_zone, "
            "utc_offset_minutes = excluded.utc_offset_minutes, local_date = excluded.local_date, "
            "body = excluded.body, sent_revision = max(entry.sent_revision, excluded.sent_revision), "
            "refused_revision = 0, refusal = NULL",
            (
                entry.kind,
                entry.id,
                entry.revision,
                entry.device_id,
                entry.deleted,
                instant_to_wire(entry.moment.taken_at),
                entry.moment.time_zone,
                entry.moment.utc_offset_minutes,
                entry.moment.local_date.isoformat(),
                None if entry.body is None else self._database.seal(entry.body),
                sent_revision or 0,
            ),
        )

    # Reading

    def find(self, kind: str, entry_id: str) -> KeptEntry | None:
        """The stored version of one entry, deleted or not."""
        row = self._connection.execute(
            f"SELECT {_STATE_COLUMNS} FROM entry WHERE kind = ? AND id = ?",  # noqa: S608
            (kind, entry_id),
        ).fetchone()
        return None if row is None else self._kept(row)

    def _version_of(self, kind: str, entry_id: str) -> tuple[int, str] | None:
        row: tuple[int, str] | None = self._connection.execute(
            "SELECT revision, device_id FROM entry WHERE kind = ? AND id = ?", (kind, entry_id)
        ).fetchone()
        return row

    def between(self, first: date, last: date, kinds: Sequence[str] = ()) -> list[KeptEntry]:
        """Entries of the diary days first to last, both included, oldest first; all that was lived unless kinds are
        named."""
        named = f"AND kind IN ({','.join('?' * len(kinds))})" if kinds else _LIVED
        rows = self._connection.execute(
            f"SELECT {_STATE_COLUMNS} FROM entry WHERE deleted = 0 AND local_date BETWEEN ? AND ? {named} "  # noqa: S608
            "ORDER BY taken_at, id",
            (first.isoformat(), last.isoformat(), *kinds),
        )
        return [self._kept(row) for row in rows]

    def days_before(self, day: date, limit: int) -> list[date]:
        """The latest diary days with any entry, before the given day, newest first."""
        rows = self._connection.execute(
            f"SELECT DISTINCT local_date FROM entry WHERE deleted = 0 AND local_date < ? {_LIVED} "  # noqa: S608
            "ORDER BY local_date DESC LIMIT ?",
            (day.isoformat(), limit),
        )
        return [date.fromisoformat(text) for (text,) in rows]

    def latest(self, kind: str) -> KeptEntry | None:
        """The entry of that kind that was taken last."""
        row = self._connection.execute(
            f"SELECT {_STATE_COLUMNS} FROM entry WHERE deleted = 0 AND kind = ? "  # noqa: S608
            "ORDER BY local_date DESC, taken_at DESC LIMIT 1",
            (kind,),
        ).fetchone()
        return None if row is None else self._kept(row)

    def outbox(self, limit: int) -> list[Entry]:
        """The oldest versions that the server has neither taken nor refused."""
        rows = self._connection.execute(
            f"SELECT {_STATE_COLUMNS} FROM entry WHERE revision > sent_revision AND refused_revision < revision "  # noqa: S608
            "ORDER BY taken_at LIMIT ?",
            (limit,),
        )
        return [self._kept(row).entry for row in rows]

    def outbox_count(self) -> OutboxCount:
        """How much of the diary the server does not have."""
        unsent, refused = self._connection.execute(
            "SELECT count(*), coalesce(sum(refused_revision = revision), 0) FROM entry WHERE revision > sent_revision"
        ).fetchone()
        return OutboxCount(waiting=unsent - refused, refused=refused)

    def refused(self) -> list[KeptEntry]:
        """Entries the server refused, newest first."""
        rows = self._connection.execute(
            f"SELECT {_STATE_COLUMNS} FROM entry WHERE revision > sent_revision AND refused_revision = revision "  # noqa: S608
            "ORDER BY taken_at DESC"
        )
        return [self._kept(row) for row in rows]

    def digest(self) -> str:
        """SHA-256 over every version kept, tombstones included: equal on two phones that hold the same diary."""
        lines = hashlib.sha256()
        rows = self._connection.execute(f"SELECT {_STATE_COLUMNS} FROM entry ORDER BY kind, id")  # noqa: S608
        for row in rows:
            entry = self._kept(row).entry
            lines.update(json.dumps([_canonical(entry.to_wire()), entry.device_id], sort_keys=True).encode())
        return lines.hexdigest()

    def _kept(self, row: Sequence[Any]) -> KeptEntry:
        kind, entry_id, revision, device_id, deleted, taken_at, time_zone, offset, local_date, body = row[:10]
        sent_revision, refused_revision, refusal = row[10:]
        entry = Entry(
            kind=kind,
            id=entry_id,
            revision=revision,
            device_id=device_id,
            deleted=bool(deleted),
            moment=Moment(instant_from_wire(taken_at), time_zone, offset, date.fromisoformat(local_date)),
            body=None if body is None else self._database.unseal(body),
        )
        is_refused = refused_revision == revision > sent_revision and refusal is not None
        return KeptEntry(
            entry=entry,
            sent=sent_revision >= revision,
            refusal=Refusal(**self._database.unseal(refusal)) if is_refused else None,
        )


def _canonical(part: Any) -> Any:
    """JSON does not tell 1 from 1.0, and a server may answer with the other one."""
    if isinstance(part, dict):
        return {name: _canonical(content) for name, content in part.items()}
    if isinstance(part, list):
        return [_canonical(content) for content in part]
    return int(part) if isinstance(part, float) and part.is_integer() else part


def _refusal_to_json(refusal: Refusal | None) -> dict[str, str | None]:
    known = refusal or Refusal("unknown", "", None)
    return {"code": known.code, "message": known.message, "field": known.field}


def receipt_from_wire(wire: dict[str, Any]) -> Receipt:
    """One receipt of POST /v1/sync. Raises KeyError, TypeError or ValueError on anything else."""
    reason = wire.get("reason")
    refusal = None
    if reason is not None:
        refusal = Refusal(str(reason["code"]), str(reason["message"]), reason.get("field"))
    return Receipt(wire["kind"], str(UUID(wire["id"])), int(wire["revision"]), str(wire["outcome"]), refusal)
