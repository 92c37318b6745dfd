"""One patient's treatment as one screen: how it stands, what is recommended, what was signed and what came of it."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician
from backend.clinical.medicines import catalogue
from backend.clinical.treatment_steps import Silence
from backend.dashboard.examples import example
from backend.dashboard.patient_view import local_today
from backend.measurements.rules import LIMITS, MeasurementKind
from backend.measurements.store import measurements
from backend.medication.schemas import RegimenIn
from backend.patients.tables import Patient
from backend.plans.difference import say
from backend.plans.store import plan_versions, receipts_of, regimen_of
from backend.recommendations.records import read_records
from backend.recommendations.rules import still_stands
from backend.recommendations.schemas import (
    CheckOut,
    OptionOut,
    PictureOut,
    RecommendationOut,
    ReviewOut,
)
from backend.recommendations.service import consider
from backend.recommendations.store import last_decided, open_recommendation, outcome_reviews
from backend.recommendations.tables import Recommendation


class Standing(StrEnum):
    """Why there is, or is not, a recommendation to decide on."""

    OPEN = "open"
    QUIET = "quiet"
    NO_CHANGE = "no_change"
    NOT_ENOUGH_DATA = "not_enough_data"
    EMERGENCY_FIRST = "emergency_first"
    NO_REGIMEN = "no_regimen"
    NO_BIRTH_DATE = "no_birth_date"


class MeasurementOut(BaseModel):
    id: UUID
    kind: MeasurementKind
    value: float
    unit: str
    bronchodilator: str | None
    measured_on: date
    entered_at: datetime
    entered_by: str

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "5f0a9b11-6d5e-4a57-8a7c-8f3c8f3a0a6f",
                    "kind": "blood_eosinophils",
                    "value": 410,
                    "unit": "cells/uL",
                    "bronchodilator": None,
                    "measured_on": "2026-11-18",
                    "entered_at": "2026-11-20T03:10:00Z",
                    "entered_by": "Dr Kim",
                }
            ]
        }
    )


class VersionOut(BaseModel):
    """One signed plan. `difference` is in the caller's language; `read_on_phone_at` null until the phone says so."""

    model_config = ConfigDict(json_schema_extra=example("VersionOut"))

    version: int
    signed_at: datetime
    signed_by: str
    reason: str | None
    edition: str | None
    personal_best_litres_per_min: int
    yellow_below_litres_per_min: int
    red_below_litres_per_min: int
    meter: str
    regimen: RegimenIn | None
    difference: list[str]
    reminders: list[dict[str, str | None]]
    review_on: date | None
    read_on_phone_at: datetime | None


class TreatmentOut(BaseModel):
    """`picture` is that of now; a recommendation keeps the one it was made from."""

    model_config = ConfigDict(json_schema_extra=example("TreatmentOut"))

    patient_id: UUID
    standing: Standing
    quiet_until: date | None
    picture: PictureOut | None
    recommendation: RecommendationOut | None
    last_decision: RecommendationOut | None
    last_decision_by: str | None
    checks: list[CheckOut]
    measurements: list[MeasurementOut]
    versions: list[VersionOut]
    reviews: list[ReviewOut]


class ProductOut(BaseModel):
    """A product of the catalogue; micrograms in one inhalation, null where it holds none or no source says."""

    model_config = ConfigDict(json_schema_extra=example("ProductOut"))

    id: str
    name: str
    device: str
    least_age: int
    ics: str | None
    ics_metered: float | None
    ics_delivered: float | None
    laba: str | None
    laba_metered: float | None
    laba_delivered: float | None
    saba: str | None
    lama: str | None
    maintenance: list[tuple[int, int]]
    mart: list[tuple[int, int]]
    air: bool
    most_a_day: int | None
    source: str


def medicines() -> list[ProductOut]:
    return [ProductOut.model_validate(product, from_attributes=True) for product in catalogue().values()]


