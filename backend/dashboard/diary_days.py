"""A patient's diary by local day: seven queries, whatever the number of days."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select as sql_select
from sqlmodel import Session, SQLModel, select

from backend.clinical.peak_flow import Zone, ZoneThresholds, zone
from backend.dashboard.patient_schemas import AttackOut, DiaryDay, ReadingOut
from backend.dashboard.roster_schemas import PlanLines
from backend.diary.tables import Attack, Note, PeakFlow, Symptoms, TriggerExposure
from backend.medication.tables import MOST_PUFFS, Inhaler, InhalerRole, InhalerUse, UseAmount, UsePurpose, UseSource
from backend.patients.entry import Entry

# Of an entry: what keeps it in order on the way from the phone.
NOT_SHOWN = {"patient_id", "revision", "device_id", "deleted", "received_at", "change"}


def diary_days(
    session: Session, patient_id: UUID, *, first_day: date, last_day: date, plan: PlanLines | None
) -> list[DiaryDay]:
    """Days with any entry from `first_day` to `last_day`, both included, oldest first."""
    found: dict[date, DiaryDay] = {}

    def of(entry: Any) -> DiaryDay:
        day = found.get(entry.local_date)
        if day is None:
            day = found[entry.local_date] = DiaryDay(day=entry.local_date)
        return day

    def entries(kind: type[Entry]) -> Sequence[Any]:
        """Rows of what is shown of `kind`: of three years there are thousands, too many to map to objects."""
        table = SQLModel.metadata.tables[str(kind.__tablename__)]
        return (
            session.connection()
            .execute(
                sql_select(*(column for column in table.c if column.name not in NOT_SHOWN))
                .where(
                    table.c.patient_id == patient_id,
                    ~table.c.deleted,
                    table.c.local_date.between(first_day, last_day),
                )
                .order_by(table.c.taken_at)
            )
            .all()
        )

    for reading in entries(PeakFlow):
        of(reading).readings.append(reading_out(reading, plan))
    for symptoms in entries(Symptoms):
        _add_symptoms(of(symptoms), symptoms)
    for exposure in entries(TriggerExposure):
        day = of(exposure)
        if exposure.trigger and exposure.trigger != "none" and exposure.trigger not in day.triggers:
            day.triggers.append(exposure.trigger)
    for attack in entries(Attack):
        of(attack).attacks.append(AttackOut.model_validate(attack._mapping, from_attributes=False))
    for note in entries(Note):
        of(note).notes.append(note.text or "")
    roles = dict(session.exec(select(Inhaler.id, Inhaler.role).where(Inhaler.patient_id == patient_id)).all())
    uses_of_day = defaultdict(list)
    for use in entries(InhalerUse):
        uses_of_day[of(use).day].append(use)
    for local_date, uses in uses_of_day.items():
        _add_inhaler_uses(found[local_date], uses, roles)
    return [found[day] for day in sorted(found)]


def reading_out(reading: Any, plan: PlanLines | None) -> ReadingOut:
    """`reading`: a PeakFlow, or a row with its columns."""
    shown, zone_from = _zone_of(reading, plan)
    # The offset stored with the entry, not today's rules for the zone: the patient's clock as it was.
    local = reading.taken_at.astimezone(UTC) + timedelta(minutes=reading.utc_offset_minutes)
    return ReadingOut(
        id=reading.id,
        taken_at=reading.taken_at,
        local_time=f"{local:%H:%M}",
        # Past midnight of a diary day that has not ended is evening still.
        morning=local.replace(tzinfo=None) < datetime.combine(reading.local_date, time(12)),
        time_zone=reading.time_zone,
        litres_per_min=reading.litres_per_min or 0,
        blows_litres_per_min=reading.blows_litres_per_min or [],
        meter=reading.meter or "",
        scale=reading.scale or "unknown",
        bronchodilator=reading.bronchodilator or "unknown",
        zone=shown,
        zone_from=zone_from,
    )


def _zone_of(reading: Any, plan: PlanLines | None) -> tuple[Zone | None, Any]:
    if reading.action_zone:
        return Zone(reading.action_zone), "phone"
    if plan is None or reading.litres_per_min is None:
        return None, None
    lines = ZoneThresholds(plan.yellow_below_litres_per_min, plan.red_below_litres_per_min)
    return zone(reading.litres_per_min, lines), "plan"


def _add_symptoms(day: DiaryDay, symptoms: Any) -> None:
    """Several entries of a day: the worst answer stands, and an unanswered question changes none."""

    def either(first: bool | None, second: bool | None) -> bool | None:
        return second if first is None else first or bool(second)

    day.daytime_symptoms = either(day.daytime_symptoms, symptoms.daytime)
    day.night_waking = either(day.night_waking, symptoms.night_waking)
    day.activity_limited = either(day.activity_limited, symptoms.activity_limited)
    if symptoms.severity is not None:
        day.symptom_severity = max(day.symptom_severity or 0, symptoms.severity)
    day.red_flags += [flag for flag in symptoms.red_flags or [] if flag not in day.red_flags]


def _add_inhaler_uses(day: DiaryDay, uses: Sequence[Any], roles: dict[UUID, str]) -> None:
    """The same rules as in risk/diaries.sql, which keeps the middle of a range where this keeps both ends."""
    # (inhaler, is relief) -> [counted fewest, counted most, recalled fewest, recalled most]
    sums: dict[tuple[UUID, bool], list[int]] = {}
    for use in uses:
        if use.purpose == UsePurpose.BEFORE_EXERCISE:
            continue
        relief = roles[use.inhaler_id] == InhalerRole.RELIEVER or use.purpose == UsePurpose.RELIEF
        # Of a reliever described in words only "none" is a number of puffs.
        puffs = 0 if relief and use.amount == UseAmount.NONE else use.puffs
        if puffs is None:
            amounts = day.reliever_amounts if relief else day.controller_amounts
            if use.amount not in amounts:
                amounts.append(use.amount)
            continue
        most = puffs if use.puffs_at_most is None else use.puffs_at_most
        cell = sums.setdefault((use.inhaler_id, relief), [0, 0, 0, 0])
        if use.source == UseSource.DAY_RECALL:
            cell[2], cell[3] = max(cell[2], puffs), max(cell[3], most)
        else:
            cell[0], cell[1] = cell[0] + puffs, cell[1] + most
    for (_, relief), (counted, counted_most, recalled, recalled_most) in sums.items():
        fewest, most = max(counted, recalled), max(counted_most, recalled_most)
        if relief:
            day.reliever_puffs = (day.reliever_puffs or 0) + fewest
            day.reliever_puffs_at_most = min(MOST_PUFFS, (day.reliever_puffs_at_most or 0) + most)
        else:
            day.controller_puffs = (day.controller_puffs or 0) + fewest
