"""What is said to patients: the in-app inbox, which is the truth, and the pushes that point to it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from backend.core.database import Instant, one_of


class MessageKind(StrEnum):
    RED_ZONE = "red_zone"
    RED_FLAG = "red_flag"
    FORECAST = "forecast"
    # A prompt that no phone has shown: its `data` names the occurrence.
    REMINDER = "reminder"
    PHONE_SILENT = "phone_silent"


class MessageLevel(StrEnum):
    AMBER = "amber"
    RED = "red"
    INFO = "info"


class DeliveryOutcome(StrEnum):
    """`in_inbox`: no push could be sent (no token, or no push service), the phone finds it at its next sync."""

    WAITING = "waiting"
    HANDED_OVER = "handed_over"
    IN_INBOX = "in_inbox"
    TOKEN_RETIRED = "token_retired"  # noqa: S105 (an outcome, not a secret)
    GIVEN_UP = "given_up"
    NOT_NEEDED = "not_needed"


class InboxMessage(SQLModel, table=True):
    """One message a patient reads in the app, in the patient's language.

    A patient has one message a `tag` (of an alert its id): telling again rewrites it. `data` travels with the push.
    """

    __tablename__ = "inbox_message"
    __table_args__ = (
        CheckConstraint(one_of("kind", MessageKind), name="kind"),
        CheckConstraint(one_of("level", MessageLevel), name="level"),
        UniqueConstraint("patient_id", "tag"),
        Index("ix_inbox_message_patient_id_change", "patient_id", "change"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id")
    alert_id: UUID | None = Field(default=None, foreign_key="alert.id", unique=True)
    tag: str
    kind: str
    level: str
    title: str
    text: str
    data: dict[str, str] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    resolved_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    change: int = Field(sa_column=Column(BigInteger, nullable=False))


class Delivery(SQLModel, table=True):
    """One push of one message to one phone. Due work of kind "deliver" is keyed by its id.

    Pushes of one message share its `tag`, so on the phone a later one replaces an earlier one. `handed_over_at`: taken
    by the push service. `received_at` and `opened_at` are what the phone itself says, by the server's clock at most.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        ForeignKeyConstraint(["device_id", "patient_id"], ["device.id", "device.patient_id"]),
        CheckConstraint(one_of("outcome", DeliveryOutcome), name="outcome"),
        CheckConstraint("attempts >= 0", name="attempts"),
        CheckConstraint("(outcome = 'handed_over') = (handed_over_at IS NOT NULL)", name="handed_over_at"),
        CheckConstraint("opened_at IS NULL OR received_at IS NOT NULL", name="opened_at"),
        Index("ix_delivery_message_id", "message_id"),
        Index("ix_delivery_created_at", "created_at"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    message_id: UUID = Field(foreign_key="inbox_message.id")
    alert_id: UUID | None = Field(default=None, foreign_key="alert.id", index=True)
    patient_id: UUID
    device_id: UUID
    tag: str
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    attempts: int = 0
    outcome: str = DeliveryOutcome.WAITING.value
    handed_over_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    closed_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    received_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    opened_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    # A kind such as "unavailable" or "quota_exceeded", never a message: those may quote a token.
    error_kind: str | None = None


class ClinicianMail(SQLModel, table=True):
    """One e-mail to one clinician: something waits. Due work of kind "mail" is keyed by its id."""

    __tablename__ = "clinician_mail"
    __table_args__ = (
        CheckConstraint(one_of("outcome", DeliveryOutcome), name="outcome"),
        CheckConstraint("attempts >= 0", name="attempts"),
        CheckConstraint("(outcome = 'handed_over') = (handed_over_at IS NOT NULL)", name="handed_over_at"),
        Index("ix_clinician_mail_created_at", "created_at"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    alert_id: UUID = Field(foreign_key="alert.id", index=True)
    clinician_id: UUID = Field(foreign_key="clinician.id")
    created_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    attempts: int = 0
    outcome: str = DeliveryOutcome.WAITING.value
    handed_over_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    closed_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    error_kind: str | None = None


class Watch(SQLModel, table=True):
    """One phone handed the watch to another of the same patient: until then only red rings on `device_id`."""

    __tablename__ = "watch"
    __table_args__ = (
        ForeignKeyConstraint(["device_id", "patient_id"], ["device.id", "device.patient_id"]),
        ForeignKeyConstraint(
            ["to_device_id", "patient_id"], ["device.id", "device.patient_id"], name="fk_watch_to_device_id"
        ),
        CheckConstraint("device_id <> to_device_id", name="two_phones"),
        CheckConstraint("until > began_at", name="until"),
    )

    device_id: UUID = Field(primary_key=True)
    patient_id: UUID = Field(primary_key=True)
    to_device_id: UUID
    began_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    until: datetime = Field(sa_column=Column(Instant, nullable=False))
