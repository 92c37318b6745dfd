"""Inhalers prescribed, and what was taken of them."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKeyConstraint, Index, SmallInteger, UniqueConstraint
from sqlmodel import Field, SQLModel

from backend.clinical.medicines import Use
from backend.core.database import Instant, one_of
from backend.patients.entry import Entry, entry_constraints

# A reported "more than so many" puffs has no upper end; 99 says so, and bounds every count.
MOST_PUFFS = 99


class InhalerRole(StrEnum):
    """`both`: an inhaler with formoterol that serves for maintenance and for relief."""

    RELIEVER = "reliever"
    CONTROLLER = "controller"
    BOTH = "both"


class UseAmount(StrEnum):
    """What a patient says who does not count puffs, against what is prescribed."""

    NONE = "none"
    LESS = "less"
    AS_USUAL = "as_usual"
    MORE = "more"
    UNSURE = "unsure"


class UsePurpose(StrEnum):
    RELIEF = "relief"
    MAINTENANCE = "maintenance"
    BEFORE_EXERCISE = "before_exercise"
    UNKNOWN = "unknown"


class UseSource(StrEnum):
    """`day_recall` sums up a local day: it is never added to what was logged or sensed; the larger counts."""

    LOGGED = "logged"
    SENSOR = "sensor"
    DAY_RECALL = "day_recall"


class Inhaler(SQLModel, table=True):
    """One inhaler of one patient. A changed prescription is a new row; the old one becomes inactive.

    With `product_id`, an entry of the catalogue of medicines, the rules know what is in it; without, it is only a name.
    """

    __tablename__ = "inhaler"
    __table_args__ = (
        UniqueConstraint("patient_id", "id"),
        CheckConstraint(one_of("role", InhalerRole), name="role"),
        CheckConstraint("length(name) BETWEEN 1 AND 80", name="name"),
        CheckConstraint("puffs_per_dose BETWEEN 1 AND 8", name="puffs_per_dose"),
        CheckConstraint("doses_per_day BETWEEN 0 AND 24", name="doses_per_day"),
        CheckConstraint(f"max_puffs_per_day BETWEEN 1 AND {MOST_PUFFS}", name="max_puffs_per_day"),
        CheckConstraint("warn_puffs_per_day BETWEEN 1 AND max_puffs_per_day", name="warn_puffs_per_day"),
        CheckConstraint(one_of("use", Use), name="use"),
        CheckConstraint("(product_id IS NULL) = (use IS NULL)", name="product_id_and_use"),
        Index("ix_inhaler_patient_id_change", "patient_id", "change"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    patient_id: UUID = Field(foreign_key="patient.id")
    name: str
    role: str
    drug: str
    device: str
    puffs_per_dose: int = 1
    # 0: only when needed.
    doses_per_day: int = 0
    max_puffs_per_day: int | None = None
    warn_puffs_per_day: int | None = None
    product_id: str | None = None
    use: str | None = None
    active: bool = True
    prescribed_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    stopped_at: datetime | None = Field(default=None, sa_column=Column(Instant, nullable=True))
    change: int = Field(sa_column=Column(BigInteger, nullable=False))


class InhalerUse(Entry, table=True):
    """Either counted puffs (`puffs_at_most` is the upper end of a reported range) or an amount in words."""

    __tablename__ = "inhaler_use"
    __table_args__ = (
        *entry_constraints(
            "inhaler_use",
            "inhaler_id IS NOT NULL AND num_nonnulls(puffs, amount) = 1 AND purpose IS NOT NULL AND source IS NOT NULL"
            " AND (puffs IS NULL OR puffs > 0 OR source = 'day_recall')"
            " AND (puffs_at_most IS NULL OR puffs_at_most >= puffs)",
        ),
        # Both columns, so that nobody's use can point at another patient's inhaler.
        ForeignKeyConstraint(["patient_id", "inhaler_id"], ["inhaler.patient_id", "inhaler.id"]),
        CheckConstraint(f"puffs BETWEEN 0 AND {MOST_PUFFS}", name="puffs"),
        CheckConstraint(f"puffs_at_most BETWEEN 1 AND {MOST_PUFFS}", name="puffs_at_most"),
        CheckConstraint(one_of("amount", UseAmount), name="amount"),
        CheckConstraint(one_of("purpose", UsePurpose), name="purpose"),
        CheckConstraint(one_of("source", UseSource), name="source"),
    )

    inhaler_id: UUID | None = None
    puffs: int | None = Field(default=None, sa_column=Column(SmallInteger))
    puffs_at_most: int | None = Field(default=None, sa_column=Column(SmallInteger))
    amount: str | None = None
    purpose: str | None = None
    source: str | None = None
