"""Everything that the picture of a patient is made from, read for many patients with a handful of statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import Session, col, select

from backend.clinical.control import ControlCheck, Criterion
from backend.clinical.medicines import Regimen
from backend.clinical.red_flags import RedFlag
from backend.diary.tables import Attack, Instrument, Questionnaire
from backend.measurements.rules import MeasurementKind
from backend.measurements.store import newest_by_patient
from backend.measurements.tables import Measurement
from backend.patients.tables import Consent, Patient, Purpose
from backend.plans.store import regimen_of
from backend.plans.tables import ActionPlan
from backend.recommendations.rules import CheckCode, still_stands
from backend.recommendations.tables import ClinicalCheck
from backend.risk.forecaster import DiaryColumns, read_diaries
from backend.risk.tables import Assessment

# A sign of danger older than this has had its alert, and its answer, by now.
RED_FLAGS_LAST = timedelta(hours=48)


@dataclass(frozen=True)
class Day:
    """One local day of the diary; None = not recorded."""

    on: date
    best_litres_per_min: float | None
    daytime_symptoms: bool | None
    night_waking: bool | None
    activity_limited: bool | None
    reliever_puffs: float | None
    controller_fraction: float | None

    @property
    def controlled(self) -> bool | None:
        """No symptom by day or night and nothing limited; None where neither day nor night was answered."""
        if self.daytime_symptoms is None and self.night_waking is None:
            return None
        return not (self.daytime_symptoms or self.night_waking or self.activity_limited)


@dataclass(frozen=True)
class Records:
    """Everything read of one patient. `plans` oldest first; `checks` are the newest of each code."""

    patient: Patient
    days: tuple[Day, ...]
    attacks: tuple[Attack, ...]
    plans: tuple[ActionPlan, ...]
    checks: Mapping[CheckCode, ClinicalCheck]
    measured: Mapping[str, Measurement]
    control_check: ControlCheck | None
    red_flags: frozenset[RedFlag]
    forecasting_consent: bool
    columns: DiaryColumns
    index: int

    @property
    def plan(self) -> ActionPlan | None:
        return self.plans[-1] if self.plans else None

    @property
    def regimen(self) -> Regimen | None:
        return regimen_of(self.plan)

    def local_day(self, instant: datetime) -> date:
        return instant.astimezone(ZoneInfo(self.patient.time_zone)).date()

    def standing_checks(self, today: date) -> dict[CheckCode, bool]:
        """Answers that still count, by code."""
        return {
            code: check.holds
            for code, check in self.checks.items()
            if still_stands(code, self.local_day(check.checked_at), today)
        }


def read_records(session: Session, patient_ids: Sequence[UUID], now: datetime) -> dict[UUID, Records]:
    """Records of these patients; those that do not exist are left out."""
    patients = {
        patient.id: patient for patient in session.exec(select(Patient).where(col(Patient.id).in_(patient_ids)))
    }
    ids = list(patients)
    today = {one.id: now.astimezone(ZoneInfo(one.time_zone)).date() for one in patients.values()}
    columns = read_diaries(session, ids)
    plans: dict[UUID, list[ActionPlan]] = {patient_id: [] for patient_id in ids}
    for plan in session.exec(
        select(ActionPlan).where(col(ActionPlan.patient_id).in_(ids)).order_by(col(ActionPlan.version))
    ):
        plans[plan.patient_id].append(plan)
    checks: dict[UUID, dict[CheckCode, ClinicalCheck]] = {patient_id: {} for patient_id in ids}
    for check in session.exec(
        select(ClinicalCheck).where(col(ClinicalCheck.patient_id).in_(ids)).order_by(col(ClinicalCheck.checked_at))
    ):
        checks[check.patient_id][CheckCode(check.code)] = check
    attacks: dict[UUID, list[Attack]] = {patient_id: [] for patient_id in ids}
    for attack in session.exec(
        select(Attack)
        .where(col(Attack.patient_id).in_(ids), col(Attack.deleted).is_(False))
        .order_by(col(Attack.local_date))
    ):
        attacks[attack.patient_id].append(attack)
    flags: dict[UUID, frozenset[RedFlag]] = {}
    for assessment in session.exec(
        select(Assessment)
        .where(col(Assessment.patient_id).in_(ids), col(Assessment.assessed_at) > now - RED_FLAGS_LAST)
        .order_by(col(Assessment.as_of))
    ):
        flags[assessment.patient_id] = frozenset(RedFlag(flag) for flag in assessment.red_flags)
    with_consent = set(
        session.exec(
            select(Consent.patient_id).where(
                col(Consent.patient_id).in_(ids),
                Consent.purpose == Purpose.FORECASTING.value,
                col(Consent.withdrawn_at).is_(None),
            )
        )
    )
    control_checks = _control_checks(session, ids)
    measured = newest_by_patient(session, ids, today)
    return {
        patient_id: Records(
            patient=patients[patient_id],
            days=_days(columns, index),
            attacks=tuple(attacks[patient_id]),
            plans=tuple(plans[patient_id]),
            checks=checks[patient_id],
            measured=measured[patient_id],
            control_check=control_checks.get(patient_id),
            red_flags=flags.get(patient_id, frozenset()),
            forecasting_consent=patient_id in with_consent,
            columns=columns,
            index=index,
        )
        for index, patient_id in enumerate(ids)
    }


def _control_checks(session: Session, ids: Sequence[UUID]) -> dict[UUID, ControlCheck]:
    """The newest of each patient."""
    found = session.exec(
        select(Questionnaire)
        .where(
            col(Questionnaire.patient_id).in_(ids),
            Questionnaire.instrument == Instrument.CONTROL_CHECK.value,
            col(Questionnaire.deleted).is_(False),
        )
        .ext(distinct_on(col(Questionnaire.patient_id)))
        .order_by(col(Questionnaire.patient_id), col(Questionnaire.taken_at).desc())
    )
    return {
        row.patient_id: ControlCheck(
            row.local_date, {Criterion(code): bool(answer) for code, answer in (row.answers or {}).items()}
        )
        for row in found
    }


def measured_value(records: Records, kind: MeasurementKind) -> float | None:
    found = records.measured.get(kind.value)
    return None if found is None else found.value


def _days(columns: DiaryColumns, index: int) -> tuple[Day, ...]:
    diaries = columns.diaries
    first, last = np.searchsorted(diaries.patient_index, [index, index + 1])
    names = ("day_symptoms", "night_waking", "activity_limited", "reliever_puffs", "controller_fraction")
    best = np.fmax(diaries.morning_litres_per_min[first:last], diaries.evening_litres_per_min[first:last]).tolist()
    rows = zip(
        diaries.day[first:last].tolist(),
        best,
        *(getattr(diaries, name)[first:last].tolist() for name in names),
        strict=True,
    )
    return tuple(
        Day(
            on=date.fromordinal(ordinal),
            best_litres_per_min=_known(litres),
            daytime_symptoms=_yes(symptoms),
            night_waking=_yes(night),
            activity_limited=_yes(limited),
            reliever_puffs=_known(puffs),
            controller_fraction=_known(fraction),
        )
        for ordinal, litres, symptoms, night, limited, puffs, fraction in rows
    )


def _known(value: float) -> float | None:
    return None if value != value else value  # NaN alone differs from itself


def _yes(value: float) -> bool | None:
    return None if value != value else value > 0
