"""What should remind a patient and what became of it: the patient's settings, the phones' reports, and the ledger."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from backend.core.database import Instant, one_of
from backend.patients.entry import Entry, entry_constraints

# The due work of planning one patient's reminders anew.
PLAN_REMINDERS = "plan_reminders"
LONGEST_KEY = 120
HIGHEST_COUNT = 10_000


class ReportedState(StrEnum):
    """What a phone says of an occurrence."""

    ARMED = "armed"
    FIRED = "fired"
    SHOWN = "shown"
    ACTED = "acted"
    MISSED = "missed"
    CANCELLED = "cancelled"


class State(StrEnum):
    """What the ledger says. `pushed`: no phone told that it rang, and the server's own push was handed over."""

    DUE = "due"
    CANCELLED = "cancelled"
    ARMED = "armed"
    MISSED = "missed"
    PUSHED = "pushed"
    FIRED = "fired"
    SHOWN = "shown"
    ACTED = "acted"


class Action(StrEnum):
    TAKEN = "taken"
    SKIPPED = "skipped"
    DONE = "done"
    ALREADY_LOGGED = "already_logged"


class SkipReason(StrEnum):
    FORGOT = "forgot"
    SIDE_EFFECTS = "side_effects"
    RAN_OUT = "ran_out"
    FEEL_WELL = "feel_well"
    ILL = "ill"
    AWAY = "away"
    OTHER = "other"


class ReportedCause(StrEnum):
    PHONE_OFF = "phone_off"
    NOT_PERMITTED = "not_permitted"
    APP_STOPPED = "app_stopped"
    TOO_LATE = "too_late"
    CLOCK_CHANGED = "clock_changed"
    ZONE_CHANGED = "zone_changed"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """`phone_silent`: the server has not heard of any phone of the patient since the occurrence was due."""

    PHONE_OFF = "phone_off"
    NOT_PERMITTED = "not_permitted"
    APP_STOPPED = "app_stopped"
    TOO_LATE = "too_late"
    CLOCK_CHANGED = "clock_changed"
    ZONE_CHANGED = "zone_changed"
    UNKNOWN = "unknown"
    PHONE_SILENT = "phone_silent"


class DecidedBy(StrEnum):
    PHONE = "phone"
    SERVER = "server"


_TIME = "'^([01][0-9]|2[0-3]):[0-5][0-9]$'"


class ReminderSettings(Entry, table=True):
    """When the patient wants to be reminded. Times are HH:MM of the patient's own clock; one row a patient."""

    __tablename__ = "reminder_settings"
    __table_args__ = (
        *entry_constraints(
            "reminder_settings",
            f"day_starts_at ~ {_TIME} AND quiet_from ~ {_TIME} AND quiet_until ~ {_TIME}"
            f" AND (check_in_at IS NULL OR check_in_at ~ {_TIME}) AND times IS NOT NULL AND opened IS NOT NULL"
            " AND appointments IS NOT NULL AND follow_habit IS NOT NULL AND health_words_on_lock_screen IS NOT NULL",
        ),
    )

    day_starts_at: str | None = None
    quiet_from: str | None = None
    quiet_until: str | None = None
    times: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    follow_habit: bool | None = None
    check_in_at: str | None = None
    paused_until: date | None = None
    health_words_on_lock_screen: bool | None = None
    opened: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    appointments: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))


class ReminderPhone(SQLModel, table=True):
    """What a phone said of itself at its last sync: where it is, and whether the system lets its alarms through."""

    __tablename__ = "reminder_phone"
    __table_args__ = (
        ForeignKeyConstraint(["device_id", "patient_id"], ["device.id", "device.patient_id"]),
        CheckConstraint(f"armed_count BETWEEN 0 AND {HIGHEST_COUNT}", name="armed_count"),
    )

    patient_id: UUID = Field(primary_key=True)
    device_id: UUID = Field(primary_key=True)
    time_zone: str
    notifications_allowed: bool | None = None
    exact_alarms_allowed: bool | None = None
    battery_unrestricted: bool | None = None
    armed_until: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    armed_count: int = 0
    reported_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class ReminderReport(SQLModel, table=True):
    """The newest version of what one phone reported of one occurrence."""

    __tablename__ = "reminder_report"
    __table_args__ = (
        ForeignKeyConstraint(["device_id", "patient_id"], ["device.id", "device.patient_id"]),
        CheckConstraint(f"length(key) BETWEEN 1 AND {LONGEST_KEY}", name="key"),
        CheckConstraint("revision >= 1", name="revision"),
        CheckConstraint(one_of("state", ReportedState), name="state"),
        CheckConstraint(one_of("action", Action), name="action"),
        CheckConstraint(one_of("skip_reason", SkipReason), name="skip_reason"),
        CheckConstraint(one_of("cause", ReportedCause), name="cause"),
        CheckConstraint(f"snoozed_times BETWEEN 0 AND {HIGHEST_COUNT}", name="snoozed_times"),
    )

    patient_id: UUID = Field(primary_key=True)
    key: str = Field(primary_key=True)
    local_date: date = Field(primary_key=True)
    device_id: UUID = Field(primary_key=True)
    revision: int
    due_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    time_zone: str
    state: str
    at: datetime = Field(sa_column=Column(Instant, nullable=False))
    action: str | None = None
    skip_reason: str | None = None
    cause: str | None = None
    snoozed_times: int = 0
    received_at: datetime = Field(sa_column=Column(Instant, nullable=False))


