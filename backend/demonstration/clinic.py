"""A simulated clinic: invented people with the virtual cohort's days as diaries, sent as their phones would."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import httpx
import numpy as np
from rich.progress import Progress
from sqlmodel import Session, select

from backend.accounts import sign_in, tokens
from backend.accounts.tables import Clinician, Hospital
from backend.clinical.medicines import Prescription, Regimen, Use
from backend.clinical.peak_flow import thresholds_from_personal_best
from backend.clinical.personal_best import BestBasis
from backend.demonstration.people import PEOPLE, Person
from backend.demonstration.simulated_diaries import DiaryOfOne, Phone
from backend.measurements import service as measurements
from backend.measurements.rules import LIMITS, MeasurementKind
from backend.measurements.schemas import MeasurementIn, MeasurementsIn
from backend.medication.schemas import RegimenIn
from backend.medication.store import inhalers
from backend.medication.tables import InhalerRole
from backend.patients import service as patients
from backend.patients.store import add_to_care
from backend.patients.tables import Sex
from backend.plans.draft import PlanDraft, usual_reminders
from backend.plans.service import sign_draft
from ml.contract import Diaries, Profiles
from ml.simulator.cohort import simulate

HOSPITAL = "Soom demonstration hospital"
CLINICIAN_EMAIL = "doctor@soom.example"
CLINICIAN_PASSWORD = "breathe-in-breathe-out"  # noqa: S105 (printed on the screen; the demonstration is loopback only)
DAYS = 90
# A clinic has someone in trouble on most days; drawn from more people than are shown, so has this one.
DRAWN_FROM = 400
ILL_TODAY = 4
ENTRIES_A_BATCH = 200
SEED = 20261121
# The clinic is a specialist's: people whose asthma is more severe than the cohort's average.
SEVERITY_SHIFT = 0.8


@dataclass(frozen=True)
class Filled:
    patients: int
    rows: int
    rows_accepted: int
    rows_refused: int
    entries: int


def demonstration_clinician(session: Session, *, now: datetime) -> Clinician:
    """The clinician of the demonstration, made on the first call."""
    found = session.exec(select(Clinician).where(Clinician.email == CLINICIAN_EMAIL)).first()
    if found is not None:
        return found
    hospital = Hospital(name=HOSPITAL)
    session.add(hospital)
    session.flush()
    return sign_in.add_clinician(
        session,
        hospital_id=hospital.id,
        email=CLINICIAN_EMAIL,
        name="Dr. Yoon Seo-yeon",
        password=CLINICIAN_PASSWORD,
        now=now,
    )


def fill(session: Session, clinician: Clinician, client: httpx.Client, progress: Progress, *, now: datetime) -> Filled:
    """Add the people, then send their diaries through the public endpoint. A row is one simulated diary day."""
    cohort = simulate(
        SEED, DRAWN_FROM, DAYS, start_on=now.date() - timedelta(days=DAYS - 1), severity_shift=SEVERITY_SHIFT
    )
    chosen = _ill_today_and_others(cohort.diaries, cohort.profiles)
    phones = []
    codes = []
    for number, person in zip(chosen, PEOPLE, strict=True):
        began_at = now - timedelta(days=DAYS + 1)
        phones.append(_admit(session, clinician, person, cohort.profiles, number, now=began_at))
        codes.append(tokens.create_enrolment_code(session, phones[-1].patient_id, created_by=clinician.id, now=now))
    session.commit()

    task = progress.add_task("Filling the clinic", total=len(PEOPLE))
    rows = entries = accepted = 0
    for number, phone, code in zip(chosen, phones, codes, strict=True):
        of_one = cohort.diaries.rows(cohort.diaries.patient_index == number)
        random = np.random.default_rng([SEED, number])
        made = list(DiaryOfOne(phone, of_one, random, not_after=now).entries())
        taken = _send(client, phone.patient_id, code, made, now=now)
        rows += len(of_one)
        entries += len(made)
        accepted += taken
        progress.advance(task)
    if accepted != entries:
        raise RuntimeError(f"The server refused {entries - accepted} entries of the simulated clinic.")
    return Filled(len(PEOPLE), rows, rows, 0, entries)


def _ill_today_and_others(diaries: Diaries, profiles: Profiles) -> list[int]:
    """Patients to show: the few whose peak flow of the last two days is lowest against their best, and others.

    Only those with a personal best, on which a plan can be made.
    """
    with_best = np.flatnonzero(~np.isnan(profiles.personal_best_litres_per_min))
    recent = diaries.day > diaries.day.max() - 2
    lowest = np.fmin(diaries.morning_litres_per_min, diaries.evening_litres_per_min)
    share_of_best = np.full(len(profiles), np.inf)
    of_patient = diaries.patient_index[recent]
    np.fmin.at(share_of_best, of_patient, lowest[recent] / profiles.personal_best_litres_per_min[of_patient])
    ill = with_best[np.argsort(share_of_best[with_best])][:ILL_TODAY].tolist()
    others = [number for number in with_best.tolist() if number not in ill]
    # Spread among the others, so that the list of names does not give them away.
    shown = others[: len(PEOPLE) - ILL_TODAY]
    for place, number in enumerate(ill):
        shown.insert(3 + 5 * place, number)
    return shown


def _send(
    client: httpx.Client, patient_id: UUID, code: str, entries: Sequence[dict[str, Any]], *, now: datetime
) -> int:
    """How many entries were accepted."""
    device = {"id": str(uuid5(patient_id, "phone")), "name": "Simulated phone", "platform": "desktop"}
    answer = client.post("/v1/enrol", json={"code": code, "device": device}).raise_for_status().json()
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    accepted = 0
    for begin in range(0, len(entries), ENTRIES_A_BATCH):
        body = {"sent_at": now.isoformat(), "entries": entries[begin : begin + ENTRIES_A_BATCH]}
        receipts = client.post("/v1/sync", json=body, headers=headers).raise_for_status().json()["receipts"]
        accepted += sum(receipt["outcome"] == "accepted" for receipt in receipts)
    return accepted


def _admit(
    session: Session, clinician: Clinician, person: Person, profiles: Profiles, number: int, *, now: datetime
) -> Phone:
    age = round(float(profiles.age_years[number]))
    attacks = profiles.severe_attacks_last_year[number]
    step = int(profiles.treatment_step[number])
    patient = patients.add_patient(
        session,
        hospital_id=clinician.hospital_id,
        display_name=person.name,
        now=now,
        born_on=date(now.year - age, 1 + number % 12, 1 + number % 28),
        sex=Sex.FEMALE if profiles.female[number] == 1 else Sex.MALE,
        height_cm=round(float(profiles.height_cm[number])),
        language=person.language,
        time_zone=person.time_zone,
        treatment_step=step,
        severe_attacks_last_year=None if np.isnan(attacks) else int(attacks),
    )
    add_to_care(session, patient.id, clinician.id, now=now)
    measured = [
        MeasurementIn(kind=kind, value=float(known[number]), unit=LIMITS[kind].unit)
        for kind, known in (
            (MeasurementKind.BLOOD_EOSINOPHILS, profiles.eosinophils_per_microlitre),
            (MeasurementKind.FENO, profiles.feno_ppb),
        )
        if known[number] >= LIMITS[kind].lowest
    ]
    if measured:
        first_day = (now - timedelta(days=DAYS)).date()
        given = MeasurementsIn(measured_on=first_day, measurements=measured)
        measurements.enter(session, patient.id, clinician.id, given, today=now.date(), now=now)
    best = round(float(profiles.personal_best_litres_per_min[number]))
    thresholds = thresholds_from_personal_best(best)
    regimen = _regimen(step, age)
    draft = PlanDraft(
        based_on_version=0,
        personal_best_litres_per_min=best,
        personal_best_basis=BestBasis.MEASURED,
        meter="Mini-Wright",
        yellow_below_litres_per_min=thresholds.yellow_below_litres_per_min,
        red_below_litres_per_min=thresholds.red_below_litres_per_min,
        regimen=RegimenIn.of(regimen),
        reminders=usual_reminders(regimen),
        review_on=(now + timedelta(days=180)).date(),
    )
    plan = sign_draft(session, patient, clinician, draft, reason="First plan.", now=now)
    prescribed = inhalers(session, patient.id)
    return Phone(
        patient_id=patient.id,
        time_zone=person.time_zone,
        reliever_id=next(one.id for one in prescribed if one.role != InhalerRole.CONTROLLER),
        controller_id=next((one.id for one in prescribed if one.doses_per_day), None),
        plan_version=plan.version,
        yellow_below_litres_per_min=thresholds.yellow_below_litres_per_min,
        red_below_litres_per_min=thresholds.red_below_litres_per_min,
    )


def _regimen(step: int, age: int) -> Regimen:
    """GINA track 1 from 12 years on: one budesonide-formoterol inhaler for relief and, from step 3, for every day."""
    if age < 12:
        daily = Prescription("budesonide_100_dpi", Use.MAINTENANCE, 1 if step <= 2 else 2, 2)
        return Regimen((daily, Prescription("salbutamol_100_pmdi", Use.AS_NEEDED, 2)))
    inhaler = "budesonide_formoterol_200_6_dpi"
    if step <= 2:
        return Regimen((Prescription(inhaler, Use.AS_NEEDED, 1),))
    mart = Prescription(inhaler, Use.MAINTENANCE_AND_RELIEVER, 1 if step == 3 else 2, 2)
    return Regimen((mart,) if step < 5 else (mart, Prescription("tiotropium_2_5_smi", Use.MAINTENANCE, 2, 1)))
