"""Measurements as a clinician enters them: each with its unit, so that none is ever guessed."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from backend.clinical.peak_flow import Bronchodilator
from backend.measurements.rules import MeasurementKind


class MeasurementIn(BaseModel):
    """The unit is fixed for each kind: cells/uL, ppb, kU/L, L, percent, L/min. Any other is refused."""

    model_config = ConfigDict(extra="forbid")

    kind: MeasurementKind
    value: Annotated[float, Field(gt=0, lt=1_000_000, allow_inf_nan=False)]
    unit: Annotated[str, Field(min_length=1, max_length=20)]


class MeasurementsIn(BaseModel):
    """All of one day, stored together or not at all. `bronchodilator` counts for spirometry."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "measured_on": "2026-11-18",
                    "bronchodilator": "before",
                    "measurements": [
                        {"kind": "blood_eosinophils", "value": 410, "unit": "cells/uL"},
                        {"kind": "feno", "value": 38, "unit": "ppb"},
                        {"kind": "fev1", "value": 2.6, "unit": "L"},
                        {"kind": "fvc", "value": 3.7, "unit": "L"},
                    ],
                }
            ]
        },
    )

    measured_on: date
    bronchodilator: Bronchodilator = Bronchodilator.UNKNOWN
    measurements: Annotated[list[MeasurementIn], Field(min_length=1, max_length=len(MeasurementKind))]
