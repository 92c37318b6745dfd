"""What a phone says of the pushes that reached it: received by the app, opened by the person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session


@dataclass(frozen=True)
class PushReceipt:
    message_id: UUID
    event: Literal["received", "opened"]
    at: datetime


def note_receipts(
    session: Session, patient_id: UUID, device_id: UUID, receipts: Sequence[PushReceipt], *, now: datetime
) -> None:
    """Write each on the newest push of its message to this phone; the first word of a kind stays.

    What was opened was received. A phone's clock may run ahead, so no instant lies after `now`. A message that is not
    the patient's changes nothing.
    """
    if not receipts:
        return
    session.connection().execute(
        text("""
            WITH told AS (
                SELECT message_id, LEAST(min(at), :now) AS received_at,
                    LEAST(min(at) FILTER (WHERE event = 'opened'), :now) AS opened_at,
                    bool_or(event = 'opened') AS opened
                FROM unnest(CAST(:messages AS uuid[]), CAST(:events AS text[]), CAST(:instants AS timestamptz[]))
                    AS receipt(message_id, event, at)
                GROUP BY message_id
            ), newest AS (
                SELECT DISTINCT ON (message_id) delivery.id, told.*
                FROM told JOIN delivery USING (message_id)
                WHERE patient_id = :patient_id AND device_id = :device_id
                ORDER BY message_id, created_at DESC
            )
            UPDATE delivery SET received_at = COALESCE(delivery.received_at, newest.received_at),
                opened_at = COALESCE(delivery.opened_at, CASE WHEN newest.opened THEN newest.opened_at END)
            FROM newest WHERE delivery.id = newest.id
        """),
        {
            "now": now,
            "patient_id": patient_id,
            "device_id": device_id,
            "messages": [receipt.message_id for receipt in receipts],
            "events": [receipt.event for receipt in receipts],
            "instants": [receipt.at for receipt in receipts],
        },
    )