def treatment_view(session: Session, patient: Patient, *, now: datetime, language: str) -> TreatmentOut:
    today = local_today(patient, now)
    records = read_records(session, [patient.id], now)[patient.id]
    considered = consider(session, records, today)
    standing = open_recommendation(session, patient.id)
    decided = last_decided(session, patient.id)
    names = _names(session)
    quiet = decided.quiet_until if decided is not None else None
    shown: PictureOut | None = None if considered is None else considered.shown[0]
    if standing is not None:
        state = Standing.OPEN
    elif patient.born_on is None:
        state = Standing.NO_BIRTH_DATE
    elif shown is None:
        state = Standing.NO_REGIMEN
    elif shown.silence is Silence.EMERGENCY_FIRST:
        state = Standing.EMERGENCY_FIRST
    elif quiet is not None and today < quiet and considered is not None and considered.reasons:
        state = Standing.QUIET
    elif shown.silence is Silence.NOT_ENOUGH_DATA:
        state = Standing.NOT_ENOUGH_DATA
    else:
        state = Standing.NO_CHANGE
    return TreatmentOut(
        patient_id=patient.id,
        standing=state,
        quiet_until=quiet,
        picture=shown,
        recommendation=_recommendation(standing),
        last_decision=_recommendation(decided),
        last_decision_by=names.get(decided.decided_by) if decided is not None and decided.decided_by else None,
        checks=[
            CheckOut(
                code=code,
                holds=check.holds,
                note=check.note,
                checked_at=check.checked_at,
                stands=still_stands(code, records.local_day(check.checked_at), today),
            )
            for code, check in records.checks.items()
        ],
        measurements=measurements_out(session, patient.id, names),
        versions=versions_out(session, patient.id, language, names),
        reviews=[ReviewOut.model_validate(row, from_attributes=True) for row in outcome_reviews(session, patient.id)],
    )


def measurements_out(session: Session, patient_id: UUID, names: dict[UUID, str] | None = None) -> list[MeasurementOut]:
    known = names or _names(session)
    return [
        MeasurementOut(
            **row.model_dump(include=set(MeasurementOut.model_fields) - {"entered_by"}),
            entered_by=known.get(row.entered_by, ""),
        )
        for row in measurements(session, patient_id)
    ]


def versions_out(
    session: Session, patient_id: UUID, language: str, names: dict[UUID, str] | None = None
) -> list[VersionOut]:
    known = names or _names(session)
    read: dict[int, datetime] = {}
    for receipt in receipts_of(session, patient_id):
        if receipt.plan_version is not None:
            read.setdefault(receipt.plan_version, receipt.taken_at)
    found = []
    for plan in plan_versions(session, patient_id):
        regimen = regimen_of(plan)
        found.append(
            VersionOut(
                version=plan.version,
                signed_at=plan.signed_at,
                signed_by=known.get(plan.signed_by, ""),
                reason=plan.reason,
                edition=plan.edition,
                personal_best_litres_per_min=plan.personal_best_litres_per_min,
                yellow_below_litres_per_min=plan.yellow_below_litres_per_min,
                red_below_litres_per_min=plan.red_below_litres_per_min,
                meter=plan.meter,
                regimen=None if regimen is None else RegimenIn.of(regimen),
                difference=plan.difference.get(language, []),
                reminders=plan.reminders,
                review_on=plan.review_on,
                read_on_phone_at=read.get(plan.version),
            )
        )
    return found


def _recommendation(row: Recommendation | None) -> RecommendationOut | None:
    return None if row is None else RecommendationOut.model_validate(row, from_attributes=True)


def _names(session: Session) -> dict[UUID, str]:
    return {row[0]: row[1] for row in session.exec(select(col(Clinician.id), col(Clinician.name)))}


UNITS = {kind: limit.unit for kind, limit in LIMITS.items()}


def regimen_lines(regimen: RegimenIn, language: str) -> list[str]:
    """Each inhaler of a regimen as a patient would read it."""
    return [
        say(
            prescription.use.value,
            language,
            name=catalogue()[prescription.product_id].name,
            inhalations=prescription.inhalations,
            times=prescription.times_a_day,
        )
        for prescription in regimen.prescriptions
    ]


def option_of(options: Sequence[OptionOut], code: str | None) -> OptionOut | None:
    return next((option for option in options if option.code == code), None)
