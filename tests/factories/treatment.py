"""A patient with a signed, structured plan and months of diary, for tests of the treatment loop."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlmodel import Session

from backend.accounts.tables import Clinician
from backend.clinical.ladder import Step, rungs
from backend.clinical.medicines import Prescription, Regimen, Use
from backend.clinical.personal_best import BestBasis
from backend.medication.schemas import RegimenIn
from backend.medication.store import inhalers
from backend.medication.tables import InhalerRole, UsePurpose
from backend.patients import service, store
from backend.patients.tables import Language, Patient, Sex
from backend.plans.draft import PlanDraft, usual_reminders
from backend.recommendations.decisions import sign_treatment
from backend.recommendations.service import look_again
from backend.recommendations.store import open_recommendation
from backend.recommendations.tables import Recommendation
from tests.factories import entries

BUDESONIDE_FORMOTEROL = "budesonide_formoterol_200_6_dpi"
AIR = Regimen((Prescription(BUDESONIDE_FORMOTEROL, Use.AS_NEEDED, 1),))
MART_ONCE = Regimen((Prescription(BUDESONIDE_FORMOTEROL, Use.MAINTENANCE_AND_RELIEVER, 1, 1),))
MART_LOW = Regimen((Prescription(BUDESONIDE_FORMOTEROL, Use.MAINTENANCE_AND_RELIEVER, 1, 2),))
MART_MEDIUM = Regimen((Prescription(BUDESONIDE_FORMOTEROL, Use.MAINTENANCE_AND_RELIEVER, 2, 2),))
LOW_ICS = Regimen(
    (
        Prescription("budesonide_200_dpi", Use.MAINTENANCE, 1, 1),
        Prescription("salbutamol_100_pmdi", Use.AS_NEEDED, 2),
    )
)
SABA_ALONE = Regimen((Prescription("salbutamol_100_pmdi", Use.AS_NEEDED, 2),))


class _Gathered:
    """Takes rows as a session does and keeps them, to be stored with one flush: months of diary are many rows."""

    def __init__(self) -> None:
        self.rows: list[Any] = []

    def add(self, row: object) -> None:
        self.rows.append(row)

    def flush(self) -> None:
        """Later, all at once."""


def any_rung(age: int, step: str) -> Regimen:
    """Some legal regimen on a step of the ladder, as T2.3."""
    return next(rung.regimen for rung in rungs(age) if str(rung.step) == step and isinstance(rung.step, Step))


def patient(session: Session, doctor: Clinician, *, now: datetime, **more: Any) -> Patient:
    known: dict[str, Any] = {
        "display_name": "Minji Lee",
        "born_on": date(1992, 4, 11),
        "sex": Sex.FEMALE,
        "height_cm": 162,
        "language": Language.KOREAN,
        "severe_attacks_last_year": 0,
    } | more
    row = service.add_patient(session, hospital_id=doctor.hospital_id, now=now, **known)
    store.add_to_care(session, row.id, doctor.id, now=now)
    return row


def draft(regimen: Regimen, *, based_on: int, review_on: date, best: int = 450, **more: Any) -> PlanDraft:
    fields: dict[str, Any] = {
        "based_on_version": based_on,
        "personal_best_litres_per_min": best,
        "personal_best_basis": BestBasis.MEASURED,
        "meter": "Mini-Wright",
        "yellow_below_litres_per_min": best * 8 // 10,
        "red_below_litres_per_min": best // 2,
        "regimen": RegimenIn.of(regimen),
        "reminders": usual_reminders(regimen),
        "review_on": review_on,
    } | more
    return PlanDraft(**fields)


def sign(
    session: Session, of: Patient, doctor: Clinician, regimen: Regimen, *, now: datetime, based_on: int = 0, **more: Any
) -> None:
    """A first plan, or a later one that no recommendation asked for."""
    sign_treatment(
        session,
        of,
        doctor,
        draft(regimen, based_on=based_on, review_on=(now + timedelta(days=90)).date(), **more),
        reason="First plan.",
        recommendation_id=None,
        option=None,
        despite_checklist=False,
        now=now,
    )


def uncontrolled(
    session: Session,
    doctor: Clinician,
    regimen: Regimen,
    *,
    since: datetime,
    until: datetime,
    nights_a_week: int = 2,
    **more: Any,
) -> Patient:
    """A first plan signed `since`, and from the next day symptoms on four days of each week."""
    found = patient(session, doctor, now=since, **more)
    sign(session, found, doctor, regimen, now=since)
    first_day = since.date() + timedelta(days=1)
    diary(session, found, first_day=first_day, last_day=until.date(), ill_days_a_week=4, nights_a_week=nights_a_week)
    return found


def recommended(session: Session, of: Patient, now: datetime) -> Recommendation:
    """What stands open once the server has looked again."""
    look_again(session, [of.id], now)
    found = open_recommendation(session, of.id)
    assert found is not None
    return found


def local(of: Patient, day: date, hour: int = 8) -> datetime:
    return datetime.combine(day, time(hour), ZoneInfo(of.time_zone)).astimezone(UTC)


def diary(
    session: Session,
    of: Patient,
    *,
    first_day: date,
    last_day: date,
    ill_days_a_week: int = 0,
    best: int = 450,
    taken: float = 1.0,
    nights_a_week: int = 0,
) -> None:
    """Every day one reading, answers, and the doses; on ill days symptoms, relief and a lower reading."""
    active = [inhaler for inhaler in inhalers(session, of.id) if inhaler.active]
    relief = next((i for i in active if i.role in {InhalerRole.RELIEVER, InhalerRole.BOTH}), None)
    daily = [i for i in active if i.doses_per_day]
    gathered = _Gathered()
    later = cast(Session, gathered)
    for offset in range((last_day - first_day).days + 1):
        day = first_day + timedelta(days=offset)
        ill = offset % 7 < ill_days_a_week
        at = local(of, day)
        entries.peak_flow(later, of, round(best * (0.72 if ill else 0.94)) + offset % 5, taken_at=at)
        entries.symptoms(
            later,
            of,
            taken_at=at,
            daytime=ill,
            severity=2 if ill else 0,
            night_waking=offset % 7 < nights_a_week,
            activity_limited=ill,
        )
        if relief is not None:
            puffs = 3 if ill else 0
            entries.inhaler_use(later, of, relief, taken_at=at, puffs=puffs, source="day_recall")
        for inhaler in daily:
            full = inhaler.doses_per_day * inhaler.puffs_per_dose
            # Whole puffs a day that come to the wanted share over the days.
            count = round(full * taken * (offset + 1)) - round(full * taken * offset)
            entries.inhaler_use(
                later,
                of,
                inhaler,
                taken_at=at,
                puffs=count,
                source="day_recall",
                purpose=UsePurpose.MAINTENANCE.value,
            )
    session.add_all(gathered.rows)
    session.flush()
