"""Entries as a phone sends them; every argument that a test does not care about has a plausible value."""

import json
import uuid
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.factories.clinic import Phone

Wire = dict[str, Any]

BODIES: dict[str, Wire] = {
    "peak_flow": {
        "blows_litres_per_min": [410, 430, 420],
        "meter": "Mini-Wright",
        "scale": "eu",
        "bronchodilator": "before",
        "action_zone": "green",
        "plan_version": None,
    },
    "symptoms": {
        "daytime": True,
        "night_waking": False,
        "activity_limited": None,
        "severity": 1,
        "red_flags": [],
    },
    "inhaler_use": {
        "inhaler_id": None,
        "puffs": 2,
        "puffs_at_most": None,
        "amount": None,
        "purpose": "relief",
        "source": "logged",
    },
    "trigger": {"trigger": "pollen", "note": "birch"},
    "attack": {
        "systemic_steroids": True,
        "systemic_steroid_days": 5,
        "emergency_visit": False,
        "hospital_admission": None,
        "unscheduled_visit": None,
        "source": "self",
    },
    "questionnaire": {
        "instrument": "control_check",
        "period_days": 28,
        "answers": {"daytime_symptoms": 1, "night_waking": 0},
        "score": None,
    },
    "note": {"text": "천식 일기 – tired after the run 🏃"},
    "plan_receipt": {"plan_version": 1},
}


def entry(
    kind: str = "peak_flow",
    *,
    taken_at: datetime,
    time_zone: str = "Asia/Seoul",
    entry_id: str | None = None,
    revision: int = 1,
    deleted: bool = False,
    body: Wire | None = None,
    **changed_in_body: Any,
) -> Wire:
    local = taken_at.astimezone(ZoneInfo(time_zone))
    offset = local.utcoffset() or timedelta(0)
    return {
        "kind": kind,
        "id": entry_id or str(uuid.uuid4()),
        "revision": revision,
        "deleted": deleted,
        "taken_at": taken_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "time_zone": time_zone,
        "utc_offset_minutes": int(offset.total_seconds() // 60),
        "local_date": local.date().isoformat(),
        "body": None if deleted else {**BODIES[kind], **(body or {}), **changed_in_body},
    }


def send(phone: Phone, *entries: Any, sent_at: datetime, status: int = 200, **more: Any) -> Wire:
    body = {"sent_at": sent_at.isoformat(), "entries": list(entries), **more}
    # Not json=body: some tests send what no text can hold, which only ASCII escapes carry.
    headers = {**phone.headers, "Content-Type": "application/json"}
    answer = phone.client.post("/v1/sync", content=json.dumps(body), headers=headers)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def outcomes(answer: Wire) -> list[str]:
    """`accepted` and so on, in order; for a refusal its code."""
    return [one["reason"]["code"] if one["outcome"] == "refused" else one["outcome"] for one in answer["receipts"]]


def pull(phone: Phone, cursor: str = "", limit: int = 500) -> Wire:
    answer = phone.client.get("/v1/sync", params={"cursor": cursor, "limit": limit}, headers=phone.headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
