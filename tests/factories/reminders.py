"""A signed plan that reminds, and a phone that says how it is."""

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlmodel import Session

from backend.accounts.tables import Device
from backend.core.due import mark_due
from backend.medication.tables import Inhaler, InhalerRole
from backend.patients.store import next_changes
from backend.patients.tables import Patient
from backend.plans.tables import ActionPlan
from backend.reminders.tables import PLAN_REMINDERS, ReminderPhone, ReminderSettings
from tests.factories import entries

PRODUCT = "budesonide_formoterol_200_6_dpi"
MORNING_AND_EVENING = ("08:00", "20:00")


def phone_of(
    session: Session, of: Patient, *, heard_at: datetime, push_token: str | None = "a-token", **more: Any
) -> Device:
    """A phone that reminds, heard of at an instant."""
    device = Device(
        id=uuid4(),
        patient_id=of.id,
        name="phone",
        platform="android",
        push_token=push_token,
        enrolled_at=heard_at,
        last_seen_at=heard_at,
    )
    session.add(device)
    session.flush()
    about: dict[str, Any] = {"time_zone": of.time_zone, "notifications_allowed": True, "reported_at": heard_at} | more
    session.add(ReminderPhone(patient_id=of.id, device_id=device.id, **about))
    session.flush()
    return device


def plan_that_reminds(
    session: Session,
    of: Patient,
    signed_by: UUID,
    *,
    signed_at: datetime,
    version: int = 1,
    inhaler: Inhaler | None = None,
    at: tuple[str, ...] = MORNING_AND_EVENING,
    review_on: date | None = None,
    more: tuple[tuple[str, str], ...] = (),
) -> Inhaler:
    """An inhaler taken each day at these times; `more`: further reminders as (kind, at)."""
    if inhaler is None:
        inhaler = entries.inhaler(session, of, InhalerRole.CONTROLLER, now=signed_at, doses_per_day=len(at))
        inhaler.change = next_changes(session, of.id)
    prescription = {
        "product_id": PRODUCT,
        "use": "maintenance",
        "inhalations": 1,
        "times_a_day": len(at),
        "most_inhalations_a_day": None,
        "inhaler_id": str(inhaler.id),
    }
    doses = [{"kind": "take_inhaler", "at": f"{one}:00", "product_id": PRODUCT} for one in at]
    others = [{"kind": kind, "at": f"{one}:00", "product_id": None} for kind, one in more]
    session.add(
        ActionPlan(
            patient_id=of.id,
            version=version,
            signed_at=signed_at,
            signed_by=signed_by,
            personal_best_litres_per_min=500,
            personal_best_basis="measured",
            meter="Mini-Wright",
            yellow_below_litres_per_min=400,
            red_below_litres_per_min=250,
            instructions={"en": {"green": ["Go on."], "yellow": ["Take more."], "red": ["Call."]}},
            regimen={"prescriptions": [prescription], "add_ons": []},
            reminders=[*doses, *others],
            review_on=review_on,
            change=next_changes(session, of.id),
        )
    )
    mark_due(session, PLAN_REMINDERS, [of.id], due_at=signed_at)
    session.flush()
    return inhaler


def chosen(session: Session, of: Patient, *, now: datetime, **body: Any) -> ReminderSettings:
    """The patient's own settings; a second call changes them."""
    usual = {
        "day_starts_at": "04:00",
        "quiet_from": "22:00",
        "quiet_until": "07:00",
        "times": {},
        "follow_habit": True,
        "check_in_at": None,
        "health_words_on_lock_screen": False,
        "opened": {},
        "appointments": [],
    }
    row = session.get(ReminderSettings, (of.id, of.id)) or ReminderSettings(
        patient_id=of.id,
        id=of.id,
        revision=0,
        device_id=entries.DEVICE,
        taken_at=now,
        time_zone=of.time_zone,
        utc_offset_minutes=0,
        local_date=now.date(),
        received_at=now,
        change=1,
    )
    for name, value in (usual | body).items():
        setattr(row, name, value)
    row.revision += 1
    session.add(row)
    mark_due(session, PLAN_REMINDERS, [of.id], due_at=now)
    session.flush()
    return row
