"""Compares what people truly saw and did with what the phone's ledger and the server's ledger say of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from backend.reminders.tables import ReminderOccurrence
from mobile_app.data.ledger import KeptOccurrence
from tests.factories.reminder_lives import Life

RANG = ("fired", "shown", "acted")
FINAL = (*RANG, "pushed", "missed")
IN_TIME = timedelta(minutes=60)


@dataclass
class Verdicts:
    """How the occurrences of all lives ended, and each one with which something is wrong, in words."""

    ends: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    unaccounted: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    pushes: int = 0
    pushes_in_time: int = 0
    befell: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "Verdicts") -> "Verdicts":
        return Verdicts(
            self.ends + other.ends,
            self.causes + other.causes,
            self.unaccounted + other.unaccounted,
            self.doubled + other.doubled,
            self.untrue + other.untrue,
            self.pushes + other.pushes,
            self.pushes_in_time + other.pushes_in_time,
            self.befell + other.befell,
        )

    @property
    def occurrences(self) -> int:
        return sum(count for end, count in self.ends.items() if end != "cancelled")


def judge(session: Session, lives: Sequence[Life], *, since: datetime, until: datetime) -> Verdicts:
    """Of all occurrences of diary days that lie whole between the two instants, in every zone of the world."""
    first, last = since.date() + timedelta(days=2), until.date() - timedelta(days=2)
    verdicts = Verdicts()
    for life in lives:
        verdicts.befell.update([*life.fates, *_change_of_clock(life, since, until)])
        rows = session.exec(
            select(ReminderOccurrence).where(
                ReminderOccurrence.patient_id == life.resident.patient_id,
                col(ReminderOccurrence.local_date).between(first, last),
            )
        )
        server = {f"{row.key}@{row.local_date}": row for row in rows}
        _judge_life(verdicts, life, server, first, last)
    return verdicts


def _judge_life(verdicts: Verdicts, life: Life, server: dict[str, ReminderOccurrence], first: date, last: date) -> None:
    resident = life.resident
    phone = {row.id: row for row in resident.phone.account(first) if row.local_date <= last}
    seen = {one for one in resident.sightings if first <= _day(one) <= last}
    wanted = _wanted(life, first, last)
    for one in sorted(server.keys() | phone.keys() | seen | wanted):
        who = f"{resident.patient_id} {one} ({', '.join(life.fates)})"
        row, kept, sightings = server.get(one), phone.get(one), resident.sightings.get(one, [])
        own = [sighting for sighting in sightings if not sighting.snoozed]
        if len(own) > 1:
            verdicts.doubled.append(f"{who}: {[(str(s.at), s.by) for s in own]}")
        if row is None:
            if kept is None or sightings or not (kept.state == "cancelled" or _withdrawn(life, kept)):
                verdicts.unaccounted.append(f"{who}: the server knows nothing, the phone {kept and kept.state}")
            continue
        verdicts.ends[row.state] += 1
        if row.state == "missed":
            verdicts.causes[str(row.cause)] += 1
        if row.state == "cancelled":
            if one in wanted:
                verdicts.unaccounted.append(f"{who}: cancelled though it was wanted")
        elif row.state not in FINAL or (row.state == "missed" and not row.cause):
            verdicts.unaccounted.append(f"{who}: {row.state} at the end")
        if row.pushed_at is not None:
            verdicts.pushes += 1
            verdicts.pushes_in_time += row.pushed_at - row.due_at <= IN_TIME
        _compare(verdicts, who, life, row, None if kept is None else kept.state, bool(own), resident.acted.get(one))


def _change_of_clock(life: Life, since: datetime, until: datetime) -> list[str]:
    """Whether clocks at home went forward or back."""
    before, after = (instant.astimezone(ZoneInfo(life.home)).utcoffset() for instant in (since, until))
    if before is None or after is None or before == after:
        return []
    return ["clocks_forward" if after > before else "clocks_back"]


def _withdrawn(life: Life, kept: KeptOccurrence) -> bool:
    """Armed by a phone that was lost before it was due, and not asked for by the plan signed until then."""
    if life.gone_at is None or kept.due_at <= life.gone_at:
        return False
    in_force = [epoch for epoch in life.epochs if epoch.since <= kept.local_date][-1]
    return kept.key not in in_force.keys


def _compare(
    verdicts: Verdicts, who: str, life: Life, row: ReminderOccurrence, kept: str | None, seen: bool, pressed: str | None
) -> None:
    """Whether both ledgers say what truly happened. A phone that never came back can tell no more."""
    if life.gone_at is not None:
        return
    rang = row.state in ("fired", "shown") or (row.state == "acted" and row.action in ("skipped",))
    if rang and not seen:
        verdicts.untrue.append(f"{who}: said to be {row.state}, and nobody saw it")
    if seen and row.state not in (*RANG, "pushed"):
        verdicts.untrue.append(f"{who}: seen, and said to be {row.state} {row.cause}")
    if pressed in ("taken", "skip") and row.state != "acted":
        verdicts.untrue.append(f"{who}: {pressed} was pressed, and it is {row.state}")
    if kept is not None and kept != row.state and (kept in RANG or row.state in RANG) and row.decided_by == "phone":
        verdicts.untrue.append(f"{who}: the phone says {kept}, the server {row.state}")


def _day(identity: str) -> date:
    return date.fromisoformat(identity.rpartition("@")[2])


def _wanted(life: Life, first: date, last: date) -> set[str]:
    """Every daily key of every day on which one plan was in force throughout and nothing was paused."""
    wanted = set()
    for place, epoch in enumerate(life.epochs):
        # Around a signature, a flight away, whole days go by until all clocks and papers agree.
        start = epoch.since + timedelta(days=2)
        later = life.epochs[place + 1].since if place + 1 < len(life.epochs) else last + timedelta(days=3)
        day = max(start, first)
        while day <= last and day <= later - timedelta(days=3):
            if not any(start - timedelta(days=1) <= day <= end for start, end in life.paused):
                wanted |= {f"{key}@{day}" for key in epoch.keys}
            day += timedelta(days=1)
    return wanted
