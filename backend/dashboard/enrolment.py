"""Adding a patient and handing out the one-time code for the phone, with their traces in the audit."""

from datetime import datetime

from sqlmodel import Session

from backend.accounts.tables import Clinician, DeviceRole
from backend.accounts.tokens import CODE_VALID, create_enrolment_code
from backend.core import audit
from backend.dashboard.patient_schemas import EnrolmentCodeOut, PatientIn
from backend.patients import service, store
from backend.patients.tables import Patient


def add_patient(session: Session, clinician: Clinician, asked: PatientIn, *, now: datetime) -> Patient:
    """A patient of the clinician's hospital, in the clinician's care from now on."""
    patient = service.add_patient(session, hospital_id=clinician.hospital_id, now=now, **asked.model_dump())
    store.add_to_care(session, patient.id, clinician.id, now=now)
    _record(session, clinician, "add_patient", patient, now)
    return patient


def new_code(
    session: Session, clinician: Clinician, patient: Patient, *, now: datetime, role: DeviceRole = DeviceRole.PATIENT
) -> EnrolmentCodeOut:
    code = create_enrolment_code(session, patient.id, created_by=clinician.id, now=now, role=role)
    action = "create_carer_code" if role is DeviceRole.CARER else "create_enrolment_code"
    _record(session, clinician, action, patient, now)
    return EnrolmentCodeOut(code=code, expires_at=now + CODE_VALID)


def _record(session: Session, clinician: Clinician, action: str, patient: Patient, now: datetime) -> None:
    audit.record(
        session,
        now=now,
        actor_kind=audit.ActorKind.CLINICIAN,
        actor_id=clinician.id,
        action=action,
        patient_ids=[patient.id],
    )
