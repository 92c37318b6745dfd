"""The SQL of the exchange: versions of entries in, entries of all kinds out in the order of their change."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlmodel import Session

from backend.diary.tables import Attack, Note, PeakFlow, Questionnaire, Symptoms, TriggerExposure
from backend.medication.tables import InhalerUse
from backend.patients.entry import Entry
from backend.plans.tables import PlanReceipt

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
}
ENVELOPE = tuple(Entry.model_fields)
# Kept beside the blows so that queries need not unpack them; the wire carries the blows alone.
DERIVED = frozenset({"litres_per_min"})


def columns_of(table: type[Entry]) -> tuple[str, ...]:
    return tuple(table.model_fields)


def body_columns_of(table: type[Entry]) -> tuple[str, ...]:
    return tuple(name for name in columns_of(table) if name not in ENVELOPE and name not in DERIVED)


def _upsert(table: type[Entry]) -> TextClause:
    name, columns = str(table.__tablename__), columns_of(table)
    listed = ", ".join(columns)
    replaced = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in ("patient_id", "id"))
    return text(f"""
        INSERT INTO {name} AS stored ({listed})
        SELECT {listed} FROM json_populate_recordset(NULL::{name}, CAST(:rows AS json))
        ON CONFLICT (patient_id, id) DO UPDATE SET {replaced}
        WHERE (stored.revision, stored.device_id) < (excluded.revision, excluded.device_id)
        RETURNING id
    """)  # noqa: S608 (names of our own tables and columns)


def _versions(table: type[Entry]) -> TextClause:
    return text(f"""
        SELECT id, revision, device_id FROM {table.__tablename__}
        WHERE patient_id = :patient_id AND id = ANY(CAST(:ids AS uuid[]))
    """)  # noqa: S608


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


@dataclass(frozen=True)
class Exchange:
    """The patient's side of one request: what was known before it."""

    first_change: int
    born_on: date | None


def begin_exchange(
    session: Session,
    patient_id: UUID,
    device_id: UUID,
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
    connection = session.connection()
    row = connection.execute(
        text("""
            WITH phone AS (
                UPDATE device SET last_seen_at = :now, clock_ahead_seconds = :clock_ahead_seconds
                WHERE id = :device_id AND patient_id = :patient_id RETURNING push_token
            )
            UPDATE patient SET last_change = last_change + :count FROM phone WHERE patient.id = :patient_id
            RETURNING last_change, born_on, phone.push_token
        """),
        {
            "now": now,
            "clock_ahead_seconds": clock_ahead_seconds,
            "device_id": device_id,
            "patient_id": patient_id,
            "count": count,
        },
    ).first()
    if row is None:
        return None
    last_change, born_on, known_token = row
    if push_token is not None and push_token != known_token:
        connection.execute(
            text("""
                UPDATE device SET push_token =
                    CASE WHEN id = :device_id AND patient_id = :patient_id THEN CAST(:push_token AS varchar) END
                WHERE push_token = :push_token OR (id = :device_id AND patient_id = :patient_id)
            """),
            {"device_id": device_id, "patient_id": patient_id, "push_token": push_token},
        )
    return Exchange(first_change=last_change - count + 1, born_on=born_on)


def note_seen(session: Session, patient_id: UUID, device_id: UUID, *, now: datetime) -> bool:
    """Note that the phone lives; False if it is not, or no longer, one of the patient's."""
    seen = session.connection().execute(
        text("UPDATE device SET last_seen_at = :now WHERE id = :device_id AND patient_id = :patient_id RETURNING id"),
        {"now": now, "device_id": device_id, "patient_id": patient_id},
    )
    return seen.first() is not None


def store_newer(session: Session, kind: str, rows: Sequence[Row]) -> set[UUID]:
    """Keep each row that is newer than the version stored, and return the ids of those. No id may come twice."""
    stored = session.connection().execute(UPSERTS[kind], {"rows": json.dumps(rows)})
    return set(stored.scalars())


def versions(session: Session, kind: str, patient_id: UUID, ids: Sequence[UUID]) -> dict[UUID, tuple[int, UUID]]:
    """(revision, device id) of the stored entries among `ids`."""
    found = session.connection().execute(VERSIONS[kind], {"patient_id": patient_id, "ids": list(ids)})
    return {entry_id: (revision, device_id) for entry_id, revision, device_id in found}


def entries_changed(session: Session, patient_id: UUID, *, after: int, up_to: int, limit: int) -> list[Row]:
    """Entries of all kinds with a change number in (after, up_to], the first `limit` of them, tombstones included."""
    found = session.connection().execute(
        CHANGED, {"patient_id": patient_id, "after": after, "up_to": up_to, "limit": limit}
    )
    return [dict(row) for row in found.mappings()]
