"""A regimen as a clinician writes it: products of the catalogue with their use, never free text."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from backend.clinical.medicines import AddOn, Prescription, Regimen, UnknownProduct, Use
from backend.core.errors import FieldError, InvalidFields


class PrescriptionIn(BaseModel):
    """`times_a_day` 0 is as needed. `most_inhalations_a_day` null: the product's own limit."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "product_id": "budesonide_formoterol_200_6_dpi",
                    "use": "maintenance_and_reliever",
                    "inhalations": 1,
                    "times_a_day": 2,
                    "most_inhalations_a_day": None,
                }
            ]
        },
    )

    product_id: Annotated[str, Field(min_length=1, max_length=80)]
    use: Use
    inhalations: Annotated[int, Field(ge=1, le=8)]
    times_a_day: Annotated[int, Field(ge=0, le=4)] = 0
    most_inhalations_a_day: Annotated[int, Field(ge=1, le=24)] | None = None


class RegimenIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prescriptions: Annotated[list[PrescriptionIn], Field(min_length=1, max_length=6)]
    add_ons: list[AddOn] = []

    def read(self) -> Regimen:
        """Raises InvalidFields where an entry is no product, or its use and times a day contradict each other."""
        prescriptions, problems = [], []
        for place, written in enumerate(self.prescriptions):
            path = f"prescriptions[{place}]"
            try:
                prescription = Prescription(**written.model_dump())
                # Looked up here, so that an unknown product is told at its field.
                _ = prescription.product
                prescriptions.append(prescription)
            except UnknownProduct as reason:
                problems.append(FieldError(f"{path}.product_id", str(reason)))
            except ValueError as reason:
                problems.append(FieldError(f"{path}.times_a_day", str(reason)))
        if problems:
            raise InvalidFields("The prescription cannot be read.", fields=problems)
        return Regimen(tuple(prescriptions), frozenset(self.add_ons))

    @classmethod
    def of(cls, regimen: Regimen) -> "RegimenIn":
        return cls(
            prescriptions=[
                PrescriptionIn(
                    product_id=prescription.product_id,
                    use=prescription.use,
                    inhalations=prescription.inhalations,
                    times_a_day=prescription.times_a_day,
                    most_inhalations_a_day=prescription.most_inhalations_a_day,
                )
                for prescription in regimen.prescriptions
            ],
            add_ons=sorted(regimen.add_ons),
        )
