"""Judges what a phone reports of its reminders, one by one, and keeps what is new."""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from backend.accounts.tokens import DeviceCaller
from backend.reminders import ledger
from backend.sync.judging import Refused, echo, refuse
from backend.sync.reading import TIME_ZONES
from backend.sync.schemas import OccurrenceIn, OccurrenceReceipt, PhoneIn, Reason
from backend.sync.store import Pipeline, Row

# Phones arm two weeks ahead; a clock set wrong by more would fill the ledger with days that never come.
FARTHEST_AHEAD = timedelta(days=20)
# A reminder may be due after midnight of its diary day, and in another zone than the one it was made in.
MOST_DAYS_APART = 2


def keep_occurrences(
    connection: Pipeline,
    caller: DeviceCaller,
    sent: Sequence[object],
    *,
    now: datetime,
    clock_ahead: timedelta,
) -> list[OccurrenceReceipt]:
    """One receipt each, in order."""
    receipts: list[OccurrenceReceipt] = []
    rows: dict[tuple[str, str], Row] = {}
    places: dict[tuple[str, str], int] = {}
    for place, raw in enumerate(sent):
        given: dict[str, Any] = raw if isinstance(raw, dict) else {}
        receipts.append(
            OccurrenceReceipt(
                key=echo(given.get("key")),
                local_date=echo(given.get("local_date")),
                revision=echo(given.get("revision")),
                outcome="accepted",
            )
        )
        try:
            row = _judge(raw, now=now, clock_ahead=clock_ahead)
        except Refused as refused:
            receipts[place].outcome, receipts[place].reason = "refused", refused.reason
            continue
        identity = row["key"], row["local_date"]
        known = rows.get(identity)
        if known is not None:
            if known["revision"] >= row["revision"]:
                receipts[place].outcome = "unchanged"
                continue
            receipts[places[identity]].outcome = "unchanged"
        rows[identity], places[identity] = row, place
    if rows:
        stored = ledger.keep_reports(
            connection, caller.patient_id, caller.device_id, json.dumps(list(rows.values())), now=now
        )
        for identity, place in places.items():
            if identity not in stored:
                receipts[place].outcome = "unchanged"
    return receipts


def _judge(raw: object, *, now: datetime, clock_ahead: timedelta) -> Row:
    """The row of an occurrence as JSON can carry it. Raises Refused."""
    try:
        occurrence = OccurrenceIn.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        path = ".".join(str(echo(part)) for part in first["loc"])
        raise Refused(Reason(code="invalid_field", message=first["msg"], field=path)) from error
    if occurrence.time_zone not in TIME_ZONES:
        raise refuse("unknown_time_zone", "This is no IANA time zone; one is Asia/Seoul.", "time_zone")
    local_day = occurrence.due_at.astimezone(ZoneInfo(occurrence.time_zone)).date()
    too_far = occurrence.due_at > now + max(clock_ahead, timedelta(0)) + FARTHEST_AHEAD
    if too_far or abs((local_day - date.fromisoformat(occurrence.local_date)).days) > MOST_DAYS_APART:
        raise refuse("due_too_far", "It is due too far ahead, or on another day than its own.", "due_at")
    row = vars(occurrence) | {"due_at": occurrence.due_at.isoformat(), "at": occurrence.at.isoformat()}
    if occurrence.state == "missed" and occurrence.cause is None:
        row["cause"] = "unknown"
    return row


def keep_phone(connection: Pipeline, caller: DeviceCaller, phone: PhoneIn, *, now: datetime) -> bool:
    """Keep what the phone says of itself. Whether the reminders are to be planned anew: it is new, or moved."""
    if phone.time_zone not in TIME_ZONES:
        # Its tables are newer than ours; its last known zone is the better guess, and its entries still count.
        return False
    return ledger.keep_phone(connection, caller.patient_id, caller.device_id, phone.model_dump(), now=now)
