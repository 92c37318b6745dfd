"""What is shown beside an alert."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from backend.alerts.tables import SnoozedBy


class TrackRecordOut(BaseModel):
    """Alerts of this level and cause at the hospital in a year, and after how many a severe attack followed.

    `text` says it in words, or that there are too few alerts yet to say.
    """

    alerts: int
    came_true: int
    text: str


class AlertCareOut(BaseModel):
    to_do: str
    track_record: TrackRecordOut
    snoozed_until: datetime | None
    snoozed_by: SnoozedBy | None
    second_asked_at: datetime | None
    second_clinician: str | None
    emailed_at: datetime | None


class SnoozeIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"hours": 24}]})

    hours: Annotated[int, Field(description="1 to 72")]
