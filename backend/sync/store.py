"""The SQL of the exchange: versions of entries in, entries of all kinds out in the order of their change."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import text
from sqlmodel import Session

from backend.accounts.tables import DeviceRole
from backend.accounts.tokens import DeviceCaller
from backend.diary.tables import Attack, Note, PeakFlow, Questionnaire, Symptoms, TriggerExposure
from backend.medication.tables import InhalerUse
from backend.patients.entry import Entry
from backend.plans.tables import PlanReceipt
from backend.reminders.tables import ReminderSettings

Row = dict[str, Any]

TABLE_OF_KIND: Mapping[str, type[Entry]] = {
    "peak_flow": PeakFlow,
    "symptoms": Symptoms,
    "inhaler_use": InhalerUse,
    "trigger": TriggerExposure,
    "attack": Attack,
    "questionnaire": Questionnaire,
    "note": Note,
    "plan_receipt": PlanReceipt,
    "reminder_settings": ReminderSettings,
}
ENVELOPE = tuple(Entry.model_fields)
# Kept beside the blows so that queries need not unpack them; the wire carries the blows alone.
DERIVED = frozenset({"litres_per_min"})
SAME_IN_A_BATCH = frozenset({"patient_id", "device_id", "received_at"})


def columns_of(table: type[Entry]) -> tuple[str, ...]:
    return tuple(table.model_fields)


def body_columns_of(table: type[Entry]) -> tuple[str, ...]:
    return tuple(name for name in columns_of(table) if name not in ENVELOPE and name not in DERIVED)


def _upsert(table: type[Entry]) -> str:
    name, columns = str(table.__tablename__), columns_of(table)
    listed = ", ".join(columns)
    values = ", ".join(f"%({column})s" if column in SAME_IN_A_BATCH else f"sent.{column}" for column in columns)
    replaced = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in ("patient_id", "id"))
    # The ids go back only if some row was not newer, which is rare.
    return f"""
        WITH stored AS (
            INSERT INTO {name} AS known ({listed})
            SELECT {values} FROM json_populate_recordset(NULL::{name}, %(rows)s::json) AS sent
            ON CONFLICT (patient_id, id) DO UPDATE SET {replaced}
            WHERE (known.revision, known.device_id) < (excluded.revision, excluded.device_id)
            RETURNING id
        )
        SELECT CASE WHEN count(*) < %(count)s THEN coalesce(array_agg(id), ARRAY[]::uuid[]) END FROM stored
    """  # noqa: S608 (names of our own tables and columns)


def _versions(table: type[Entry]) -> str:
    return f"""
        SELECT id, revision, device_id FROM {table.__tablename__}
        WHERE patient_id = %(patient_id)s AND id = ANY(%(ids)s)
    """  # noqa: S608


def _changed(kind: str, table: type[Entry]) -> str:
    body = ", ".join(f"'{column}', {column}" for column in body_columns_of(table))
    return f"""
        (SELECT change, '{kind}' AS kind, id, revision, device_id, deleted, taken_at, time_zone, utc_offset_minutes,
            local_date, CASE WHEN NOT deleted THEN json_build_object({body}) END AS body
        FROM {table.__tablename__}
        WHERE patient_id = :patient_id AND change > :after AND change <= :up_to
        ORDER BY change LIMIT :limit)
    """  # noqa: S608


UPSERTS = {kind: _upsert(table) for kind, table in TABLE_OF_KIND.items()}
VERSIONS = {kind: _versions(table) for kind, table in TABLE_OF_KIND.items()}
CHANGED = text(
    " UNION ALL ".join(_changed(kind, table) for kind, table in TABLE_OF_KIND.items()) + " ORDER BY change LIMIT :limit"
)


BEGIN_EXCHANGE = """
    WITH phone AS (
        UPDATE device SET last_seen_at = %(now)s, clock_ahead_seconds = %(clock_ahead_seconds)s
        WHERE id = %(device_id)s AND patient_id = %(patient_id)s AND removed_at IS NULL
        RETURNING push_token, role
    )
    UPDATE patient SET last_change = last_change + %(count)s FROM phone WHERE patient.id = %(patient_id)s
    RETURNING last_change, born_on, phone.push_token, phone.role,
        EXISTS (SELECT 1 FROM consent WHERE consent.patient_id = %(patient_id)s AND purpose = 'care'
            AND withdrawn_at IS NULL),
        ARRAY(SELECT inhaler.id FROM inhaler WHERE inhaler.patient_id = %(patient_id)s),
        ARRAY(SELECT version FROM action_plan WHERE action_plan.patient_id = %(patient_id)s)
