"""A forecast as the phone receives it."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel

from backend.risk.tables import Assessment, ForecastStatus
from backend.risk.wording import reason_text

HORIZON_DAYS = 7


class ReasonOut(BaseModel):
    code: str
    text: str
    value: float | None
    unit: str | None


class ForecastOut(BaseModel):
    """`probability` of a severe attack within `horizon_days` after `as_of`, 0 to 1; null unless `ready`."""

    status: Literal["ready", "not_enough_data"]
    as_of: date
    made_at: datetime
    diary_days: int
    horizon_days: int = HORIZON_DAYS
    probability: float | None
    level: Literal["usual", "raised", "high"] | None
    reasons: list[ReasonOut]
    model_id: str | None
    model_version: str | None

    @classmethod
    def of(cls, assessment: Assessment, language: str) -> "ForecastOut":
        """Without consent or without a model the phone shows no forecast, as it does without enough data."""
        ready = assessment.status == ForecastStatus.READY
        return cls(
            status="ready" if ready else "not_enough_data",
            as_of=assessment.as_of,
            made_at=assessment.assessed_at,
            diary_days=assessment.diary_days,
            probability=assessment.probability_7_days,
            level=assessment.level,
            reasons=[
                ReasonOut(
                    code=reason["code"],
                    text=reason_text(reason["code"], reason["value"], reason["unit"], language, "patient"),
                    value=reason["value"],
                    unit=reason["unit"],
                )
                for reason in assessment.reasons
            ],
            model_id=assessment.model_id,
            model_version=assessment.model_version,
        )
