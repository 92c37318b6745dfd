"""SQL of the exchange with other systems: a patient's records in a window of time, newest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, text
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from backend.interchange.tables import ImportedResource
from backend.medication.tables import Inhaler
from backend.patients.entry import Entry
from backend.patients.tables import Patient
from backend.plans.tables import ActionPlan
from backend.sync.store import TABLE_OF_KIND, body_columns_of, entries_changed

EXPORTED_AT_ONCE = 500
EARLIEST = datetime(1800, 1, 1, tzinfo=UTC)
LATEST = datetime(2500, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Window:
    """From `since` up to and without `until`; a page goes on after the record at (`before_at`, `before_id`)."""

    limit: int
    since: datetime = EARLIEST
    until: datetime = LATEST
    before_at: datetime = LATEST
    before_id: str = ""


def _entries(kind: str, table: type[Entry]) -> str:
    body = ", ".join(f"'{column}', {column}" for column in body_columns_of(table))
    return f"""
        SELECT '{kind}' AS kind, id, revision, device_id, deleted, taken_at, time_zone, utc_offset_minutes, local_date,
            json_build_object({body}) AS body
        FROM {table.__tablename__}
        WHERE patient_id = :patient_id AND NOT deleted AND taken_at >= :since AND taken_at < :until
            AND (taken_at < :before_at
                OR (taken_at = :before_at AND '{kind.replace("_", "-")}-' || id::text COLLATE "C" < :before_id))
        ORDER BY taken_at DESC, id::text COLLATE "C" DESC LIMIT :limit
    """  # noqa: S608 (names of our own tables and columns)


ENTRIES = {kind: text(_entries(kind, table)) for kind, table in TABLE_OF_KIND.items()}
ENTRY = {
    kind: text(f"""
        SELECT '{kind}' AS kind, patient_id, id, revision, device_id, deleted, taken_at, time_zone, utc_offset_minutes,
            local_date, CASE WHEN NOT deleted THEN json_build_object({
        ", ".join(f"'{column}', {column}" for column in body_columns_of(table))
    }) END AS body
        FROM {table.__tablename__} WHERE id = :id AND patient_id = ANY(:patient_ids)
    """)  # noqa: S608
    for kind, table in TABLE_OF_KIND.items()
}


def entries_in(session: Session, patient_id: UUID, kind: str, window: Window) -> list[dict[str, Any]]:
    """Entries of a kind as on the wire, newest first."""
    found = session.connection().execute(
        ENTRIES[kind],
        {
            "patient_id": patient_id,
            "since": window.since,
            "until": window.until,
            "before_at": window.before_at,
            "before_id": window.before_id,
            "limit": window.limit,
        },
    )
    return [dict(row) for row in found.mappings()]


def entry_of(session: Session, patient_ids: Sequence[UUID], kind: str, entry_id: UUID) -> dict[str, Any] | None:
    found = session.connection().execute(ENTRY[kind], {"id": entry_id, "patient_ids": list(patient_ids)})
    row = found.mappings().first()
    return None if row is None else dict(row)


def whole_diary(session: Session, patient: Patient) -> Iterator[dict[str, Any]]:
    """Every entry, tombstones included, in the order of its last change."""
    after = 0
    while True:
        rows = entries_changed(session, patient.id, after=after, up_to=patient.last_change, limit=EXPORTED_AT_ONCE)
        for row in rows:
            after = row.pop("change")
            yield row
        if len(rows) < EXPORTED_AT_ONCE:
            return


def page_of(window: Window, at: Any, record_id: ColumnElement[str]) -> ColumnElement[bool]:
    """SQL condition: within the window and after the page's last record, newest first."""
    return and_(
        at >= window.since,
        at < window.until,
        or_(at < window.before_at, and_(at == window.before_at, record_id.collate("C") < window.before_id)),
    )


def inhalers_by_id(session: Session, patient_id: UUID) -> dict[str, Inhaler]:
    found = session.exec(select(Inhaler).where(Inhaler.patient_id == patient_id))
    return {str(inhaler.id): inhaler for inhaler in found}


def plan_versions(session: Session, patient_id: UUID) -> set[int]:
    return set(session.exec(select(ActionPlan.version).where(ActionPlan.patient_id == patient_id)))


def imported_hashes(session: Session, patient_id: UUID) -> set[bytes]:
    return set(session.exec(select(ImportedResource.content_hash).where(ImportedResource.patient_id == patient_id)))


def _superseded() -> ColumnElement[bool]:
    """SQL condition: a newer version of the resource has come."""
    newer = aliased(ImportedResource)
    return exists().where(
        col(newer.patient_id) == col(ImportedResource.patient_id),
        col(newer.resource_type) == col(ImportedResource.resource_type),
        col(newer.source_id) == col(ImportedResource.source_id),
        col(newer.received_at) > col(ImportedResource.received_at),
    )


def imported_counts(session: Session, patient_id: UUID) -> dict[str, int]:
    """Resources of other systems by type, each counted once however many versions of it came."""
    rows = session.exec(
        select(ImportedResource.resource_type, func.count())
        .where(ImportedResource.patient_id == patient_id, ~_superseded())
        .group_by(ImportedResource.resource_type)
    )
    return {str(resource_type): int(count) for resource_type, count in rows}


def imported_of_types(
    session: Session, patient_id: UUID, resource_types: Sequence[str], *, limit: int, offset: int
) -> Sequence[ImportedResource]:
    """The newest version of each resource of these types, newest first, whether or not it became something here."""
    return session.exec(
        select(ImportedResource)
        .where(
            ImportedResource.patient_id == patient_id,
            col(ImportedResource.resource_type).in_(resource_types),
            ~_superseded(),
        )
        .order_by(
            col(ImportedResource.happened_at).desc(),
            col(ImportedResource.source_id),
            col(ImportedResource.content_hash),
        )
        .limit(limit)
        .offset(offset)
    ).all()


def imported_in(session: Session, patient_id: UUID, resource_type: str, window: Window) -> Sequence[ImportedResource]:
    """The newest version of each resource that is only kept; what became something of Soom's own appears as that."""
    record_id = func.concat("imported-", func.encode(col(ImportedResource.content_hash), "hex"))
    return session.exec(
        select(ImportedResource)
        .where(
            ImportedResource.patient_id == patient_id,
            ImportedResource.resource_type == resource_type,
            col(ImportedResource.became).is_(None),
            ~_superseded(),
            page_of(window, col(ImportedResource.happened_at), record_id),
        )
        .order_by(col(ImportedResource.happened_at).desc(), record_id.collate("C").desc())
        .limit(window.limit)
    ).all()


def imported_named(
    session: Session, patient_ids: Sequence[UUID], resource_type: str, source_id: str
) -> ImportedResource | None:
    """The newest version under the other system's id, of those that are only kept; None where two patients have it."""
    versions = session.exec(
        select(ImportedResource)
        .where(
            col(ImportedResource.patient_id).in_(patient_ids),
            ImportedResource.resource_type == resource_type,
            ImportedResource.source_id == source_id,
            col(ImportedResource.became).is_(None),
        )
        .order_by(col(ImportedResource.received_at).desc())
    ).all()
    return versions[0] if len({one.patient_id for one in versions}) == 1 else None
