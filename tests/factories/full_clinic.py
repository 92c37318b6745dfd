"""A clinic of twelve people with two months of diary, each in a state that the dashboard must show.

Everything is drawn from a seeded generator and put straight into the tables.
"""

import math
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician, Device
from backend.alerts.tables import Alert
from backend.clinical.peak_flow import ZoneThresholds, thresholds_from_personal_best, zone
from backend.core.heartbeat import beat
from backend.diary.tables import Attack, Note, PeakFlow, Symptoms, TriggerExposure
from backend.medication.tables import Inhaler, InhalerRole, InhalerUse
from backend.patients import service, store
from backend.patients.tables import Language, Patient, Sex
from backend.plans.tables import ActionPlan, PlanReceipt
from backend.plans.wording import standard_instructions
from backend.risk.tables import Assessment
from tests.factories import clinic

DAYS = 60


@dataclass(frozen=True)
class Person:
    name: str
    best: int
    born_on: date
    sex: Sex
    zone: str = "Asia/Seoul"
    language: Language = Language.KOREAN
    # Share of the personal best: usually, and at the end of the last ten days.
    usual: float = 0.92
    last: float = 0.92
    days: int = DAYS
    silent_days: int = 0
    plan: bool = True
    status: str = "ready"
    level: str = "usual"
    probability: float = 0.03
    reasons: tuple[tuple[str, float, str], ...] = ()
    alert: tuple[str, str] | None = None
    acknowledged: str | None = None
    flags: tuple[str, ...] = ()
    attack_days_ago: int | None = None


WORSE = (
    ("peak_flow_below_usual", 31.0, "percent"),
    ("reliever_above_usual", 4.5, "puffs_per_day"),
    ("night_waking_above_usual", 3.0, "nights_per_week"),
)

PEOPLE = (
    Person("이서준", 520, date(1988, 3, 2), Sex.MALE, last=0.44, level="high", probability=0.41, reasons=WORSE,
           alert=("red", "red_zone"), attack_days_ago=38),
    Person("Mari Tamm", 400, date(1961, 7, 19), Sex.FEMALE, last=0.63, level="high", probability=0.27,
           reasons=WORSE[:2], alert=("red", "red_flag"),
           acknowledged="Called at 08:10; speaks full sentences now, daughter is with her.",
           flags=("reliever_not_helping",), zone="Europe/Tallinn", language=Language.ESTONIAN),
    Person("김민지", 455, date(1999, 11, 5), Sex.FEMALE, last=0.74, level="raised", probability=0.16, reasons=WORSE[1:],
           alert=("amber", "forecast")),
    Person("Omar Khan", 560, date(1979, 1, 30), Sex.MALE, zone="Europe/London", language=Language.ENGLISH, last=0.71,
           level="raised", probability=0.13, reasons=WORSE[:1]),
    Person("박하은", 430, date(2004, 5, 14), Sex.FEMALE, silent_days=9, reasons=(("diary_gap", 9.0, "days"),)),
    Person("Anneliis Kristiina Põldmäe-Vanaveski", 380, date(1949, 9, 9), Sex.FEMALE, probability=0.05,
           reasons=(("controller_taken", 61.0, "percent"),), zone="Europe/Tallinn", language=Language.ESTONIAN),
    Person("최도윤", 610, date(1993, 12, 24), Sex.MALE, probability=0.02, attack_days_ago=12),
    Person("Grace Hughes", 410, date(1970, 6, 1), Sex.FEMALE, zone="Europe/London", language=Language.ENGLISH),
    Person("정수빈", 470, date(2001, 2, 11), Sex.FEMALE, days=4, status="not_enough_data"),
    Person("강지호", 540, date(1985, 8, 8), Sex.MALE, plan=False, status="no_model"),
    Person("조예린", 450, date(1990, 10, 10), Sex.FEMALE, status="no_consent"),
    Person("윤태양", 500, date(1977, 4, 4), Sex.MALE, days=0),
)  # fmt: skip


@dataclass
class FullClinic:
    doctor: Clinician
    patients: dict[str, Patient] = field(default_factory=dict)

    @property
    def in_danger(self) -> Patient:
        return self.patients["이서준"]


def full_clinic(
    session: Session, *, now: datetime, people: tuple[Person, ...] = PEOPLE, most_days: int = DAYS
) -> FullClinic:
    """`most_days` cuts every diary short, for tests that need no long history."""
    hospital = clinic.hospital(session, "Soom Teaching Hospital")
    doctor = clinic.clinician(session, hospital, now=now, email="doctor@hospital.example")
    made = FullClinic(doctor)
    for number, person in enumerate(people):
        person = replace(person, days=min(person.days, most_days))
        draw = random.Random(number)
        patient = service.add_patient(
            session,
            hospital_id=hospital.id,
            display_name=person.name,
            born_on=person.born_on,
            sex=person.sex,
            height_cm=draw.randint(155, 182),
            language=person.language,
            time_zone=person.zone,
            treatment_step=draw.randint(2, 4),
            severe_attacks_last_year=draw.randint(0, 2),
            now=now - timedelta(days=90),
        )
        store.add_to_care(session, patient.id, doctor.id, now=now - timedelta(days=90))
        made.patients.setdefault(person.name, patient)
        _Life(session, doctor, patient, person, draw, now).write()
    beat(session, "worker", now=now)
    session.commit()
    return made


