"""A patient on step 5: biomarkers measured, a LAMA beside ICS-formoterol, and add-on treatment that changes by plan."""

from datetime import datetime, timedelta

from sqlmodel import Session

from backend.accounts.tables import Clinician
from backend.clinical.medicines import AddOn, Prescription, Regimen, Use
from backend.measurements.rules import LIMITS, MeasurementKind
from backend.measurements.tables import Measurement
from backend.patients.tables import Patient
from backend.plans.service import sign_draft
from backend.plans.store import plan_in_force
from tests.factories import treatment

INHALERS = (
    Prescription("budesonide_formoterol_200_6_dpi", Use.MAINTENANCE_AND_RELIEVER, 2, 2),
    Prescription("tiotropium_2_5_smi", Use.MAINTENANCE, 2, 1),
)
# By days before now, oldest first: montelukast comes, goes, and comes back; the antibody stays.
ADD_ONS_BY_DAYS_AGO = {
    40: {AddOn.MONTELUKAST},
    30: {AddOn.MONTELUKAST, AddOn.ANTI_IL5},
    20: {AddOn.ANTI_IL5, AddOn.ORAL_STEROID_MAINTENANCE},
    10: {AddOn.ANTI_IL5, AddOn.MONTELUKAST},
}
BIOMARKERS = {MeasurementKind.BLOOD_EOSINOPHILS: 640.0, MeasurementKind.FENO: 48.0, MeasurementKind.TOTAL_IGE: 210.0}


def bring_to_step_five(
    session: Session,
    patient: Patient,
    doctor: Clinician,
    *,
    now: datetime,
    add_ons_by_days_ago: dict[int, set[AddOn]] = ADD_ONS_BY_DAYS_AGO,
) -> None:
    for kind, value in BIOMARKERS.items():
        session.add(
            Measurement(
                patient_id=patient.id,
                kind=kind.value,
                value=value,
                unit=LIMITS[kind].unit,
                measured_on=(now - timedelta(days=45)).date(),
                entered_at=now - timedelta(days=45),
                entered_by=doctor.id,
            )
        )
    for days_ago, add_ons in add_ons_by_days_ago.items():
        before = plan_in_force(session, patient.id)
        written = treatment.draft(
            Regimen(INHALERS, frozenset(add_ons)),
            based_on=0 if before is None else before.version,
            review_on=(now + timedelta(days=90)).date(),
        )
        sign_draft(session, patient, doctor, written, reason="Step 5.", now=now - timedelta(days=days_ago))
    session.flush()
