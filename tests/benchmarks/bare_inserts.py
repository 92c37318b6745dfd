"""The baseline of `sync.…`: the same framework and tables, hand-written psycopg inserts, and nothing else.

No token, no validation of entries, no versions, no audit: the least that could store a batch.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import uvicorn
from fastapi import Body, FastAPI

ENVELOPE = (
    "patient_id, id, revision, device_id, deleted, taken_at, time_zone, utc_offset_minutes, local_date,"
    " received_at, change"
)
MARKS = ", ".join(["%s"] * 11)
PEAK_FLOW = (
    f"INSERT INTO peak_flow ({ENVELOPE},"
    " blows_litres_per_min, litres_per_min, meter, scale, bronchodilator, action_zone)"
    f" VALUES ({MARKS}, %s, %s, %s, %s, %s, %s)"
)
SYMPTOMS = (
    f"INSERT INTO symptoms ({ENVELOPE}, daytime, night_waking, activity_limited, severity, red_flags)"
    f" VALUES ({MARKS}, %s, %s, %s, %s, %s)"
)

app = FastAPI()
_idle: list[psycopg.Connection[Any]] = []


@contextmanager
def connection() -> Iterator[psycopg.Connection[Any]]:
    # list.append and pop are atomic, so the list is all the pool that threads need.
    own = _idle.pop() if _idle else psycopg.connect(os.environ["BARE_DATABASE_URL"])
    try:
        with own.transaction():
            yield own
    finally:
        _idle.append(own)


@app.post("/batches/{patient_id}/{device_id}")
def store(patient_id: UUID, device_id: UUID, body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008
    now = datetime.now(UTC)
    peak_flows, symptoms = [], []
    for entry in body["entries"]:
        envelope = (
            patient_id,
            entry["id"],
            entry["revision"],
            device_id,
            False,
            entry["taken_at"],
            entry["time_zone"],
            entry["utc_offset_minutes"],
            entry["local_date"],
            now,
            0,
        )
        fields = entry["body"]
        if entry["kind"] == "peak_flow":
            blows = fields["blows_litres_per_min"]
            peak_flows.append(
                (
                    *envelope,
                    blows,
                    max(blows),
                    fields["meter"],
                    fields["scale"],
                    fields["bronchodilator"],
                    fields["action_zone"],
                )
            )
        else:
            symptoms.append(
                (
                    *envelope,
                    fields["daytime"],
                    fields["night_waking"],
                    fields["activity_limited"],
                    fields["severity"],
                    fields["red_flags"],
                )
            )
    with connection() as own, own.cursor() as cursor:
        cursor.executemany(PEAK_FLOW, peak_flows)
        cursor.executemany(SYMPTOMS, symptoms)
    return {"receipts": [{"id": entry["id"], "outcome": "accepted"} for entry in body["entries"]]}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["BARE_PORT"]), access_log=False, log_level="warning")