class _Life:
    def __init__(
        self, session: Session, doctor: Clinician, patient: Patient, person: Person, draw: random.Random, now: datetime
    ) -> None:
        self.session, self.doctor, self.patient, self.person, self.draw, self.now = (
            session, doctor, patient, person, draw, now,
        )  # fmt: skip
        self.lines: ZoneThresholds | None = thresholds_from_personal_best(person.best) if person.plan else None
        self.phone = uuid.UUID(int=draw.getrandbits(128))
        self.newest: PeakFlow | None = None

    def write(self) -> None:
        add = self.session.add
        if self.person.plan:
            add(self._plan())
        if not self.person.days:
            return
        enrolled_at = self.now - timedelta(days=self.person.days)
        add(Device(
            id=self.phone, patient_id=self.patient.id, name="Galaxy S23", platform="android", enrolled_at=enrolled_at,
            last_seen_at=self.now - timedelta(days=self.person.silent_days, minutes=7),
        ))  # fmt: skip
        reliever = self._inhaler("Ventolin Evohaler 100 µg", InhalerRole.RELIEVER, "salbutamol", 0)
        controller = self._inhaler("Pulmicort Turbuhaler 200 µg", InhalerRole.CONTROLLER, "budesonide", 2)
        self.session.add_all([reliever, controller])
        self.session.flush()
        today = self.now.astimezone(ZoneInfo(self.person.zone)).date()
        for back in range(self.person.days, self.person.silent_days - 1, -1):
            day, well = today - timedelta(days=back), self._wellness(back)
            self.session.add_all(
                self._entries(day, well, reliever, controller, attack=back == self.person.attack_days_ago)
            )
            if self.draw.random() < 0.95:
                add(self._assessment(day, back, well))
        self.session.flush()
        if self.person.alert:
            add(self._alert(*self.person.alert))

    def _wellness(self, back: int) -> float:
        """Share of the personal best: steady, then sliding to `last` over ten days, with a dip at an attack."""
        slide = min(1.0, max(0.0, (10 - back) / 10))
        share = self.person.usual + (self.person.last - self.person.usual) * slide
        if self.person.attack_days_ago is not None:
            share -= 0.35 * math.exp(-abs(back - self.person.attack_days_ago) / 3)
        return share

    def _entries(
        self, day: date, well: float, reliever: Inhaler, controller: Inhaler, *, attack: bool
    ) -> Iterator[Any]:
        draw, trouble = self.draw, max(0.0, 0.92 - well) * 3
        for hour, lower in ((7, 0.04), (20, 0.0)):
            header = self._header(day, hour)
            if draw.random() < 0.88 and header["taken_at"] <= self.now:
                value = round(self.person.best * (well - lower + draw.gauss(0, 0.025)))
                self.newest = PeakFlow(
                    **header, blows_litres_per_min=[value - 12, value, value - 5], litres_per_min=value,
                    meter="Mini-Wright", scale="eu", bronchodilator="before",
                    action_zone=zone(value, self.lines).value if self.lines else None,
                )  # fmt: skip
                yield self.newest
        header = self._header(day, 7)
        if header["taken_at"] > self.now:
            return
        severity = min(3, round(trouble * 2 + draw.random() * 0.7))
        last_day = day >= self.now.date() - timedelta(days=1)
        yield Symptoms(
            **header, daytime=severity > 0, severity=severity, night_waking=draw.random() < trouble,
            activity_limited=draw.random() < trouble, red_flags=list(self.person.flags) if last_day else [],
        )  # fmt: skip
        puffs = round(trouble * 7 + draw.random() * 1.3)
        yield InhalerUse(
            **self._header(day, 7), inhaler_id=reliever.id, puffs=puffs,
            puffs_at_most=puffs + 2 if puffs and draw.random() < 0.1 else None,
            purpose="relief", source="logged" if puffs else "day_recall",
        )  # fmt: skip
        amount = "as_usual" if draw.random() < 0.85 else "less"
        yield InhalerUse(
            **self._header(day, 7), inhaler_id=controller.id, amount=amount, purpose="maintenance", source="day_recall"
        )
        if draw.random() < 0.2 + trouble:
            yield TriggerExposure(**self._header(day, 7), trigger=draw.choice(["cold_air", "infection", "house_dust"]))
        if draw.random() < 0.04:
            yield Note(**self._header(day, 7), text="계단을 오를 때 숨이 찼어요." if draw.random() < 0.5 else "Tired.")
        if attack:
            yield Attack(
                **self._header(day, 7), systemic_steroids=True, systemic_steroid_days=5, emergency_visit=True,
                source="self",
            )  # fmt: skip

    def _header(self, day: date, hour: int) -> dict[str, Any]:
        local = datetime(
            day.year, day.month, day.day, hour, self.draw.randint(0, 49), tzinfo=ZoneInfo(self.person.zone)
        )
        offset = local.utcoffset() or timedelta(0)
        taken_at = local.astimezone(UTC)
        return {
            "patient_id": self.patient.id, "id": uuid.UUID(int=self.draw.getrandbits(128)), "revision": 1,
            "device_id": self.phone, "taken_at": taken_at, "time_zone": self.person.zone,
            "utc_offset_minutes": int(offset.total_seconds() // 60), "local_date": day, "received_at": taken_at,
            "change": 1,
        }  # fmt: skip

    def _inhaler(self, name: str, role: InhalerRole, drug: str, doses_per_day: int) -> Inhaler:
        return Inhaler(
            patient_id=self.patient.id, name=name, role=role.value, drug=drug, device="Turbuhaler" if doses_per_day else
            "metered dose inhaler", doses_per_day=doses_per_day, max_puffs_per_day=None if doses_per_day else 8,
            prescribed_at=self.now - timedelta(days=90), change=1,
        )  # fmt: skip

    def _plan(self) -> ActionPlan:
        assert self.lines is not None
        self.session.add(PlanReceipt(**self._header((self.now - timedelta(days=58)).date(), 9), plan_version=1))
        return ActionPlan(
            patient_id=self.patient.id, version=1, signed_at=self.now - timedelta(days=59), signed_by=self.doctor.id,
            personal_best_litres_per_min=self.person.best, personal_best_basis="measured", meter="Mini-Wright",
            yellow_below_litres_per_min=self.lines.yellow_below_litres_per_min,
            red_below_litres_per_min=self.lines.red_below_litres_per_min,
            instructions=standard_instructions("119"), review_on=(self.now + timedelta(days=120)).date(), change=1,
        )  # fmt: skip

    def _assessment(self, day: date, back: int, well: float) -> Assessment:
        person, diary_days = self.person, self.person.days - back + 1
        ready = person.status == "ready" and diary_days >= 7
        status = "not_enough_data" if person.status == "ready" and not ready else person.status
        trouble = max(0.0, 0.92 - well)
        chance = person.probability if back <= person.silent_days else 0.02 + trouble * 0.6 + self.draw.random() * 0.015
        level = person.level if back <= person.silent_days else "raised" if chance > 0.12 else "usual"
        last = self.newest
        return Assessment(
            patient_id=self.patient.id, as_of=day, assessed_at=self.now - timedelta(days=back, seconds=40),
            zone=last.action_zone if last else None, newest_litres_per_min=last.litres_per_min if last else None,
            newest_reading_at=last.taken_at if last else None, status=status,
            red_flags=list(person.flags) if back <= 1 else [], diary_days=diary_days,
            probability_7_days=chance if ready else None, level=level if ready else None,
            reasons=[{"code": c, "value": v, "unit": u} for c, v, u in person.reasons] if ready else [],
            model_id="soom-blend" if ready else None, model_version="2026.11" if ready else None,
            last_entry_at=last.taken_at if last else None, change=1,
        )  # fmt: skip

    def _alert(self, level: str, cause: str) -> Alert:
        rule, last = cause != "forecast", self.newest
        assert last is not None
        reasons: list[dict[str, Any]] = [{"code": "red_zone", "value": last.litres_per_min, "unit": "litres_per_min"}]
        if cause == "red_flag":
            reasons = [{"code": flag, "value": None, "unit": None} for flag in self.person.flags]
        if cause == "forecast":
            reasons = [{"code": c, "value": v, "unit": u} for c, v, u in self.person.reasons]
        stored = self.session.exec(
            select(Assessment)
            .where(Assessment.patient_id == self.patient.id)
            .order_by(col(Assessment.as_of).desc())
            .limit(1)
        ).one()
        seen = self.person.acknowledged is not None
        return Alert(
            patient_id=self.patient.id, assessment_id=stored.id, state="acknowledged" if seen else "sent",
            level=level, cause=cause, reasons=reasons, evidence_at=last.taken_at if rule else None,
            evidence_on=last.local_date if rule else None, triggered_at=self.now - timedelta(hours=3), sent_at=self.now,
            acknowledged_at=self.now - timedelta(hours=1) if seen else None,
            acknowledged_by=self.doctor.id if seen else None, acknowledgement_note=self.person.acknowledged,
        )  # fmt: skip
