"""Diary entries put straight into their tables, for tests of what is made of them."""

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlmodel import Session

from backend.core.due import mark_due
from backend.diary.tables import Attack, PeakFlow, Questionnaire, Symptoms, TriggerExposure
from backend.medication.tables import Inhaler, InhalerRole, InhalerUse
from backend.patients.entry import Entry
from backend.patients.tables import Patient
from backend.plans.tables import ActionPlan, PlanReceipt

DEVICE = uuid.UUID(int=1)
Row = TypeVar("Row", bound=Entry)


def peak_flow(
    session: Session, of: Patient, litres_per_min: int, *, taken_at: datetime, meter: str = "Mini-Wright", **more: Any
) -> PeakFlow:
    body: dict[str, Any] = {
        "blows_litres_per_min": [litres_per_min],
        "litres_per_min": litres_per_min,
        "meter": meter,
        "scale": "eu",
        "bronchodilator": "before",
    }
    return _add(session, PeakFlow(**_header(of, taken_at), **body, **more))


def symptoms(session: Session, of: Patient, *, taken_at: datetime, **more: Any) -> Symptoms:
    return _add(session, Symptoms(**_header(of, taken_at), **_body(more, daytime=False, red_flags=[])))


def trigger(session: Session, of: Patient, name: str, *, taken_at: datetime) -> TriggerExposure:
    return _add(session, TriggerExposure(**_header(of, taken_at), trigger=name))


def attack(session: Session, of: Patient, *, taken_at: datetime, **more: Any) -> Attack:
    return _add(session, Attack(**_header(of, taken_at), **_body(more, systemic_steroids=True, source="self")))


def control_check(session: Session, of: Patient, answers: dict[str, int], *, taken_at: datetime) -> Questionnaire:
    body: dict[str, Any] = {"instrument": "control_check", "period_days": 28, "answers": answers}
    return _add(session, Questionnaire(**_header(of, taken_at), **body))


def plan_receipt(session: Session, of: Patient, version: int, *, taken_at: datetime) -> PlanReceipt:
    return _add(session, PlanReceipt(**_header(of, taken_at), plan_version=version))


def inhaler(session: Session, of: Patient, role: InhalerRole, *, now: datetime, **more: Any) -> Inhaler:
    row = Inhaler(
        patient_id=of.id,
        name=role.value,
        role=role.value,
        drug="salbutamol",
        device="metered dose inhaler",
        prescribed_at=now,
        change=1,
        **more,
    )
    session.add(row)
    session.flush()
    return row


def inhaler_use(session: Session, of: Patient, which: Inhaler, *, taken_at: datetime, **more: Any) -> InhalerUse:
    body = _body(more, purpose="relief", source="logged")
    return _add(session, InhalerUse(**_header(of, taken_at), inhaler_id=which.id, **body))


def plan(session: Session, of: Patient, signed_by: uuid.UUID, *, signed_at: datetime, best: int = 500) -> ActionPlan:
    row = ActionPlan(
        patient_id=of.id,
        version=1,
        signed_at=signed_at,
        signed_by=signed_by,
        personal_best_litres_per_min=best,
        personal_best_basis="measured",
        meter="Mini-Wright",
        yellow_below_litres_per_min=best * 8 // 10,
        red_below_litres_per_min=best // 2,
        instructions={"en": {"green": ["Go on."], "yellow": ["Take more."], "red": ["Call."]}},
        change=1,
    )
    session.add(row)
    session.flush()
    return row


def weeks_of_diary(session: Session, of: Patient, *, until: datetime, days: int = 30, best: int = 500) -> None:
    """A steady diary: morning and evening readings near the best, a day of symptoms now and then."""
    for back in range(days):
        morning = until - timedelta(days=back)
        peak_flow(session, of, best - 20 - back % 3 * 10, taken_at=morning)
        symptoms(session, of, taken_at=morning, daytime=back % 5 == 0, night_waking=False)


def mark_for_assessment(session: Session, *patients: Patient, now: datetime) -> None:
    mark_due(session, "assess", [patient.id for patient in patients], due_at=now)
    session.commit()


def local_noon(day: date, zone: str = "Asia/Seoul") -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _header(of: Patient, taken_at: datetime) -> dict[str, Any]:
    local = taken_at.astimezone(ZoneInfo(of.time_zone))
    offset = local.utcoffset() or timedelta(0)
    return {
        "patient_id": of.id,
        "id": uuid.uuid4(),
        "revision": 1,
        "device_id": DEVICE,
        "taken_at": taken_at,
        "time_zone": of.time_zone,
        "utc_offset_minutes": int(offset.total_seconds() // 60),
        "local_date": local.date(),
        "received_at": taken_at,
        "change": 1,
    }


def _body(given: dict[str, Any], **usual: Any) -> dict[str, Any]:
    return usual | given


def _add(session: Session, row: Row) -> Row:
    session.add(row)
    session.flush()
    return row
