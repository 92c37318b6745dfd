"""What a phone says of pushes that reached it. A receipt that makes no sense is dropped: nothing waits for it."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError
from sqlmodel import Session

from backend.accounts.tokens import DeviceCaller
from backend.notifications.receipts import PushReceipt, note_receipts
from backend.sync.schemas import PushReceiptIn


def keep_push_receipts(session: Session, caller: DeviceCaller, sent: Sequence[object], *, now: datetime) -> None:
    receipts = []
    for raw in sent:
        try:
            told = PushReceiptIn.model_validate(raw)
        except ValidationError:
            continue
        receipts.append(PushReceipt(told.message_id, told.event, told.at))
    note_receipts(session, caller.patient_id, caller.device_id, receipts, now=now)
