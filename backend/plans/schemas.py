"""A signed plan as the phone receives it, in the patient's language."""

from datetime import date, datetime

from pydantic import BaseModel

from backend.plans.tables import ActionPlan

FALLBACK_LANGUAGE = "en"


class InstructionsOut(BaseModel):
    green: list[str]
    yellow: list[str]
    red: list[str]


class PlanOut(BaseModel):
    """A value at or above `yellow_below` is green, one below `red_below` is red, between them yellow."""

    version: int
    signed_at: datetime
    signed_by: str
    personal_best_litres_per_min: int
    meter: str
    yellow_below_litres_per_min: int
    red_below_litres_per_min: int
    instructions: InstructionsOut
    language: str
    review_on: date | None

    @classmethod
    def of(cls, plan: ActionPlan, *, signed_by: str, language: str) -> "PlanOut":
        """The plan with its instructions in `language`, or in English where it was not signed in that language."""
        if language not in plan.instructions:
            language = FALLBACK_LANGUAGE
        return cls(
            version=plan.version,
            signed_at=plan.signed_at,
            signed_by=signed_by,
            personal_best_litres_per_min=plan.personal_best_litres_per_min,
            meter=plan.meter,
            yellow_below_litres_per_min=plan.yellow_below_litres_per_min,
            red_below_litres_per_min=plan.red_below_litres_per_min,
            instructions=InstructionsOut.model_validate(plan.instructions[language]),
            language=language,
            review_on=plan.review_on,
        )