"""
MOVE_PUSH_ADDRESS = """
    UPDATE device SET push_token =
        CASE WHEN id = %(device_id)s AND patient_id = %(patient_id)s THEN %(push_token)s::varchar END
    WHERE push_token = %(push_token)s OR (id = %(device_id)s AND patient_id = %(patient_id)s)
"""

Pipeline = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Exchange:
    """What was known of the patient before the batch."""

    first_change: int
    born_on: date | None
    inhaler_ids: frozenset[UUID]
    plan_versions: frozenset[int]
    by_carer: bool
    care_consent: bool


@contextmanager
def pipeline(session: Session) -> Iterator[Pipeline]:
    """The session's own connection and transaction, in psycopg's pipeline mode.

    Statements are sent without waiting for each other's answers: waiting is where a sync spends its time. Within it the
    session itself may only execute what returns no rows.
    """
    connection = session.connection().connection.driver_connection
    if not isinstance(connection, psycopg.Connection):
        raise TypeError("the exchange needs a psycopg connection")
    with connection.pipeline():
        yield connection


def begin_exchange(
    connection: Pipeline,
    caller: DeviceCaller,
    *,
    count: int,
    now: datetime,
    clock_ahead_seconds: int,
    push_token: str | None,
) -> Exchange | None:
    """Lock the patient until the commit, reserve `count` change numbers and note that the phone lives.

    None if the phone is not, or no longer, one of the patient's. A `push_token` moves to this phone and patient from
    any other, so that nobody's messages reach a phone that changed hands.
    """
    known = {
        "now": now,
        "clock_ahead_seconds": clock_ahead_seconds,
        "device_id": caller.device_id,
        "patient_id": caller.patient_id,
        "count": count,
    }
    row = connection.execute(BEGIN_EXCHANGE, known).fetchone()
    if row is None:
        return None
    last_change, born_on, known_token, role, care_consent, inhaler_ids, plan_versions = row
    if push_token is not None and push_token != known_token:
        connection.execute(MOVE_PUSH_ADDRESS, known | {"push_token": push_token})
    return Exchange(
        last_change - count + 1,
        born_on,
        frozenset(inhaler_ids),
        frozenset(plan_versions),
        by_carer=role == DeviceRole.CARER,
        care_consent=care_consent,
    )


def note_seen(session: Session, patient_id: UUID, device_id: UUID, *, now: datetime) -> bool:
    """Note that the phone lives; False if it is not, or no longer, one of the patient's."""
    seen = session.connection().execute(
        text(
            "UPDATE device SET last_seen_at = :now WHERE id = :device_id AND patient_id = :patient_id"
            " AND removed_at IS NULL RETURNING id"
        ),
        {"now": now, "device_id": device_id, "patient_id": patient_id},
    )
    return seen.first() is not None


def store_newer(
    connection: Pipeline, caller: DeviceCaller, rows_by_kind: Mapping[str, Mapping[UUID, Row]], *, now: datetime
) -> dict[str, set[UUID]]:
    """Keep each row that is newer than the version stored; the ids of those, by kind. One statement a kind."""
    shared = {"patient_id": caller.patient_id, "device_id": caller.device_id, "received_at": now}
    cursors = {
        kind: connection.execute(
            UPSERTS[kind], shared | {"rows": json.dumps(list(rows.values())), "count": len(rows)}, prepare=True
        )
        for kind, rows in rows_by_kind.items()
    }
    stored = {}
    for kind, cursor in cursors.items():
        [(ids,)] = cursor.fetchall()
        stored[kind] = set(rows_by_kind[kind] if ids is None else ids)
    return stored


def versions(connection: Pipeline, kind: str, patient_id: UUID, ids: Sequence[UUID]) -> dict[UUID, tuple[int, UUID]]:
    """(revision, device id) of the stored entries among `ids`."""
    found = connection.execute(VERSIONS[kind], {"patient_id": patient_id, "ids": list(ids)})
    return {entry_id: (revision, device_id) for entry_id, revision, device_id in found}


def entries_changed(session: Session, patient_id: UUID, *, after: int, up_to: int, limit: int) -> list[Row]:
    """Entries of all kinds with a change number in (after, up_to], the first `limit` of them, tombstones included."""
    found = session.connection().execute(
        CHANGED, {"patient_id": patient_id, "after": after, "up_to": up_to, "limit": limit}
    )
    return [dict(row) for row in found.mappings()]
