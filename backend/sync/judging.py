"""Judges entries one by one: each is a row to store or a reason against it, and never costs its neighbour."""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from backend.sync import schemas
from backend.sync.reading import TIME_ZONES, date_of, instant_of, problem_with_blows
from backend.sync.schemas import EntryIn, Reason
from backend.sync.store import Row

CLOCK_TOLERANCE = timedelta(minutes=5)
# A phone's clock may be set wrong, yet not so far that its diary days mean nothing.
LARGEST_CLOCK_ERROR = timedelta(days=1)
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
# Time-zone tables of phones lag behind changes of law; such a change moves a clock by an hour at most.
LARGEST_OFFSET_ERROR_MINUTES = 60
LONGEST_ECHO = 80
BLOWS = "body.blows_litres_per_min"

_validate: Mapping[str, Callable[[object], EntryIn[Any, Any]]] = {
    "peak_flow": schemas.PeakFlowEntry.model_validate,
    "symptoms": schemas.SymptomsEntry.model_validate,
    "inhaler_use": schemas.InhalerUseEntry.model_validate,
    "trigger": schemas.TriggerEntry.model_validate,
    "attack": schemas.AttackEntry.model_validate,
    "questionnaire": schemas.QuestionnaireEntry.model_validate,
    "note": schemas.NoteEntry.model_validate,
    "plan_receipt": schemas.PlanReceiptEntry.model_validate,
    "reminder_settings": schemas.ReminderSettingsEntry.model_validate,
}
# What pydantic's own error types mean on the wire; our own types are wire codes already.
_OWN_CODES = frozenset(
    {
        "answer_out_of_range",
        "no_puffs",
        "nothing_recorded",
        "puffs_at_most_below_puffs",
        "puffs_or_amount",
        "steroid_days_without_steroids",
    }
)
_CODE_OF_FIELD = {"revision": "revision_invalid"}


@dataclass(frozen=True)
class Refused(Exception):
    """Why an entry is not taken."""

    reason: Reason


@dataclass(frozen=True)
class Circumstances:
    """What an entry is judged against."""

    now: datetime
    patient_id: UUID
    clock_ahead: timedelta
    born_on: date | None
    inhaler_ids: Set[UUID]
    plan_versions: Set[int]
    by_carer: bool = False

    @cached_property
    def latest(self) -> datetime:
        """The latest instant that an entry made by this phone's clock may carry."""
        ahead = min(max(self.clock_ahead, timedelta(0)), LARGEST_CLOCK_ERROR)
        return self.now + CLOCK_TOLERANCE + ahead


def refuse(code: str, message: str, field: str) -> Refused:
    return Refused(Reason(code=code, message=message, field=field))


def echo(given: object) -> str | int | None:
    """What the phone sent as id, kind or revision, fit to be sent back: cut, and without halves of characters."""
    if isinstance(given, str):
        if given.isascii() and len(given) <= LONGEST_ECHO:
            return given
        return given[:LONGEST_ECHO].encode("utf-8", "replace").decode()
    if isinstance(given, int) and not isinstance(given, bool) and abs(given) <= schemas.HIGHEST_INTEGER:
        return given
    return None


def judge(raw: object, circumstances: Circumstances) -> tuple[str, UUID, Row]:
    """The kind, the id and the row of an entry (without `change`). Raises Refused."""
    if not isinstance(raw, dict):
        raise refuse("invalid_field", "An entry is an object with the fields kind, id, revision and so on.", "")
    kind = raw.get("kind")
    if not isinstance(kind, str) or kind not in _validate:
        raise refuse("unknown_kind", f"Known kinds are {', '.join(_validate)}.", "kind")
    try:
        entry = _validate[kind](raw)
    except ValidationError as error:
        raise Refused(_reason_for(error, raw)) from error
    if entry.deleted != (entry.body is None):
        raise refuse("body_and_deleted", "body is null exactly when deleted is true.", "body")
    if circumstances.by_carer and (entry.deleted or entry.revision > 1):
        code = "carer_may_not_delete" if entry.deleted else "carer_may_not_correct"
        raise refuse(code, "A carer's phone may add to the diary. Only the patient's own may change it.", "revision")
    taken_at = _judge_time(entry, circumstances)
    _judge_references(kind, entry, circumstances)
    if kind == "reminder_settings" and entry.id != settings_id(circumstances.patient_id):
        raise refuse("settings_id", "A patient has one entry of reminder settings, with its own fixed id.", "id")
    return kind, entry.id, _row(entry, taken_at)


