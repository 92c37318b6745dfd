"""How far a patient's readings lie apart: the amplitude of the days, and the lowest morning against the best."""

from collections.abc import Sequence
from datetime import date

from pydantic import BaseModel

from backend.clinical.guideline import edition
from backend.clinical.peak_flow import Bronchodilator, PeakFlowReading, min_percent_max, variability
from backend.dashboard.patient_schemas import DiaryDay, PlanOut
from backend.patients.age import age_years

SPREAD_DAYS = 14


class SpreadOut(BaseModel):
    """Of one meter and the last two weeks. `mean_amplitude_percent` is null with fewer than `days_needed` days that
    hold a morning and an evening reading before a bronchodilator; `min_percent_max` is of the last seven days."""

    meter: str
    mean_amplitude_percent: float | None
    valid_days: int
    days_needed: int
    limit_percent: float
    above_limit: bool | None
    min_percent_max: float | None
    source: str


def spread(days: Sequence[DiaryDay], plan: PlanOut | None, born_on: date | None, today: date) -> SpreadOut | None:
    """Of the diary's `days`, at least the last two weeks; None without a plan's best, a date of birth or a reading."""
    readings = [
        PeakFlowReading(
            day.day,
            one.litres_per_min,
            one.meter,
            morning=one.morning,
            bronchodilator=Bronchodilator(one.bronchodilator),
        )
        for day in days
        for one in day.readings
    ]
    if plan is None or born_on is None or not readings:
        return None
    found = variability(readings, today, age_years(born_on, today), plan.meter)
    return SpreadOut(
        meter=plan.meter,
        mean_amplitude_percent=found.mean_amplitude_percent,
        valid_days=found.valid_days,
        days_needed=found.days_needed,
        limit_percent=found.limit_percent,
        above_limit=found.above_limit,
        min_percent_max=min_percent_max(readings, today, plan.personal_best_litres_per_min, plan.meter),
        source=edition().citation("variability.adult_above"),
    )
