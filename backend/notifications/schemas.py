"""An inbox item as the phone receives it."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from backend.notifications.tables import InboxMessage


class InboxItemOut(BaseModel):
    id: UUID
    alert_id: UUID | None
    kind: str
    level: Literal["amber", "red", "info"]
    title: str
    text: str
    data: dict[str, str]
    created_at: datetime
    resolved_at: datetime | None

    @classmethod
    def of(cls, message: InboxMessage) -> "InboxItemOut":
        return cls.model_validate(message, from_attributes=True)
