"""The roster as a clinician is shown it."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from backend.clinical.peak_flow import Zone
from backend.dashboard.examples import example
from backend.dashboard.schemas import AlertOut, ForecastOut
from backend.dashboard.visits import Since
from backend.patients.tables import Sex


class Urgency(StrEnum):
    """In the order of the roster.

    now: an unacknowledged red alert, or a red zone or danger sign without one. today: any other open alert, or a high
    forecast. watch: yellow zone, a raised forecast, or a diary gone silent. waiting: no entry was ever made.
    """

    NOW = "now"
    TODAY = "today"
    WATCH = "watch"
    STEADY = "steady"
    WAITING = "waiting"


class Show(StrEnum):
    """Which patients of the roster to show. `changed`: with news since the caller last opened their page."""

    ALL = "all"
    ALERTS = "alerts"
    RED = "red"
    YELLOW = "yellow"
    RAISED = "raised"
    SILENT = "silent"
    WAITING = "waiting"
    CHANGED = "changed"


class NewestReading(BaseModel):
    """`fresh`: of the last 48 hours, so that it says something of today."""

    litres_per_min: int
    taken_at: datetime
    percent_of_best: int | None
    fresh: bool


@dataclass(frozen=True, slots=True)
class DayBest:
    """The best reading of one local day."""

    day: date
    litres_per_min: int


class PlanLines(BaseModel):
    """A reading at or above `yellow_below` is green, one below `red_below` is red."""

    version: int
    personal_best_litres_per_min: int
    yellow_below_litres_per_min: int
    red_below_litres_per_min: int


class RosterRow(BaseModel):
    """One patient of the roster. `zone` is that of a reading of the last 48 hours, else null.

    `since_last_look` is null while the caller has never opened the patient's page.
    """

    id: UUID
    display_name: str
    born_on: date | None
    sex: Sex
    time_zone: str
    urgency: Urgency
    zone: Zone | None
    newest_reading: NewestReading | None
    red_flags: list[str]
    forecast: ForecastOut | None
    last_entry_at: datetime | None
    silent: bool
    alert: AlertOut | None
    since_last_look: Since | None
    peak_flow_30_days: list[DayBest]
    plan: PlanLines | None

    @property
    def urgency_rank(self) -> int:
        return list(Urgency).index(self.urgency)


class RosterOut(BaseModel):
    """`counts` are of all patients that match `search`, by filter."""

    model_config = ConfigDict(json_schema_extra=example("RosterOut"))

    page: int
    pages: int
    total: int
    counts: dict[Show, int]
    patients: list[RosterRow]
