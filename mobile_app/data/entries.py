"""A diary entry as the phone keeps it and as it travels."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened to the patient: the instant, and the clock and diary day they lived it by."""

    taken_at: datetime
    time_zone: str
    utc_offset_minutes: int
    local_date: date

    @property
    def local(self) -> datetime:
        """The wall-clock time the patient saw."""
        return self.taken_at.astimezone(ZoneInfo(self.time_zone))


def moment_at(instant: datetime, time_zone: str, day_starts_at_hour: int = 0) -> Moment:
    """The moment of an aware instant in an IANA zone.

    day_starts_at_hour: 0 to 12; a night worker's diary day may begin at 5 in the morning, so that 02:30 still
    belongs to the day before.
    """
    local = instant.astimezone(ZoneInfo(time_zone))
    offset = local.utcoffset() or timedelta(0)
    wall = local.replace(tzinfo=None) - timedelta(hours=day_starts_at_hour)
    return Moment(instant.astimezone(UTC), time_zone, int(offset.total_seconds() // 60), wall.date())


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of one diary entry. Versions of an entry are ordered by (revision, device id); the greater wins."""

    kind: str
    id: str
    revision: int
    device_id: str
    deleted: bool
    moment: Moment
    body: Body | None

    @property
    def version(self) -> tuple[int, str]:
        """What orders versions of one entry everywhere, on phones and on the server."""
        return self.revision, self.device_id

    @property
    def value(self) -> Body:
        """The body of an entry that is not deleted."""
        if self.body is None:
            raise ValueError(f"entry {self.id} is deleted and has no body")
        return self.body

    def to_wire(self) -> dict[str, Any]:
        """The entry as POST /v1/sync carries it; the device id comes from the token."""
        return {
            "kind": self.kind,
            "id": self.id,
            "revision": self.revision,
            "deleted": self.deleted,
            "taken_at": instant_to_wire(self.moment.taken_at),
            "time_zone": self.moment.time_zone,
            "utc_offset_minutes": self.moment.utc_offset_minutes,
            "local_date": self.moment.local_date.isoformat(),
            "body": self.body,
        }


def entry_from_wire(wire: Mapping[str, Any]) -> Entry:
    """An entry as GET /v1/sync carries it. Raises KeyError, TypeError or ValueError on anything else."""
    moment = Moment(
        taken_at=instant_from_wire(wire["taken_at"]),
        time_zone=str(wire["time_zone"]),
        utc_offset_minutes=int(wire["utc_offset_minutes"]),
        local_date=date.fromisoformat(wire["local_date"]),
    )
    return Entry(
        kind=str(wire["kind"]),
        id=str(UUID(wire["id"])),
        revision=int(wire["revision"]),
        device_id=UUID(wire["device_id"]).hex,
        deleted=bool(wire["deleted"]),
        moment=moment,
        body=wire["body"],
    )


def instant_to_wire(instant: datetime) -> str:
    """ISO 8601 in UTC with microseconds, so that text order is time order."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant_from_wire(text: str) -> datetime:
    """Reads an ISO 8601 instant. Raises ValueError for one without an offset."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return instant.astimezone(UTC)
