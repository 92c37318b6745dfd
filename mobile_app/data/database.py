"""The phone's SQLite file: schema, durability, transactions, sealed settings."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mobile_app.data.seal import Seal

_DIARY = """
CREATE TABLE entry (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 1),
    device_id TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    taken_at TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    utc_offset_minutes INTEGER NOT NULL,
    local_date TEXT NOT NULL,
    body BLOB,
    sent_revision INTEGER NOT NULL DEFAULT 0,
    refused_revision INTEGER NOT NULL DEFAULT 0,
    refusal BLOB,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX entry_by_day ON entry (local_date, taken_at) WHERE deleted = 0;
CREATE INDEX entry_by_kind ON entry (kind, local_date, taken_at) WHERE deleted = 0;
CREATE INDEX entry_unsent ON entry (taken_at, revision, refused_revision) WHERE revision > sent_revision;
CREATE TABLE plan (version INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE inbox_item (id TEXT PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE setting (name TEXT PRIMARY KEY, content BLOB NOT NULL);
"""
_REMINDERS = """
CREATE TABLE occurrence (
    key TEXT NOT NULL,
    local_date TEXT NOT NULL,
    wall TEXT NOT NULL,
    due_at TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 1),
    state TEXT NOT NULL,
    at TEXT NOT NULL,
    fired_at TEXT,
    action TEXT,
    skip_reason TEXT,
    cause TEXT,
    snoozed_times INTEGER NOT NULL DEFAULT 0,
    words TEXT NOT NULL DEFAULT '',
    sent_revision INTEGER NOT NULL DEFAULT 0,
    refused_revision INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (key, local_date)
) WITHOUT ROWID;
CREATE INDEX occurrence_armed ON occurrence (due_at) WHERE state = 'armed';
CREATE INDEX occurrence_unsent ON occurrence (due_at) WHERE revision > sent_revision;
CREATE INDEX occurrence_by_day ON occurrence (local_date, due_at);
CREATE TABLE push_receipt (
    message_id TEXT NOT NULL,
    event TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (message_id, event)
) WITHOUT ROWID;
"""
# One step a version; a step that has been on a phone is never changed.
_STEPS = (_DIARY, _REMINDERS)
SCHEMA_VERSION = len(_STEPS)


class NewerDiary(Exception):
    """The file was written by a newer Soom; opening it with this one could lose entries."""


class PhoneDatabase:
    """One connection, for one thread. Several may be open on the same file: readers never wait for the writer."""

    def __init__(self, path: Path, seal: Seal) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._seal = seal
        self._depth = 0
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        # WAL with FULL: a commit survives a killed process and a flat battery alike.
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")
        self._prepare_schema()

    def _prepare_schema(self) -> None:
        with self.transaction():
            (version,) = self.connection.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA_VERSION:
                raise NewerDiary(f"diary schema {version} is newer than {SCHEMA_VERSION}; update Soom")
            for step in _STEPS[version:]:
                for statement in step.split(";"):
                    self.connection.execute(statement)
            if version < SCHEMA_VERSION:
                self.connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; an inner transaction joins the outer one."""
        if self._depth == 0:
            self.connection.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            if self._depth == 0:
                self.connection.execute("ROLLBACK")
            raise
        self._depth -= 1
        if self._depth == 0:
            self.connection.execute("COMMIT")

    def seal(self, content: Any) -> bytes:
        """JSON, encrypted."""
        return self._seal.close(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())

    def unseal(self, sealed: bytes) -> Any:
        """The content that was sealed."""
        return json.loads(self._seal.open(sealed))

    def setting(self, name: str, default: Any = None) -> Any:
        """A stored setting, or the default."""
        row = self.connection.execute("SELECT content FROM setting WHERE name = ?", (name,)).fetchone()
        return default if row is None else self.unseal(row[0])

    def keep_setting(self, name: str, content: Any) -> None:
        """Stores a setting durably; None forgets it."""
        with self.transaction():
            if content is None:
                self.connection.execute("DELETE FROM setting WHERE name = ?", (name,))
            else:
                self.connection.execute(
                    "INSERT INTO setting VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET content = excluded.content",
                    (name, self.seal(content)),
                )

    def close(self) -> None:
        """Closes the connection; committed work is already on disk."""
        self.connection.close()