def settings_id(patient_id: UUID) -> UUID:
    """The id of a patient's one entry of reminder settings, the same on each phone."""
    return uuid5(NAMESPACE_OID, f"{patient_id}:reminder_settings")


def _reason_for(error: ValidationError, raw: dict[str, Any]) -> Reason:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = ".".join(str(echo(part)) for part in first["loc"])
    if path.startswith(BLOWS):
        problem = problem_with_blows(raw["body"].get("blows_litres_per_min"))
        if problem is not None:
            return Reason(code=problem[0], message=problem[1], field=BLOWS)
    if first["type"] in _OWN_CODES:
        return Reason(code=first["type"], message=first["msg"], field=path or "body")
    return Reason(code=_CODE_OF_FIELD.get(path, "invalid_field"), message=first["msg"], field=path)


def _judge_time(entry: EntryIn[Any, Any], circumstances: Circumstances) -> datetime:
    """The instant at which it was taken."""
    taken_at, local_date = instant_of(entry.taken_at), date_of(entry.local_date)
    if taken_at is None:
        raise refuse("invalid_field", "Give an ISO 8601 instant with its offset, as 2026-11-20T07:10:00Z.", "taken_at")
    if local_date is None:
        raise refuse("invalid_field", "There is no such date.", "local_date")
    if entry.time_zone not in TIME_ZONES:
        raise refuse("unknown_time_zone", "This is no IANA time zone; one is Asia/Seoul.", "time_zone")
    if taken_at < EARLIEST:
        raise refuse("taken_too_long_ago", "This lies before the year 1900.", "taken_at")
    if taken_at > circumstances.latest:
        raise refuse("taken_in_the_future", "This lies in the future. Check the phone's date and time.", "taken_at")
    local = taken_at.astimezone(ZoneInfo(entry.time_zone))
    offset = local.utcoffset() or timedelta(0)
    if abs(offset.total_seconds() / 60 - entry.utc_offset_minutes) > LARGEST_OFFSET_ERROR_MINUTES:
        raise refuse(
            "offset_mismatch", f"{entry.time_zone} was not that far from UTC at that time.", "utc_offset_minutes"
        )
    if abs((local.date() - local_date).days) > 1:
        raise refuse("local_date_mismatch", "The diary day is more than a day from when it was taken.", "local_date")
    if circumstances.born_on is not None and local_date < circumstances.born_on:
        raise refuse("taken_before_birth", "This lies before the patient was born.", "local_date")
    return taken_at


def _judge_references(kind: str, entry: EntryIn[Any, Any], circumstances: Circumstances) -> None:
    if entry.body is None:
        return
    if kind == "inhaler_use" and entry.body.inhaler_id not in circumstances.inhaler_ids:
        raise refuse("unknown_inhaler", "This inhaler is not on the patient's list.", "body.inhaler_id")
    if kind == "plan_receipt" and entry.body.plan_version not in circumstances.plan_versions:
        raise refuse("unknown_plan_version", "The patient has no plan of this version.", "body.plan_version")


def _row(entry: EntryIn[Any, Any], taken_at: datetime) -> Row:
    """Columns of the entry as JSON can carry them, but for those that a whole batch shares."""
    row: Row = {
        "id": str(entry.id),
        "revision": entry.revision,
        "deleted": entry.deleted,
        "taken_at": taken_at.isoformat(),
        "time_zone": entry.time_zone,
        "utc_offset_minutes": entry.utc_offset_minutes,
        "local_date": entry.local_date,
    }
    if entry.body is not None:
        row |= vars(entry.body)
        if "inhaler_id" in row:
            row["inhaler_id"] = str(row["inhaler_id"])
        elif "blows_litres_per_min" in row:
            row["litres_per_min"] = max(row["blows_litres_per_min"])
    return row