class ReminderOccurrence(SQLModel, table=True):
    """The ledger: one prompt of one schedule on one diary day, and what became of it over all phones and the server.

    `expected`: the server's own reading of plan and settings asks for it. `judge_at`: when the server looks at it next;
    NULL once it has ended.
    """

    __tablename__ = "reminder_occurrence"
    __table_args__ = (
        CheckConstraint(f"length(key) BETWEEN 1 AND {LONGEST_KEY}", name="key"),
        CheckConstraint(one_of("state", State), name="state"),
        CheckConstraint(one_of("decided_by", DecidedBy), name="decided_by"),
        CheckConstraint(one_of("action", Action), name="action"),
        CheckConstraint(one_of("skip_reason", SkipReason), name="skip_reason"),
        CheckConstraint(one_of("cause", Cause), name="cause"),
        CheckConstraint("state <> 'missed' OR cause IS NOT NULL", name="missed_has_a_cause"),
        CheckConstraint("state <> 'pushed' OR pushed_at IS NOT NULL", name="pushed_at"),
        CheckConstraint("(pushed_at IS NULL) = (message_id IS NULL)", name="message_id"),
        Index("ix_reminder_occurrence_judge_at", "judge_at", postgresql_where="judge_at IS NOT NULL"),
        Index("ix_reminder_occurrence_patient_id_due_at", "patient_id", "due_at"),
    )

    patient_id: UUID = Field(foreign_key="patient.id", primary_key=True)
    key: str = Field(primary_key=True)
    local_date: date = Field(primary_key=True)
    due_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    time_zone: str
    expected: bool
    state: str = State.DUE.value
    decided_by: str = DecidedBy.SERVER.value
    at: datetime = Field(sa_column=Column(Instant, nullable=False))
    action: str | None = None
    skip_reason: str | None = None
    cause: str | None = None
    snoozed_times: int = 0
    pushed_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    message_id: UUID | None = Field(default=None, foreign_key="inbox_message.id", unique=True)
    judge_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))


class ReminderPlanning(SQLModel, table=True):
    """Up to which due instant a patient's occurrences are in the ledger: after a standstill planning goes on here."""

    __tablename__ = "reminder_planning"

    patient_id: UUID = Field(foreign_key="patient.id", primary_key=True)
    planned_until: datetime = Field(sa_column=Column(Instant, nullable=False))


class ContactTask(SQLModel, table=True):
    """Somebody of the care team should get in touch, because no phone of the patient has been heard of.

    Open until a clinician says it is done or the phone is heard again; a clinician may open it again.
    """

    __tablename__ = "contact_task"
    __table_args__ = (
        CheckConstraint("length(note) <= 2000", name="note"),
        CheckConstraint("(done_at IS NULL) = (done_by IS NULL)", name="done_by"),
        Index("uq_contact_task_silence", "patient_id", "silent_since", unique=True),
        Index(
            "ix_contact_task_open",
            "patient_id",
            unique=True,
            postgresql_where="done_at IS NULL AND heard_again_at IS NULL",
        ),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id")
    silent_since: datetime = Field(sa_column=Column(Instant, nullable=False))
    opened_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    heard_again_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    done_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    done_by: UUID | None = Field(default=None, foreign_key="clinician.id")
    note: str = ""
    message_id: UUID | None = Field(default=None, foreign_key="inbox_message.id")
