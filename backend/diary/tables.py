"""What a patient writes down: peak flow, symptoms, triggers, attacks, answers, notes. One table a kind.

Body columns may be NULL because a tombstone has none; the CHECK named `body` holds them for all other rows.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Column, SmallInteger, String
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from backend.clinical.peak_flow import Bronchodilator, Zone
from backend.clinical.red_flags import ANSWERABLE
from backend.core.database import one_of
from backend.patients.entry import Entry, entry_constraints

LOWEST_LITRES_PER_MIN = 30
HIGHEST_LITRES_PER_MIN = 900


class MeterScale(StrEnum):
    """EU scale (EN 13826) or the older Wright scale: values of the two are not comparable."""

    EU = "eu"
    WRIGHT = "wright"
    UNKNOWN = "unknown"


class TriggerName(StrEnum):
    """`none`: the patient was asked and named no trigger."""

    POLLEN = "pollen"
    HOUSE_DUST = "house_dust"
    PETS = "pets"
    MOULD = "mould"
    SMOKE = "smoke"
    AIR_POLLUTION = "air_pollution"
    COLD_AIR = "cold_air"
    WEATHER_CHANGE = "weather_change"
    INFECTION = "infection"
    EXERCISE = "exercise"
    STRESS = "stress"
    STRONG_SMELLS = "strong_smells"
    MEDICINE = "medicine"
    FOOD = "food"
    WORK = "work"
    MENSTRUATION = "menstruation"
    OTHER = "other"
    NONE = "none"


class AttackSource(StrEnum):
    SELF = "self"
    CLINICIAN = "clinician"
    RECORD = "record"


class Instrument(StrEnum):
    WEEKLY_REVIEW = "weekly_review"
    CONTROL_CHECK = "control_check"
    SCORE = "score"


_RED_FLAGS = ", ".join(f"'{flag.value}'" for flag in ANSWERABLE)


class PeakFlow(Entry, table=True):
    """One session of one to three blows; `litres_per_min` is the best of them."""

    __tablename__ = "peak_flow"
    __table_args__ = (
        *entry_constraints(
            "peak_flow",
            "cardinality(blows_litres_per_min) BETWEEN 1 AND 3"
            f" AND {LOWEST_LITRES_PER_MIN} <= ALL(blows_litres_per_min)"
            f" AND {HIGHEST_LITRES_PER_MIN} >= ALL(blows_litres_per_min)"
            # GREATEST skips the NULL of a blow that was not made.
            " AND litres_per_min ="
            " GREATEST(blows_litres_per_min[1], blows_litres_per_min[2], blows_litres_per_min[3])"
            " AND length(meter) BETWEEN 1 AND 60 AND scale IS NOT NULL AND bronchodilator IS NOT NULL",
        ),
        CheckConstraint(one_of("scale", MeterScale), name="scale"),
        CheckConstraint(one_of("bronchodilator", Bronchodilator), name="bronchodilator"),
        CheckConstraint(one_of("action_zone", Zone), name="action_zone"),
    )

    blows_litres_per_min: list[int] | None = Field(default=None, sa_column=Column(ARRAY(SmallInteger)))
    litres_per_min: int | None = Field(default=None, sa_column=Column(SmallInteger))
    meter: str | None = None
    scale: str | None = None
    bronchodilator: str | None = None
    # The zone that the phone showed when the reading was taken, by the plan of that day.
    action_zone: str | None = None
    plan_version: int | None = None


class Symptoms(Entry, table=True):
    """NULL means not asked or not answered, never "no". `severity`: 0 none, 1 mild, 2 moderate, 3 severe."""

    __tablename__ = "symptoms"
    __table_args__ = (
        *entry_constraints(
            "symptoms",
            "red_flags IS NOT NULL AND"
            " (num_nonnulls(daytime, night_waking, activity_limited, severity) > 0 OR cardinality(red_flags) > 0)",
        ),
        CheckConstraint("severity BETWEEN 0 AND 3", name="severity"),
        CheckConstraint(f"red_flags <@ ARRAY[{_RED_FLAGS}]::varchar[]", name="red_flags"),
    )

    daytime: bool | None = None
    night_waking: bool | None = None
    activity_limited: bool | None = None
    severity: int | None = Field(default=None, sa_column=Column(SmallInteger))
    red_flags: list[str] | None = Field(default=None, sa_column=Column(ARRAY(String)))


class TriggerExposure(Entry, table=True):
    __tablename__ = "trigger_exposure"
    __table_args__ = (
        *entry_constraints("trigger_exposure", "trigger IS NOT NULL"),
        CheckConstraint(one_of("trigger", TriggerName), name="trigger"),
        CheckConstraint("length(note) <= 200", name="note"),
    )

    trigger: str | None = None
    note: str | None = None


class Attack(Entry, table=True):
    """A severe worsening; `taken_at` is its onset. At least one of the four consequences is true."""

    __tablename__ = "attack"
    __table_args__ = (
        *entry_constraints(
            "attack",
            "(systemic_steroids IS TRUE OR emergency_visit IS TRUE OR hospital_admission IS TRUE"
            " OR unscheduled_visit IS TRUE) AND source IS NOT NULL",
        ),
        CheckConstraint("systemic_steroid_days BETWEEN 1 AND 90", name="systemic_steroid_days"),
        CheckConstraint(
            "systemic_steroid_days IS NULL OR systemic_steroids IS TRUE", name="systemic_steroid_days_of_a_course"
        ),
        CheckConstraint(one_of("source", AttackSource), name="source"),
    )

    systemic_steroids: bool | None = None
    systemic_steroid_days: int | None = Field(default=None, sa_column=Column(SmallInteger))
    emergency_visit: bool | None = None
    hospital_admission: bool | None = None
    unscheduled_visit: bool | None = None
    source: str | None = None


class Questionnaire(Entry, table=True):
    """Answers as numbers by code; the codes and their ranges are in questionnaires.py. `score` as the phone gave it."""

    __tablename__ = "questionnaire"
    __table_args__ = (
        *entry_constraints(
            "questionnaire", "instrument IS NOT NULL AND period_days IS NOT NULL AND jsonb_typeof(answers) = 'object'"
        ),
        CheckConstraint(one_of("instrument", Instrument), name="instrument"),
        CheckConstraint("period_days BETWEEN 1 AND 366", name="period_days"),
    )

    instrument: str | None = None
    period_days: int | None = Field(default=None, sa_column=Column(SmallInteger))
    # none_as_null: a tombstone holds SQL NULL, not the JSON word null.
    answers: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    score: float | None = None


class Note(Entry, table=True):
    __tablename__ = "note"
    __table_args__ = entry_constraints("note", "length(text) BETWEEN 1 AND 2000")

    text: str | None = None
