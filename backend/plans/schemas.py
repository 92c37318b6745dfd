"""A signed plan as the phone receives it, in the patient's language."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from backend.clinical.medicines import Prescription
from backend.plans.difference import prescription_text, say
from backend.plans.store import regimen_of
from backend.plans.tables import ActionPlan

FALLBACK_LANGUAGE = "en"


class InstructionsOut(BaseModel):
    green: list[str]
    yellow: list[str]
    red: list[str]


class PrescriptionOut(BaseModel):
    """`inhaler_id` is one of the phone's inhalers; `text` says how to use it."""

    inhaler_id: UUID
    name: str
    use: str
    inhalations: int
    times_a_day: int
    text: str


class ReminderOut(BaseModel):
    """To be set on the phone at `at`, HH:MM of the patient's own clock. `inhaler_id` only for taking an inhaler."""

    kind: str
    at: str
    inhaler_id: UUID | None
    text: str


class PlanOut(BaseModel):
    """A value at or above `yellow_below` is green, one below `red_below` is red, between them yellow.

    `difference`: what is new against the version before, empty for a first plan. It, `prescriptions` and `reminders`
    are empty in plans signed before they existed; a phone that does not know them leaves them aside.
    """

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
    difference: list[str] = []
    prescriptions: list[PrescriptionOut] = []
    reminders: list[ReminderOut] = []

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
            difference=plan.difference.get(language, []),
            prescriptions=_prescriptions(plan, language),
            reminders=_reminders(plan, language),
        )


def _prescriptions(plan: ActionPlan, language: str) -> list[PrescriptionOut]:
    return [
        PrescriptionOut(
            inhaler_id=inhaler_id,
            name=prescription.product.name,
            use=prescription.use.value,
            inhalations=prescription.inhalations,
            times_a_day=prescription.times_a_day,
            text=prescription_text(prescription, language),
        )
        for inhaler_id, prescription in _by_inhaler(plan)
    ]


def _reminders(plan: ActionPlan, language: str) -> list[ReminderOut]:
    by_product = {prescription.product_id: (inhaler_id, prescription) for inhaler_id, prescription in _by_inhaler(plan)}
    found = []
    for reminder in plan.reminders:
        inhaler_id, values = None, {}
        if reminder["product_id"] is not None:
            inhaler_id, prescription = by_product[reminder["product_id"]]
            values = {"name": prescription.product.name, "inhalations": prescription.inhalations}
        found.append(
            ReminderOut(
                kind=reminder["kind"],
                at=reminder["at"][:5],
                inhaler_id=inhaler_id,
                text=say(f"reminder_{reminder['kind']}", language, **values),
            )
        )
    return found


def _by_inhaler(plan: ActionPlan) -> list[tuple[UUID, Prescription]]:
    regimen = regimen_of(plan)
    if regimen is None or plan.regimen is None:
        return []
    stored = plan.regimen["prescriptions"]
    return [
        (UUID(kept["inhaler_id"]), prescription)
        for kept, prescription in zip(stored, regimen.prescriptions, strict=True)
    ]


DraftField = Annotated[str, StringConstraints(max_length=2000)]


class SavedDraftOut(BaseModel):
    """`fields` are those of the editor by name. Send `saved_at` back as `seen_at` when you go on from it."""

    based_on_version: int
    fields: dict[str, str]
    editor: UUID
    saved_at: datetime

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "based_on_version": 1,
                    "fields": {"product_0": "budesonide_formoterol_200_6_dpi", "inhalations_0": "2"},
                    "editor": "6f6f1b0a-4c3f-4a54-9a0e-0f6de1a4f2a1",
                    "saved_at": "2026-11-20T09:41:00Z",
                }
            ]
        }
    )


class SavedDraftIn(BaseModel):
    """`editor`: made by the client for each open editor. `seen_at`: the draft that it began from, if any."""

    based_on_version: Annotated[int, Field(ge=0)]
    fields: Annotated[dict[DraftField, DraftField], Field(max_length=60)]
    editor: UUID
    seen_at: datetime | None = None

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "based_on_version": 1,
                    "fields": {"product_0": "budesonide_formoterol_200_6_dpi", "inhalations_0": "2"},
                    "editor": "6f6f1b0a-4c3f-4a54-9a0e-0f6de1a4f2a1",
                    "seen_at": None,
                }
            ]
        },
    )
